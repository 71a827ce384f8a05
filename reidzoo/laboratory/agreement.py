"""Which results may stand in one table, and in which group of it."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from reidzoo.errors import UserError
from reidzoo.laboratory.protocol import GIVEN, TRUE, Protocol

MUST_AGREE = (  # fields without which two figures do not mean the same
    "data", "edition", "split", "scarcity", "tested_on", "cameras.test", "selection", "reranking",
    "flip_test", "image_size", "samples_per_bn", "batch", "batches", "epochs", "backbone",
    "weights",
)  # fmt: skip
UNKNOWN = "cameras unknown"
PARTS = ("sampler", "clustering", "loss", "test")


def check_agreement(
    stamps: Mapping[str, Iterable[Protocol]], may_differ: Collection[str], where: str
) -> None:
    """Refuse rows whose stamps do not agree; an unknown field agrees with everything.

    Args:
        stamps: row -> stamps of its runs.
        may_differ: fields that differ on purpose.
        where: how the message begins.

    Raises:
        UserError: one line that names the fields, their values and the rows.

    >>> check_agreement({"a": [Protocol(epochs=4)], "b": [Protocol(epochs=4)]}, (), "grid")
    """
    found = {
        field: values
        for field in MUST_AGREE
        if field not in may_differ and len(values := rows_by_value(field, stamps)) > 1
    }
    if found:
        said = "; ".join(f"{field} ({by_value(values)})" for field, values in found.items())
        raise UserError(
            f"{where}: the rows differ in {said}: make a grid for each, or say in this one "
            f"may_differ: [{', '.join(found)}]"
        )


def rows_by_value(field: str, stamps: Mapping[str, Iterable[Protocol]]) -> dict[Any, list[str]]:
    """Known value of a field -> the rows that have it."""
    found: dict[Any, list[str]] = {}
    for row, own in stamps.items():
        for value in dict.fromkeys(one.flat().get(field) for one in own):
            if value is not None:
                found.setdefault(value, []).append(row)
    return found


def by_value(values: Mapping[Any, Collection[str]]) -> str:
    """Values and who has them, as words.

    >>> by_value({16: ["hhcl", "spcl"], 8: ["jcl"]})
    '16: hhcl, spcl; 8: jcl'
    """
    return "; ".join(f"{value}: {', '.join(rows)}" for value, rows in values.items())


def group_of(protocol: Mapping[str, Any]) -> str:
    """The group of a table that a row belongs to, from its stamp by dotted names.

    >>> group_of(Protocol(epochs=4, backbone="small, width 8").flat())
    'small, cameras unknown'
    """
    if protocol["epochs"] == 0:
        return "nothing trained"
    backbone = str(protocol["backbone"] or "backbone unknown").partition(",")[0]
    labels = {TRUE: ", true identities", GIVEN: ", given labels"}.get(protocol["labels"], "")
    return f"{backbone}, {camera_level(protocol)}{labels}"


def camera_level(protocol: Mapping[str, Any]) -> str:
    """Which parts read cameras, in words.

    >>> camera_level({"cameras.sampler": True, "cameras.clustering": False, "cameras.loss": True,
    ...     "cameras.test": False})
    'cameras in sampler, loss'
    """
    used = [part for part in PARTS if protocol[f"cameras.{part}"] not in (None, False)]
    words = f"cameras in {', '.join(used)}" if used else "no cameras"
    if unknown := [part for part in PARTS if protocol[f"cameras.{part}"] is None]:
        return f"{words}, unknown in {', '.join(unknown)}" if len(unknown) < 4 else UNKNOWN
    return words


def group_order(protocol: Mapping[str, Any]) -> tuple[Any, ...]:
    """Sorts groups: references, then by backbone and by how much cameras tell, bounds last."""
    used = [protocol[f"cameras.{part}"] not in (None, False) for part in reversed(PARTS)]
    return (
        protocol["epochs"] != 0,
        protocol["labels"] in (TRUE, GIVEN),
        str(protocol["backbone"]).partition(",")[0],
        used,
        group_of(protocol),
    )
