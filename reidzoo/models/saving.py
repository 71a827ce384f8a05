"""Trained networks on disk: saved as plain tensors and JSON, read back without running code."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from reidzoo.errors import UserError
from reidzoo.files import find_checkpoint, written_whole
from reidzoo.models.embedder import Embedder
from reidzoo.models.format import FORMAT, check_format
from reidzoo.models.onnx_file import OnnxEmbedder
from reidzoo.models.options import EmbedderOptions
from reidzoo.models.released import Released, recognise
from reidzoo.models.transform import ImageTransform
from reidzoo.models.weights import load_exactly, read_tensors, unwrap

PREFIX = "network."  # of the embedder's weights in a checkpoint


class TrainedEmbedder(nn.Module):
    """An embedder with what is needed to use it; `reidzoo.load` makes it, in eval mode.

    Args:
        card: network options ("network"), image size ("height", "width") and anything else
            that is worth knowing ("method", "data", "threshold").

    Attributes:
        config: the card.
        transform: image -> [3, H, W] uint8.
        threshold: similarity above which two rows are the same person, or None.
    """

    def __init__(self, card: Mapping[str, Any]) -> None:
        super().__init__()
        self.config = dict(card)
        self.transform = ImageTransform(int(card["height"]), int(card["width"]))
        self.threshold: float | None = card.get("threshold")
        # The weights come from the file: nothing is downloaded.
        self.network = Embedder(replace(EmbedderOptions.from_dict(card["network"]), weights=None))

    @property
    def device(self) -> torch.device:
        """Where the weights are, and images must be."""
        return self.network.mean.device

    def forward(self, image: Tensor) -> Tensor:
        """[B, 3, H, W], uint8 or already normalised floats -> [B, D] unit rows, fp32."""
        rows: Tensor = self.network(image)
        return rows


LoadedEmbedder = TrainedEmbedder | OnnxEmbedder


def save_embedder(path: str | Path, embedder: Embedder, config: Mapping[str, Any]) -> None:
    """Write the weights as safetensors and, beside them, the card as JSON.

    Both appear whole or not at all. Channels-last weights are written in the ordinary layout.

    Args:
        path: ends with .safetensors; the JSON gets the same name.
        embedder: the network.
        config: plain values with at least "height" and "width"; "network" is filled in.

    Raises:
        ValueError: another suffix, or no image size.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"{path}: weights are saved as .safetensors")
    if not {"height", "width"} <= config.keys():
        raise ValueError("the configuration of a saved embedder needs 'height' and 'width'")
    card = dict(config) | {"format": FORMAT, "network": asdict(embedder.options)}
    tensors = {name: value.contiguous() for name, value in embedder.state_dict().items()}
    text = json.dumps(card, indent=2, sort_keys=True) + "\n"
    with written_whole(path.with_suffix(".json")) as temporary:
        temporary.write_text(text, encoding="utf-8")
    with written_whole(path) as temporary:
        safetensors.torch.save_file(tensors, temporary)


def load(path: str | Path) -> LoadedEmbedder:
    """Read a trained network from a run folder, a checkpoint, a safetensors or an ONNX file.

    A checkpoint may also be one that the authors of a method released, see `models/released.py`.
    A run folder stands for its last checkpoint: the best one was chosen on the test set. Only
    plain tensors are read, so a file cannot run code.

    Args:
        path: the folder, `*.ckpt`, `*.safetensors` with its JSON beside it, or `*.onnx`.

    Returns:
        The network in eval mode on the CPU, with `transform`, `threshold` and `config`.

    Raises:
        UserError: in one line, why the file cannot be used.

    >>> import tempfile, numpy as np
    >>> path = Path(tempfile.mkdtemp()) / "people.safetensors"
    >>> embedder = Embedder(EmbedderOptions("small", weights=None))
    >>> save_embedder(path, embedder, {"height": 64, "width": 32})
    >>> model = load(path)
    >>> model(model.transform(np.zeros((9, 5, 3), np.uint8))[None]).shape
    torch.Size([1, 128])
    """
    what = str(path)
    file = find_checkpoint(path, what)
    if file.suffix == ".onnx":
        return OnnxEmbedder(file, what).eval()
    content = read_tensors(file, what)
    if file.suffix == ".safetensors":
        text, tensors = _read_card(file), content
    else:
        text = content.get("reidzoo")
        state = content.get("state_dict")
        tensors = {
            name.removeprefix(PREFIX): value
            for name, value in (state.items() if isinstance(state, Mapping) else ())
            if str(name).startswith(PREFIX)
        }
    if text is None and (released := recognise(unwrap(content))) is not None:
        return _load_released(released, what)
    card = _parse_card(text, what)
    try:
        model = TrainedEmbedder(card)
        model.network.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{what}: its tensors and its description disagree ({reason})") from error
    return model.eval()


def _load_released(released: Released, what: str) -> TrainedEmbedder:
    model = TrainedEmbedder(released.card(what))
    advice = f"by its names it is {released.family}"
    load_exactly(model.network, released.tensors, what, advice)
    return model.eval()


def _read_card(weights: Path) -> str | None:
    file = weights.with_suffix(".json")
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else None


def _parse_card(text: Any, what: str) -> dict[str, Any]:
    if text is None:
        raise UserError(
            f"{what}: no description of the network with it (a reidzoo checkpoint carries one, "
            f"a .safetensors file has it in a .json of the same name), and its tensors have the "
            f"names of no released checkpoint that is known; was it made by reidzoo?"
        )
    check_format(text, what)
    try:
        card: dict[str, Any] = json.loads(text)
        height, width = int(card["height"]), int(card["width"])
        if min(height, width) < 1:
            raise ValueError(f"images of {height} x {width} pixels")
        return dict(card) | {"height": height, "width": width}
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise UserError(f"{what}: the description of its network is damaged ({error!r})") from error
