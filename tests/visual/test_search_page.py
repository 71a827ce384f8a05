import io
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reidzoo.gallery.search import Answer, Search
from reidzoo.visual.search_page import search_page
from reidzoo.visual.search_sheet import search_sheet
from reidzoo.visual.sheet import ASKED, RIGHT, UNKNOWN, layout_of
from reidzoo.visual.thumbnails import FORMS, Thumbnails, encode

HOSTILE = '"><script>alert(1)</script><img src=http:x>&.jpg'
TEXT = {"title", "h1", "dt", "dd", "p", "strong", "div"}


class Page(HTMLParser):
    """Every tag with its attributes, and all text that is shown."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)

    def of(self, tag, kind=None):
        return [a for t, a in self.tags if t == tag and kind in (None, a.get("class"))]


@pytest.fixture
def crops(tmp_path):
    """Two noisy pictures and one name that tries to be markup."""
    paths = []
    for i in range(3):
        pixels = np.random.default_rng(i).integers(0, 256, (256, 128, 3), dtype=np.uint8)
        pixels[:, :, i] = 255  # red, green, blue
        paths.append(str(tmp_path / (f"{i}.png" if i else HOSTILE.replace("/", "_"))))
        Image.fromarray(pixels).save(paths[-1], "PNG")
    return paths


@pytest.fixture
def searches(crops):
    found = Answer(crops[1], 2, 0.912, True), Answer(crops[2], -1, 0.4, False)
    nothing = Answer("/nowhere/gone.jpg", 0, -0.2, False), Answer(crops[1], 2, -0.3, False)
    return [Search(crops[0], found), Search(crops[2], nothing)]


def test_the_page_is_well_formed_and_loads_nothing(searches):
    html = search_page(searches, HOSTILE, {HOSTILE: HOSTILE})
    page = Page(html)
    assert not page.open
    assert not {"script", "link", "iframe", "a", "object"} & {tag for tag, _ in page.tags}
    policy = [a for a in page.of("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy[0]["content"].startswith("default-src 'none'; img-src data:;")
    for _, attributes in page.tags:
        assert set(attributes) <= {
            "lang", "charset", "name", "content", "http-equiv", "class", "title", "src", "alt",
            "style",
        }  # fmt: skip
        assert "src" not in attributes or attributes["src"].startswith("data:image/jpeg;base64,")
    assert "http" not in html.replace("http-equiv", "").replace("http:x", "")
    assert "url(" not in html
    assert "@import" not in html


def test_names_are_text_and_not_markup(searches, crops):
    page = Page(search_page(searches, HOSTILE, {}))
    name = Path(crops[0]).name
    assert page.text.count(name) == 1
    assert page.text.count(HOSTILE) == 2  # title and heading
    assert page.of("img")[0]["alt"] == name
    assert crops[0] in [a.get("title") for a in page.of("p")]


def test_matches_differ_from_the_others(searches):
    page = Page(search_page(searches, "Search", {"threshold": "0.5"}))
    assert len(page.of("section", "match")) == len(page.of("section", "none")) == 1
    assert len(page.of("li", "match")) == 1
    assert len(page.of("li", "under")) == 3
    assert [a["style"] for a in page.of("i")] == ["width:91%", "width:40%", "width:0%", "width:0%"]
    assert page.text.count("1 match") == page.text.count("no match") == 1
    assert "not readable" in page.text
    assert any("camera ?" in text for text in page.text)


def test_without_a_threshold_nothing_is_claimed(crops):
    page = Page(search_page([Search(crops[0], (Answer(crops[1], 0, 0.9, None),))], "Search", {}))
    assert len(page.of("li", "open")) == 1
    assert "no threshold: nothing is known about matches" in page.text


def test_thumbnails_show_the_image(searches, crops):
    page = Page(search_page(searches, "Search", {}))
    for attributes, channel in zip(page.of("img"), (0, 1, 2, 2, 1), strict=True):
        data = b64decode(attributes["src"].partition(",")[2])
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.height == FORMS[0][0]
            means = np.asarray(picture.convert("RGB")).mean((0, 1))
        assert means.argmax() == channel


def test_the_budget_makes_images_smaller_and_then_fewer(crops):
    answers = tuple(Answer(crops[1], 0, 0.5, True) for _ in range(9))
    searches = [Search(crops[0], answers) for _ in range(100)]
    html = search_page(searches, "Search", {}, budget=100_000)
    page = Page(html)
    assert len(page.of("section")) == 5  # of 50 images, 1500 bytes each
    assert "95 more queries are not shown" in html
    assert len(html) < 100_000 + 50_000  # names and markup of 50 images


def test_each_file_is_encoded_once(crops):
    images = Thumbnails([crops[1]] * 50 + [crops[2]], budget=800_000)
    first = images[crops[1]]
    assert 0 < len(first) < 16_000
    Path(crops[1]).unlink()
    assert images[crops[1]] == first
    assert encode(crops[1], 1000) is None


def test_the_sheet_frames_matches_green_and_the_rest_grey(searches):
    sheet = search_sheet(searches, "Search", height=128)
    layout = layout_of([Image.new("RGB", (64, 128))], 128, 2, 1)
    assert sheet.height == layout.size(2, 3)[1]
    colours = [[sheet.getpixel(layout.corner(r, c)) for c in range(3)] for r in range(2)]
    assert colours == [[ASKED, RIGHT, UNKNOWN], [ASKED, UNKNOWN, UNKNOWN]]
    x, y = layout.corner(0, 1)
    inside = sheet.crop((x + 10, y + 10, x + 60, y + 120))
    assert np.asarray(inside).mean((0, 1)).argmax() == 1  # the green picture
