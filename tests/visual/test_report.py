from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from reidzoo.data.records import Record
from reidzoo.visual.report import RunReport, report_page
from reidzoo.visual.report_pictures import Pictures, Ranked
from tests.visual.test_search_page import HOSTILE, Page

RESULTS = {
    "epochs": 4,
    "untrained": {"epoch": 0, "mAP": 0.1, "mINP": 0.05, "cmc1": 0.2, "cmc5": 0.3, "cmc10": 0.4},
    "last": {"epoch": 4, "mAP": 0.5, "mINP": 0.3, "cmc1": 0.7, "cmc5": 0.8, "cmc10": 0.9},
    "best": {"epoch": 2, "mAP": 0.6, "mINP": 0.4, "cmc1": 0.8, "cmc5": 0.85, "cmc10": 0.95},
    "cluster": {"count": 12.0, "outlier_share": 0.25, "ari": 0.4, "nmi": 0.8},
    "seconds": {"epoch": 100.0, "train": 75.0, "extract": 20.0, "cluster": 5.0},
}
SERIES = {
    "loss": [(0.0, 4.0), (1.0, 3.0), (2.0, 2.0), (3.0, 1.5)],
    "val/mAP": [(1.0, 0.6), (3.0, 0.5)],
    "val/cmc1": [(1.0, 0.8), (3.0, 0.7)],
    "cluster/count": [(0.0, 5.0), (3.0, 12.0)],
}


@pytest.fixture
def people(tmp_path):
    """Six images of two people by two cameras; one has a name that tries to be markup."""
    records = []
    for i in range(6):
        name = HOSTILE.replace("/", "_") if i == 0 else f"{i}.png"
        pixels = np.full((64, 32, 3), 40 * i, np.uint8)
        Image.fromarray(pixels).save(tmp_path / name, "PNG")
        records.append(Record(str(tmp_path / name), identity=i // 3, camera=i % 2))
    return records


@pytest.fixture
def run(people):
    searches = [Ranked(people[0], people[1:4], (0.9, 0.8, 0.7), 0.83)]
    places = [(float(i), float(i % 2)) for i in range(6)]
    labels = np.array([0, 0, 0, 1, 0, -1])
    pictures = Pictures({"Hardest queries": searches}, people, labels, places, range(6))
    return RunReport(
        name="hhcl",
        folder="/runs/hhcl/1",
        facts={"method": "hhcl: Hu", "fidelity": "exact", "seed": "1", "versions": "torch 2"},
        command="python -m reidzoo.fit --config '/runs/hhcl/1/config.yaml'",
        results=RESULTS,
        series=SERIES,
        settings={"method.name": "hhcl", "seed": 1},
        config="method:\n  name: hhcl\n",
        pictures=pictures,
    )


def headings(page):
    return [text for text in page.text if text in SECTIONS]


SECTIONS = [
    "Results", "Card", "Curves", "Where the time went", "What searches find",
    "What clusters hold", "Map of the embedding", "How to reproduce",
]  # fmt: skip


def test_one_run_has_every_section(run):
    page = Page(report_page([run], "hhcl"))
    assert not page.open
    assert headings(page) == SECTIONS
    assert {"hhcl: Hu", "exact", "torch 2", run.command} <= set(page.text)
    assert {"50.0 %", "12", "1 min 40 s", "0.40"} <= set(page.text)
    assert page.text[page.text.index("best epoch*") + 1 :][:6] == [
        "2", "60.0", "80.0", "85.0", "95.0", "40.0",
    ]  # fmt: skip
    assert len(page.of("figure", "chart")) == 3
    assert len(page.of("figure", "bar")) == 1
    assert len(page.of("figure", "map")) == 3
    assert len(page.of("details")) == 1
    assert "method:\n  name: hhcl\n" in page.text


def test_untrained_and_best_are_marked(run):
    page = Page(report_page([run], "hhcl"))
    assert {"best 60.0", "mAP untrained"} <= set(page.text)
    assert len(page.of("circle", "mark")) == 1
    assert "mAP, epoch 2: 60" in page.text  # finished epochs, as in the results


def test_frames_say_who_is_right(run):
    page = Page(report_page([run], "hhcl"))
    kinds = [a["class"] for a in page.of("li")]
    assert kinds[:4] == ["asked", "right", "right", "wrong"]  # identities 0: 0 0 1
    assert kinds[4:] == ["right", "right", "right", "right", "wrong"]  # cluster 1, then cluster 0
    clusters = page.of("div", "cluster")
    assert clusters[0]["style"] == "border-color:rgb(26 152 80)"  # pure: green
    assert "cluster 0: 4 images, 2 cameras, 2 people, purity 75%" in page.text
    assert "cluster 1: 1 image, 1 camera, 1 person, purity 100%" in page.text


def test_nothing_is_loaded_and_names_are_text(run):
    hostile = replace(
        run, name=HOSTILE, folder=HOSTILE, command=HOSTILE, config=HOSTILE, note=HOSTILE,
        facts={HOSTILE: HOSTILE}, settings={HOSTILE: HOSTILE},
    )  # fmt: skip
    for runs in ([hostile], [hostile, run], [replace(hostile, pictures=None)]):
        html = report_page(runs, HOSTILE)
        page = Page(html)
        assert not page.open
        assert not {"script", "link", "iframe", "a", "object"} & {tag for tag, _ in page.tags}
        policy = next(a for a in page.of("meta") if a.get("http-equiv"))
        assert policy["content"].startswith("default-src 'none'; img-src data:;")
        assert all(a["src"].startswith("data:image/jpeg;base64,") for a in page.of("img"))
        assert not [a for _, a in page.tags if any(key.startswith("on") for key in a)]
        assert "url(" not in html
        assert "@import" not in html


def test_several_runs_stand_side_by_side(run):
    better = {**RESULTS, "last": {**RESULTS["last"], "mAP": 0.55}}
    other = replace(
        run, name="spcl", results=better, facts={**run.facts, "method": "spcl: Ge"},
        settings={"method.name": "spcl", "seed": 1}, pictures=None, note="the data are gone",
    )  # fmt: skip
    page = Page(report_page([run, other], "2 runs"))
    assert not page.open
    assert {"Settings that differ", "spcl: no pictures: the data are gone"} <= set(page.text)
    rows = page.of("tr")
    assert [a["class"] for a in rows if a.get("class") in ("same", "differs")].count("differs") == 2
    bold = [text for text in page.text if text in ("55.0", "50.0")]
    assert bold == ["50.0", "55.0"]
    retrieval = page.of("polyline")[:4]
    assert len({a["stroke"] for a in retrieval}) == 2
    assert [a.get("stroke-dasharray") for a in retrieval] == [None, "6 3"] * 2
    assert page.text[page.text.index("Retrieval, %") + 1 :][:4] == ["hhcl", "spcl", "mAP", "R1"]
    assert len(page.of("details")) == 3  # pictures of one run, two configurations


def test_a_run_of_little_is_a_page_too():
    bare = RunReport("folder", "/runs/1", {}, "command", {}, {}, note="no data")
    page = Page(report_page([bare], "folder"))
    assert not page.open
    assert headings(page) == ["How to reproduce"]
    assert "No pictures: no data" in page.text


def test_pictures_share_a_budget(run, people, tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (256, 128, 3), dtype=np.uint8)
    for record in people:
        Image.fromarray(noise).save(record.path, "PNG")
    small, large = (len(report_page([run], "hhcl", budget=b)) for b in (20_000, 400_000))
    assert small < 70_000 < large
