"""Trained networks as ONNX: the whole way from images to unit rows in one graph, L2 included.

A file has the input `image` [batch, 3, H, W] and the output `embedding` [batch, D]; `batch` is
free. Its metadata hold the card under "reidzoo", so that `reidzoo.load` reads it back. Nothing in
it is code: the graph is run by onnxruntime, custom operators are refused by it.
"""

import json
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from reidzoo.errors import UserError
from reidzoo.files import written_whole
from reidzoo.models.embedder import Embedder
from reidzoo.models.format import FORMAT, check_format
from reidzoo.models.transform import ImageTransform

CARD = "reidzoo"
BATCHES = (1, 7)  # at which a written file is compared with the network
TOLERANCE = 1e-4


class OnnxEmbedder(nn.Module):
    """An embedder that onnxruntime runs, with what is needed to use it; for inference only.

    Attributes are those of `TrainedEmbedder`: `config`, `transform`, `threshold`, `device`.

    Args:
        path: the file.
        what: how an error message begins.

    Raises:
        UserError: onnxruntime is missing, or the file is damaged or not one of reidzoo's.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, path: Path, what: str) -> None:
        super().__init__()
        self._session = open_session(path, what)
        text = self._session.get_modelmeta().custom_metadata_map.get(CARD)
        if text is None:
            raise UserError(f"{what}: no description of the network in it; was it made by reidzoo?")
        check_format(text, what)
        try:
            self.config: dict[str, Any] = json.loads(text)
            self.transform = ImageTransform(int(self.config["height"]), int(self.config["width"]))
            for name in ("mean", "std"):
                value = torch.tensor(self.config["network"][name])
                self.register_buffer(name, 255 * value.view(3, 1, 1))
        except (ValueError, TypeError, KeyError, RuntimeError) as error:
            raise UserError(
                f"{what}: the description of its network is damaged ({error!r})"
            ) from error
        self.threshold: float | None = self.config.get("threshold")
        self.takes_bytes = self._session.get_inputs()[0].type == "tensor(uint8)"

    @property
    def device(self) -> torch.device:
        """Where images may be: the rows come back there; onnxruntime itself stays where it is."""
        return self.mean.device

    def forward(self, image: Tensor) -> Tensor:
        """[B, 3, H, W], uint8 or already normalised floats -> [B, D] unit rows, fp32."""
        if image.dtype == torch.uint8 and not self.takes_bytes:
            image = (image.float() - self.mean) / self.std
        if image.dtype != torch.uint8 and self.takes_bytes:
            raise ValueError("this ONNX file takes images as uint8 [B, 3, H, W]")
        (rows,) = self._session.run(None, {"image": np.ascontiguousarray(image.cpu().numpy())})
        return torch.from_numpy(rows).to(image.device)


def export_onnx(
    path: str | Path, embedder: Embedder, config: Mapping[str, Any], takes_bytes: bool = False
) -> float:
    """Write a network as ONNX, after checking that onnxruntime computes the same.

    Args:
        path: ends with .onnx; the file appears whole, or not at all.
        embedder: the network, in evaluation mode.
        config: the card, plain values with "height", "width" and "network".
        takes_bytes: the input is uint8, and the graph normalises it; else normalised fp32.

    Returns:
        The largest difference of a feature, over batches of 1 and 7 random images.

    Raises:
        UserError: onnx, onnxscript or onnxruntime is missing, or the difference is over 1e-4.
    """
    require("onnx", "onnxscript", "onnxruntime")
    image = random_images(2, config, takes_bytes, embedder)
    with written_whole(path) as temporary:
        with warnings.catch_warnings(), quiet("torch.onnx", "onnxscript", "onnx_ir"):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                embedder, (image,), dynamo=True, verbose=False, input_names=["image"],
                output_names=["embedding"],
                dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
            )  # fmt: skip
        assert program is not None
        program.model.metadata_props[CARD] = json.dumps(dict(config) | {"format": FORMAT})
        program.save(temporary, external_data=False)
        return check(temporary, embedder, config, takes_bytes)


def check(
    path: Path, embedder: Embedder, config: Mapping[str, Any], takes_bytes: bool = False
) -> float:
    """The largest difference between a file and the network it was made of.

    Raises:
        UserError: it is over the tolerance.
    """
    written, worst = OnnxEmbedder(path, str(path)), 0.0
    for batch in BATCHES:
        image = random_images(batch, config, takes_bytes, embedder)
        with torch.no_grad():
            worst = max(worst, float((written(image) - embedder(image)).abs().max()))
    if not worst <= TOLERANCE:
        raise UserError(
            f"{path}: onnxruntime computes features that differ by {worst:.1e} from the network's "
            f"(allowed {TOLERANCE:.0e}): nothing was written"
        )
    return worst


def random_images(
    batch: int, config: Mapping[str, Any], takes_bytes: bool, embedder: Embedder
) -> Tensor:
    """Noise [B, 3, H, W] as a file takes it."""
    draw = torch.Generator().manual_seed(batch)
    shape = (batch, 3, int(config["height"]), int(config["width"]))
    image = torch.randint(0, 256, shape, dtype=torch.uint8, generator=draw)
    return image if takes_bytes else embedder.normalise(image)


def open_session(path: Path, what: str) -> Any:
    """An onnxruntime session of a file, on the CPU or what else onnxruntime was built for."""
    require("onnxruntime")
    import onnxruntime

    if not path.is_file():
        raise UserError(f"{what}: no such file")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is said below
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        return onnxruntime.InferenceSession(
            path.read_bytes(), options, providers=onnxruntime.get_available_providers()
        )
    except Exception as error:  # onnxruntime raises types of its own, one per status
        raise UserError(f"{what}: not an ONNX file, damaged or truncated") from error


def require(*packages: str) -> None:
    """Raise a UserError that says what to install, unless all packages can be imported."""
    from importlib.util import find_spec

    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise UserError(
            f'.onnx needs {", ".join(missing)}: pip install "reidzoo[export]", or choose '
            ".safetensors"
        )


class quiet:  # noqa: N801  reads as a word
    """Silence the loggers of some packages for a while."""

    def __init__(self, *names: str) -> None:
        self.loggers = [logging.getLogger(name) for name in names]

    def __enter__(self) -> None:
        self.levels = [logger.level for logger in self.loggers]
        for logger in self.loggers:
            logger.setLevel(logging.ERROR)

    def __exit__(self, *error: object) -> None:
        for logger, level in zip(self.loggers, self.levels, strict=True):
            logger.setLevel(level)
