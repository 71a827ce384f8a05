"""`--init`: start from the network of any run, checkpoint, safetensors or released file."""

from torch import nn

from reidzoo.files import find_checkpoint
from reidzoo.models.weights import load_exactly, read_state_dict

PREFIX = "network."


def init_network(network: nn.Module, path: str) -> None:
    """Load weights into a network; names and shapes must match exactly.

    Raises:
        UserError: one line that says how many tensors differ, and the first of them.
    """
    what = f"--init {path}"
    found = read_state_dict(find_checkpoint(path, what), what)
    if any(name.startswith(PREFIX) for name in found):
        found = {
            name.removeprefix(PREFIX): tensor
            for name, tensor in found.items()
            if name.startswith(PREFIX)
        }
    load_exactly(network, found, what, "make --method.network.* that of the run")
