import shutil

import numpy as np
import pytest

import reidzoo
from reidzoo.cli import embedding
from reidzoo.embed import main
from reidzoo.gallery.files import load_gallery


@pytest.fixture
def crops(market, tmp_path):
    folder = tmp_path / "crops"
    shutil.copytree(market / "bounding_box_test", folder)
    return folder


def test_a_folder_becomes_a_gallery(trained, crops, tmp_path, capsys):
    (crops / "0009_c1s1_000000_00.jpg").write_bytes(b"damaged")
    file = tmp_path / "gallery.npz"
    words = [str(trained), str(crops), "-o", str(file), "--workers", "0", "--batch", "7"]
    assert main([*words, "--device", "cpu"]) == 0
    gallery, model = load_gallery(file), reidzoo.load(trained)
    assert len(gallery) == 53
    assert list(gallery.paths) == sorted(
        str(path) for path in crops.iterdir() if path.name != "0009_c1s1_000000_00.jpg"
    )
    expected = model(model.transform(gallery.paths[5])[None]).detach().numpy()[0]
    np.testing.assert_allclose(gallery.features[5], expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(gallery.features, axis=1), 1, atol=1e-5)
    assert sorted(set(gallery.cameras.tolist())) == [0, 1, 2]
    assert gallery.threshold == 0.6
    assert gallery.card["model"] == str(trained / "checkpoints" / "last.ckpt")
    screen = capsys.readouterr().out
    assert "skipped: cannot read the image" in screen
    assert "1 of 54 files could not be read and were skipped" in screen
    assert "53 images, 3 cameras, 128 features each" in screen
    assert not (tmp_path / "gallery.npz.parts").exists()


def test_a_stopped_run_continues_and_says_so(trained, crops, tmp_path, capsys, monkeypatch):
    words = [str(trained), str(crops), "--workers", "0", "--batch", "10", "--device", "cpu", "-o"]
    whole, stopped = str(tmp_path / "whole.npz"), str(tmp_path / "stopped.npz")
    assert main([*words, whole]) == 0

    def interrupted(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(embedding, "save_gallery", interrupted)
        assert main([*words, stopped]) == 130
    captured = capsys.readouterr()
    assert captured.err == "reidzoo: interrupted; the same command goes on where this stopped\n"
    assert main([*words, stopped]) == 0
    assert "continuing after 54 of 54 images" in capsys.readouterr().out
    np.testing.assert_array_equal(load_gallery(stopped).features, load_gallery(whole).features)


@pytest.mark.parametrize(
    ("options", "cameras"),
    [
        ([], [0, 1, 2]),
        (["--camera_from", "none"], [-1]),
        (["--pattern", "s1_00000(?P<cam>[01])"], [0, 1]),
    ],
)
def test_cameras_come_from_where_one_says(trained, crops, tmp_path, options, cameras):
    for image in crops.glob("*_000002_00.jpg"):
        if "s1_00000(?P<cam>[01])" in options:
            image.unlink()
    file = tmp_path / "gallery.parquet"
    words = [str(trained), str(crops), "-o", str(file), "--workers", "0", "--device", "cpu"]
    assert main([*words, *options]) == 0
    assert sorted(set(load_gallery(file).cameras.tolist())) == cameras


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["RUN", "/nowhere", "-o", "g.npz"], "/nowhere: no such file or folder"),
        (["RUN", "CROPS", "-o", "g.pkl"], "-o g.pkl: the name must end with .npz or .parquet"),
        (["RUN", "CROPS", "-o", "/nowhere/g.npz"], "there is no folder /nowhere"),
        (["RUN", "CROPS"], "the following arguments are required: -o/--output"),
        (["RUN", "CROPS", "-o", "g.npz", "--batch", "0"], "--batch: expected an integer from 1"),
        (["RUN", "EMPTY", "-o", "g.npz"], "has no images"),
        (["RUN", "CROPS", "-o", "g.npz", "--table", "no.csv"], "--table no.csv: no such file"),
        (["RUN", "CROPS", "-o", "g.npz", "--pattern", "("], "--pattern '(' is no regular"),
        (["CROPS", "CROPS", "-o", "g.npz"], "no checkpoints/last.ckpt in this folder"),
    ],
)
def test_a_mistake_is_one_line(trained, crops, tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    places = {"RUN": str(trained), "CROPS": str(crops), "EMPTY": "empty"}
    assert main([places.get(word, word) for word in words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "--data." not in error
    assert error.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"crops", "empty"}


def test_nothing_readable_writes_nothing(trained, tmp_path, capsys):
    (tmp_path / "crops").mkdir()
    (tmp_path / "crops" / "a.jpg").write_bytes(b"")
    file = tmp_path / "g.npz"
    assert main([str(trained), str(tmp_path / "crops"), "-o", str(file), "--workers", "0"]) == 2
    assert "none of the 1 files could be read" in capsys.readouterr().err
    assert not file.exists()
