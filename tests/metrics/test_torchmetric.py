import multiprocessing

import pytest
import torch
import torch.distributed as dist

from reidzoo.metrics import ReIDRetrieval, retrieval_scores


def images(golden):
    data = golden("eval")
    parts = [
        torch.cat([torch.from_numpy(data[f"{side}_{what}"]) for side in ("query", "gallery")])
        for what in ("features", "pids", "cams")
    ]
    return [*parts, torch.arange(len(parts[0])) < len(data["query_pids"])]


def expected(golden):
    data = golden("eval")
    scores = retrieval_scores(
        *(
            data[f"{side}_{what}"]
            for what in ("features", "pids", "cams")
            for side in ("query", "gallery")
        )
    )
    del scores["ap"]
    return scores


def test_batches_in_any_mixture_equal_one_search(golden):
    rows = images(golden)
    order = torch.randperm(len(rows[0]), generator=torch.Generator().manual_seed(3))
    metric = ReIDRetrieval()
    for part in order.split(37):
        metric.update(*(values[part] for values in rows))
    assert metric.compute() == pytest.approx(expected(golden), abs=1e-6)
    metric.reset()
    metric.update(*rows)
    assert metric.compute() == pytest.approx(expected(golden), abs=1e-6)


def test_half_precision_features_are_kept_in_float32(golden):
    features, *rest = images(golden)
    metric = ReIDRetrieval()
    metric.update(features.bfloat16(), *rest)
    assert metric.features[0].dtype == torch.float32


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="got 2, 1, 2, 2"):
        ReIDRetrieval().update(torch.eye(2), *(torch.zeros(n, dtype=torch.long) for n in (1, 2, 2)))


def score_a_share(rank, meeting, rows, answers):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{meeting}", rank=rank, world_size=2)
    metric = ReIDRetrieval()
    metric.update(*(values[rank::2] for values in rows))
    answers.put(metric.compute())
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_equal_one(golden, tmp_path):
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    rows = images(golden)
    ranks = [
        context.Process(target=score_a_share, args=(rank, tmp_path / "meeting", rows, answers))
        for rank in range(2)
    ]
    for process in ranks:
        process.start()
    scores = [answers.get(timeout=120) for _ in ranks]
    for process in ranks:
        process.join(timeout=30)
    assert scores[0] == scores[1] == pytest.approx(expected(golden), abs=1e-6)
