"""Checkpoints, weights, galleries: whole ones of the wrong kind, and damaged ones of every kind."""

import io
import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import reidzoo
from reidzoo.cli.runs import check_checkpoint
from reidzoo.cli.weights import init_network
from reidzoo.gallery.files import Gallery, load_gallery, save_gallery
from reidzoo.models import Embedder, EmbedderOptions
from reidzoo.models.saving import save_embedder
from tests.fuzz.outcomes import cases, settles

TREE = {"method": {"name": "hhcl"}, "data": {"name": "folder"}}
NETWORK = Embedder(EmbedderOptions("small", weights=None, width=4, stripes=2))
SIZE = {"height": 48, "width": 24}
PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=5), st.integers()),
)  # fmt: skip


def content():
    """What a checkpoint of hhcl on a folder holds, as far as anybody reads it."""
    card = {"method": "hhcl", "data": "folder", "network": asdict(NETWORK.options), **SIZE}
    progress = {"is_last_batch": True, "current": {"ready": 3}}
    return {
        "epoch": 1,
        "state_dict": {f"network.{name}": value for name, value in NETWORK.state_dict().items()},
        "loops": {"fit_loop": {"epoch_loop.batch_progress": progress}},
        "reidzoo": json.dumps(card),
    }


def as_bytes(save, *what):
    file = io.BytesIO()
    save(*what, file)
    return file.getvalue()


CHECKPOINT = as_bytes(torch.save, content())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """File name -> bytes of everything that can be loaded; the safetensors' card stays beside."""
    folder = tmp_path_factory.mktemp("saved")
    save_embedder(folder / "x.safetensors", NETWORK, SIZE)
    gallery = Gallery(["a.jpg"], np.zeros(1, np.int64), np.ones((1, 4), np.float32), {"model": "x"})
    save_gallery(folder / "x.npz", gallery)
    save_gallery(folder / "x.parquet", gallery)
    (folder / "x.ckpt").write_bytes(CHECKPOINT)
    return folder, {path.name: path.read_bytes() for path in folder.iterdir()}


def use(path):
    """Load a file in every way that its kind allows."""
    if path.suffix in (".npz", ".parquet"):
        load_gallery(path)
    else:
        reidzoo.load(path)


@given(st.data())
@cases(160)
def test_damaged_files(whole, data):
    folder, files = whole
    name = data.draw(st.sampled_from(sorted(files)))
    damaged = bytearray(files[name])
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(damaged)))
        damaged[place : place + 4] = data.draw(st.binary(max_size=8))
    del damaged[data.draw(st.integers(0, len(damaged)) | st.just(len(damaged))) :]
    path = folder / name
    path.write_bytes(damaged)
    try:
        settles("checkpoints", lambda: use(folder / "x.safetensors" if ".json" in name else path))
    finally:
        path.write_bytes(files[name])


def resume(path):
    check_checkpoint(path, TREE, "hhcl", "folder")


@given(st.binary(max_size=60))
@cases(30)
def test_files_that_are_no_checkpoints(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "no.ckpt"
    path.write_bytes(data)
    for how in (use, resume):
        assert settles("checkpoints", lambda how=how: how(path)) is not None


def replaced(tree, key, value):
    """A copy of nested dictionaries with one leaf replaced or, by `...`, taken away."""
    key, _, rest = key.partition("/")
    inner = replaced(tree[key], rest, value) if rest else value
    return {k: v for k, v in (tree | {key: inner}).items() if v is not ...}


LEAVES = ["epoch", "state_dict", "loops", "loops/fit_loop", "reidzoo"]
LEAVES += ["loops/fit_loop/epoch_loop.batch_progress", "state_dict/network.neck.weight"]
CARD = ["method", "data", "network", "network/width", "network/backbone", "height", "width"]


@given(st.sampled_from(LEAVES), st.one_of(PLAIN, st.just(...)))
@cases(60)
def test_checkpoints_of_another_make(tmp_path_factory, leaf, value):
    path = tmp_path_factory.getbasetemp() / "other.ckpt"
    tree = content()
    if leaf.split("/")[-1] not in (tree["state_dict"] if "state_dict/" in leaf else {leaf: 0}):
        leaf = "state_dict/" + next(iter(tree["state_dict"]))
    torch.save(replaced(tree, leaf, value), path)
    for how in (use, resume, lambda path: init_network(NETWORK, str(path))):
        settles("checkpoints", lambda how=how: how(path))


@given(st.sampled_from(CARD), st.one_of(PLAIN, st.just(...)))
@cases(60)
def test_checkpoints_of_another_version(tmp_path_factory, leaf, value):
    path = tmp_path_factory.getbasetemp() / "version.ckpt"
    tree = content()
    tree["reidzoo"] = json.dumps(replaced(json.loads(tree["reidzoo"]), leaf, value))
    torch.save(tree, path)
    for how in (use, resume):
        settles("checkpoints", lambda how=how: how(path))
