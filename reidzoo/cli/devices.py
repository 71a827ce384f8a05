"""Where a network runs, by name."""

import torch

from reidzoo.errors import UserError


def choose_device(name: str) -> torch.device:
    """The device of a name; "auto" is an accelerator if there is one.

    Raises:
        UserError: no such device on this machine.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"--device {name}: not usable here ({reason}); take auto or cpu") from error
    return device
