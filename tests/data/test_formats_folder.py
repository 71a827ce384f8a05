"""One's own crops: every way to learn a camera, every mistake in one line."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reidzoo.data.formats import FolderRules, read_folder
from reidzoo.errors import UserError


def rows(folder, records):
    return [
        (Path(record.path).relative_to(folder).as_posix(), record.identity, record.camera)
        for record in records
    ]


@pytest.fixture
def make_images(tmp_path):
    pixels = np.arange(8 * 4 * 3, dtype=np.uint8).reshape(8, 4, 3)

    def make(*names, where="crops_c7"):
        for name in names:
            path = tmp_path / where / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
        return tmp_path / where

    return make


def test_recursive_sorted_any_case_hidden_skipped(make_images):
    folder = make_images("b/z.JPG", "a.png", "b/c/y.webp", ".hidden/x.jpg", "b/._z.jpg", "q.BMP")
    (folder / "notes.txt").write_text("no image")
    splits = read_folder(folder, FolderRules())
    assert rows(folder, splits.train) == [
        ("a.png", -2, -1),
        ("b/c/y.webp", -2, -1),
        ("b/z.JPG", -2, -1),
        ("q.BMP", -2, -1),
    ]
    assert (splits.query, splits.gallery, splits.notes) == ((), (), ())
    assert splits.edition == "cameras unknown"


def test_links_are_followed_and_circles_end(make_images):
    folder = make_images("a/x.jpg")
    outside = make_images("y.jpg", where="elsewhere")
    (folder / "linked").symlink_to(outside)
    (folder / "a/up").symlink_to(folder)
    read = rows(folder, read_folder(folder, FolderRules()).train)
    assert [name for name, *_ in read] == ["a/x.jpg", "linked/y.jpg"]


def test_camera_from_the_name(make_images):
    folder = make_images("crop1_c2.jpg", "crop2_c10s3.jpg", "crop3_c2_x.jpg", "crop4.jpg")
    splits = read_folder(folder, FolderRules())
    assert [record.camera for record in splits.train] == [0, 1, 0, -1]
    assert splits.edition == "2 cameras (2, 10)"
    assert splits.notes == ("1 images have no camera",)


def test_camera_from_the_parent(make_images):
    folder = make_images("cam10/a_c1.jpg", "cam2/b.jpg", "site/door/c.jpg", "d.jpg")
    splits = read_folder(folder, FolderRules(camera_from="parent"))
    assert rows(folder, splits.train) == [
        ("cam10/a_c1.jpg", -2, 1),
        ("cam2/b.jpg", -2, 0),
        ("d.jpg", -2, -1),
        ("site/door/c.jpg", -2, 2),
    ]


def test_no_camera_on_request(make_images):
    splits = read_folder(make_images("a_c1.jpg"), FolderRules(camera_from="none"))
    assert splits.train[0].camera == -1


def test_pattern_wins(make_images):
    folder = make_images("hall-anna-1_c5.jpg", "door-bert-2_c5.jpg", "door-anna-3.jpg", "x_c9.jpg")
    rules = FolderRules(pattern=r"^(?P<cam>[a-z]+)-(?P<pid>[a-z]+)-\d")
    splits = read_folder(folder, rules)
    # The last one does not match; the next rule finds camera 9, which sorts before the words.
    assert rows(folder, splits.train) == [
        ("door-anna-3.jpg", 1, 1),
        ("door-bert-2_c5.jpg", 2, 1),
        ("hall-anna-1_c5.jpg", 1, 2),
        ("x_c9.jpg", -2, 0),
    ]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("(?P<cam>", "is no regular expression"), (r"c(\d+)", "has neither of the groups")],
)
def test_bad_pattern(make_images, pattern, message):
    with pytest.raises(UserError, match=rf"--data\.pattern .*{message}"):
        read_folder(make_images("a.jpg"), FolderRules(pattern=pattern))


def write(path, text):
    path.write_text(text, encoding="utf-8-sig")
    return FolderRules(table=str(path))


def test_table(make_images, tmp_path):
    folder = make_images("a.jpg", "b_c3.jpg", "sub/c.jpg", "sub/d.jpg", "sub/e.jpg", "f.jpg")
    text = (
        "Path, camera, identity, split, remark\n"
        "a.jpg,hall,7,train,x\n"
        "sub/c.jpg,door,12,query,\n"
        f"{folder}/sub/d.jpg,hall,12,gallery,\n"
        "sub/e.jpg,door,-1,gallery,junk\n"
        "f.jpg,,,,\n"
        "gone.jpg,hall,1,,\n"
    )
    splits = read_folder(folder, write(tmp_path / "table.csv", text))
    # Cameras in natural order: 3 (from the name that the table does not list), door, hall.
    assert rows(folder, splits.train) == [
        ("a.jpg", 7, 2),
        ("b_c3.jpg", -2, 0),
        ("f.jpg", -2, -1),
    ]
    assert rows(folder, splits.query) == [("sub/c.jpg", 12, 1)]
    assert rows(folder, splits.gallery) == [("sub/d.jpg", 12, 2)]
    assert splits.notes[0].startswith("--data.table: 1 images are not there, such as ")


def test_table_inside_the_folder(make_images):
    folder = make_images("a.jpg")
    (folder / "cameras.csv").write_text("path,camera\na.jpg,4\n")
    splits = read_folder(folder, FolderRules(table="cameras.csv"))
    assert (splits.train[0].camera, splits.edition) == (0, "1 cameras (4)")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,cam\na.jpg,1\n", r"needs the columns path,camera .* found file,cam$"),
        ("", "found an empty file$"),
        ("path,camera,split\na.jpg,1,trian\n", "line 2: split 'trian'; .* did you mean train"),
        ("path,camera\n../x.jpg,1\n", r"line 2: the path '\.\./x\.jpg' leads outside of"),
        ("path,camera\n/etc/passwd,1\n", "line 2: the path '/etc/passwd' leads outside of"),
        ("path,camera\nb/../../x.jpg,1\n", "line 2: the path .* leads outside of"),
        ("path,camera\n..\\x.jpg,1\n", "line 2: the path .* leads outside of"),
        ("path,camera\n,1\n", "line 2: the path '' leads outside of"),
        ("path,camera\na.jpg,1\na.jpg,2\n", "line 3: .*a.jpg was already described differently"),
    ],
)
def test_bad_table(make_images, tmp_path, text, message):
    rules = write(tmp_path / "table.csv", text)
    with pytest.raises(UserError, match=rf"^--data\.table .*table\.csv.*{message}"):
        read_folder(make_images("a.jpg"), rules)


def test_table_that_is_no_text(make_images, tmp_path):
    (tmp_path / "table.csv").write_bytes(b"path,camera\n\xff\xfe,1\n")
    with pytest.raises(UserError, match=r"--data\.table .* cannot be read as CSV in UTF-8"):
        read_folder(make_images("a.jpg"), FolderRules(table=str(tmp_path / "table.csv")))


def test_missing_table(make_images):
    with pytest.raises(UserError, match=r"--data\.table nowhere\.csv: no such file"):
        read_folder(make_images("a.jpg"), FolderRules(table="nowhere.csv"))


def test_unreadable_files_are_listed_and_left_out(make_images):
    folder = make_images("a.jpg", "b.jpg", "c.png", "d.jpg")
    whole = (folder / "b.jpg").read_bytes()
    (folder / "b.jpg").write_bytes(whole[: len(whole) * 3 // 4])
    (folder / "c.png").write_bytes(b"")
    splits = read_folder(folder, FolderRules())
    assert [name for name, *_ in rows(folder, splits.train)] == ["a.jpg", "d.jpg"]
    assert splits.notes == ("2 files cannot be decoded and are left out: b.jpg, c.png",)


def test_nothing_to_read(make_images, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"--data\.root: .*empty has no images; .* an empty folder"):
        read_folder(tmp_path / "empty", FolderRules())
    folder = make_images("a.jpg")
    (folder / "a.jpg").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"--data\.root: none of the 1 images in .* can be decoded"):
        read_folder(folder, FolderRules())


TEST = [
    "eval/0003_c1_0.jpg",
    "eval/0003_c1_1.jpg",
    "eval/0003_c2_0.jpg",
    "eval/0004_c1_0.jpg",
    "eval/0000_c1_0.jpg",
    "eval/-1_c2_0.jpg",
    "eval/who_c2.jpg",
]


def test_evaluation_split_from_a_labelled_folder(make_images):
    folder = make_images("x_c2.jpg", "y_c5.jpg", *TEST)
    splits = read_folder(folder, FolderRules(), labelled="eval")
    # Cameras 1, 2, 5 of both folders become 0, 1, 2.
    assert rows(folder, splits.train) == [("x_c2.jpg", -2, 1), ("y_c5.jpg", -2, 2)]
    assert rows(folder, splits.query) == [
        ("eval/0003_c1_0.jpg", 3, 0),
        ("eval/0003_c2_0.jpg", 3, 1),
    ]
    assert rows(folder, splits.gallery) == [
        ("eval/0000_c1_0.jpg", 0, 0),
        ("eval/0003_c1_0.jpg", 3, 0),
        ("eval/0003_c1_1.jpg", 3, 0),
        ("eval/0003_c2_0.jpg", 3, 1),
        ("eval/0004_c1_0.jpg", 4, 0),
    ]


def test_labelled_folder_elsewhere_or_the_folder_itself(make_images):
    folder = make_images("x_c2.jpg")
    place = make_images(*TEST, where="elsewhere") / "eval"
    splits = read_folder(folder, FolderRules(), labelled=str(place))
    assert (len(splits.train), len(splits.query), len(splits.gallery)) == (1, 2, 5)
    splits = read_folder(place, FolderRules(), labelled=".")
    assert (len(splits.train), len(splits.query), len(splits.gallery)) == (7, 2, 5)
    assert splits.notes == ("--data.labelled .: evaluated on images that are trained on",)


@pytest.mark.parametrize(
    ("labelled", "message"),
    [("nowhere", "there is no folder"), ("one", "no identity is seen by two cameras")],
)
def test_bad_labelled_folder(make_images, labelled, message):
    folder = make_images("x_c2.jpg", "one/0001_c1.jpg", "one/0002_c2.jpg")
    with pytest.raises(UserError, match=rf"--data\.labelled {labelled}: {message}"):
        read_folder(folder, FolderRules(), labelled=labelled)
