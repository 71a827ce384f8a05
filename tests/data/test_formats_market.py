"""Small trees in Market layout, read exactly."""

from pathlib import Path

import pytest

from reidzoo.data.formats import MARKET, VERI, count_notes, locate, read_market, relabel_cameras
from reidzoo.data.formats.market import add_distractors
from reidzoo.data.records import Counts
from reidzoo.errors import UserError

TREE = {
    "bounding_box_train": ["0007_c2s1_000001_01.jpg", "0002_c1s1_000451_03.jpg", "Thumbs.db"],
    "query": ["0010_c6s1_000001_00.jpg"],
    "bounding_box_test": [
        "0010_c3s1_000009_01.jpg",
        "-1_c1s1_000401_03.jpg",
        "0000_c1s1_000151_01.jpg",
    ],
}


def rows(folder, records):
    return [
        (Path(record.path).relative_to(folder).as_posix(), record.identity, record.camera)
        for record in records
    ]


@pytest.fixture
def market(make_tree):
    return make_tree(TREE)


def test_junk_goes_and_distractors_stay(market):
    splits = read_market(market)
    assert rows(market, splits.train) == [
        ("bounding_box_train/0002_c1s1_000451_03.jpg", 2, 0),
        ("bounding_box_train/0007_c2s1_000001_01.jpg", 7, 1),
    ]
    assert rows(market, splits.query) == [("query/0010_c6s1_000001_00.jpg", 10, 5)]
    assert rows(market, splits.gallery) == [
        ("bounding_box_test/0000_c1s1_000151_01.jpg", 0, 0),
        ("bounding_box_test/0010_c3s1_000009_01.jpg", 10, 2),
    ]
    assert splits.notes == ()


def test_only_the_base_name_is_searched(make_tree):
    folder = make_tree(TREE, "run12_c3/9_c9/market")
    assert rows(folder, read_market(folder).train)[0][1:] == (2, 0)


def test_two_digit_cameras(make_tree):
    folder = make_tree(
        {
            "bounding_box_train": ["0001_c1_000.jpg", "0001_c15_001.JPG", "0002_c10_001.png"],
            "query": ["3_c12.jpg"],
            "bounding_box_test": ["3_c2.jpg"],
        }
    )
    splits = read_market(folder)
    assert [record.camera for record in splits.train] == [14, 0, 9]
    assert splits.query[0].camera == 11


def test_veri_has_its_own_folders_and_three_digit_cameras(make_tree):
    folder = make_tree(
        {
            "image_train": ["0001_c001_00016450_0.jpg", "0001_c020_00016460_0.jpg"],
            "image_query": ["0002_c002_00030600_0.jpg"],
            "image_test": ["0002_c003_00030605_1.jpg"],
        }
    )
    splits = read_market(folder, VERI)
    assert [record.camera for record in splits.train] == [0, 19]
    assert rows(folder, splits.gallery) == [("image_test/0002_c003_00030605_1.jpg", 2, 2)]


def test_cameras_seen_are_numbered_in_order(make_tree):
    folder = make_tree(
        {
            "bounding_box_train": ["0001_c10s1_01.jpg", "0001_c3s1_02.jpg"],
            "query": ["0002_c4s1_01.jpg"],
            "bounding_box_test": ["0002_c12s1_01.jpg", "0002_c8s1_01.jpg"],
        }
    )
    splits = relabel_cameras(read_market(folder))
    seen = [[record.camera for record in part] for part in (splits.train, splits.query)]
    assert seen == [[3, 0], [1]]
    assert [record.camera for record in splits.gallery] == [4, 2]


def test_cameras_that_start_at_zero_are_kept(make_tree):
    folder = make_tree(
        {
            "bounding_box_train": ["1_c0.jpg", "1_c2.jpg"],
            "query": ["2_c1.jpg"],
            "bounding_box_test": ["2_c2.jpg"],
        }
    )
    splits = read_market(folder)
    assert [record.camera for record in splits.train] == [0, 2]
    assert splits.notes == ("camera numbers start at 0 on disk and are kept as they are",)


def test_distractors_are_wrong_answers_whatever_their_name(make_tree):
    folder = make_tree(
        TREE | {"images": ["-1_c2s1_01.jpg", "0000_c5s1_02.jpg", "0042_c1s1_03.jpg", "noise.jpg"]}
    )
    splits = add_distractors(read_market(folder), folder / "images")
    assert rows(folder, splits.gallery)[2:] == [
        ("images/-1_c2s1_01.jpg", 0, 1),
        ("images/0000_c5s1_02.jpg", 0, 4),
        ("images/0042_c1s1_03.jpg", 0, 0),
        ("images/noise.jpg", 0, -1),
    ]


def test_distractors_that_are_not_there(market):
    with pytest.raises(UserError, match=r"--data\.distractors true: there is no folder .*images"):
        add_distractors(read_market(market), market / "images")


def test_names_without_identity_are_noted(make_tree):
    folder = make_tree(TREE | {"query": ["0010_c6s1_000001_00.jpg", "holiday.jpg"]})
    (note,) = read_market(folder).notes
    assert note == "query: 1 files left out, named without identity and camera: holiday.jpg"


def test_no_name_can_be_read(make_tree):
    folder = make_tree(TREE | {"query": ["holiday.jpg"]})
    with pytest.raises(UserError, match=r"--data\.root: no image in .*query is named .*holiday"):
        read_market(folder)


def test_empty_folder(make_tree):
    folder = make_tree(TREE | {"query": []})
    with pytest.raises(UserError, match=r"--data\.root: .*query has no images .*an empty folder"):
        read_market(folder)


def test_official_counts_are_compared(market):
    splits = read_market(market)
    assert count_notes(splits, Counts(2, 2, 1, 1, 2, 4)) == ()
    (note,) = count_notes(splits, Counts(12936, 751, 1, 1, 2, 4))
    assert note == (
        "counts differ from the official ones: train 2 (official 12936), "
        "train identities 2 (official 751)"
    )


def found(root):
    return locate(root and str(root), "market1501", MARKET.matches, str(MARKET))


def test_the_folder_or_its_single_matching_child(make_tree, tmp_path):
    folder = make_tree(TREE, "data/market1501/Market-1501-v15.09.15")
    make_tree({"notes": ["x.txt"]}, "data/market1501")
    assert found(folder) == found(folder.parent) == folder
    with pytest.raises(UserError, match=r"looked for bounding_box_train/, .* found market1501/"):
        found(tmp_path / "data")


def test_several_children_match(make_tree, tmp_path):
    make_tree(TREE, "personx/1")
    make_tree(TREE, "personx/2")
    with pytest.raises(UserError, match=r"holds several data sets \(1, 2\): name one"):
        found(tmp_path / "personx")


def test_default_root_comes_from_the_environment(make_tree, tmp_path, monkeypatch):
    folder = make_tree(TREE, "sets/market1501")
    monkeypatch.setenv("REIDZOO_DATA", str(tmp_path / "sets"))
    assert found(None) == folder
    monkeypatch.setenv("REIDZOO_DATA", str(tmp_path / "elsewhere"))
    with pytest.raises(UserError, match=r"--data\.root is not given and .*elsewhere.market1501"):
        found(None)


@pytest.mark.parametrize(
    ("root", "message"),
    [("nowhere", "there is no such folder"), ("file.txt", "it is not a folder")],
)
def test_missing_root(tmp_path, root, message):
    (tmp_path / "file.txt").write_text("")
    with pytest.raises(UserError, match=rf"^--data\.root .*{root}: {message}; give the folder"):
        found(tmp_path / root)


def test_empty_root(tmp_path):
    with pytest.raises(UserError, match=r"--data\.root .* found an empty folder$"):
        found(tmp_path)
