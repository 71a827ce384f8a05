import numpy as np
import onnxruntime
import pytest
import torch

import reidzoo
from reidzoo.embed import main as embed
from reidzoo.evaluate import main as evaluate
from reidzoo.export import main
from reidzoo.gallery.files import load_gallery
from tests.commands.conftest import HEIGHT, WIDTH


@pytest.mark.parametrize(("name", "tolerance"), [("m.onnx", 1e-4), ("m.safetensors", 1e-6)])
@pytest.mark.parametrize("batch", [1, 7])
def test_what_was_exported_embeds_alike(trained, tmp_path, capsys, name, tolerance, batch):
    assert main([str(trained), "-o", str(tmp_path / name)]) == 0
    assert name in capsys.readouterr().out
    model, other = reidzoo.load(trained), reidzoo.load(tmp_path / name)
    image = torch.randint(0, 256, (batch, 3, HEIGHT, WIDTH), dtype=torch.uint8)
    torch.testing.assert_close(other(image), model(image), atol=tolerance, rtol=0)
    assert other.threshold == model.threshold == 0.6
    assert other.config["data"] == "market_layout"


def test_bytes_go_straight_in(trained, tmp_path, capsys):
    path = tmp_path / "m.onnx"
    assert main([str(trained), "-o", str(path), "--bytes"]) == 0
    assert f"image [batch, 3, {HEIGHT}, {WIDTH}] uint8" in capsys.readouterr().out
    image = torch.randint(0, 256, (2, 3, HEIGHT, WIDTH), dtype=torch.uint8)
    (rows,) = onnxruntime.InferenceSession(path).run(None, {"image": image.numpy()})
    np.testing.assert_allclose(rows, reidzoo.load(trained)(image).detach(), atol=1e-4)


def test_other_commands_take_the_exported_file(trained, market, tmp_path, capsys):
    path, crops = tmp_path / "m.onnx", str(market / "query")
    assert main([str(trained), "-o", str(path)]) == 0
    galleries = []
    for model, name in ((trained, "a.npz"), (path, "b.npz")):
        words = [str(model), crops, "-o", str(tmp_path / name), "--workers", "0"]
        assert embed([*words, "--device", "cpu"]) == 0
        galleries.append(load_gallery(tmp_path / name).features)
    np.testing.assert_allclose(*galleries, atol=1e-4)
    assert evaluate([str(path), "--device", "cpu"]) == 0
    assert "mAP" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["/nowhere", "-o", "m.onnx"], "/nowhere: no such file or folder"),
        (["RUN", "-o", "m.pt"], "-o m.pt: the name must end with .onnx or .safetensors"),
        (["RUN", "-o", "m.safetensors", "--bytes"], "--bytes: is for .onnx"),
        (["RUN"], "the following arguments are required: -o/--output"),
    ],
)
def test_a_mistake_is_one_line(trained, tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    assert main([word.replace("RUN", str(trained)) for word in words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())
