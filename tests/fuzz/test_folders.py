"""Folders, their tables and their file names, from the disk to the pages that show them."""

import csv
import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from reidzoo.data.formats import FolderRules, read_folder
from reidzoo.data.formats.places import images_under
from reidzoo.data.formats.table import read_table
from reidzoo.files import below_common_folder
from reidzoo.gallery.search import Answer, Search
from reidzoo.visual.search_page import search_page
from tests.fuzz.outcomes import cases, settles
from tests.visual.test_search_page import Page

CELLS = st.one_of(
    st.sampled_from(["path", "camera", "identity", "split", "a.jpg", "../a.jpg", "/etc/passwd"]),
    st.sampled_from(["sub/../a.jpg", "a.jpg\0", "..\\a.jpg", "train", "query", "-1", "0", "1e9"]),
    st.sampled_from(["./a.jpg", "link.jpg", "", " ", '"', "é.jpg", "=cmd()", "9" * 400]),
    st.text(max_size=5),
)
# What a file may be called: anything but / and NUL, undecodable bytes and control codes included.
NAMES = st.one_of(
    st.sampled_from([b"-rf", b"a b", b"\x1b[2J", b"a\nb", b"<script>x", b"'\"&", b"%s", b"_c7"]),
    st.sampled_from([b"_c" + b"9" * 30, b"0001_c2", b"-1_c1", b"\xff\xfe", "é".encode(), b"."]),
    st.binary(min_size=1, max_size=12).map(lambda name: name.translate(None, b"/\0")),
)
PATTERNS = ["(?P<cam>", "(?P<cam>.*)", "(?P<pid>x*)*", "(?P<cam>a)(?P<cam>b)", "(?P<pid>\\d+)"]


@pytest.fixture(scope="module")
def crops(tmp_path_factory) -> Path:
    """One image, a folder below, and a link that leads outside."""
    folder = tmp_path_factory.mktemp("crops")
    Image.new("RGB", (4, 8)).save(folder / "a.jpg")
    (folder / "sub").mkdir()
    (folder / "link.jpg").symlink_to("/etc/passwd")
    return folder


def check_table(folder, content):
    (folder / "table.csv").write_bytes(content)

    def use():
        for path in read_table("table.csv", folder):
            assert path.is_relative_to(folder)
            assert ".." not in path.parts
        read_folder(folder, FolderRules(table="table.csv"), decode=False)

    settles("CSV", use)


@given(st.lists(st.lists(CELLS, max_size=5), max_size=4), st.booleans())
@cases(150)
def test_tables(crops, rows, headed):
    text = io.StringIO()
    header = [["path", "camera", "identity", "split"]] if headed else []
    csv.writer(text, escapechar="\\").writerows([*header, *rows])
    check_table(crops, text.getvalue().encode(errors="replace"))


@given(st.binary(max_size=60))
@cases(60)
def test_tables_of_any_bytes(crops, content):
    check_table(crops, content)


def page(paths):
    """The page of a search for the first one that finds them all."""
    answers = tuple(Answer(path, 0, 0.5, None) for path in paths)
    html = search_page([Search(paths[0], answers)], "t", {})
    return Page(html.encode(errors="replace").decode())


SAFE = {tag for tag, _ in page(["a"]).tags}


@given(st.lists(NAMES, min_size=1, max_size=4, unique=True))
@cases(110)
def test_names(tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("names")
    for name in names:
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name + b".jpg")).write_bytes(b"")

    def use():
        splits = read_folder(folder, FolderRules(), decode=False)
        paths = [record.path for record in splits.train]
        assert set(paths) <= {str(folder / name) for name in images_under(folder)}
        below_common_folder(paths)
        if paths:
            assert {tag for tag, _ in page(paths).tags} == SAFE

    settles("file names", use)


@given(st.one_of(st.text(max_size=12), st.sampled_from(PATTERNS)))
@cases(60)
def test_patterns(crops, pattern):
    settles("command line", lambda: read_folder(crops, FolderRules(pattern=pattern), decode=False))
