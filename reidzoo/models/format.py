"""The version of what reidzoo writes beside its tensors: older files are read, newer ones refused.

1: the first. A change that older programs would misread adds one here, and a run of the version
before it to `tests/checkpoints`, where it must load for ever.
"""

import json
from typing import Any

from reidzoo.errors import UserError

FORMAT = 1


def check_format(card: Any, what: str) -> None:
    """Refuse a card that a newer reidzoo wrote; cards without a version are of the first.

    Args:
        card: JSON text of a checkpoint, or of the file beside one, about itself. What is no such
            text passes: whoever needs the card says so.
        what: how an error message begins.

    Raises:
        UserError: the version is not one that this program knows.

    >>> check_format('{"format": 1}', "old.ckpt")
    """
    try:
        made = json.loads(card).get("format", 1)
    except (TypeError, ValueError, AttributeError):
        return
    if made not in range(1, FORMAT + 1):
        raise UserError(
            f"{what}: written by a newer reidzoo (format {made}, this one reads up to {FORMAT}); "
            "upgrade with pip install --upgrade reidzoo"
        )
