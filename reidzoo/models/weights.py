"""Pretrained weights: fetched or read safely, matched by name, and refused in one line."""

import logging
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from reidzoo.errors import UserError
from reidzoo.models.options import EmbedderOptions

logger = logging.getLogger(__name__)

OPTION = "--method.network.weights"
CLASSIFIERS = ("fc.", "classifier.", "head.", "last_linear.")


def read_tensors(path: str | Path, what: str) -> dict[str, Any]:
    """Read a .safetensors file or a torch checkpoint, never unpickling anything but tensors.

    Args:
        path: the file.
        what: how an error message begins, e.g. an option and its value.

    Returns:
        What is in the file, on the CPU.

    Raises:
        UserError: no such file, damaged, or it holds pickled objects.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{what}: no such file")
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{what}: refused, it is damaged or holds pickled Python objects, which can run code; "
            f"only plain tensors are read (.safetensors, or torch.save of a state dict)"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, safetensors.SafetensorError) as error:
        raise UserError(f"{what}: damaged or truncated, it cannot be read") from error
    if not isinstance(content, dict):
        raise UserError(f"{what}: holds a {type(content).__name__}, expected a state dict")
    return content


def read_state_dict(path: str | Path, what: str) -> dict[str, Tensor]:
    """Read named tensors, looking inside the usual wrappers ("state_dict", "model").

    Args and errors are those of `read_tensors`.
    """
    content = read_tensors(path, what)
    for wrapper in ("state_dict", "model"):
        if isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    return {name: value for name, value in content.items() if isinstance(value, Tensor)}


def load_matching(module: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Copy the tensors that `module` knows, whatever prefix the file puts before their names.

    Files call the same layer "conv1.weight", "module.backbone.conv1.weight", "base.conv1.weight":
    the prefix that fits most names is taken. A classifier in the file is left aside; any other
    difference is logged.

    Args:
        module: receives the tensors.
        state: named tensors of a file.
        what: how a message begins.

    Raises:
        UserError: no name fits, or a shape differs.

    >>> layer = nn.Linear(1, 1)
    >>> load_matching(layer, {"module.weight": torch.ones(1, 1), "module.bias": torch.ones(1)}, "w")
    >>> layer.bias.item()
    1.0
    """
    target = module.state_dict()
    prefixes = {"", *(name[: i + 1] for name in state for i, c in enumerate(name) if c == ".")}
    prefix = max(
        sorted(prefixes), key=lambda prefix: sum(prefix + name in state for name in target)
    )
    matched = {name: state[prefix + name] for name in target if prefix + name in state}
    if not matched:
        raise UserError(
            f"{what}: none of its {len(state)} tensors ({_some(state)}) belongs to this network, "
            f"which has {_some(target)}; is it another backbone?"
        )
    for name, value in matched.items():
        if value.shape != target[name].shape:
            raise UserError(
                f"{what}: {prefix}{name} is {list(value.shape)}, this network needs "
                f"{list(target[name].shape)}; is it another backbone or width?"
            )
    missing = [n for n in target if n not in matched and not n.endswith("num_batches_tracked")]
    if missing:
        logger.warning(
            "%s: %d of %d tensors are not in it and keep their initial values (%s)",
            what, len(missing), len(target), _some(missing),
        )  # fmt: skip
    used = {prefix + name for name in matched}
    unused = [name for name in state if name not in used and not _is_classifier(name, prefix)]
    if unused:
        logger.warning("%s: %d tensors are not used (%s)", what, len(unused), _some(unused))
    module.load_state_dict(matched, strict=False)


def load_weights(module: nn.Module, options: EmbedderOptions, fetch: Callable[[], Any]) -> None:
    """Fill a backbone as `--method.network.weights` says.

    Args:
        module: the backbone, with its random weights.
        options: `weights` is null, "imagenet" or a path.
        fetch: gets the published ImageNet state dict, from the cache or from the network.

    Raises:
        UserError: in one line, what was tried and what can be done instead.
    """
    if options.weights is None:
        return
    what = f"{OPTION} {options.weights}"
    if options.weights == "imagenet":
        load_matching(module, fetch_or_refuse(options.backbone, fetch), what)
    else:
        load_matching(module, read_state_dict(options.weights, what), what)


def fetch_or_refuse(backbone: str, fetch: Callable[[], Any]) -> Any:
    """Call `fetch`; whatever its client raises (offline, refused, bad hash) becomes one line."""
    try:
        return fetch()
    except Exception as error:  # hub clients raise dozens of types, some not even OSError
        reason = (str(error).splitlines() or [""])[0][:200]
        raise UserError(
            f"{OPTION} imagenet: could not fetch the weights of {backbone} "
            f"({type(error).__name__}: {reason}); give a local file ({OPTION} PATH), "
            f"or {OPTION} null and a warm start (--init RUN)"
        ) from error


def _is_classifier(name: str, prefix: str) -> bool:
    return name.removeprefix(prefix).startswith(CLASSIFIERS)


def _some(names: Mapping[str, Any] | list[str], count: int = 3) -> str:
    listed = ", ".join(list(names)[:count])
    return listed + ", ..." if len(names) > count else listed
