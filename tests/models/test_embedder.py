import json
from dataclasses import asdict

import pytest
import torch
from torch import nn

from reidzoo.errors import UserError
from reidzoo.models import Embedder, EmbedderOptions

SMALL = EmbedderOptions("small", weights=None, stripes=4, width=8)


def _bytes(batch=4, height=64, width=32):
    return torch.randint(0, 256, (batch, 3, height, width), dtype=torch.uint8)


@pytest.mark.parametrize(
    ("options", "shape", "length"),
    [
        (SMALL, (64, 8, 8), 256),
        (EmbedderOptions("resnet18", weights=None), (512, 4, 4), 512),
        (EmbedderOptions("resnet18", weights=None, last_stride=2, embedding=32), (512, 2, 2), 32),
        (EmbedderOptions("resnet18_ibn_a", weights=None, samples_per_bn=2), (512, 4, 4), 512),
        (EmbedderOptions("resnet50", weights=None, pooling="avg"), (2048, 4, 4), 2048),
        (EmbedderOptions("resnet50_ibn_a", weights=None, pooling="max"), (2048, 4, 4), 2048),
        (EmbedderOptions("timm:resnet18", weights=None, samples_per_bn=2), (512, 2, 2), 512),
        (EmbedderOptions("convnext_atto", weights=None), (320, 2, 2), 320),
        (EmbedderOptions("vit_tiny_patch16_224", weights=None, pooling="avg"), (192, 4, 4), 192),
        (EmbedderOptions("swin_tiny_patch4_window7_224", weights=None, pooling="avg"),
         (768, 2, 2), 768),
    ],
    ids=lambda value: value.backbone if isinstance(value, EmbedderOptions) else "",
)  # fmt: skip
def test_every_kind_of_backbone_gives_unit_rows(options, shape, length):
    torch.manual_seed(0)
    embedder = Embedder(options)
    # oneDNN's bf16 convolution (3 x 3, stride 2, 512 channels) of a map 2 wide gives garbage.
    image = _bytes(width=64)
    assert embedder.map(image).shape == (4, *shape)
    rows = embedder(image)
    assert rows.shape == (4, length) == (4, embedder.num_features)
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(4))
    rows.sum().backward()
    with torch.autocast("cpu", torch.bfloat16):
        low = embedder(image)
    assert low.dtype == torch.float32
    torch.testing.assert_close(low.norm(dim=1), torch.ones(4))


def test_tokens_land_where_their_patch_is():
    torch.manual_seed(0)
    options = EmbedderOptions("vit_tiny_patch16_224", weights=None, pooling="avg")
    backbone = Embedder(options).eval().backbone
    backbone.model.blocks = nn.Identity()  # no mixing: one patch moves one token
    image = torch.zeros(1, 3, 64, 32)
    changed = image.clone()
    changed[..., 32:48, 16:32] = 1
    moved = (backbone(changed) - backbone(image)).abs().sum(1)[0]
    assert moved.nonzero().tolist() == [[2, 1]]


def test_random_weights_follow_the_seed():
    embedders = []
    for _ in range(2):
        torch.manual_seed(3)
        embedders.append(Embedder(SMALL).state_dict())
    assert all(embedders[0][name].equal(embedders[1][name]) for name in embedders[0])


def test_the_small_network_is_the_one_of_the_recipe():
    embedder = Embedder(EmbedderOptions("small", weights=None, stripes=4))
    size = sum(parameter.numel() for parameter in embedder.parameters())
    assert 0.305e6 < size < 0.315e6
    assert embedder.num_features == 512
    narrow = Embedder(EmbedderOptions("small", weights=None, stripes=4, width=12))
    assert 0.165e6 < sum(parameter.numel() for parameter in narrow.parameters()) < 0.18e6


@pytest.mark.parametrize("stem_relu", [True, False])
def test_the_stem_may_go_without_its_relu(stem_relu):
    trunk = Embedder(EmbedderOptions("small", weights=None, width=8, stem_relu=stem_relu)).backbone
    image = torch.randn(2, 3, 32, 16)
    stem = trunk.bn1(trunk.conv1(image))
    stem = stem.relu() if stem_relu else stem
    expected = trunk.layer4(trunk.layer3(trunk.layer2(trunk.layer1(stem))))
    torch.testing.assert_close(trunk(image), expected)


def test_bytes_are_normalised_and_floats_pass():
    embedder = Embedder(SMALL).eval()
    image = _bytes()
    mean, std = torch.tensor(SMALL.mean), torch.tensor(SMALL.std)
    expected = (image / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    torch.testing.assert_close(embedder.normalise(image), expected)
    assert embedder.normalise(expected) is expected
    torch.testing.assert_close(embedder(image), embedder(expected))


def test_memory_format_changes_nothing():
    torch.manual_seed(0)
    embedder = Embedder(SMALL).eval()
    image = _bytes()
    assert embedder.map(image).is_contiguous(memory_format=torch.channels_last)
    last = embedder(image.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(last, embedder(image))


def test_ghost_norm_trains_as_if_the_batch_were_split():
    torch.manual_seed(0)
    plain = Embedder(SMALL)
    ghost = Embedder(EmbedderOptions(**asdict(SMALL) | {"samples_per_bn": 4}))
    ghost.load_state_dict(plain.state_dict())
    image = _bytes(8)
    first, second = plain(image[:4]), plain(image[4:])
    torch.testing.assert_close(ghost(image), torch.cat([first, second]))


def test_no_bias_stands_in_front_of_a_batch_norm():
    """Its gradient would be rounding noise, which Adam turns into full steps."""
    for backbone in ("small", "resnet18", "resnet18_ibn_a"):
        embedder = Embedder(EmbedderOptions(backbone, weights=None, embedding=8))
        layers = [m for m in embedder.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        assert all(layer.bias is None for layer in layers)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"backbone": "resnet5O"}, r"--method\.network\.backbone resnet5O: .*did you mean"),
        ({"backbone": "small"}, r"--method\.network\.weights imagenet: .*'small'"),
        ({"pooling": "gen"}, r"--method\.network\.pooling gen: .*did you mean gem\?"),
        ({"stripes": 0}, r"--method\.network\.stripes 0: must be at least 1"),
        ({"samples_per_bn": 1}, r"--method\.network\.samples_per_bn 1: must be at least 2"),
        ({"last_stride": 3}, r"--method\.network\.last_stride 3: allowed: 1, 2"),
        ({"backbone": "timm:resnet18", "waveblock": True}, r"--method\.network\.attention"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(values, message):
    with pytest.raises(UserError, match=message) as caught:
        Embedder(EmbedderOptions(**values))
    assert "\n" not in str(caught.value)


def test_a_size_that_patches_do_not_fit_is_one_line():
    embedder = Embedder(EmbedderOptions("vit_tiny_patch16_224", weights=None, pooling="avg"))
    with pytest.raises(UserError, match=r"--data\.height.*divisible by patch size"):
        embedder(_bytes(height=60))


def test_options_survive_json():
    options = EmbedderOptions(mean=(0.45, 0.45, 0.45), samples_per_bn=64)
    assert EmbedderOptions.from_dict(json.loads(json.dumps(asdict(options)))) == options
    with pytest.raises(UserError, match="did you mean stripes"):
        EmbedderOptions.from_dict({"stripe": 1})
