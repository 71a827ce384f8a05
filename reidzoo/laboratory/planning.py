"""Stamps before training: what the settings of each row promise."""

from reidzoo.cli.request import understand
from reidzoo.cli.session import prepare
from reidzoo.errors import UserError
from reidzoo.laboratory.grid import Grid
from reidzoo.laboratory.protocol import Protocol
from reidzoo.laboratory.provenance import record
from reidzoo.laboratory.stamps import stamp


def plan(grid: Grid) -> dict[str, Protocol]:
    """Row -> stamp; rows whose options are wrong are left out, since their runs will say why."""
    found = {}
    for row in grid.rows:
        try:
            session = prepare(understand(grid.cell(row, grid.seeds[0]).options))
        except UserError:
            continue
        tree = session.tree()
        found[row] = stamp(tree, {}, {}, record(tree, session.layers, session.options))
    return found
