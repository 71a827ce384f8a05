import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_oracles import textbook_scores

from reidzoo.metrics import distances as distances_module
from reidzoo.metrics import retrieval_scores, retrieval_scores_from_distances


def assert_same(scores, expected, atol=1e-12):
    assert set(scores) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(scores[name], value, rtol=0, atol=atol, err_msg=name)


def golden_truth(data):
    return [data[f"{side}_{what}"] for what in ("pids", "cams") for side in ("query", "gallery")]


@st.composite
def searches(draw):
    """Distances from a handful of values, so that ties are everywhere, and every odd label."""
    q, g = draw(st.integers(1, 6)), draw(st.integers(1, 25))
    seed, levels = draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, 60))
    rng = np.random.default_rng(seed)
    distances = rng.integers(0, levels, (q, g)).astype(np.float32) / 7
    identities = [rng.integers(-2, 5, n) for n in (q, g)]
    cameras = [rng.integers(-1, 3, n) for n in (q, g)]
    return distances, *identities, *cameras


def test_golden_scores_from_distances(golden):
    data = golden("eval")
    scores = retrieval_scores_from_distances(data["distmat"], *golden_truth(data))
    assert scores["mAP"] == pytest.approx(float(data["mAP"]), abs=1e-6)
    np.testing.assert_allclose(scores["ap"], data["ap_per_query"], atol=1e-6)
    assert [scores[f"cmc{k}"] for k in (1, 5, 10)] == [data["cmc"][k - 1] for k in (1, 5, 10)]


def test_golden_scores_from_features(golden):
    data = golden("eval")
    scores = retrieval_scores(data["query_features"], data["gallery_features"], *golden_truth(data))
    assert scores["mAP"] == pytest.approx(float(data["mAP"]), abs=1e-6)
    assert [scores[f"cmc{k}"] for k in (1, 5, 10)] == [data["cmc"][k - 1] for k in (1, 5, 10)]


def test_golden_ties_are_one_threshold(golden):
    data = golden("eval")
    scores = retrieval_scores_from_distances(data["distmat_ties"], *golden_truth(data))
    assert scores["mAP"] == pytest.approx(float(data["mAP_ties"]), abs=1e-6)


@given(searches())
@settings(deadline=None)
def test_any_search_equals_the_textbook(search):
    distances, *truth = search
    expected = textbook_scores(distances, *truth) if has_answers(*truth) else None
    if expected is None:
        with pytest.raises(ValueError, match="right answer"):
            retrieval_scores_from_distances(distances, *truth)
    else:
        assert_same(retrieval_scores_from_distances(distances, *truth), expected)


def has_answers(query_ids, gallery_ids, query_cameras, gallery_cameras):
    same = (query_ids[:, None] == gallery_ids) & (query_ids[:, None] >= 0)
    seen = (query_cameras[:, None] == gallery_cameras) & (gallery_cameras >= 0)
    return bool((same & ~seen).any())


@given(st.integers(0, 1000))
@settings(deadline=None, max_examples=25)
def test_order_of_queries_and_gallery_does_not_matter_without_ties(seed):
    rng = np.random.default_rng(seed)
    distances = rng.permutation(7 * 40).reshape(7, 40)
    truth = [rng.integers(0, high, n) for high in (4, 2) for n in (7, 40)]
    scores = retrieval_scores_from_distances(distances, *truth)
    rows, columns = rng.permutation(7), rng.permutation(40)
    shuffled_truth = [
        values[order] for values, order in zip(truth, [rows, columns] * 2, strict=True)
    ]
    shuffled = retrieval_scores_from_distances(distances[rows][:, columns], *shuffled_truth)
    assert_same(shuffled, {**scores, "ap": scores["ap"][rows]})


def test_tied_ranks_go_by_gallery_position():
    tied = np.ones((1, 3))
    last = retrieval_scores_from_distances(tied, [1], [2, 2, 1], [0], [1, 1, 1])
    first = retrieval_scores_from_distances(tied, [1], [1, 2, 2], [0], [1, 1, 1])
    assert (last["cmc1"], last["mINP"]) == (0.0, pytest.approx(1 / 3))
    assert (first["cmc1"], first["mINP"]) == (1.0, 1.0)
    assert last["mAP"] == first["mAP"] == pytest.approx(1 / 3)


def test_one_camera_everywhere_counts_only_when_it_is_unknown():
    distances = [[0.1, 0.2]]
    unknown = retrieval_scores_from_distances(distances, [1], [1, 2], [-1], [-1, -1])
    assert unknown["mAP"] == 1.0
    with pytest.raises(ValueError, match="none of the 1 queries has a right answer"):
        retrieval_scores_from_distances(distances, [1], [1, 2], [0], [0, 0])


def test_blocks_equal_the_whole_matrix(golden, monkeypatch):
    data = golden("eval")
    whole = retrieval_scores_from_distances(data["distmat"], *golden_truth(data))
    blocks = (data["distmat"][start : start + 7] for start in range(0, 60, 7))
    assert_same(retrieval_scores_from_distances(blocks, *golden_truth(data)), whole, atol=0)
    listed = [data["distmat"][:25], data["distmat"][25:]]
    assert_same(retrieval_scores_from_distances(listed, *golden_truth(data)), whole, atol=0)

    features = data["query_features"], data["gallery_features"]
    once = retrieval_scores(*features, *golden_truth(data))
    monkeypatch.setattr(distances_module, "BLOCK_BYTES", 4 * 260 * 11)
    assert_same(retrieval_scores(*features, *golden_truth(data)), once, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_tensors_of_any_float_type_score_as_their_values_do(golden, dtype):
    data = golden("eval")
    truth = [torch.from_numpy(values) for values in golden_truth(data)]
    distances = torch.from_numpy(data["distmat"]).to(dtype)
    expected = textbook_scores(distances.double().numpy(), *golden_truth(data))
    assert_same(retrieval_scores_from_distances(distances, *truth), expected)
    features = [
        torch.from_numpy(data[f"{side}_features"]).to(dtype) for side in ("query", "gallery")
    ]
    rounded = torch.cdist(*(rows.double() for rows in features)).square().numpy()
    exact = textbook_scores(rounded, *golden_truth(data))
    assert_same(retrieval_scores(*features, *truth), exact, atol=1e-6)


def test_given_arrays_stay_as_they_are(golden):
    data = golden("eval")
    distances = data["distmat"].T.copy().T  # neither contiguous nor ours to change
    distances.flags.writeable = False
    before = distances.copy()
    scores = retrieval_scores_from_distances(distances, *golden_truth(data))
    np.testing.assert_array_equal(distances, before)
    assert scores["mAP"] == pytest.approx(float(data["mAP"]), abs=1e-6)


def test_distances_are_float32_under_autocast_and_medium_precision(golden):
    data = golden("eval")
    features = [torch.from_numpy(data[f"{side}_features"]) for side in ("query", "gallery")]
    plain = retrieval_scores(*features, *golden_truth(data))
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            scores = retrieval_scores(*features, *golden_truth(data))
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
    assert_same(scores, plain, atol=0)


def test_mistakes_are_one_clear_line():
    truth = [1], [1, 2], [0], [1, 1]
    given, measured = retrieval_scores_from_distances, retrieval_scores
    wrong = [
        (given, np.zeros((1, 3)), *truth, "2 gallery identities"),
        (given, np.zeros((2, 2)), *truth, "1 query"),
        (given, [[0.1, np.nan]], *truth, "NaN in row 0"),
        (given, iter(()), *truth, "0 rows"),
        (given, [[1, 2]], [1], [1, 2], [0], [1], "gallery_cameras 1"),
        (given, [[1, 2]], [1.5], [1, 2], [0], [1, 1], "integers"),
        (measured, [[1.0, np.inf]], np.eye(2), *truth, "query holds NaN or infinity in row 0"),
        (measured, [[1e30, 0.0]], np.eye(2), *truth, "query holds NaN or infinity in row 0"),
        (measured, [[1.0]], np.eye(2), *truth, "1 features per row and gallery 2"),
    ]
    for score, *arguments, message in wrong:
        with pytest.raises(ValueError, match=message) as error:
            score(*arguments)
        assert "\n" not in str(error.value)
