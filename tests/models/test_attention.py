import dataclasses

import pytest
import torch

from reidzoo.models import Embedder, EmbedderOptions, set_waving
from reidzoo.models.attention import CBAM, NonLocal
from reidzoo.models.waveblock import WaveBlock, wave

CLOSE = {"rtol": 1e-4, "atol": 1e-4}
CBAM_NAMES = {
    "ChannelGate.mlp.1.": "channel.0.",
    "ChannelGate.mlp.3.": "channel.2.",
    "SpatialGate.spatial.conv.": "spatial.0.",
    "SpatialGate.spatial.bn.": "spatial.1.",
}
NONLOCAL_NAMES = {"W.0.": "out.", "W.1.": "bn."}


def _weights(numbers, prefix, names):
    """The golden's parameters under this package's names."""
    state = {}
    for key, value in numbers.items():
        if key.startswith(prefix) and "__" in key:
            name = key.removeprefix(prefix).replace("__", ".")
            for theirs, ours in names.items():
                name = ours + name.removeprefix(theirs) if name.startswith(theirs) else name
            state[name] = value
    return state


def _train_and_gradient(block, x):
    x = x.clone().requires_grad_()
    out = block.train()(x)
    out.square().sum().backward()
    return out, x.grad


@pytest.fixture
def numbers(golden):
    return {name: torch.from_numpy(value) for name, value in golden("wam_attention").items()}


def test_cbam_equals_the_original_code(numbers):
    block = CBAM(32)
    block.load_state_dict(_weights(numbers, "cbam_", CBAM_NAMES))
    torch.testing.assert_close(block.eval()(numbers["x"]), numbers["cbam_eval"], **CLOSE)
    out, gradient = _train_and_gradient(block, numbers["x"])
    torch.testing.assert_close(out, numbers["cbam_train"], **CLOSE)
    torch.testing.assert_close(gradient, numbers["cbam_train_dx"], **CLOSE)


def test_nonlocal_equals_the_original_code(numbers):
    block = NonLocal(32)
    torch.testing.assert_close(block(numbers["x"]), numbers["nl_identity_at_init"])
    state = _weights(numbers, "nl_", NONLOCAL_NAMES)
    # The original has a bias in front of the norm; in evaluation it only shifts the mean.
    state["bn.running_mean"] = state["bn.running_mean"] - state.pop("out.bias")
    block.load_state_dict(state)
    torch.testing.assert_close(block.eval()(numbers["x"]), numbers["nl_eval"], **CLOSE)
    out, gradient = _train_and_gradient(block, numbers["x"])
    torch.testing.assert_close(out, numbers["nl_train"], **CLOSE)
    torch.testing.assert_close(gradient, numbers["nl_train_dx"], **CLOSE)


@pytest.mark.parametrize("case", range(4))
def test_wave_equals_the_original_code(golden, case):
    numbers = golden("waveblock")
    assert numbers["n"] == 4
    x = torch.from_numpy(numbers[f"x{case}"]).requires_grad_()
    out = wave(x, int(numbers[f"offset{case}"]))
    out.backward(torch.from_numpy(numbers[f"dy{case}"]))
    assert out.equal(torch.from_numpy(numbers[f"y{case}"]))
    assert x.grad.equal(torch.from_numpy(numbers[f"dx{case}"]))


@pytest.mark.parametrize(("height", "kept"), [(32, 10), (16, 5), (5, 2), (15, 4), (25, 8)])
def test_every_offset_is_drawn_and_the_band_fits(height, kept):
    torch.manual_seed(0)
    block, x = WaveBlock(), torch.ones(2, 3, height, 2)
    offsets = set()
    for _ in range(600):
        out = block(x)
        band = (out == 1).all(dim=(0, 1, 3)).nonzero().flatten()
        assert band.tolist() == list(range(int(band[0]), int(band[0]) + kept))
        assert out.eq(1.5).sum() == 2 * 3 * 2 * (height - kept)
        offsets.add(int(band[0]))
    assert offsets == set(range(height - kept + 1))
    assert block.eval()(x) is x


ATTENTIVE = EmbedderOptions("small", weights=None, width=4, attention="nonlocal", waveblock=True)


@pytest.mark.parametrize("attention", ["none", "cbam", "nonlocal"])
@pytest.mark.parametrize("backbone", ["small", "resnet18"])
def test_attention_stands_after_stages_2_and_3_and_trains(attention, backbone):
    torch.manual_seed(0)
    options = EmbedderOptions(backbone, weights=None, attention=attention, waveblock=True)
    embedder = Embedder(options)
    assert sum(isinstance(module, WaveBlock) for module in embedder.modules()) == 2
    image = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)
    with torch.autocast("cpu", torch.bfloat16):
        rows = embedder(image)
    (rows * torch.randn_like(rows)).sum().backward()
    trained = [p for p in embedder.parameters() if p.requires_grad]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in trained)


def test_waves_are_random_in_training_only_and_can_be_paused():
    torch.manual_seed(0)
    embedder = Embedder(ATTENTIVE)
    image = torch.randint(0, 256, (4, 3, 64, 32), dtype=torch.uint8)
    maps = [embedder.map(image) for _ in range(4)]
    assert not all(torch.allclose(maps[0], other) for other in maps[1:])
    set_waving(embedder, False)
    torch.testing.assert_close(embedder.map(image), embedder.map(image))
    set_waving(embedder, True)
    embedder.eval()
    torch.testing.assert_close(embedder.map(image), embedder.map(image))


def test_a_fresh_nonlocal_block_leaves_the_network_as_it_was():
    torch.manual_seed(0)
    attentive = Embedder(ATTENTIVE).eval()
    plain = Embedder(dataclasses.replace(ATTENTIVE, attention="none", waveblock=False)).eval()
    plain.load_state_dict(attentive.state_dict(), strict=False)
    image = torch.randint(0, 256, (2, 3, 64, 32), dtype=torch.uint8)
    torch.testing.assert_close(attentive(image), plain(image))
