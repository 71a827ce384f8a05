import numpy as np

from reidzoo.visual.projection import choose_sample, project


def test_neighbours_stay_neighbours():
    noise = np.random.default_rng(0)
    groups = np.repeat([0, 1, 2], 20)
    rows = np.eye(3)[groups] + noise.normal(0, 0.05, (60, 3))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    places = project(rows)
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (groups[distances.argmin(1)] == groups).all()
    np.testing.assert_array_equal(places, project(rows))


def test_a_sample_shows_some_groups_whole():
    groups = np.repeat(np.arange(100), 10)
    sample = choose_sample(groups, people=5, each=10)
    assert set(groups[sample]) == {0, 25, 50, 74, 99}
    assert len(sample) == 50
    assert len(set(choose_sample(np.full(100, -1), people=2, each=10))) == 20


def test_very_few_rows():
    assert project(np.eye(2)).shape == (2, 2)
    assert np.isfinite(project(np.eye(5))).all()
