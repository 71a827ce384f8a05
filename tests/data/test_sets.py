"""Each data set as the command line makes it: its options, its counts, its place."""

import logging
from pathlib import Path

import pytest

from reidzoo.data.sets.cuhk03 import CUHK03
from reidzoo.data.sets.folder import Folder
from reidzoo.data.sets.market1501 import Market1501
from reidzoo.data.sets.market_layout import MarketLayout
from reidzoo.data.sets.msmt17 import MSMT17
from reidzoo.data.sets.personx import PersonX
from reidzoo.data.sets.synthetic import Synthetic
from reidzoo.data.sets.veri776 import VeRi776
from reidzoo.errors import UserError

MARKET = {
    "bounding_box_train": ["0002_c3s1_01.jpg", "0005_c12s1_01.jpg"],
    "query": ["0010_c4s1_00.jpg"],
    "bounding_box_test": ["0010_c3s1_01.jpg", "0000_c8s1_01.jpg"],
    "images": ["0000_c2s1_01.jpg"],
}


@pytest.fixture
def market(make_tree):
    return str(make_tree(MARKET))


def cameras(records):
    return [record.camera for record in records]


def test_market1501(market, caplog):
    data = Market1501(root=market)
    with caplog.at_level(logging.WARNING):
        data.setup()
    assert cameras(data.splits.gallery) == [7, 2]
    assert "train 2 (official 12936)" in caplog.text
    assert "gallery 2 (official 15913)" in caplog.text


def test_market1501_with_distractors(market):
    data = Market1501(root=market, distractors=True)
    data.setup()
    assert cameras(data.splits.gallery) == [7, 2, 1]
    assert "gallery 3 (official 15914)" in data.splits.notes[0]
    assert Market1501.official.gallery == 15913


def test_market_layout_has_no_counts_to_miss(market):
    data = MarketLayout(root=market)
    data.setup()
    (note,) = data.splits.notes
    assert note.startswith("cameras 3, 7 (counted from 0) have no training images")
    assert data.cameras.tolist() == [2, 11]
    assert data.identities.tolist() == [2, 5]


def test_personx_numbers_the_cameras_seen(market):
    data = PersonX(root=market)
    data.setup()
    assert data.cameras.tolist() == [0, 3]
    assert (data.num_cameras, cameras(data.splits.query)) == (4, [1])


def test_veri776_is_square(make_tree):
    root = make_tree(
        {
            "image_train": ["0001_c020_1_0.jpg"],
            "image_query": ["0002_c002_1_0.jpg"],
            "image_test": ["0002_c003_1_1.jpg"],
        }
    )
    data = VeRi776(root=str(root))
    data.setup()
    assert (data.height, data.width) == (256, 256)
    assert data.cameras.tolist() == [19]


def test_msmt17_counts_follow_the_option():
    assert (MSMT17().official.train, MSMT17(validation=False).official.train) == (32621, 30248)


def test_cuhk03_counts_follow_the_boxes():
    assert (CUHK03().official.train, CUHK03(boxes="labeled").official.train) == (7365, 7368)


def test_synthetic(tmp_path):
    data = Synthetic(root=str(tmp_path), preset="tiny", identities=3, draw_seed=1)
    data.prepare_data()
    data.setup()
    assert data.splits.edition == "tiny preset, drawing seed 1"
    assert set(data.identities.tolist()) == {1, 2, 3}
    assert data.has_identities
    assert Path(data.splits.train[0].path).is_relative_to(tmp_path)
    assert (data.height, data.width) == (64, 32)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draw_seed": -1}, r"--data\.draw_seed -1: must be at least 0"),
        ({"identities": 1}, r"--data\.identities 1: must be in 2\.\.8999"),
    ],
)
def test_synthetic_options_are_checked(options, message):
    with pytest.raises(UserError, match=message):
        Synthetic(**options)


@pytest.mark.parametrize(
    "data_set", [Market1501, MSMT17, VeRi776, PersonX, CUHK03, MarketLayout, Folder]
)
@pytest.mark.parametrize("root", [None, "nowhere", ""])
def test_missing_root_is_one_line(data_set, root, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REIDZOO_DATA", raising=False)
    with pytest.raises(UserError) as caught:
        data_set(root=root).setup()
    message = str(caught.value)
    assert message.startswith("--data.root ")
    assert "\n" not in message
    assert ("REIDZOO_DATA" in message) == (not root)


@pytest.mark.parametrize("data_set", [Market1501, MSMT17, VeRi776, PersonX, CUHK03, MarketLayout])
def test_wrong_layout_says_what_is_there(data_set, make_tree):
    root = make_tree({"photos": ["a.jpg"]})
    with pytest.raises(UserError, match=r"--data\.root .*looked for .* found photos/$"):
        data_set(root=str(root)).setup()
