import json
from dataclasses import asdict

import numpy as np
import pytest
import torch
from PIL import Image

import reidzoo
from reidzoo.errors import UserError
from reidzoo.models import Embedder, EmbedderOptions, save_embedder

CARD = {"height": 48, "width": 24, "threshold": 0.5, "method": "hhcl", "data": "synthetic"}


@pytest.fixture(scope="module")
def embedder():
    torch.manual_seed(0)
    options = EmbedderOptions("small", weights=None, stripes=2, width=4, mean=(0.4, 0.4, 0.4))
    embedder = Embedder(options)
    for _ in range(2):
        embedder(_images(8))  # statistics worth saving
    return embedder.eval()


def _images(batch=3):
    return torch.randint(0, 256, (batch, 3, 48, 24), dtype=torch.uint8)


def _checkpoint(embedder, **changes):
    """What Lightning writes for a method that holds this network."""
    state = {f"network.{name}": value for name, value in embedder.state_dict().items()}
    card = CARD | {"network": asdict(embedder.options)}
    return {
        "epoch": 3,
        "state_dict": state | {"memory.rows": torch.ones(2, 2)},
        "reidzoo": json.dumps(card),
    } | changes


@pytest.fixture
def run(tmp_path, embedder):
    """A run folder whose best checkpoint differs from the last one."""
    (tmp_path / "checkpoints").mkdir()
    torch.save(_checkpoint(embedder), tmp_path / "checkpoints" / "last.ckpt")
    other = Embedder(embedder.options)
    torch.save(_checkpoint(other), tmp_path / "checkpoints" / "best.ckpt")
    save_embedder(tmp_path / "model.safetensors", embedder, CARD)
    return tmp_path


@pytest.mark.parametrize("name", ["", "checkpoints", "checkpoints/last.ckpt", "model.safetensors"])
def test_what_was_saved_embeds_alike(run, embedder, name):
    model = reidzoo.load(run / name)
    image = _images()
    assert model(image).equal(embedder(image))
    assert not model.training
    assert model.threshold == 0.5
    assert (model.config["method"], model.config["data"]) == ("hhcl", "synthetic")
    assert EmbedderOptions.from_dict(model.config["network"]) == embedder.options


def test_a_folder_without_a_last_checkpoint_gives_the_best(run, embedder):
    (run / "checkpoints" / "last.ckpt").unlink()
    image = _images()
    assert not torch.allclose(reidzoo.load(run)(image), embedder(image))


def test_floats_are_taken_as_normalised(run, embedder):
    model = reidzoo.load(run)
    image = _images()
    assert model(model.network.normalise(image)).equal(model(image))


def test_the_transform_takes_paths_pictures_and_arrays(run, tmp_path):
    transform = reidzoo.load(run).transform
    pixels = np.random.default_rng(0).integers(0, 256, (100, 40, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    picture.save(tmp_path / "person.png")
    tensors = [transform(x) for x in (pixels, picture, tmp_path / "person.png")]
    assert tensors[0].shape == (3, 48, 24)
    assert tensors[0].dtype == torch.uint8
    assert tensors[0].equal(tensors[1])
    assert tensors[0].equal(tensors[2])
    same = pixels[:48, :24]
    assert transform(same).equal(torch.from_numpy(same).permute(2, 0, 1))
    with pytest.raises(ValueError, match=r"RGB uint8 \[h, w, 3\], got float64 \[2, 2\]"):
        transform(np.zeros((2, 2)))


def test_saving_replaces_whole_files_and_leaves_nothing_else(run, embedder, monkeypatch):
    path = run / "model.safetensors"
    before = path.read_bytes()

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr("safetensors.torch.save_file", fail)
    with pytest.raises(OSError, match="disk full"):
        save_embedder(path, Embedder(embedder.options), CARD)
    assert path.read_bytes() == before
    assert {file.name for file in run.iterdir()} == {
        "checkpoints", "model.safetensors", "model.json",
    }  # fmt: skip


def test_saving_refuses_what_could_not_be_loaded(tmp_path, embedder):
    with pytest.raises(ValueError, match=r"saved as \.safetensors"):
        save_embedder(tmp_path / "model.pth", embedder, CARD)
    with pytest.raises(ValueError, match="'height' and 'width'"):
        save_embedder(tmp_path / "model.safetensors", embedder, {})


class _Payload:
    def __reduce__(self):
        return print, ("executed",)


def _cut(path):
    path.write_bytes(path.read_bytes()[:-5000])


def _rewrite(change):
    def damage(path):
        torch.save(change(torch.load(path, weights_only=True)), path)

    return damage


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("last.ckpt", _cut, "damaged or truncated"),
        ("last.ckpt", _rewrite(lambda c: c | {"evil": _Payload()}), "pickled Python objects"),
        ("last.ckpt", _rewrite(lambda c: {"state_dict": c["state_dict"]}), "was it made by"),
        ("last.ckpt", _rewrite(lambda c: c | {"reidzoo": "{"}), "description .* is damaged"),
        ("last.ckpt", _rewrite(lambda c: c | {"reidzoo": "{}"}), "damaged.*'height'"),
        ("last.ckpt", _rewrite(lambda c: c | {"state_dict": {}}), "disagree.*Missing key"),
        ("last.ckpt", lambda path: path.unlink(), "no such file"),
        ("model.safetensors", _cut, "damaged or truncated"),
        ("model.safetensors", lambda path: path.with_suffix(".json").unlink(), "was it made by"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_in_one_line(run, capfd, name, damage, message):
    path = run / ("checkpoints" if name.endswith("ckpt") else "") / name
    damage(path)
    with pytest.raises(UserError, match=message) as caught:
        reidzoo.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert "executed" not in capfd.readouterr().out


def test_an_empty_folder_is_refused_in_one_line(tmp_path):
    with pytest.raises(UserError, match=r"no checkpoints/last\.ckpt in this folder"):
        reidzoo.load(tmp_path)
