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
from reidzoo.models.format import check_format
from reidzoo.models.options import EmbedderOptions
from reidzoo.models.released import recognise

logger = logging.getLogger(__name__)

OPTION = "--method.network.weights"
CLASSIFIERS = ("fc.", "classifier.", "head.", "last_linear.")
WRAPPERS = ("state_dict", "model", "teacher")  # the last one: of DINO


class Ignored:
    """Stands where a file has `best_mAP` as a figure of numpy, or the options of DINO.

    Nothing of them is called: these names of a pickle become this class, which does nothing.
    """

    NAMES = (
        "argparse.Namespace",
        "numpy.dtype",
        "numpy.ndarray",
        "numpy.core.multiarray.scalar",
        "numpy._core.multiarray.scalar",
        "numpy.core.multiarray._reconstruct",
        "numpy._core.multiarray._reconstruct",
    )

    def __init__(self, *state: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def read_tensors(path: str | Path, what: str) -> dict[str, Any]:
    """Read a .safetensors file or a torch checkpoint, never unpickling anything but tensors.

    Figures of numpy and parsed options beside them are passed over (`Ignored`).

    Args:
        path: the file.
        what: how an error message begins, e.g. an option and its value.

    Returns:
        What is in the file, on the CPU.

    Raises:
        UserError: no such file, damaged, of a newer version, or it holds pickled objects.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{what}: no such file")
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        with torch.serialization.safe_globals([(Ignored, name) for name in Ignored.NAMES]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{what}: refused, it is damaged or holds pickled Python objects, which can run code; "
            f"only plain tensors are read (.safetensors, or torch.save of a state dict)"
        ) from error
    except Exception as error:  # of damaged files readers raise a dozen types, KeyError included
        raise UserError(f"{what}: damaged or truncated, it cannot be read") from error
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise UserError(f"{what}: holds a {type(content).__name__}, expected a state dict")
    check_format(content.get("reidzoo"), what)
    return content


def unwrap(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Look inside the usual wrappers."""
    for wrapper in WRAPPERS:
        if isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    return content


def read_state_dict(path: str | Path, what: str) -> dict[str, Tensor]:
    """Read named tensors; those that authors released come under the names of an `Embedder`.

    Args and errors are those of `read_tensors`.
    """
    content = unwrap(read_tensors(path, what))
    if (released := recognise(content)) is not None:
        return released.tensors
    return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}


def load_exactly(module: nn.Module, found: Mapping[str, Tensor], what: str, advice: str) -> None:
    """Copy tensors whose names and shapes must be those of the module.

    Counters of batches may be missing: torch wrote none before 1.0, and nothing reads them.

    Args:
        module: receives the tensors.
        found: named tensors of a file.
        what: how an error message begins.
        advice: how it ends.

    Raises:
        UserError: one line that says how many tensors differ, and the first of them.

    >>> load_exactly(nn.Linear(1, 1), {"weight": torch.ones(2, 1)}, "w.pth", "take another")
    Traceback (most recent call last):
    ...
    reidzoo.errors.UserError: w.pth: tensors do not fit the network: 1 missing (first: bias); \
1 of another shape (first: weight [2, 1], here [1, 1]); take another
    """
    wanted = module.state_dict()
    shapes = [
        f"{name} {list(found[name].shape)}, here {list(wanted[name].shape)}"
        for name in sorted(wanted.keys() & found.keys())
        if found[name].shape != wanted[name].shape
    ]
    absent = sorted(wanted.keys() - found.keys())
    kinds = {
        "missing": [name for name in absent if not name.endswith("num_batches_tracked")],
        "unknown": sorted(found.keys() - wanted.keys()),
        "of another shape": shapes,
    }
    problems = [
        f"{len(names)} {kind} (first: {names[0]})" for kind, names in kinds.items() if names
    ]
    if problems:
        raise UserError(f"{what}: tensors do not fit the network: {'; '.join(problems)}; {advice}")
    module.load_state_dict(dict(found), strict=False)


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
                f"{list(target[name].shape)}; is it another backbone, width or tokens?"
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
