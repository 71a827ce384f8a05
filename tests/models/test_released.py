"""Files under the names that authors released: the same rows as a forward pass by hand."""

import argparse
import json
import pathlib
from collections import OrderedDict

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

import reidzoo
from reidzoo.cli.weights import init_network
from reidzoo.errors import UserError
from reidzoo.evaluate import main as evaluate
from reidzoo.models import Embedder, EmbedderOptions
from tests.cli.conftest import market  # noqa: F401  a fixture

STAGES = {"conv1": 0, "bn1": 1, "layer1": 4, "layer2": 5, "layer3": 6, "layer4": 7}
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


class IBN(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.IN = nn.InstanceNorm2d(width // 2, affine=True)
        self.BN = nn.BatchNorm2d(width // 2)

    def forward(self, maps):
        half = maps.shape[1] // 2
        return torch.cat([self.IN(maps[:, :half]), self.BN(maps[:, half:])], 1)


class Reference(nn.Module):
    """torchvision's ResNet, pooling, linear layer, batch norm: as the authors' code stacks them."""

    def __init__(self, name, pooling="avg", linear=0):
        super().__init__()
        torch.manual_seed(0)
        self.net = getattr(torchvision.models, name.removesuffix("_ibn_a"))()
        if name.endswith("_ibn_a"):
            for stage in (self.net.layer1, self.net.layer2, self.net.layer3):
                for block in stage:
                    block.bn1 = IBN(block.bn1.num_features)
        width = self.net.fc.in_features
        first = self.net.layer4[0]
        strided = first.conv2 if width == 2048 else first.conv1
        strided.stride = first.downsample[0].stride = (1, 1)
        self.p = 2.5 if pooling == "gem" else None
        self.linear = nn.Linear(width, linear) if linear else None
        self.bn = nn.BatchNorm1d(linear or width)
        for layer in self.modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                layer.running_mean.normal_(0, 0.1)
                layer.running_var.uniform_(0.5, 2)
        self.eval()

    def forward(self, image):
        maps = (image / 255 - MEAN) / STD
        for stage in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"):
            maps = getattr(self.net, stage)(maps)
        if self.p:
            rows = maps.clamp(min=1e-6).pow(self.p).mean((2, 3)).pow(1 / self.p)
        else:
            rows = maps.mean((2, 3))
        return F.normalize(self.bn(self.linear(rows) if self.linear else rows))

    def released(self, neck="feat_bn"):
        """What the authors' code saves of it."""
        state = OrderedDict()
        for name, value in self.net.state_dict().items():
            stage, _, rest = name.partition(".")
            if stage != "fc":
                state[f"module.base.{STAGES[stage]}.{rest}"] = value
        if self.p:
            state["module.gap.p"] = torch.full((1,), self.p)
        if self.linear:
            state |= {f"module.feat.{k}": v for k, v in self.linear.state_dict().items()}
        return state | {f"module.{neck}.{k}": v for k, v in self.bn.state_dict().items()}


def calr(network):
    head = {"d_fc1.weight": torch.ones(100, 512), "d_bn1.running_mean": torch.ones(100)}
    more = {f"module.domain_classifier.{name}": value for name, value in head.items()}
    return {"state_dict": network.released() | more, "epoch": 50, "best_mAP": np.float64(0.828)}


def pplr(network):
    more = {"module.classifier.weight": torch.ones(30, 2048)}
    for part in range(3):
        more[f"module.classifier{part}.weight"] = torch.ones(30, 2048)
        more[f"module.bnneck{part}.running_mean"] = torch.ones(2048)
    return network.released("bnneck") | more  # saved without a wrapper


def contrast(network):
    return {"state_dict": network.released(), "epoch": 50, "best_mAP": np.float64(0.821)}


def images(count=2):
    torch.manual_seed(1)
    return torch.randint(0, 256, (count, 3, 64, 32), dtype=torch.uint8)


@pytest.mark.parametrize(
    ("network", "release", "family", "height"),
    [
        (("resnet50", "gem"), contrast, "Cluster Contrast", 256),
        (("resnet50_ibn_a",), contrast, "SpCL", 256),
        (("resnet50",), pplr, "PPLR", 384),
        (("resnet18",), calr, "CALR", 256),
        (("resnet18", "avg", 64), contrast, "HHCL", 256),
    ],
    ids=["gem", "ibn", "pplr", "calr", "linear"],
)
def test_rows_are_those_of_a_forward_pass_by_hand(tmp_path, network, release, family, height):
    network = Reference(*network)
    torch.save(release(network), tmp_path / "model_best.pth.tar")
    model = reidzoo.load(tmp_path / "model_best.pth.tar")
    with torch.no_grad():
        torch.testing.assert_close(model(images()), network(images()), rtol=1e-4, atol=1e-5)
    assert family in model.config["method"]
    assert (model.config["height"], model.config["width"]) == (height, 128)


def transformer_state(length=384, patches=128, depth=12):
    """Shapes of a ViT of TransReID-SSL, small random values."""
    torch.manual_seed(0)
    shapes = {
        "cls_token": (1, 1, length),
        "pos_embed": (1, 1 + patches, length),
        "patch_embed.proj.weight": (length, 3, 16, 16),
        "patch_embed.proj.bias": (length,),
    }
    for block in range(depth):
        for name, (rows, columns) in {
            "attn.qkv": (3 * length, length),
            "attn.proj": (length, length),
            "mlp.fc1": (4 * length, length),
            "mlp.fc2": (length, 4 * length),
        }.items():
            shapes |= {f"blocks.{block}.{name}.weight": (rows, columns)}
            shapes |= {f"blocks.{block}.{name}.bias": (rows,)}
        for name in (f"blocks.{block}.norm1", f"blocks.{block}.norm2"):
            shapes |= {f"{name}.weight": (length,), f"{name}.bias": (length,)}
    shapes |= {"norm.weight": (length,), "norm.bias": (length,)}
    return {name: 0.05 * torch.randn(shape) for name, shape in shapes.items()}


def transformer_rows(state, neck, image):
    """The class token after all blocks, batch norm, L2."""

    def linear(name, values):
        return F.linear(values, state[f"{name}.weight"], state[f"{name}.bias"])

    def norm(name, values):
        shape = values.shape[-1:]
        return F.layer_norm(values, shape, state[f"{name}.weight"], state[f"{name}.bias"], 1e-6)

    weight, bias = state["patch_embed.proj.weight"], state["patch_embed.proj.bias"]
    tokens = F.conv2d(image / 127.5 - 1, weight, bias, stride=16).flatten(2).transpose(1, 2)
    tokens = torch.cat([state["cls_token"].expand(len(image), -1, -1), tokens], 1)
    tokens = tokens + state["pos_embed"]
    for block in range(12):
        name = f"blocks.{block}"
        qkv = linear(f"{name}.attn.qkv", norm(f"{name}.norm1", tokens))
        query, key, value = (
            part.unflatten(2, (-1, 64)).transpose(1, 2) for part in qkv.chunk(3, dim=2)
        )
        weights = (query @ key.transpose(2, 3) / 8).softmax(3)
        mixed = (weights @ value).transpose(1, 2).flatten(2)
        tokens = tokens + linear(f"{name}.attn.proj", mixed)
        hidden = F.gelu(linear(f"{name}.mlp.fc1", norm(f"{name}.norm2", tokens)))
        tokens = tokens + linear(f"{name}.mlp.fc2", hidden)
    return F.normalize(neck(norm("norm", tokens)[:, 0]))


def test_rows_of_a_transformer_are_those_by_hand(tmp_path):
    state, neck = transformer_state(), nn.BatchNorm1d(384).eval()
    neck.running_mean.normal_()
    saved = {f"module.{name}": value for name, value in state.items()}
    saved |= {f"module.bottleneck.{name}": value for name, value in neck.state_dict().items()}
    torch.save({"state_dict": saved, "best_mAP": np.float64(0.88)}, tmp_path / "vit.pth.tar")
    model = reidzoo.load(tmp_path / "vit.pth.tar")
    assert model.config["method"] == "released: TransReID-SSL"
    assert (model.config["height"], model.config["width"]) == (256, 128)
    image = torch.randint(0, 256, (2, 3, 256, 128), dtype=torch.uint8)
    with torch.no_grad():
        expected = transformer_rows(state, neck, image)
        torch.testing.assert_close(model(image), expected, rtol=1e-4, atol=1e-5)


def test_a_pretrained_transformer_is_a_backbone(tmp_path):
    """As DINO saves it: a teacher with its head, beside the options of the run."""
    state = transformer_state()
    teacher = {f"backbone.{name}": value for name, value in state.items()}
    content = {"teacher": teacher | {"head.mlp.0.bias": torch.ones(2)}}
    torch.save(content | {"args": argparse.Namespace(arch="vit_small")}, tmp_path / "lup.pth")
    options = {"backbone": "vit_small_patch16_224", "weights": str(tmp_path / "lup.pth")}
    net = Embedder(EmbedderOptions(**options, pooling="avg", tokens=(16, 8))).backbone.model
    assert all(net.state_dict()[name].equal(value) for name, value in state.items())
    with pytest.raises(UserError, match=r"pos_embed is \[1, 129, 384\].* width or tokens"):
        Embedder(EmbedderOptions(**options, pooling="avg"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patch_embed.conv.0.weight": torch.ones(1)}, "a stem of convolutions"),
        ({"pos_embed": torch.ones(1, 12, 384)}, "11 patches of length 384; known: 128, 192, 196"),
    ],
)
def test_a_transformer_that_is_not_built_here_is_one_line(tmp_path, change, message):
    state = transformer_state(depth=1) | {"bottleneck.weight": torch.ones(384)} | change
    torch.save(state, tmp_path / "vit.pth")
    with pytest.raises(UserError, match=message):
        reidzoo.load(tmp_path / "vit.pth")


def test_tokens_are_counted_from_one():
    with pytest.raises(UserError, match=r"tokens \[0, 8\]: must be at least \[1,1\]"):
        EmbedderOptions("vit_small_patch16_224", weights=None, tokens=(0, 8))


@pytest.mark.parametrize("options", [{"pooling": "class"}, {"tokens": (16, 8)}])
def test_a_resnet_has_no_tokens(options):
    with pytest.raises(UserError, match=r"need a transformer, not .*resnet18"):
        Embedder(EmbedderOptions("resnet18", weights=None, **options))


@pytest.fixture(scope="module")
def network():
    return Reference("resnet18")


@pytest.fixture
def file(tmp_path, network):
    torch.save(contrast(network), tmp_path / "model_best.pth.tar")
    return tmp_path / "model_best.pth.tar"


def test_a_file_of_an_old_torch_and_numpy_is_read(tmp_path, network):
    """SpCL's are older than torch's zip files; numpy's module had another name."""
    path = tmp_path / "old.pth.tar"
    torch.save(contrast(network), path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes().replace(b"numpy._core", b"numpy.core"))
    assert b"numpy.core.multiarray\nscalar" in path.read_bytes()
    assert reidzoo.load(path)(images()).shape == (2, 512)


def test_arrays_and_options_are_passed_over(tmp_path, network):
    content = contrast(network) | {"cmc": np.arange(10.0), "args": argparse.Namespace(lr=1)}
    torch.save(content, tmp_path / "a.pth")
    assert reidzoo.load(tmp_path / "a.pth").config["method"].startswith("released: ")


def test_it_is_a_start_for_any_method(file, network):
    fresh = Embedder(EmbedderOptions("resnet18", weights=None, pooling="avg"))
    init_network(fresh, str(file))
    with torch.no_grad():
        torch.testing.assert_close(fresh.eval()(images()), network(images()), rtol=1e-4, atol=1e-5)
    backbone = Embedder(EmbedderOptions("resnet18", weights=str(file))).backbone.state_dict()
    plain = network.net.state_dict()
    assert all(backbone[name].equal(plain[name]) for name in backbone)


def test_it_is_scored_like_any_model(file, market, tmp_path, capsys):  # noqa: F811
    scores = tmp_path / "scores.json"
    words = ["--data", "market_layout", "--data.root", str(market), "--data.workers", "0"]
    size = ["--data.height", "32", "--data.width", "16", "--device", "cpu"]
    assert evaluate([str(file), *words, *size, "--json", str(scores)]) == 0
    assert 0 < json.loads(scores.read_text())["mAP"] <= 1
    assert "released: Cluster Contrast" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("module.feat_bn.bias"), r"1 missing \(first: neck\.bn\.bias\); by its"),
        (lambda s: s.update({"module.mean.a": torch.ones(1), "module.mean.b": torch.ones(1)}),
         r"2 unknown \(first: mean\.a\); by its names it is Cluster Contrast"),
        (lambda s: s.update({"module.base.0.weight": torch.ones(64, 1, 7, 7)}),
         r"1 of another shape \(first: backbone\.conv1\.weight \[64, 1, 7, 7\], here"),
        (lambda s: [s.pop(name) for name in list(s) if ".base.7." in name],
         "its stages have 2, 2, 2, 0 blocks, as no ResNet has; is the file complete"),
    ],
    ids=["missing", "unknown", "shape", "stage"],
)  # fmt: skip
def test_what_does_not_fit_is_one_line(tmp_path, network, change, message):
    state = network.released()
    change(state)
    torch.save({"state_dict": state}, tmp_path / "bad.pth.tar")
    with pytest.raises(UserError, match=message) as caught:
        reidzoo.load(tmp_path / "bad.pth.tar")
    assert str(caught.value).startswith(str(tmp_path / "bad.pth.tar"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [pathlib.Path("a"), {"f": print}], ids=["object", "code"])
def test_other_objects_are_refused(tmp_path, network, value):
    torch.save(contrast(network) | {"args": value}, tmp_path / "objects.pth")
    with pytest.raises(UserError, match="pickled Python objects"):
        reidzoo.load(tmp_path / "objects.pth")


def test_names_of_nobody_are_one_line(tmp_path):
    torch.save({"state_dict": {"stem.weight": torch.ones(1)}}, tmp_path / "other.pth")
    with pytest.raises(UserError, match="names of no released checkpoint that is known"):
        reidzoo.load(tmp_path / "other.pth")


def test_another_network_is_one_line(file):
    fresh = Embedder(EmbedderOptions("resnet18", weights=None, pooling="gem"))
    with pytest.raises(UserError, match=r"1 missing \(first: pool\.p\); make --method\.network"):
        init_network(fresh, str(file))
