import numpy as np
import pytest
from scipy.optimize import brentq
from sklearn.metrics import roc_curve

from reidzoo.metrics import distances as distances_module
from reidzoo.metrics import verification_scores


def trials(golden):
    """All pairs that count, as (distance, same person), from the golden's whole matrix."""
    data = golden("eval")
    same = data["query_pids"][:, None] == data["gallery_pids"]
    kept = ~(same & (data["query_cams"][:, None] == data["gallery_cams"]))
    return data["distmat"][kept], same[kept]


def arguments(golden):
    data = golden("eval")
    names = [
        f"{side}_{what}" for what in ("features", "pids", "cams") for side in ("query", "gallery")
    ]
    return [data[name] for name in names]


def test_scores_equal_scikit_learn(golden):
    distances, same = trials(golden)
    fpr, tpr, _ = roc_curve(same, -distances.astype(np.float64), drop_intermediate=False)
    scores = verification_scores(*arguments(golden))
    for rate in ("1e-2", "1e-3", "1e-4"):
        assert scores[f"tpr{rate}"] == pytest.approx(tpr[fpr <= float(rate)].max(), abs=1e-9)
    equal_error = brentq(lambda x: 1 - x - np.interp(x, fpr, tpr), 0, 1)
    assert scores["eer"] == pytest.approx(equal_error, abs=1e-6)


def test_threshold_makes_the_two_errors_equal(golden):
    distances, same = trials(golden)
    scores = verification_scores(*arguments(golden))
    accepted = distances <= scores["threshold"]
    assert np.mean(accepted[~same]) == pytest.approx(scores["eer"], abs=1 / same.sum())
    assert np.mean(~accepted[same]) == pytest.approx(scores["eer"], abs=1 / same.sum())


def test_separable_people_have_no_error_and_a_threshold_in_the_gap():
    rows = [[1.0, 0.0]], [[0.8, 0.6], [0.6, -0.8], [0.0, 1.0], [-1.0, 0.0]]
    scores = verification_scores(*rows, [1], [1, 1, 2, 3], [0], [1, 2, 1, 1])
    assert [scores[name] for name in ("tpr1e-2", "tpr1e-4", "eer")] == [1.0, 1.0, 0.0]
    assert scores["threshold"] == pytest.approx((0.8 + 2.0) / 2, abs=1e-5)


def test_blocks_do_not_matter(golden, monkeypatch):
    once = verification_scores(*arguments(golden))
    monkeypatch.setattr(distances_module, "BLOCK_BYTES", 4 * 260 * 11)
    assert verification_scores(*arguments(golden)) == pytest.approx(once, abs=1e-5)


def test_junk_counts_on_neither_side(golden):
    query, gallery, query_ids, gallery_ids, query_cams, gallery_cams = arguments(golden)
    junk = np.arange(0, len(gallery), 5)
    marked = gallery_ids.copy()
    marked[junk] = -1
    with_junk = verification_scores(query, gallery, query_ids, marked, query_cams, gallery_cams)
    rest = [np.delete(values, junk, axis=0) for values in (gallery, gallery_ids, gallery_cams)]
    without = verification_scores(query, rest[0], query_ids, rest[1], query_cams, rest[2])
    assert with_junk == pytest.approx(without, abs=1e-5)


def test_one_kind_of_pair_is_not_enough():
    with pytest.raises(ValueError, match="1 pairs of one identity under two cameras and 0 of two"):
        verification_scores([[1.0]], [[1.0]], [1], [1], [0], [1])
