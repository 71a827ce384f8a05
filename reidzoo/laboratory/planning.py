"""Stamps before training: what the settings of each row promise."""

from reidzoo.cli.request import understand
from reidzoo.cli.session import prepare
from reidzoo.errors import UserError
from reidzoo.laboratory.grid import Grid
from reidzoo.laboratory.protocol import Protocol
from reidzoo.laboratory.provenance import eps_origin
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
        origin = eps_origin(tree, session.layers, session.options)
        found[row] = stamp(tree, {}, {}, {"eps_from": origin})
    return found
