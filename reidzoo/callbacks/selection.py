"""Choosing an epoch without identities: by how its pseudo-labels look.

An epoch is judged by the labels it was trained on, which the network before it made: the choice
lags by one epoch. Both scores say how settled labels are, not whether they are right. Training
pulls features towards their labels, right or wrong, and a falling learning rate freezes them, so
both favour late epochs; what they can see is a fall, of clusters that collapse or flow together.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from reidzoo.errors import UserError
from reidzoo.methods.base import Method

Selection: TypeAlias = Literal["last", "silhouette", "stability"]
Candidate: TypeAlias = dict[str, float]  # "epoch" (finished ones are counted) and the score


def choose(candidates: Sequence[Candidate], selection: Selection) -> Candidate | None:
    """The candidate of the highest score, the earliest of equal ones; None without candidates.

    >>> choose([{"epoch": 2, "stability": 0.7}, {"epoch": 4, "stability": 0.9}], "stability")
    {'epoch': 4, 'stability': 0.9}
    """
    return max(candidates, key=lambda candidate: candidate[selection], default=None)


def check_selection(selection: Selection, method: Method, same_labels: bool) -> None:
    """Refuse a score that a method never has, or that says nothing.

    Args:
        selection: what `--evaluate.selection` says.
        method: that is trained.
        same_labels: every epoch has the same labels, since they were given.
    """
    option, name = f"--evaluate.selection {selection}", type(method).__name__
    if method.label_on != "epoch":
        raise UserError(f"{option}: {name} renews no labels, so nothing can be chosen by them")
    if selection == "silhouette" and method.extract_on != "epoch":
        raise UserError(
            f"{option}: {name} does not extract features for its refreshes; take stability"
        )
    if selection == "stability" and same_labels:
        raise UserError(
            f"{option}: given labels are the same in every epoch; take silhouette or last"
        )
