"""Stamps from what run folders hold, and who reads cameras."""

import inspect
import json
import subprocess
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml

from reidzoo import clustering
from reidzoo.cli.names import methods
from reidzoo.cli.request import understand
from reidzoo.cli.session import prepare
from reidzoo.clustering.contracts import Clusterer, LabelFilter
from reidzoo.errors import UserError
from reidzoo.laboratory.protocol import Cameras, Protocol, joined, untrained
from reidzoo.laboratory.provenance import eps_origin, git_state, record
from reidzoo.laboratory.stamps import cameras_of, read_by, read_protocol, stamp


def config(words):
    session = prepare(understand(words.split()))
    return session.tree()


@pytest.fixture
def old_run(tmp_path):
    """What a run of the first days has left: no stamp, no count of evaluations."""
    tree = config("--method hhcl --data synthetic --seed 7")
    card = {
        "data": "synthetic standard preset, drawing seed 0",
        "images": "train 1,645, query 266, gallery 727, cameras 6",
        "batch norm": "statistics over 64 images",
        "versions": "reidzoo 0.1.0, pytorch-lightning 2.6.6, Python 3.11.7",
    }
    results = {"epochs": 16, "tested_on": "standard preset, drawing seed 0: 266 queries"}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(tree))
    (tmp_path / "card.json").write_text(json.dumps(card))
    (tmp_path / "results.json").write_text(json.dumps(results))
    return tmp_path


def test_a_run_without_a_stamp_gets_one(old_run):
    found = read_protocol(old_run)
    assert found == Protocol(
        method="hhcl", data="synthetic", edition="standard preset, drawing seed 0",
        split="train", scarcity="nothing", tested_on="standard preset, drawing seed 0: 266 queries",
        labels="its own", cameras=Cameras(True, False, False, False), selection="last",
        test_evaluations=5, reranking=False, flip_test=False, image_size="64 x 32",
        samples_per_bn=64, batch=64, batches=60, epochs=16, backbone="small", weights="random",
        eps_from=None, seed=7, git=None,
        versions={"reidzoo": "0.1.0", "pytorch-lightning": "2.6.6", "Python": "3.11.7"},
    )  # fmt: skip


def test_a_stamp_is_found_again_and_recorded_facts_stay(old_run):
    recorded = {"eps_from": "command line", "git": {"commit": "abc", "dirty": True}}
    results = json.loads((old_run / "results.json").read_text())
    first = replace(read_protocol(old_run), **recorded)
    (old_run / "results.json").write_text(json.dumps(results | {"protocol": first.tree()}))
    assert read_protocol(old_run) == first


def test_without_a_card_unknown_is_none(old_run):
    (old_run / "card.json").unlink()
    found = read_protocol(old_run)
    assert (found.edition, found.samples_per_bn, found.versions) == (None, None, None)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--method hhcl", "sampler"),
        ("--method hhcl --data.camera_aware false", ""),
        ("--method hhcl --method.clusterer.normalise camera_mean", "sampler clustering"),
        ("--method hhcl --method.filters [MinCameras]", "sampler clustering"),
        ("--method hhcl --method.filters [MinSize]", "sampler"),
        ("--method hhcl --method.clusterer CameraJaccardDBSCAN", "sampler clustering"),
        ("--method hhcl --method.clusterer Infomap", "sampler"),
        ("--method calr", "sampler clustering loss"),
        ("--method instance", ""),
        ("--method selective_contrastive", "loss"),
        ("--method selective_contrastive --method.camera_penalty 0", ""),
    ],
)
def test_cameras_are_declared_by_classes(words, expected):
    tree = config(f"{words} --data synthetic")
    found = cameras_of(tree)
    assert {field.name for field in fields(found) if getattr(found, field.name)} == set(
        expected.split()
    )
    assert cameras_of(tree, known=1) == Cameras(False, False, False, False)


def test_a_class_that_is_gone_makes_its_cameras_unknown():
    tree = {"method": {"name": "gone.MyLoss"}, "data": {"name": "synthetic"}}
    found = cameras_of(tree)
    assert (found.sampler, found.clustering, found.loss) == (True, None, None)
    tree = {"method": {"name": "hhcl", "clusterer": {"name": "gone.Mine"}}, "data": {}}
    assert cameras_of(tree).clustering is None


def test_labels_from_a_file_may_have_been_made_with_anything(tmp_path):
    (tmp_path / "labels.csv").write_text("path,label\n")
    words = f"--method hhcl --data synthetic --method.labels {tmp_path / 'labels.csv'}"
    found = stamp(config(words), {}, {}, {})
    assert (found.labels, found.cameras.clustering, found.cameras.loss) == ("given", None, None)


def offered():
    """Every clusterer and filter with every way of choosing its options that matters."""
    for kind in vars(clustering).values():
        named = inspect.isclass(kind) and kind not in (Clusterer, LabelFilter)
        if not named or not hasattr(kind, "__dataclass_fields__"):
            continue
        known = kind.__dataclass_fields__
        small = {"k1": 6, "k2": 2, "min_samples": 2, "min_size": 2, "clusters": 4}
        small |= {"k1_intra": 2, "k1_inter": 4, "eps": 0.6}
        small = {key: value for key, value in small.items() if key in known}
        yield pytest.param(kind, small, id=kind.__name__)
        for switch, value in (("normalise", "camera_mean"), ("per_camera", True)):
            if switch in known:
                own = small | {switch: value}
                yield pytest.param(kind, own, id=f"{kind.__name__}-{switch}")


@pytest.mark.parametrize(("kind", "options"), list(offered()))
def test_declared_is_what_happens(kind, options):
    """What cameras can change is declared, and what they cannot change is not."""
    if kind.__name__ == "Infomap":
        pytest.importorskip("infomap")
    rows = F.normalize(torch.randn(48, 6, generator=torch.Generator().manual_seed(0)), dim=1)
    pairs = torch.arange(48) // 2
    ask = kind(**options)
    given = [pairs, rows] if "labels" in inspect.signature(kind.__call__).parameters else [rows]
    noise = np.random.default_rng(0)
    answers = {
        tuple(ask(*given, cameras=torch.from_numpy(noise.integers(0, 3, 48))).tolist())
        for _ in range(6)
    }
    assert bool(read_by(kind, options)) == (len(answers) > 1)


def test_a_method_that_needs_cameras_says_what_for():
    for name, entry in methods().items():
        kind = entry.load()
        assert set(kind.cameras_in) <= {"clustering", "loss"}
        if "cameras" in kind.needs:
            assert kind.cameras_in, name
        for switch in (s for switches in kind.cameras_in.values() for s in switches):
            assert switch in inspect.signature(kind.__init__).parameters


@pytest.mark.parametrize(
    ("words", "origin"),
    [
        (["--data", "folder"], "class default"),
        (["--data", "synthetic"], "published yaml"),
        (["--data", "synthetic", "--method.clusterer.eps=0.5"], "command line"),
        (["--data", "synthetic", "--method.clusterer", "{name: JaccardDBSCAN, eps: 0.5}"],
         "command line"),
        (["--data", "synthetic", "--method.clusterer.k1", "20"], "published yaml"),
        (["--data", "synthetic", "--method.clusterer", "CameraJaccardDBSCAN"], "published yaml"),
        (["--data", "synthetic", "--method.clusterer", "HDBSCAN"], "command line"),
        (["--data", "synthetic", "--config", "CONFIG"], "config file"),
        (["--data", "synthetic", "--method.clusterer.eps", "auto"], "auto"),
    ],
)  # fmt: skip
def test_where_eps_came_from(words, origin, tmp_path):
    (tmp_path / "my.yaml").write_text("method: {clusterer: {eps: 0.4}}\n")
    words = [word.replace("CONFIG", str(tmp_path / "my.yaml")) for word in words]
    session = prepare(understand(["--method", "hhcl", *words]))
    recorded = {"eps_from": eps_origin(session.tree(), session.layers, session.options)}
    assert stamp(session.tree(), {}, {}, recorded).eps_from == origin


def test_git_state_of_a_checkout(tmp_path):
    assert git_state(tmp_path) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "file").write_text("one")
    for words in (["init", "-q"], ["add", "file"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], check=True)
    state = git_state(tmp_path)
    assert len(state["commit"]) == 40
    assert state["dirty"] is False
    (tmp_path / "new").write_text("not tracked")
    assert git_state(tmp_path) == state
    (tmp_path / "file").write_text("two")
    assert git_state(tmp_path) == state | {"dirty": True}


def test_recorded_fields_are_plain():
    session = prepare(understand(["--method", "hhcl"]))
    recorded = record(session.tree(), session.layers, session.options)
    assert json.loads(json.dumps(recorded)) == recorded
    assert set(recorded) == {"eps_from", "git"}


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        ("--data msmt17 --data.validation false", "split", "train"),
        ("--data msmt17", "split", "train+val"),
        ("--data msmt17", "samples_per_bn", 64),
        ("--data msmt17", "weights", "imagenet"),
        ("--data synthetic --method.network.width 8", "backbone", "small, width 8"),
        ("--data folder --data.batches null", "batches", "one pass"),
        ("--data synthetic --trainer.accumulate_grad_batches 2", "batch", 128),
        ("--data synthetic --cluster.oracle true", "labels", "true identities"),
        ("--data synthetic --data.scarcity.images 0.5", "scarcity", "images 0.5, seed 0"),
        ("--data synthetic", "scarcity", "nothing"),
        ("--data synthetic --evaluate.every 0", "test_evaluations", 2),
        ("--data synthetic --evaluate.untrained false", "test_evaluations", 4),
    ],
)
def test_fields_follow_the_settings(words, field, value):
    found = stamp(config(f"--method hhcl {words}"), {}, {}, {})
    assert getattr(found, field) == value


def test_views_count_as_images_of_a_step():
    tree = config("--method instance --data synthetic")
    assert (tree["data"]["batch_size"], stamp(tree, {}, {}, {}).batch) == (32, 64)


def test_json_and_back():
    one = Protocol(method="hhcl", cameras=Cameras(sampler=True), versions={"torch": "2"}, epochs=3)
    assert Protocol.from_tree(json.loads(json.dumps(one.tree())), "here") == one
    with pytest.raises(UserError, match=r"here: epoch: no field of a stamp; .*epochs"):
        Protocol.from_tree({"epoch": 3}, "here")
    with pytest.raises(UserError, match=r"here: tests: no field of a stamp; .*test"):
        Protocol.from_tree({"cameras": {"tests": True}}, "here")


def test_one_stamp_for_several_seeds():
    row = joined(Protocol(seed=seed, epochs=4, cameras=Cameras(loss=True)) for seed in (0, 1, 1))
    assert (row["seed"], row["epochs"], row["cameras.loss"]) == ([0, 1], 4, True)


def test_a_reference_is_tested_as_its_row():
    row = Protocol(method="hhcl", epochs=9, image_size="64 x 32", cameras=Cameras(True, test=True))
    found = untrained(row, backbone="colour histogram")
    assert (found.epochs, found.image_size, found.backbone) == (0, "64 x 32", "colour histogram")
    assert found.cameras == Cameras(False, False, False, True)
