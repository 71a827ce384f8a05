import json

import pytest
import torch

from reidzoo.cli.parser import to_yaml
from reidzoo.cli.runs import announced, essential, find_run, new_folder, same_run
from reidzoo.errors import UserError

NETWORK = {"backbone": "small", "width": 8}


def make_tree(output, **changes):
    tree = {"method": {"name": "hhcl", "temperature": 0.05, "network": dict(NETWORK)}}
    tree |= {"data": {"name": "synthetic", "workers": 1}, "trainer": {"max_epochs": 4}}
    return tree | {"seed": 1, "output": str(output), "resume": "auto"} | changes


def make_run(folder, tree, *, epoch=1, whole=True, method="hhcl", data="synthetic"):
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").write_text(to_yaml(tree))
    content = {
        "epoch": epoch,
        "loops": {"fit_loop": {"epoch_loop.batch_progress": {"is_last_batch": whole}}},
        "reidzoo": json.dumps({"method": method, "data": data, "network": NETWORK}),
        "state_dict": {"weight": torch.zeros(3)},
    }
    torch.save(content, folder / "checkpoints" / "last.ckpt")
    return folder


def test_auto_takes_the_newest_run_with_the_same_settings(tmp_path):
    base, tree = tmp_path / "hhcl_synthetic", make_tree(tmp_path)
    make_run(base / "2026-01-01", tree)
    wanted = make_run(base / "2026-01-02", tree)
    make_run(base / "2026-01-03", make_tree(tmp_path, seed=2))
    (base / "2026-01-04").mkdir()  # died before its first epoch ended
    (base / "2026-01-04" / "config.yaml").write_text(to_yaml(tree))
    run, news = find_run(tree, "hhcl", "synthetic")
    assert (run.folder, run.finished) == (wanted, 2)
    assert "after epoch 2" in news


def test_auto_takes_a_run_of_a_version_that_knew_fewer_options(tmp_path):
    folder = make_run(tmp_path / "hhcl_synthetic" / "old", make_tree(tmp_path))
    tree = make_tree(tmp_path)
    tree["method"]["invented"] = 0.5
    tree["guard"] = {"since": "later"}
    defaults = {"method": {"name": "hhcl", "invented": 0.5}}
    assert find_run(tree, "hhcl", "synthetic", defaults)[0].folder == folder
    tree["method"]["invented"] = 0.6
    assert find_run(tree, "hhcl", "synthetic", defaults)[0] is None


def test_auto_starts_anew_and_says_so(tmp_path):
    run, news = find_run(make_tree(tmp_path), "hhcl", "synthetic")
    assert run is None
    assert "starting anew" in news


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"output": "elsewhere"}, True),
        ({"resume": None}, True),
        ({"trainer": {"max_epochs": 9}}, True),
        ({"trainer": {"max_epochs": 4, "precision": "bf16-mixed"}}, False),
        ({"seed": 2}, False),
        ({"method": {"name": "hhcl", "temperature": 0.06, "network": NETWORK}}, False),
    ],
)
def test_what_makes_two_runs_the_same(tmp_path, change, same):
    tree = make_tree(tmp_path)
    assert same_run(tree, make_tree(tmp_path) | change) is same
    assert tree == make_tree(tmp_path)  # comparing changes nothing
    assert "max_epochs" not in essential(tree)["trainer"]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"whole": False}, "written in the middle of epoch 2"),
        ({"method": "instance"}, "made by --method instance, but --method hhcl"),
        ({"data": "msmt17"}, "made by --data msmt17, but --data synthetic"),
    ],
)
def test_runs_that_cannot_be_continued(tmp_path, made, said):
    folder = make_run(tmp_path / "run", make_tree(tmp_path), **made)
    with pytest.raises(UserError, match=r"^--resume ") as error:
        find_run(make_tree(tmp_path, resume=str(folder)), "hhcl", "synthetic")
    assert said in str(error.value)


def test_another_network_is_named(tmp_path):
    folder = make_run(tmp_path / "run", make_tree(tmp_path))
    tree = make_tree(tmp_path, resume=str(folder / "checkpoints" / "last.ckpt"))
    tree["method"]["network"]["width"] = 16
    with pytest.raises(UserError, match="another network \\(width 8, now 16\\)"):
        find_run(tree, "hhcl", "synthetic")


@pytest.mark.parametrize("size", [0, 100, 900])
def test_truncated_checkpoints(tmp_path, size):
    folder = make_run(tmp_path / "run", make_tree(tmp_path))
    path = folder / "checkpoints" / "last.ckpt"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserError, match=r"^--resume ") as error:
        find_run(make_tree(tmp_path, resume=str(path)), "hhcl", "synthetic")
    assert "\n" not in str(error.value)


def test_something_else_is_no_checkpoint(tmp_path):
    path = tmp_path / "weights.ckpt"
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(UserError, match="not a checkpoint of a reidzoo run"):
        find_run(make_tree(tmp_path, resume=str(path)), "hhcl", "synthetic")
    with pytest.raises(UserError, match=r"no checkpoints/last.ckpt"):
        find_run(make_tree(tmp_path, resume=str(tmp_path)), "hhcl", "synthetic")


def test_two_runs_of_one_second_get_two_folders(tmp_path):
    assert new_folder(tmp_path) != new_folder(tmp_path)


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"^--output: cannot make"):
        new_folder(tmp_path / "file")


def test_processes_started_by_lightning_are_told(tmp_path):
    folder = make_run(tmp_path / "run", make_tree(tmp_path))
    tree = make_tree(tmp_path, resume=str(folder))
    run, _ = find_run(tree, "hhcl", "synthetic")
    with announced(run):
        assert find_run(make_tree(tmp_path), "hhcl", "synthetic") == (run, "")
    assert find_run(make_tree(tmp_path), "hhcl", "synthetic")[0] is None
