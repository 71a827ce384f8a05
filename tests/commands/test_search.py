import shutil

import pytest
from PIL import Image

from reidzoo.embed import main as embed
from reidzoo.gallery.files import load_gallery
from reidzoo.models import load, save_embedder
from reidzoo.search import main


@pytest.fixture(scope="module")
def gallery(trained, market, tmp_path_factory):
    file = tmp_path_factory.mktemp("gallery") / "gallery.npz"
    crops = str(market / "bounding_box_test")
    assert embed([str(trained), crops, "-o", str(file), "--workers", "0", "--device", "cpu"]) == 0
    return str(file)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_person_is_found_in_a_table_a_sheet_and_a_page(gallery, market, tmp_path, capsys):
    query = market / "query" / "0009_c1s1_000000_00.jpg"
    assert main([gallery, str(query), "--top", "4", "--threshold", "0.3"]) == 0
    screen = capsys.readouterr().out.splitlines()
    assert screen[1] == f"{query}: 4 matches"
    rows = [line.split() for line in screen[3:7]]
    assert [row[0] for row in rows] == ["1", "2", "3", "4"]
    assert [float(row[1]) for row in rows] == sorted((float(r[1]) for r in rows), reverse=True)
    assert all("/0009_c" in row[-1] and row[3] == "match" for row in rows)
    with Image.open(tmp_path / "search.png") as sheet:
        assert sheet.width > 5 * 60
    page = (tmp_path / "search.html").read_text()
    assert page.count('<li class="match">') == 4
    assert "hhcl trained on market_layout" in page
    assert {path.name for path in tmp_path.iterdir()} == {"search.png", "search.html"}


def test_under_the_threshold_of_the_model_there_is_no_match(gallery, tmp_path, capsys):
    assert load_gallery(gallery).threshold == 0.6
    for name, colour in (("a.png", (255, 0, 255)), ("b.png", (0, 255, 0))):
        Image.new("RGB", (24, 48), colour).save(tmp_path / name)
    assert main([gallery, "a.png", "b.png", "--top", "3", "-o", "nobody"]) == 0
    screen = capsys.readouterr().out
    assert screen.count("no match") == 2
    page = (tmp_path / "nobody.html").read_text()
    assert page.count('<section class="none">') == 2
    assert '<li class="match">' not in page


def test_a_folder_is_searched_image_by_image(gallery, market, tmp_path, capsys):
    shutil.copytree(market / "query", tmp_path / "people")
    (tmp_path / "people" / "broken.jpg").write_bytes(b"")
    assert main([gallery, "people", "--top", "1"]) == 0
    screen = capsys.readouterr().out
    assert screen.count("similarity  camera") == 18
    assert "skipped: cannot read the image" in screen
    first = [line for line in screen.splitlines() if line.startswith(" 1 ")]
    asked = [line for line in screen.splitlines() if line.startswith("people/")]
    right = [
        found.split("/")[-1][:4] == query.split("/")[1][:4]
        for query, found in zip(asked, first, strict=True)
    ]
    assert sum(right) >= 15


def test_the_model_may_have_moved(gallery, trained, market, tmp_path, capsys, monkeypatch):
    query = str(market / "query" / "0009_c1s1_000000_00.jpg")
    moved = tmp_path / "moved"
    shutil.copytree(trained, moved)
    hidden = trained / "checkpoints" / "hidden.ckpt"
    weights = trained / "checkpoints" / "last.ckpt"
    weights.rename(hidden)
    try:
        assert main([gallery, query]) == 2
        assert "is not there; give --model RUN" in capsys.readouterr().err
        assert main([gallery, query, "--model", str(moved)]) == 0
        assert "note" not in capsys.readouterr().out
        model = load(moved)
        save_embedder(tmp_path / "m.safetensors", model.network, model.config)
        assert main([gallery, query, "--model", "m.safetensors"]) == 0
        assert "note: m.safetensors is not the file" in capsys.readouterr().out
        shutil.copy(hidden, weights)
        with weights.open("ab") as file:
            file.write(b"trained on")
        assert main([gallery, query]) == 2
        assert "has changed since" in capsys.readouterr().err
    finally:
        hidden.rename(weights)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.npz", "QUERY"], "nowhere.npz: no such file or folder"),
        (["QUERY", "QUERY"], "a gallery is a .npz or .parquet file"),
        (["GALLERY", "nobody.jpg"], "nobody.jpg: no such file or folder"),
        (["GALLERY", "broken.jpg"], "cannot read the image broken.jpg"),
        (["GALLERY", "empty"], "empty: this folder has no readable images"),
        (["GALLERY", "QUERY", "--top", "none"], "--top: expected an integer from 1, got 'none'"),
        (["GALLERY", "QUERY", "-o", "no/where"], "there is no folder no"),
        (["GALLERY", "QUERY", "--model", "no"], "--model no: no such file or folder"),
        (["GALLERY"], "the following arguments are required: QUERY"),
    ],
)
def test_a_mistake_is_one_line(gallery, market, tmp_path, capsys, words, message):
    (tmp_path / "broken.jpg").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    places = {"GALLERY": gallery, "QUERY": str(market / "query" / "0009_c1s1_000000_00.jpg")}
    assert main([places.get(word, word) for word in words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"broken.jpg", "empty"}
