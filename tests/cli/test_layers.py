import pytest

from reidzoo.cli import names
from reidzoo.cli.layers import experiments, keep_known, published, published_data, read_layer
from reidzoo.cli.parser import build_parser, settle
from reidzoo.errors import UserError


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1", "not valid YAML, line 1"),
        ("- 1", "expected sections"),
        ("methd: {}", "did you mean method?"),
        ("trainer: 3", "trainer: expected options by name, got 3"),
        ("\x00", "not valid YAML"),
    ],
)
def test_broken_files_are_one_line(tmp_path, text, said):
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"^broken.yaml: ") as error:
        read_layer(path, "broken.yaml")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_a_folder(tmp_path):
    with pytest.raises(UserError, match=r"^x: cannot be read"):
        read_layer(tmp_path, "x")


def test_a_bare_name_is_a_section_with_a_name(tmp_path):
    path = tmp_path / "short.yaml"
    path.write_text("method: hhcl\nlogger: wandb\ntrainer:\n")
    layer = read_layer(path, "short.yaml")
    assert layer.tree == {"method": {"name": "hhcl"}, "logger": {"name": "wandb"}, "trainer": {}}
    assert layer.name("method") == "hhcl"


def test_own_class_skips_settings_it_does_not_take():
    layer = published("hhcl", "market1501")
    kept = keep_known(layer, {"method.temperature", "data.height", "method.network.pooling"})
    assert kept.tree == {
        "method": {"temperature": 0.05, "network": {"pooling": "avg"}},
        "data": {"height": 256},
    }


PAIRS = [
    (path.parent.name, path.stem)
    for path in sorted(experiments().glob("*/*.yaml"))
    if path.stem in names.data_sets()
]


@pytest.mark.parametrize(("method", "data"), PAIRS)
def test_every_published_file_is_accepted(method, data):
    parser = build_parser(names.methods()[method].load(), names.data_sets()[data].load())
    settings = settle(parser, [published(method, data)], [])
    assert settings.trainer.max_epochs is not None


def test_published_numbers_of_hhcl_on_msmt17():
    parser = build_parser(names.methods()["hhcl"].load(), names.data_sets()["msmt17"].load())
    settings = settle(parser, [published("hhcl", "msmt17")], [])
    assert settings.method.clusterer.init_args.eps == 0.7
    assert settings.data.batches == 300
    assert settings.trainer.max_epochs == 60
    assert settings.method.network.pooling == "avg"
    assert settings.method.network.samples_per_bn == 64
    assert {"market1501", "msmt17"} <= set(published_data("hhcl"))


def test_later_layers_win_and_keep_the_rest(tmp_path):
    parser = build_parser(names.methods()["hhcl"].load(), names.data_sets()["msmt17"].load())
    path = tmp_path / "mine.yaml"
    path.write_text("method: {temperature: 0.07, clusterer: {k1: 20}}\ntrainer: {max_epochs: 5}\n")
    layers = [published("hhcl", "msmt17"), read_layer(path, "mine.yaml")]
    settings = settle(parser, layers, ["--trainer.max_epochs", "7", "--method.clusterer.k2", "3"])
    chosen = settings.method.clusterer.init_args
    assert (chosen.eps, chosen.k1, chosen.k2) == (0.7, 20, 3)
    assert settings.method.temperature == 0.07
    assert settings.trainer.max_epochs == 7
