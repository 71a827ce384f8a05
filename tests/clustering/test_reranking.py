import numpy as np
import pytest
import torch

from reidzoo.clustering import reranking
from reidzoo.clustering.reranking import reranked_distances
from reidzoo.metrics import retrieval_scores_from_distances


def textbook(query, gallery, k1, k2, weight):
    """The dense algorithm in float64, with sets and N x N matrices."""
    rows = np.concatenate([query, gallery]).astype(np.float64)
    N = len(rows)
    distances = np.square(rows[:, None] - rows[None]).sum(-1) ** 2
    distances = (distances / distances.max(axis=0)).T
    ranks = np.argsort(distances, axis=1, kind="stable")

    def mutual(i, k):
        return {int(j) for j in ranks[i, : k + 1] if i in ranks[j, : k + 1]}

    half = int(np.around(k1 / 2))
    weights = np.zeros((N, N))
    for i in range(N):
        near = mutual(i, k1)
        expanded = set(near)
        for j in near:
            candidate = mutual(j, half)
            if len(candidate & near) > 2 / 3 * len(candidate):
                expanded |= candidate
        chosen = sorted(expanded)
        weights[i, chosen] = np.exp(-distances[i, chosen])
        weights[i] /= weights[i].sum()
    if k2 > 1:
        weights = np.stack([weights[ranks[i, :k2]].mean(axis=0) for i in range(N)])
    Q = len(query)
    shared = np.minimum(weights[:Q, None], weights[None, Q:]).sum(-1)
    return (1 - weight) * (1 - shared / (2 - shared)) + weight * distances[:Q, Q:]


def people(seed, num_query=20, num_gallery=90, num_people=14, width=24, spread=0.9):
    """Unit rows around one centre per person, and who they are."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(num_people, width))
    identities = rng.integers(0, num_people, num_query + num_gallery)
    rows = centres[identities] + spread * rng.normal(size=(len(identities), width))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return rows[:num_query], rows[num_query:], identities[:num_query], identities[num_query:]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("k1", "k2", "weight"), [(20, 6, 0.3), (7, 1, 0.0), (10, 3, 0.5), (25, 4, 1)]
)
def test_distances_equal_the_dense_textbook(seed, k1, k2, weight):
    query, gallery, *_ = people(seed)
    blocks = list(reranked_distances(query, gallery, k1, k2, weight))
    expected = textbook(query, gallery, k1, k2, weight)
    np.testing.assert_allclose(np.concatenate(blocks), expected, rtol=0, atol=2e-6)


def test_fewer_rows_than_neighbours():
    query, gallery, *_ = people(0, num_query=3, num_gallery=9)
    found = np.concatenate(list(reranked_distances(query, gallery, k1=20, k2=6)))
    np.testing.assert_allclose(found, textbook(query, gallery, 20, 6, 0.3), rtol=0, atol=2e-6)


def test_blocks_do_not_matter(monkeypatch):
    query, gallery, *_ = people(1)
    whole = list(reranked_distances(query, gallery))
    monkeypatch.setattr(reranking, "BLOCK_BYTES", 4 * len(gallery) * 3)
    parts = list(reranked_distances(query, gallery))
    assert [len(part) for part in parts] == [3] * 6 + [2]
    np.testing.assert_allclose(np.concatenate(parts), whole[0], rtol=0, atol=1e-6)


def test_tensors_give_the_same_as_arrays():
    query, gallery, *_ = people(2)
    (from_tensors,) = reranked_distances(torch.from_numpy(query), torch.from_numpy(gallery))
    (from_arrays,) = reranked_distances(query, gallery)
    np.testing.assert_array_equal(from_tensors, from_arrays)


def test_order_of_the_gallery_permutes_the_columns():
    query, gallery, *_ = people(3)
    order = np.random.default_rng(0).permutation(len(gallery))
    shuffled = np.concatenate(list(reranked_distances(query, gallery[order])))
    straight = np.concatenate(list(reranked_distances(query, gallery)))
    np.testing.assert_allclose(shuffled, straight[:, order], rtol=0, atol=1e-6)


def test_searches_of_structured_people_improve():
    query, gallery, asked, found = people(4, num_gallery=200, spread=1.2)
    cameras = np.zeros(len(asked), int), np.ones(len(found), int)
    plain = retrieval_scores_from_distances(2 - 2 * query @ gallery.T, asked, found, *cameras)
    blocks = reranked_distances(query, gallery)
    better = retrieval_scores_from_distances(blocks, asked, found, *cameras)
    assert better["mAP"] > plain["mAP"] + 0.03


def test_identical_rows_are_at_distance_zero():
    row = np.array([[0.6, 0.8]])
    (block,) = reranked_distances(row, np.repeat(row, 5, axis=0), k1=5)
    np.testing.assert_allclose(block, np.zeros((1, 5)), atol=1e-6)


def test_mistakes_are_named_before_any_work():
    query, gallery, *_ = people(0)
    for wrong, message in [
        (lambda: reranked_distances(query, gallery, k1=0), "k1=0"),
        (lambda: reranked_distances(query, gallery, weight=1.5), "weight=1.5"),
        (lambda: reranked_distances(query, np.eye(5)), r"query rows \[24\] .* \[5\]"),
        (lambda: reranked_distances(2 * query, gallery), "norm 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            wrong()
