import numpy as np
import pytest

from reidzoo.metrics import camera_pair_scores, retrieval_scores_from_distances


@pytest.fixture
def searches():
    draw = np.random.default_rng(0)
    distances = draw.random((40, 90)).astype(np.float32)
    known = [draw.integers(-1, 8, 40), draw.integers(-1, 8, 90)]
    return distances, *known, draw.integers(-1, 3, 40), draw.integers(-1, 3, 90)


def test_each_pair_is_scored_as_if_there_were_no_other_camera(searches):
    distances, asked, searched, origins, places = searches
    pairs = camera_pair_scores(distances, *searches[1:])
    assert pairs.cameras.tolist() == [0, 1, 2]
    for a in range(3):
        for b in range(3):
            rows, columns = origins == a, places == b
            if a == b:
                assert pairs.queries[a, b] == 0
                assert np.isnan(pairs.mAP[a, b])
                continue
            alone = retrieval_scores_from_distances(
                distances[rows][:, columns], asked[rows], searched[columns], origins[rows],
                places[columns],
            )  # fmt: skip
            assert pairs.mAP[a, b] == pytest.approx(alone["mAP"], abs=1e-12)
            assert pairs.cmc1[a, b] == pytest.approx(alone["cmc1"], abs=1e-12)
            assert pairs.queries[a, b] == (~np.isnan(alone["ap"])).sum()


def test_blocks_give_the_same_as_the_whole(searches):
    blocks = (searches[0][first : first + 7] for first in range(0, 40, 7))
    whole, parts = camera_pair_scores(*searches), camera_pair_scores(blocks, *searches[1:])
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one, other)
