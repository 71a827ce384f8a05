"""The picture of a grid: mAP of every row, a dot per seed."""

from pathlib import Path

from reidzoo.files import written_whole
from reidzoo.laboratory.protocol import TRUE
from reidzoo.laboratory.statistics import mean_and_spread
from reidzoo.laboratory.table import Row

WIDTH, LINE, MARGIN, DOTS = 7.0, 0.32, 1.1, 110  # inches: width, per row, around; dots per inch


def plot(rows: list[Row], title: str, path: Path) -> None:
    """Write a PNG: the mean and the spread over seeds as a bar, every seed as a dot."""
    from matplotlib.figure import Figure

    drawn = [row for row in rows if row.values.get("mAP")]
    figure = Figure(figsize=(WIDTH, MARGIN + LINE * len(drawn)), dpi=DOTS, layout="constrained")
    axes = figure.add_subplot()
    for place, row in enumerate(drawn):
        values = [100 * value for value in row.values["mAP"]]
        mean, spread = mean_and_spread(values)
        colour = "C7" if not row.options else "C1" if row.protocol["labels"] == TRUE else "C0"
        axes.barh(place, mean, xerr=spread, color=colour, alpha=0.45, height=0.7)
        axes.plot(values, [place] * len(values), "o", color=colour, markersize=4)
        axes.text(0.5, place, f"{mean:.1f}", va="center", fontsize=8)
    names = [f"{row.name}{' *' if row.missing else ''}" for row in drawn]
    axes.set_yticks(range(len(drawn)), names, fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    note = "   (* some seeds are not finished)" if any(row.missing for row in drawn) else ""
    axes.set_xlabel(f"mAP of the last epoch, %{note}", fontsize=9)
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    with written_whole(path) as temporary:
        figure.savefig(temporary, format="png")
