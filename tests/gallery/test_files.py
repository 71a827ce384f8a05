import numpy as np
import pytest

from reidzoo.errors import UserError
from reidzoo.gallery.files import Gallery, load_gallery, save_gallery


@pytest.fixture
def gallery():
    rows = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    paths = [f"/crops/{i} \u00fc <b>.jpg" for i in range(20)]
    card = {"model": "/runs/last.ckpt", "threshold": 0.5}
    return Gallery(paths, np.arange(20) % 3 - 1, rows, card)


@pytest.mark.parametrize("name", ["g.npz", "g.parquet"])
def test_what_was_saved_comes_back(gallery, tmp_path, name):
    save_gallery(tmp_path / name, gallery)
    found = load_gallery(tmp_path / name)
    assert list(found.paths) == gallery.paths
    np.testing.assert_array_equal(found.cameras, gallery.cameras)
    np.testing.assert_array_equal(found.features, gallery.features)
    assert found.features.dtype == np.float32
    assert found.card == gallery.card
    assert found.threshold == 0.5
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_other_programs_can_read_them(gallery, tmp_path):
    import pyarrow.parquet

    save_gallery(tmp_path / "g.npz", gallery)
    save_gallery(tmp_path / "g.parquet", gallery)
    with np.load(tmp_path / "g.npz", allow_pickle=False) as file:
        assert set(file) == {"paths", "cameras", "features", "card"}
    table = pyarrow.parquet.read_table(tmp_path / "g.parquet")
    assert table.column_names == ["path", "camera", "features"]
    assert table["features"][3].as_py() == gallery.features[3].tolist()


def test_pickled_objects_are_not_read(tmp_path, capfd):
    class Payload:
        def __reduce__(self):
            return print, ("executed",)

    np.savez(tmp_path / "g.npz", paths=np.array([Payload()]), card=np.array("{}"))
    with pytest.raises(UserError, match=r"g\.npz: not a gallery of reidzoo.*pickle"):
        load_gallery(tmp_path / "g.npz")
    assert "executed" not in capfd.readouterr().out


@pytest.mark.parametrize("name", ["g.npz", "g.parquet"])
def test_a_truncated_file_is_refused_in_one_line(gallery, tmp_path, name):
    save_gallery(tmp_path / name, gallery)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match="damaged") as error:
        load_gallery(tmp_path / name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["g.npz", "g.parquet"])
def test_a_foreign_file_is_refused_in_one_line(tmp_path, name):
    if name.endswith("npz"):
        np.savez(tmp_path / name, rows=np.eye(3))
    else:
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), tmp_path / name)
    with pytest.raises(UserError, match="not a gallery of reidzoo"):
        load_gallery(tmp_path / name)


def test_other_names_are_refused(gallery, tmp_path):
    with pytest.raises(UserError, match=r"saved as \.npz or \.parquet"):
        save_gallery(tmp_path / "g.pkl", gallery)
    with pytest.raises(UserError, match=r"no such file; python -m reidzoo\.embed makes one"):
        load_gallery(tmp_path / "g.npz")


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="a gallery has one of each per image"):
        Gallery(["a"], np.zeros(2, np.int64), np.zeros((1, 4), np.float32), {})
