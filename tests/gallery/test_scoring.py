import pytest
import torch
import torch.nn.functional as F

from reidzoo.clustering.reranking import reranked_distances
from reidzoo.data.records import Record, Splits
from reidzoo.gallery.scoring import score_cameras, score_splits, score_verification, truths
from reidzoo.metrics import retrieval_scores, retrieval_scores_from_distances


@pytest.fixture(scope="module")
def labelled():
    draw = torch.Generator().manual_seed(3)
    centres = torch.randn(15, 32, generator=draw)
    parts = []
    for name, images in (("q", 2), ("g", 5)):
        rows = centres.repeat_interleave(images, 0)
        rows = F.normalize(rows + 0.9 * torch.randn(rows.shape, generator=draw), dim=1)
        records = tuple(Record(f"{name}{i}", i // images, i % 3) for i in range(len(rows)))
        parts.append((rows, records))
    (query, asked), (gallery, searched) = parts
    return query, gallery, Splits(train=(), query=asked, gallery=searched)


def test_scores_are_those_of_the_metrics(labelled):
    query, gallery, splits = labelled
    expected = retrieval_scores(query, gallery, *truths(splits))
    scores = score_splits(*labelled)
    assert all(scores[name] == expected[name] for name in ("mAP", "mINP", "cmc1", "cmc5", "cmc10"))
    assert 0 < scores["threshold"] < 1


def test_reranking_changes_the_ranking_and_not_the_threshold(labelled):
    query, gallery, splits = labelled
    plain, reranked = score_splits(*labelled), score_splits(*labelled, rerank=True)
    expected = retrieval_scores_from_distances(reranked_distances(query, gallery), *truths(splits))
    assert reranked["mAP"] == expected["mAP"] != plain["mAP"]
    assert reranked["threshold"] == plain["threshold"]


def test_the_verification_threshold_is_a_similarity_with_equal_errors(labelled):
    query, gallery, splits = labelled
    scores = score_verification(*labelled)
    asked, searched, origins, places = truths(splits)
    same = asked[:, None] == searched
    counted = ~(same & (origins[:, None] == places))
    similarities = query @ gallery.T
    accepted = similarities >= scores["eer_threshold"]
    missed = (~accepted & same & counted).sum() / (same & counted).sum()
    mistaken = (accepted & ~same).sum() / (~same).sum()
    assert float(missed) == pytest.approx(scores["eer"], abs=0.02)
    assert float(mistaken) == pytest.approx(scores["eer"], abs=0.02)
    assert scores["tpr1e-2"] >= scores["tpr1e-3"] >= scores["tpr1e-4"]


def test_camera_pairs_are_rows_that_add_up(labelled):
    rows = score_cameras(*labelled)
    assert {(row["query"], row["gallery"]) for row in rows} == {
        (a, b) for a in range(3) for b in range(3) if a != b
    }
    assert all(0 <= row["mAP"] <= 1 and row["queries"] > 0 for row in rows)
