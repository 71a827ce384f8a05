"""Small MSMT17 trees in all three editions, told apart by what they hold."""

from pathlib import Path

import pytest

from reidzoo.data.formats import read_msmt17
from reidzoo.data.formats.msmt17 import edition_of, matches
from reidzoo.errors import UserError

TRAIN = ["0001/0001_000_10_0303morning_0033_1.jpg 1", "0000/0000_000_01_0303morning_0008_0.jpg 0"]
VAL = ["0000/0000_018_15_0303noon_0020_0.jpg 0"]
QUERY = ["0000/0000_005_14_0304afternoon_0020_1.jpg 0"]
GALLERY = [
    "0000/0000_000_02_0303morning_0034_0.jpg 0",
    "0001/0001_004_13_0304noon_0020_0.jpg 1",
]


def make_lists(make_tree, train="train", test="test", where="MSMT17_V1"):
    listed = {train: TRAIN + VAL, test: QUERY + GALLERY}
    folder = make_tree({k: [line.split()[0] for line in v] for k, v in listed.items()}, where)
    for name, lines in [("train", TRAIN), ("val", VAL), ("query", QUERY), ("gallery", GALLERY)]:
        (folder / f"list_{name}.txt").write_text("\n".join(lines) + "\n")
    return folder


def rows(folder, records):
    return [
        (Path(record.path).relative_to(folder).as_posix(), record.identity, record.camera)
        for record in records
    ]


@pytest.mark.parametrize(
    ("edition", "train", "test"),
    [("V1", "train", "test"), ("V2", "mask_train_v2", "mask_test_v2")],
)
def test_lists(make_tree, edition, train, test):
    folder = make_lists(make_tree, train, test, where="run12_c3_04/any_name")
    assert edition_of(folder) == edition
    splits = read_msmt17(folder)
    assert rows(folder, splits.train) == [
        (f"{train}/0000/0000_000_01_0303morning_0008_0.jpg", 0, 0),
        (f"{train}/0000/0000_018_15_0303noon_0020_0.jpg", 0, 14),
        (f"{train}/0001/0001_000_10_0303morning_0033_1.jpg", 1, 9),
    ]
    # Two training identities, 0 and 1: test identities follow them.
    assert rows(folder, splits.query) == [
        (f"{test}/0000/0000_005_14_0304afternoon_0020_1.jpg", 2, 13)
    ]
    assert rows(folder, splits.gallery) == [
        (f"{test}/0000/0000_000_02_0303morning_0034_0.jpg", 2, 1),
        (f"{test}/0001/0001_004_13_0304noon_0020_0.jpg", 3, 12),
    ]
    assert splits.edition == f"{edition} lists, train + val"
    assert splits.notes == ()


def test_train_only(make_tree):
    splits = read_msmt17(make_lists(make_tree), validation=False)
    assert len(splits.train) == 2
    assert splits.edition == "V1 lists, train only"


def test_repack_under_the_original_name(make_tree):
    folder = make_tree(
        {
            "bounding_box_train": ["0000_c1_0001.jpg", "0003_c15_0002.jpg"],
            "query": ["0000_c12_0001.jpg"],
            "bounding_box_test": ["0000_c2_0003.jpg"],
        },
        "MSMT17_V1",
    )
    assert edition_of(folder) is None
    assert matches(folder)
    splits = read_msmt17(folder)
    assert [(r.identity, r.camera) for r in splits.train] == [(0, 0), (3, 14)]
    assert [(r.identity, r.camera) for r in splits.query + splits.gallery] == [(4, 11), (4, 1)]
    assert splits.edition == "repack in Market layout"
    with pytest.raises(UserError, match=r"--data\.validation false: the repack"):
        read_msmt17(folder, validation=False)


def test_an_incomplete_copy_is_noted(make_tree):
    folder = make_lists(make_tree)
    (folder / "test/0001/0001_004_13_0304noon_0020_0.jpg").unlink()
    splits = read_msmt17(folder)
    assert len(splits.gallery) == 1
    (note,) = splits.notes
    assert note.startswith("list_gallery.txt: 1 of 2 images are not in test/ and left out")


def test_no_image_of_a_list_is_there(make_tree):
    folder = make_lists(make_tree)
    (folder / "test" / QUERY[0].split()[0]).unlink()
    with pytest.raises(UserError, match=r"none of the 1 images of list_query\.txt is in .*test"):
        read_msmt17(folder)


@pytest.mark.parametrize(
    "line",
    ["../../secret_0_01_x.jpg 0", "/etc/0000_000_01_x.jpg 0", "a/../../b_0_01_x.jpg 0"],
)
def test_a_list_may_not_leave_its_folder(make_tree, line):
    folder = make_lists(make_tree)
    (folder / "list_train.txt").write_text(f"{TRAIN[0]}\n{line}\n")
    with pytest.raises(UserError, match=r"list_train\.txt line 2: the path .* leads outside of"):
        read_msmt17(folder)


@pytest.mark.parametrize("line", ["0000/x.jpg 0", "0000/0000_000_01_x.jpg", "0/0_0_01_x.jpg who"])
def test_a_line_that_says_nothing(make_tree, line):
    folder = make_lists(make_tree)
    (folder / "list_query.txt").write_text(line)
    with pytest.raises(UserError, match=r"list_query\.txt line 1: expected '<id>/"):
        read_msmt17(folder)
