import numpy as np
import pytest
from matplotlib.colors import to_rgb

from reidzoo.errors import UserError
from reidzoo.visual import curves
from reidzoo.visual.curves import read_metrics


@pytest.fixture
def run(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def ink(picture, colour):
    """Number of pixels of exactly this matplotlib colour."""
    return int((np.asarray(picture) == np.round(np.array(to_rgb(colour)) * 255)).all(axis=2).sum())


def test_one_panel_per_kind_of_figure(run):
    both = run("both.csv", "epoch,step,loss,val/mAP\n0,9,3.5,\n1,19,2.5,0.4\n2,29,2.0,0.6\n")
    loss = run("loss.csv", "epoch,step,loss\n0,9,3.5\n1,19,2.5\n")
    wide, narrow = curves({"a": both}), curves({"a": loss})
    assert wide.width == 2 * narrow.width
    assert wide.height == narrow.height


def test_each_run_has_its_colour(run):
    first = run("a.csv", "epoch,step,loss\n0,9,3.5\n1,19,2.5\n")
    second = run("b.csv", "epoch,step,loss\n0,9,1.5\n1,19,1.0\n")
    alone, together = curves({"a": first}), curves({"a": first, "b": second})
    assert ink(alone, "C0") > 100
    assert ink(alone, "C1") == 0
    assert ink(together, "C1") > 100


def test_a_falling_loss_falls(run):
    path = run("a.csv", "epoch,step,loss\n0,9,4.0\n10,99,1.0\n")
    pixels = np.asarray(curves({"a": path}))
    rows, columns = np.nonzero((pixels == np.round(np.array(to_rgb("C0")) * 255)).all(axis=2))
    assert rows[columns.argmin()] < rows[columns.argmax()] - 50


def test_empty_fields_are_skipped_and_epochs_sorted(run):
    path = run("a.csv", "epoch,step,loss,val/mAP\n1,19,2.5,0.4\n0,9,3.5,\n")
    assert read_metrics(path) == {"loss": [(0.0, 3.5), (1.0, 2.5)], "val/mAP": [(1.0, 0.4)]}


def test_mistakes_name_the_file(run, tmp_path):
    wrong = {
        "cannot be read": tmp_path / "nowhere.csv",
        "no column epoch": run("b.csv", "loss\n1\n"),
        "none of the known metrics": run("c.csv", "epoch,step,other\n0,0,1\n"),
        "is not a number": run("d.csv", "epoch,step,loss\n0,0,much\n"),
    }
    for message, path in wrong.items():
        with pytest.raises(UserError, match=message) as error:
            curves({"a": path})
        assert str(path) in str(error.value)
