"""`--init`: start from the network of any run, checkpoint or safetensors file."""

from torch import Tensor, nn

from reidzoo.errors import UserError
from reidzoo.files import find_checkpoint
from reidzoo.models.weights import read_tensors

PREFIX = "network."


def init_network(network: nn.Module, path: str) -> None:
    """Load weights into a network; names and shapes must match exactly.

    Raises:
        UserError: one line that says how many tensors differ, and the first of them.
    """
    what = f"--init {path}"
    content = read_tensors(find_checkpoint(path, what), what)
    found: dict[str, Tensor] = content.get("state_dict", content)
    if any(name.startswith(PREFIX) for name in found):
        found = {
            name.removeprefix(PREFIX): tensor
            for name, tensor in found.items()
            if name.startswith(PREFIX)
        }
    wanted = network.state_dict()
    missing = sorted(wanted.keys() - found.keys())
    surplus = sorted(found.keys() - wanted.keys())
    shapes = [
        f"{name} {list(found[name].shape)}, here {list(wanted[name].shape)}"
        for name in wanted.keys() & found.keys()
        if found[name].shape != wanted[name].shape
    ]
    problems = [
        f"{len(names)} {kind} (first: {names[0]})"
        for kind, names in (
            ("missing", missing),
            ("unknown", surplus),
            ("of another shape", shapes),
        )
        if names
    ]
    if problems:
        raise UserError(
            f"{what}: tensors do not fit the network: {'; '.join(problems)}; "
            "make --method.network.* that of the run"
        )
    network.load_state_dict(found)
