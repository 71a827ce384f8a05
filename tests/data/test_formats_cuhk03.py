"""CUHK03, new protocol, in the three forms it is passed around."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from reidzoo.data.formats import read_cuhk03
from reidzoo.data.formats.cuhk03 import matches
from reidzoo.errors import UserError

NAMES = ["1_001_1_01.png", "1_001_2_06.png", "5_002_1_02.png", "5_002_2_10.png"]


def write_protocol(folder, boxes="detected", names=NAMES):
    cells = np.array([[name] for name in names], dtype=object)
    savemat(
        folder / f"cuhk03_new_protocol_config_{boxes}.mat",
        {
            "filelist": cells,
            "labels": np.array([[1], [1], [1082], [1082]]),
            "train_idx": np.array([[1], [2]]),
            "query_idx": np.array([[4]]),
            "gallery_idx": np.array([[3]]),
        },
    )


def write_archive(path, boxes="detected"):
    """Write what MATLAB 7.3 writes: references to cells, every array transposed."""
    with h5py.File(path, "w") as file:
        empty = file.create_dataset("#refs#/empty", data=np.zeros(2, np.uint64))
        pairs = []
        for pair in range(1, 6):
            cells = np.full((10, 2), empty.ref, dtype=h5py.ref_dtype)
            for name in NAMES:
                a, person, _, number = (int(part) for part in name[:-4].split("_"))
                if a == pair:
                    pixels = np.full((3, 4, 6), number, np.uint8)  # [3,W,H]
                    pixels[:, 0, :] = 200
                    cell = file.create_dataset(f"#refs#/{name}", data=pixels)
                    cells[number - 1, person - 1] = cell.ref
            stored = file.create_dataset(f"#refs#/{pair}", data=cells, dtype=h5py.ref_dtype)
            pairs.append(stored.ref)
        file.create_dataset(boxes, data=np.array([pairs], dtype=h5py.ref_dtype))


def rows(records):
    return [(Path(record.path).name, record.identity, record.camera) for record in records]


def check(splits):
    assert rows(splits.train) == [("1_001_1_01.png", 1, 0), ("1_001_2_06.png", 1, 1)]
    assert rows(splits.query) == [("5_002_2_10.png", 1082, 1)]
    assert rows(splits.gallery) == [("5_002_1_02.png", 1082, 0)]


@pytest.mark.parametrize("boxes", ["detected", "labeled"])
def test_extracted_tree(make_tree, boxes):
    folder = make_tree({f"images_{boxes}": NAMES})
    write_protocol(folder, boxes)
    assert matches(folder)
    splits = read_cuhk03(folder, boxes)
    check(splits)
    assert splits.edition == f"new protocol, {boxes} boxes"
    other = "labeled" if boxes == "detected" else "detected"
    with pytest.raises(UserError, match=rf"--data\.boxes {other}: looked for {other}/"):
        read_cuhk03(folder, other)


def test_original_archive_is_extracted_once(tmp_path, monkeypatch):
    monkeypatch.setenv("REIDZOO_CACHE", str(tmp_path / "cache"))
    write_archive(tmp_path / "cuhk-03.mat")
    write_protocol(tmp_path)
    splits = read_cuhk03(tmp_path)
    check(splits)
    with Image.open(splits.train[0].path) as image:
        pixels = np.asarray(image)
    assert pixels.shape == (6, 4, 3)
    assert (pixels[:, 0] == 200).all()
    assert (pixels[:, 1:] == 1).all()
    written = Path(splits.train[0].path).stat().st_mtime_ns
    read_cuhk03(tmp_path)
    assert Path(splits.train[0].path).stat().st_mtime_ns == written


def test_split_already_in_market_layout(make_tree):
    folder = make_tree(
        {
            "labeled/bounding_box_train": ["0001_c1_1.png", "0001_c2_6.png"],
            "labeled/query": ["0003_c2_21.png"],
            "labeled/bounding_box_test": ["0003_c1_22.png"],
        }
    )
    assert matches(folder)
    splits = read_cuhk03(folder, "labeled")
    assert rows(splits.train) == [("0001_c1_1.png", 1, 0), ("0001_c2_6.png", 1, 1)]
    assert splits.edition == "cuhk03-np, labeled boxes"


@pytest.mark.parametrize("name", ["../1_001_1_01.png", "/etc/passwd", "1_001_1_01.jpg"])
def test_names_in_the_protocol_are_checked(make_tree, name):
    folder = make_tree({"images_detected": NAMES})
    write_protocol(folder, names=[name, *NAMES[1:]])
    with pytest.raises(UserError, match=r"leads outside of|expected <pair>_<person>"):
        read_cuhk03(folder)


def test_broken_files(make_tree, tmp_path, monkeypatch):
    monkeypatch.setenv("REIDZOO_CACHE", str(tmp_path / "cache"))
    folder = make_tree({})
    (folder / "cuhk03_new_protocol_config_detected.mat").write_bytes(b"no mat")
    with pytest.raises(UserError, match=r"looked for the images in images_detected/"):
        read_cuhk03(folder)
    (folder / "cuhk-03.mat").write_bytes(b"no hdf5")
    with pytest.raises(UserError, match=r"cannot read .*cuhk-03\.mat"):
        read_cuhk03(folder)
    (folder / "images_detected").mkdir()
    with pytest.raises(UserError, match=r"cannot read the protocol .*config_detected\.mat"):
        read_cuhk03(folder)
