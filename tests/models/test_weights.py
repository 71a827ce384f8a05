import logging
from urllib.error import URLError

import pytest
import safetensors.torch
import torch
import torchvision
from torch import nn

from reidzoo.errors import UserError
from reidzoo.models import Embedder, EmbedderOptions
from reidzoo.models import weights as weights_module


def _with_weights(path):
    return Embedder(EmbedderOptions("resnet18", weights=str(path)))


@pytest.fixture(scope="module")
def published():
    torch.manual_seed(1)
    return torchvision.models.resnet18().state_dict()


@pytest.mark.parametrize("prefix", ["", "module.", "backbone.", "base.", "module.model.backbone."])
@pytest.mark.parametrize("kind", ["plain.pth", "wrapped.pth.tar", "file.safetensors"])
def test_a_local_file_is_read_whatever_its_prefix(tmp_path, caplog, published, prefix, kind):
    path = tmp_path / kind
    state = {prefix + name: value for name, value in published.items()}
    if kind == "file.safetensors":
        safetensors.torch.save_file(state, path)
    else:
        torch.save(state if kind == "plain.pth" else {"epoch": 3, "state_dict": state}, path)
    with caplog.at_level(logging.WARNING):
        loaded = _with_weights(path).backbone.state_dict()
    assert all(value.equal(published[name]) for name, value in loaded.items())
    assert not caplog.records  # the classifier of the file is no surprise


def test_ibn_weights_have_the_published_names(tmp_path):
    embedder = Embedder(EmbedderOptions("resnet50_ibn_a", weights=None))
    names = set(embedder.backbone.state_dict())
    assert {"layer1.0.bn1.IN.weight", "layer3.5.bn1.BN.running_var", "layer4.0.bn1.weight"} <= names
    assert len(names) == len(torchvision.models.resnet50().state_dict()) - 2 + 13 * 2


def test_missing_and_unused_tensors_are_reported(tmp_path, caplog, published):
    state = {name: value for name, value in published.items() if not name.startswith("layer4.1")}
    torch.save(state | {"neck.weight": torch.ones(3)}, tmp_path / "part.pth")
    with caplog.at_level(logging.WARNING):
        _with_weights(tmp_path / "part.pth")
    missing, unused = (record.getMessage() for record in caplog.records)
    assert "are not in it and keep their initial values (layer4.1.conv1.weight, " in missing
    assert "1 tensors are not used (neck.weight)" in unused


class _Payload:
    def __reduce__(self):
        return print, ("executed",)


def _truncate(path):
    torch.save({"a": torch.ones(999)}, path)
    path.write_bytes(path.read_bytes()[:1000])


def _truncate_safetensors(path):
    safetensors.torch.save_file({"a": torch.ones(999)}, path)
    path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("none.pth", lambda path: None, "no such file"),
        ("other.pth", lambda path: torch.save({"a.b": torch.ones(2)}, path), "none of its 1 "),
        ("shape.pth", lambda path: torch.save({"conv1.weight": torch.ones(2)}, path),
         r"conv1\.weight is \[2\], this network needs \[64, 3, 7, 7\]"),
        ("code.pth", lambda path: torch.save({"a": _Payload()}, path), "pickled Python objects"),
        ("list.pth", lambda path: torch.save([torch.ones(2)], path), "holds a list"),
        ("cut.pth", _truncate, "damaged or truncated"),
        ("cut.safetensors", _truncate_safetensors, "damaged or truncated"),
        ("empty.pth", lambda path: path.touch(), "damaged"),
    ],
)  # fmt: skip
def test_a_bad_file_is_one_line(tmp_path, capfd, name, write, message):
    write(tmp_path / name)
    with pytest.raises(UserError, match=message) as caught:
        _with_weights(tmp_path / name)
    assert str(caught.value).startswith(f"--method.network.weights {tmp_path / name}: ")
    assert "\n" not in str(caught.value)
    assert "executed" not in capfd.readouterr().out


@pytest.mark.parametrize("backbone", ["resnet18", "resnet18_ibn_a", "timm:resnet18"])
def test_offline_is_one_line_that_says_what_to_do(monkeypatch, backbone):
    def refuse(*args, **kwargs):
        raise URLError("Name or service not known\nsecond line")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", refuse)
    monkeypatch.setattr("timm.create_model", refuse)
    with pytest.raises(UserError, match="could not fetch the weights of") as caught:
        Embedder(EmbedderOptions(backbone))
    message = str(caught.value)
    assert "\n" not in message
    for part in (backbone.removeprefix("timm:"), "not known", "--method.network.weights PATH",
                 "--method.network.weights null", "--init RUN"):  # fmt: skip
        assert part in message


def test_imagenet_weights_arrive(monkeypatch, published):
    monkeypatch.setattr(
        torchvision.models._api, "load_state_dict_from_url", lambda *args, **kwargs: published
    )
    loaded = Embedder(EmbedderOptions("resnet18")).backbone.state_dict()
    assert loaded["layer4.1.conv2.weight"].equal(published["layer4.1.conv2.weight"])


def test_the_prefix_that_fits_most_names_wins():
    """A student beside its teacher: both fit, the first in the alphabet is stable."""
    layer = nn.Linear(1, 1)
    state = {"a.weight": torch.ones(1, 1), "b.weight": torch.zeros(1, 1), "b.bias": torch.zeros(1)}
    weights_module.load_matching(layer, state, "file")
    assert layer.weight.item() == 0
