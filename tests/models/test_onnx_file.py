import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import reidzoo
from reidzoo.errors import UserError
from reidzoo.models import Embedder, EmbedderOptions, onnx_file, save_embedder
from reidzoo.models.onnx_file import export_onnx

CARD = {"height": 64, "width": 32, "threshold": 0.5, "method": "hhcl"}
NETWORKS = {
    "small": EmbedderOptions("small", weights=None, width=4, stripes=2, samples_per_bn=4),
    "resnet": EmbedderOptions("resnet18_ibn_a", weights=None, embedding=32),
}


def _card(embedder):
    return CARD | {"network": json.loads(json.dumps(vars(embedder.options)))}


def _embedder(name):
    torch.manual_seed(0)
    embedder = Embedder(NETWORKS[name])
    embedder(torch.randint(0, 256, (8, 3, 64, 32), dtype=torch.uint8))  # statistics to carry over
    return embedder.eval()


@pytest.fixture(scope="module", params=NETWORKS)
def exported(request, tmp_path_factory):
    embedder = _embedder(request.param)
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    assert export_onnx(path, embedder, _card(embedder)) <= 1e-4
    return embedder, path


@pytest.mark.parametrize("batch", [1, 7, 16])
def test_onnxruntime_computes_the_same_rows(exported, batch):
    embedder, path = exported
    session = onnxruntime.InferenceSession(path)
    assert session.get_inputs()[0].shape == ["batch", 3, 64, 32]
    image = torch.randn(batch, 3, 64, 32)
    (rows,) = session.run(["embedding"], {"image": image.numpy()})
    np.testing.assert_allclose(rows, embedder(image).detach().numpy(), atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)  # L2 is in the graph


def test_load_reads_it_back(exported):
    embedder, path = exported
    model = reidzoo.load(path)
    assert (model.threshold, model.config["method"]) == (0.5, "hhcl")
    assert model.transform(np.zeros((100, 40, 3), np.uint8)).shape == (3, 64, 32)
    for image in (
        torch.randint(0, 256, (3, 3, 64, 32), dtype=torch.uint8),
        torch.randn(3, 3, 64, 32),
    ):
        torch.testing.assert_close(model(image), embedder(image).detach(), atol=1e-4, rtol=0)


def test_bytes_may_be_normalised_inside(tmp_path):
    embedder = _embedder("small")
    export_onnx(tmp_path / "m.onnx", embedder, _card(embedder), takes_bytes=True)
    model = reidzoo.load(tmp_path / "m.onnx")
    image = torch.randint(0, 256, (3, 3, 64, 32), dtype=torch.uint8)
    torch.testing.assert_close(model(image), embedder(image).detach(), atol=1e-4, rtol=0)
    with pytest.raises(ValueError, match=r"takes images as uint8"):
        model(torch.randn(1, 3, 64, 32))


def test_a_file_that_differs_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_file, "TOLERANCE", 1e-12)
    embedder = _embedder("small")
    with pytest.raises(UserError, match=r"differ by .* from the network's"):
        export_onnx(tmp_path / "m.onnx", embedder, _card(embedder))
    assert not list(tmp_path.iterdir())


def _foreign(path):
    model = onnx.load(path)
    del model.metadata_props[:]
    onnx.save(model, path)


def _garbled(path):
    model = onnx.load(path)
    model.metadata_props[0].value = "{"
    onnx.save(model, path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-2000]), "damaged or truncated"),
        (lambda path: path.write_bytes(b"\x80\x04pickle"), "not an ONNX file"),
        (lambda path: path.unlink(), "no such file"),
        (_foreign, "was it made by reidzoo"),
        (_garbled, "the description of its network is damaged"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(exported, tmp_path, damage, message):
    path = tmp_path / "copy.onnx"
    path.write_bytes(exported[1].read_bytes())
    damage(path)
    with pytest.raises(UserError, match=message) as error:
        reidzoo.load(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    embedder = _embedder("small")
    with pytest.raises(UserError, match=r'needs onnx, .*pip install "reidzoo\[export\]"'):
        export_onnx(tmp_path / "m.onnx", embedder, _card(embedder))


def test_safetensors_keep_every_bit(tmp_path):
    embedder = _embedder("small")
    save_embedder(tmp_path / "m.safetensors", embedder, CARD)
    image = torch.randint(0, 256, (7, 3, 64, 32), dtype=torch.uint8)
    assert reidzoo.load(tmp_path / "m.safetensors")(image).equal(embedder(image))
