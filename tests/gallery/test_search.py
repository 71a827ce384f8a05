import builtins

import numpy as np
import pytest

from reidzoo.gallery.files import Gallery
from reidzoo.gallery.search import nearest_rows, search


@pytest.fixture
def rows():
    rows = np.random.default_rng(0).normal(size=(300, 16)).astype(np.float32)
    rows[200:210] = rows[40]  # the same image again and again
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("faiss", [True, False])
def test_nearest_rows_are_those_of_a_full_sort(rows, monkeypatch, faiss):
    if not faiss:
        original = builtins.__import__

        def refuse(name, *args, **options):
            if name == "faiss":
                raise ImportError(name)
            return original(name, *args, **options)

        monkeypatch.setattr(builtins, "__import__", refuse)
        monkeypatch.setattr("reidzoo.gallery.search.BLOCK_BYTES", 4 * 300 * 3)
    indices, similarities = nearest_rows(rows[:50], rows, 12)
    for q in range(50):
        exact = rows[q].astype(np.float64) @ rows.T.astype(np.float64)
        order = np.lexsort((np.arange(300), -np.round(exact, 6)))[:12]
        np.testing.assert_allclose(similarities[q], exact[order], atol=1e-6)
        assert indices[q].tolist() == order.tolist() or q == 40  # equal rows: any of them
    assert set(indices[40]) <= {40, *range(200, 210), *range(300)}


def test_an_image_is_no_answer_to_itself(rows, tmp_path):
    paths = [str(tmp_path / f"{i}.jpg") for i in range(300)]
    gallery = Gallery(paths, np.zeros(300, np.int64), rows, {})
    found = search(gallery, [paths[7]], rows[7:8], top=5)
    assert len(found[0].answers) == 5
    assert paths[7] not in {answer.path for answer in found[0].answers}
    copy = search(gallery, [str(tmp_path / "copy.jpg")], rows[7:8], top=5)
    assert copy[0].answers[0].path == paths[7]
    assert copy[0].answers[0].similarity == pytest.approx(1, abs=1e-5)


def test_the_threshold_decides_what_is_a_match(rows):
    gallery = Gallery([str(i) for i in range(300)], np.arange(300) % 2, rows, {})
    answers = search(gallery, ["q"], rows[:1], top=300)[0].answers
    assert len(answers) == 300
    assert {answer.match for answer in answers} == {None}
    limit = answers[3].similarity
    judged = search(gallery, ["q"], rows[:1], top=10, threshold=limit)[0]
    assert judged.matches == 4
    assert judged.verdict == "4 matches"
    assert search(gallery, ["q"], rows[:1], top=10, threshold=1.1)[0].verdict == "no match"


def test_rows_of_another_network_are_refused(rows):
    with pytest.raises(ValueError, match="query rows have 8 features and the gallery's 16"):
        nearest_rows(rows[:1, :8], rows, 1)
