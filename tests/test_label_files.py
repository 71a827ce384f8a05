import csv

import pytest

from reidzoo.errors import UserError
from reidzoo.label_files import read_labels

IMAGES = ("c0/a.jpg", "c1/a.jpg", "c1/b.jpg")


@pytest.fixture
def write(tmp_path):
    def write(*rows, header=("path", "label"), name="labels.csv"):
        with (tmp_path / name).open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows])
        return tmp_path / name

    return write


def test_labels_are_matched_by_place_below_the_common_folder(write):
    rows = [("/old/c1/b.jpg", 4, 1), ("/old/c0/a.jpg", -1, 0), ("/old/c1/a.jpg", 2, 1)]
    file = write(*rows, header=("path", "label", "camera"))
    assert read_labels(file, IMAGES, "--o") == [-1, 2, 4]


def test_a_folder_stands_for_its_pseudo_labels_and_columns_go_by_preference(write):
    rows = [(f"x/{image}", n, n + 5) for n, image in enumerate(IMAGES)]
    folder = write(*rows, header=("path", "label", "local"), name="pseudo_labels.csv").parent
    assert read_labels(folder, IMAGES, "--o") == [0, 1, 2]
    assert read_labels(folder, IMAGES, "--o", ("local", "label")) == [5, 6, 7]
    assert read_labels(folder, IMAGES, "--o", ("global", "label")) == [0, 1, 2]


def test_a_file_from_a_spreadsheet_begins_with_a_mark(tmp_path):
    file = tmp_path / "labels.csv"
    rows = "".join(f"{image},7\n" for image in IMAGES)
    file.write_text(f"path,label\n{rows}", encoding="utf-8-sig")
    assert read_labels(file, IMAGES, "--o") == [7, 7, 7]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"c0/a.jpg": 1, "c1/a.jpg": 1}, "1 of 3 images are not in it (first: c1/b.jpg); made"),
        (
            {**dict.fromkeys(IMAGES, 1), "c1/z.jpg": 1},
            "1 of its images are not in the data (first: c1/z.jpg); made from other images",
        ),
        ({**dict.fromkeys(IMAGES, 1), "c1/b.jpg": 1.5}, "a whole number in each row"),
        ({**dict.fromkeys(IMAGES, 1), "c1/b.jpg": ""}, "a whole number in each row"),
        ({**dict.fromkeys(IMAGES, 1), "c1/b.jpg": -2}, "label -2; allowed: 0, 1, ... and -1"),
        ({**dict.fromkeys(IMAGES, 1), "/c1/b.jpg": 1}, "some are absolute, some relative"),
        ({}, "3 of 3 images are not in it"),
    ],
)
def test_labels_that_do_not_fit_are_refused_in_one_line(write, labels, said):
    file = write(*labels.items())
    with pytest.raises(UserError) as error:
        read_labels(file, IMAGES, "--method.labels")
    assert str(error.value).startswith(f"--method.labels {file}: ")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_an_image_that_is_named_twice_is_refused(write):
    file = write(*((image, 1) for image in (*IMAGES, IMAGES[1])))
    with pytest.raises(UserError, match=r"1 images are in it more than once \(first: c1/a.jpg\)"):
        read_labels(file, IMAGES, "--o")


def test_other_files_are_refused(write, tmp_path):
    for rows, header in (
        ([(1, 2)], ("image", "label")),
        ([("a", 2)], ("path", "cluster")),
        ([], ()),
    ):
        with pytest.raises(UserError, match="needs the columns path and label"):
            read_labels(write(*rows, header=header), IMAGES, "--o")
    with pytest.raises(UserError, match=r"nowhere.csv: cannot be read"):
        read_labels(tmp_path / "nowhere.csv", IMAGES, "--o")
    (tmp_path / "picture.csv").write_bytes(b"\xff\xd8\xff\xe0" * 9)
    with pytest.raises(UserError, match=r"picture.csv: cannot be read"):
        read_labels(tmp_path / "picture.csv", IMAGES, "--o")
