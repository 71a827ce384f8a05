"""How a run went, or several: the metrics of `metrics.csv` over the epochs."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from reidzoo.errors import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Series = dict[str, list[tuple[float, float]]]  # metric -> (epoch, value), as logged


@dataclass(frozen=True, slots=True)
class Panel:
    """One diagram: its title, the metrics drawn in it and how their names are shortened."""

    title: str
    metrics: Mapping[str, str]
    percent: bool = False


PANELS = (
    Panel("Retrieval, %", {"val/mAP": "mAP", "val/cmc1": "R1"}, percent=True),
    Panel("Loss", {"loss": "loss"}),
    Panel("Clusters", {"cluster/count": "clusters"}),
    Panel(
        "Outliers and clusters of one camera, %",
        {"cluster/outlier_share": "outliers", "cluster/single_camera_share": "one camera"},
        percent=True,
    ),
    Panel(
        "Labels, without identities",
        {"cluster/stability": "stability", "cluster/silhouette": "silhouette"},
    ),
    Panel(
        "Cameras in the features",
        {
            "cluster/other_camera_share": "other cameras among 20 nearest",
            "cluster/camera_nmi": "NMI of cluster and camera",
            "cluster/camera_gap": "camera gap",
        },
    ),
    Panel(
        "Agreement with identities, %",
        {
            "cluster/ari": "ARI",
            "cluster/nmi": "NMI",
            "cluster/pairwise_f": "pairwise F",
            "cluster/coverage": "coverage",
        },
        percent=True,
    ),
    Panel(
        "Wrong by identities, %",
        {
            "cluster/split_errors": "split",
            "cluster/merge_errors": "merged",
            "cluster/lost_identities": "people lost",
        },
        percent=True,
    ),
    Panel(
        "Seconds per epoch",
        {
            "time/train": "train",
            "time/extract": "extract",
            "time/cluster": "cluster",
            "time/evaluate": "evaluate",
        },
    ),
)
STYLES = ("-", "--", ":", "-.")
WIDTH, HEIGHT, DOTS = 4.6, 2.9, 110  # inches of one panel, dots per inch


def curves(runs: Mapping[str, str | Path]) -> Image.Image:
    r"""Draw the known metrics of one or several runs; a panel without figures is left out.

    With one run each metric has its colour; with several each run has, and the metrics of a panel
    differ by their dashes.

    Args:
        runs: name shown -> its `metrics.csv`, as `reidzoo.fit` writes it.

    Returns:
        an RGB image; `save_sheet` writes it within a budget of bytes.

    Raises:
        UserError: a file cannot be read, lacks the column `epoch` or has no known metric.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "metrics.csv"
    >>> _ = path.write_text("epoch,step,loss,val/mAP\n0,99,3.5,\n1,199,2.5,0.4\n")
    >>> curves({"hhcl": path}).size
    (1012, 319)
    """
    from matplotlib.figure import Figure

    read = {name: read_metrics(path) for name, path in runs.items()}
    logged = {metric for run in read.values() for metric in run}
    panels = [panel for panel in PANELS if logged & set(panel.metrics)]
    if not panels:
        raise UserError(
            f"{', '.join(str(path) for path in runs.values())}: none of the known metrics in it; "
            f"looked for {', '.join(metric for panel in PANELS for metric in panel.metrics)}"
        )
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(columns * WIDTH, rows * HEIGHT), dpi=DOTS, layout="constrained")
    last = max(epoch for run in read.values() for points in run.values() for epoch, _ in points)
    for place, panel in enumerate(panels, start=1):
        axes = figure.add_subplot(rows, columns, place)
        axes.set_xlim(-0.02 * last, 1.02 * last or 1)
        _draw(axes, panel, read)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return Image.open(buffer).convert("RGB")


def read_metrics(path: str | Path) -> Series:
    r"""Read the figures of each metric in the order of epochs; empty fields are skipped.

    Raises:
        UserError: the file cannot be read, lacks the column `epoch` or holds more than numbers.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "metrics.csv"
    >>> _ = path.write_text("epoch,step,loss,val/mAP\n0,99,3.5,\n1,199,2.5,0.4\n")
    >>> read_metrics(path)
    {'loss': [(0.0, 3.5), (1.0, 2.5)], 'val/mAP': [(1.0, 0.4)]}
    """
    try:
        with Path(path).open(newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise UserError(f"{path}: cannot be read as a metrics.csv ({problem})") from problem
    if rows and "epoch" not in rows[0]:
        raise UserError(f"{path}: has no column epoch; give the metrics.csv of a run folder")
    found: Series = {}
    for row in rows:
        for metric, value in row.items():
            if metric not in ("epoch", "step") and value and row["epoch"]:
                try:
                    found.setdefault(metric, []).append((float(row["epoch"]), float(value)))
                except ValueError:
                    raise UserError(f"{path}: {metric} {value!r} is not a number") from None
    return {metric: sorted(points) for metric, points in found.items()}


def _draw(axes: "Axes", panel: Panel, runs: Mapping[str, Series]) -> None:
    from matplotlib.ticker import MaxNLocator

    single, lowest = len(runs) == 1, 0.0  # a silhouette may be negative
    for r, run in enumerate(runs.values()):
        for m, metric in enumerate(panel.metrics):
            if metric in run:
                epochs, values = zip(*run[metric], strict=True)
                shown = [100 * value for value in values] if panel.percent else values
                colour, style = (f"C{m}", "-") if single else (f"C{r}", STYLES[m])
                axes.plot(epochs, shown, style, color=colour, marker=".")
                lowest = min(lowest, *shown)
    if not single:
        for r, name in enumerate(runs):
            axes.plot([], [], color=f"C{r}", label=name)
    if len(panel.metrics) > 1:
        for m, short in enumerate(panel.metrics.values()):
            colour, style = (f"C{m}", "-") if single else ("grey", STYLES[m])
            axes.plot([], [], style, color=colour, label=short)
    axes.set_title(panel.title, loc="left", fontsize=10)
    axes.set_xlabel("epoch", fontsize=9)
    axes.set_ylim(bottom=1.05 * lowest)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8, frameon=False)
