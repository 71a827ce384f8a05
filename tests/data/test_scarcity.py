"""Each switch takes exactly its share, from the training images only, by its own seed."""

from collections import Counter, defaultdict
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reidzoo.data.records import UNKNOWN_CAMERA, UNKNOWN_IDENTITY, Record
from reidzoo.data.scarcity import Scarcity, make_scarce
from reidzoo.data.sets.synthetic import Synthetic
from reidzoo.errors import UserError

CAMERAS, IDENTITIES, SHOTS = 4, 24, 3
# Everyone is seen by every camera: what a switch leaves is then known exactly.
PEOPLE = tuple(
    Record(f"{identity:03d}_{camera}_{shot}.jpg", identity, camera)
    for identity in range(1, IDENTITIES + 1)
    for camera in range(CAMERAS)
    for shot in range(SHOTS)
)
BY_PATH = {record.path: record for record in PEOPLE}
SHARES = st.floats(0, 1)
SEEDS = st.integers(0, 2**32)


def scarce(**options):
    return make_scarce(PEOPLE, Scarcity(**options))


def seen_by(records):
    seen = defaultdict(set)
    for record in records:
        seen[record.identity].add(record.camera)
    return seen


def test_nothing_is_taken_by_default():
    assert make_scarce(PEOPLE, Scarcity(seed=5)) == PEOPLE
    assert str(Scarcity(seed=5)) == ""


def test_it_says_what_it_takes():
    assert str(Scarcity(images=0.5, cameras=(0, 2), seed=3)) == "cameras (0, 2), images 0.5, seed 3"


@given(share=st.floats(0.05, 1), seed=SEEDS)
@settings(max_examples=20)
def test_share_of_images(share, seed):
    left = scarce(images=share, seed=seed)
    assert len(left) == round(share * len(PEOPLE))
    assert set(left) <= set(PEOPLE)
    assert list(left) == sorted(left)


@given(chosen=st.sets(st.integers(0, CAMERAS - 1), min_size=2))
@settings(max_examples=20)
def test_chosen_cameras_are_numbered_anew(chosen):
    left = scarce(cameras=tuple(chosen))
    numbers = {camera: number for number, camera in enumerate(sorted(chosen))}
    wanted = [replace(r, camera=numbers[r.camera]) for r in PEOPLE if r.camera in chosen]
    assert list(left) == wanted


@given(share=SHARES, seed=SEEDS)
@settings(max_examples=20)
def test_share_of_identities_seen_by_one_camera(share, seed):
    left = scarce(single_camera_identities=share, seed=seed)
    counts = Counter(len(cameras) for cameras in seen_by(left).values())
    assert counts[1] == round(share * IDENTITIES)
    assert counts[CAMERAS] == IDENTITIES - counts[1]
    assert len(left) == counts[1] * SHOTS + counts[CAMERAS] * SHOTS * CAMERAS


def test_identities_of_one_camera_count_towards_the_share():
    lonely = [r for r in PEOPLE if r.identity > 6 or r.camera == 0]  # 6 of 24 are single already
    left = make_scarce(lonely, Scarcity(single_camera_identities=0.5))
    assert sum(len(cameras) == 1 for cameras in seen_by(left).values()) == 12
    assert make_scarce(lonely, Scarcity(single_camera_identities=0.1)) == tuple(lonely)


@given(exponent=st.floats(0.01, 4), seed=SEEDS)
@settings(max_examples=20)
def test_images_per_identity_follow_the_power_law(exponent, seed):
    left = scarce(long_tail=exponent, seed=seed)
    sizes = sorted(Counter(record.identity for record in left).values(), reverse=True)
    most = CAMERAS * SHOTS
    law = [max(1, round(most / rank**exponent)) for rank in range(1, IDENTITIES + 1)]
    assert sizes == law


def test_the_largest_identity_is_the_head_of_the_tail():
    uneven = [r for r in PEOPLE if r.identity == 9 or r.camera < 2]
    left = Counter(r.identity for r in make_scarce(uneven, Scarcity(long_tail=1.0)))
    assert left[9] == CAMERAS * SHOTS
    assert sorted(left.values(), reverse=True)[:3] == [12, 6, 4]


@given(wrong=SHARES, unknown=SHARES, seed=SEEDS)
@settings(max_examples=30)
def test_share_of_wrong_and_unknown_cameras(wrong, unknown, seed):
    wrong = min(wrong, 1 - unknown)
    left = scarce(wrong_cameras=wrong, unknown_cameras=unknown, seed=seed)
    assert [r.path for r in left] == [r.path for r in PEOPLE]
    lost = sum(r.camera == UNKNOWN_CAMERA for r in left)
    lies = sum(r.camera not in (UNKNOWN_CAMERA, BY_PATH[r.path].camera) for r in left)
    assert lies == round(wrong * len(PEOPLE))
    assert lost == min(round(unknown * len(PEOPLE)), len(PEOPLE) - lies)
    assert {r.camera for r in left} <= set(range(-1, CAMERAS))


def test_the_seed_and_nothing_else_decides():
    options = {"images": 0.5, "wrong_cameras": 0.2, "long_tail": 0.5}
    assert scarce(**options) == scarce(**options)
    assert scarce(**options) != scarce(**options, seed=1)
    # A further switch leaves the draws of the others alone.
    paths = [r.path for r in scarce(images=0.5)]
    assert paths == [r.path for r in scarce(images=0.5, unknown_cameras=0.9)]


def test_the_training_images_of_a_data_set_only():
    whole, poor = (
        Synthetic(preset="tiny", scarcity=scarcity)
        for scarcity in (Scarcity(), Scarcity(cameras=(1, 3), images=0.5, unknown_cameras=1.0))
    )
    whole.setup()
    poor.setup()
    of_two = [record for record in whole.splits.train if record.camera in (1, 3)]
    assert len(poor.splits.train) == len(poor.cameras) == round(0.5 * len(of_two))
    assert poor.num_cameras == 0
    assert poor.splits.query == whole.splits.query
    assert poor.splits.gallery == whole.splits.gallery
    assert poor.splits.notes == whole.splits.notes


NAMELESS = tuple(replace(record, identity=UNKNOWN_IDENTITY) for record in PEOPLE)
BLIND = tuple(replace(record, camera=UNKNOWN_CAMERA) for record in PEOPLE)


@pytest.mark.parametrize(
    ("records", "options", "message"),
    [
        (NAMELESS, {"long_tail": 1.0}, "long_tail 1.0: needs the identity of every"),
        (NAMELESS, {"single_camera_identities": 0.1}, "0.1: needs the identity of every"),
        (BLIND, {"cameras": (0, 1)}, r"cameras \(0, 1\): needs two known cameras"),
        (BLIND, {"wrong_cameras": 0.1}, "wrong_cameras 0.1: needs two known cameras"),
        (BLIND, {"unknown_cameras": 0.1}, "unknown_cameras 0.1: needs two known cameras"),
        (PEOPLE, {"cameras": (0, 7)}, r"cameras \[0, 7\]: the training images have the cameras 0,"),
        (PEOPLE, {"images": 0.001}, "images 0.001, seed 0: leaves 0 of 288 images"),
        (PEOPLE[:4], {"images": 0.5}, "leaves the images of 1 of 2 cameras, two are needed"),
    ],
)  # fmt: skip
def test_what_the_data_cannot_give_is_one_line(records, options, message):
    with pytest.raises(UserError, match=message) as caught:
        make_scarce(records, Scarcity(**options))
    assert str(caught.value).startswith("--data.scarcity")
    assert "\n" not in str(caught.value)


def test_images_of_unknown_people_can_still_be_fewer():
    assert len(make_scarce(NAMELESS, Scarcity(images=0.25))) == 72
    assert len(make_scarce(BLIND, Scarcity(images=0.25))) == 72


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": 0.0}, "images 0.0: must be a share above 0"),
        ({"images": float("nan")}, "images nan: must be a share above 0"),
        ({"long_tail": -1.0}, "long_tail -1.0: must be an exponent"),
        ({"wrong_cameras": 1.5}, "wrong_cameras 1.5: must be a share from 0 to 1"),
        ({"wrong_cameras": 0.6, "unknown_cameras": 0.6}, "unknown_cameras 0.6: must be at most 1"),
        ({"cameras": (1,)}, "must be two or more different numbers"),
        ({"cameras": (1, 1)}, "must be two or more different numbers"),
        ({"seed": -1}, "seed -1: must be 0 or more"),
    ],
)
def test_a_wrong_value_is_one_line(options, message):
    with pytest.raises(UserError, match=message):
        Scarcity(**options)
