import numpy as np
import pytest
import torch
import torch.nn.functional as F

from reidzoo.gallery.calibration import equal_errors, label_threshold, search_threshold


def test_equal_errors_balances_both_mistakes():
    draw = np.random.default_rng(0)
    right, wrong = draw.normal(0.8, 0.1, 4000), draw.normal(0.5, 0.1, 1000)
    threshold = equal_errors(right, wrong)
    assert abs((right < threshold).mean() - (wrong > threshold).mean()) <= 1 / 1000
    assert threshold == pytest.approx(0.65, abs=0.01)


def test_equal_errors_ignores_searches_without_an_answer():
    assert equal_errors([0.9, -np.inf], [0.5, -np.inf]) == pytest.approx(0.7)
    assert equal_errors([-np.inf], [0.5]) is None
    assert equal_errors([0.9], []) is None


def test_equal_errors_when_every_answer_is_alike():
    assert equal_errors([0.5, 0.5], [0.5, 0.5]) == 0.5


def _people(count, images, noise, seed=0):
    draw = torch.Generator().manual_seed(seed)
    centres = F.normalize(torch.randn(count, 16, generator=draw), dim=1)
    rows = centres.repeat_interleave(images, 0)
    rows = F.normalize(rows + noise * torch.randn(rows.shape, generator=draw), dim=1)
    return rows, torch.arange(count).repeat_interleave(images)


def test_the_threshold_is_that_of_an_exhaustive_loop():
    rows, people = _people(12, 6, 0.25)
    cameras = torch.arange(len(rows)) % 3
    people[5], people[50] = -1, 0  # junk, and somebody who looks like another
    asking = torch.arange(len(rows)) % 2 == 0
    right, wrong = [], []
    for q in asking.nonzero().flatten().tolist():
        if people[q] < 0:
            continue
        best = {True: -np.inf, False: -np.inf}
        for g in (~asking).nonzero().flatten().tolist():
            same = bool(people[q] == people[g])
            if people[g] >= 0 and not (same and cameras[q] == cameras[g]):
                best[same] = max(best[same], float(rows[q] @ rows[g]))
        right.append(best[True])
        wrong.append(best[False])
    found = search_threshold(
        rows[asking], rows[~asking], people[asking], people[~asking], cameras[asking],
        cameras[~asking],
    )  # fmt: skip
    assert found == pytest.approx(equal_errors(right, wrong), abs=1e-5)


def test_pseudo_labels_separate_what_identities_separate():
    rows, people = _people(30, 8, 0.1)
    cameras = torch.arange(len(rows)) % 4
    threshold = label_threshold(rows, people, cameras)
    similarities = rows @ rows.T
    same, elsewhere = people[:, None] == people, cameras[:, None] != cameras
    best_right = similarities.masked_fill(~(same & elsewhere), -1).amax(1)
    assert similarities[~same].max() < threshold < best_right.min()


def test_one_camera_is_as_good_as_none():
    rows, people = _people(10, 4, 0.1)
    here, unknown = torch.zeros_like(people), torch.full_like(people, -1)
    threshold = label_threshold(rows, people, here)
    assert threshold == label_threshold(rows, people, unknown)
    assert threshold is not None


def test_nothing_to_learn_from_gives_none():
    rows, people = _people(10, 4, 0.1)
    cameras = torch.full_like(people, -1)
    assert label_threshold(rows, torch.full_like(people, -1), cameras) is None
    assert label_threshold(rows, torch.zeros_like(people), cameras) is None
