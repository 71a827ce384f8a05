import pytest
import yaml

from reidzoo.cli import names
from reidzoo.cli.layers import Layer
from reidzoo.cli.parser import build_parser, instantiate, settle, to_tree, to_yaml
from reidzoo.clustering import JaccardDBSCAN, MinCameras, MinSize
from reidzoo.errors import UserError

SMALL = ["--method.network.backbone", "small", "--method.network.weights", "null"]


@pytest.fixture(scope="module")
def parser():
    return build_parser(names.methods()["hhcl"].load(), names.data_sets()["market_layout"].load())


def made(parser, *options, tree=None):
    layers = [Layer("file", tree)] if tree else []
    return instantiate(parser, settle(parser, layers, [*SMALL, *options])).method


def test_options_of_the_default_clusterer(parser):
    method = made(parser, "--method.clusterer.eps", "0.4")
    assert method.clusterer == JaccardDBSCAN(eps=0.4)


def test_classes_by_short_name(parser):
    method = made(parser, "--method.clusterer=JaccardDBSCAN", "--method.clusterer.k1", "9")
    assert method.clusterer == JaccardDBSCAN(k1=9)


@pytest.mark.parametrize(
    "words",
    [
        ["--method.filters", "MinSize", "--method.filters.size", "3"],
        ["--method.filters", "[{name: MinSize, size: 3}]"],
        ["--method.filters", "[{class_path: reidzoo.clustering.MinSize, init_args: {size: 3}}]"],
        ["--method.filters+", "MinSize", "--method.filters.size", "3"],
    ],
)
def test_filters_in_every_notation(parser, words):
    assert made(parser, *words).filters == (MinSize(size=3),)


def test_filters_in_a_file(parser):
    tree = {"method": {"filters": ["MinCameras", {"name": "MinSize", "size": 5}]}}
    assert made(parser, tree=tree).filters == (MinCameras(), MinSize(size=5))


def test_nested_options_and_numbers_in_scientific_notation(parser):
    tree = {"method": {"optimization": {"lr": "1e-3"}}}
    method = made(parser, "--method.network.width", "8", tree=tree)
    assert method.network_options.width == 8
    assert method.optimization.lr == 1e-3


def test_settings_survive_a_trip_through_yaml(parser):
    options = [*SMALL, "--method.clusterer.eps", "0.4", "--method.filters", "[MinCameras]"]
    first = to_tree(parser, settle(parser, [], options), "hhcl", "market_layout")
    again = yaml.safe_load(to_yaml(first))
    assert again["method"]["clusterer"]["name"] == "JaccardDBSCAN"
    second = settle(parser, [Layer("config.yaml", again)], [])
    assert to_tree(parser, second, "hhcl", "market_layout") == first


def test_logger_from_the_environment(parser, monkeypatch):
    monkeypatch.setenv("REIDZOO_LOGGER", "tensorboard")
    assert settle(parser, [], []).logger.name == "tensorboard"
    assert settle(parser, [], ["--logger", "csv"]).logger.name == "csv"
    monkeypatch.setenv("REIDZOO_LOGGER", "paper")
    with pytest.raises(UserError, match=r"^REIDZOO_LOGGER: logger.name: expected csv or wandb"):
        settle(parser, [], [])


WRONG_OPTIONS = {
    "--method.temprature 0.1": "--method.temprature: no such option; did you mean --method.temp",
    "--method.temperature hot": "--method.temperature: expected a number, got 'hot'",
    "--method.memory hybird": "expected hybrid or instances, got 'hybird'; did you mean hybrid?",
    "--method.network 3": "--method.network: expected options by name (attention, backbone",
    "--method.network.width wide": "expected an integer or null, got 'wide'",
    "--method.network.backbone": "--method.network.backbone: expected one argument",
    "--method.clusterer JacardDBSCAN": "did you mean JaccardDBSCAN?; or the dotted name",
    "--method.clusterer nowhere.Clusterer": "--method.clusterer: No module named 'nowhere'",
    "--method.clusterer.epss .4": "JaccardDBSCAN has no such option; allowed: k1, k2, eps",
    "--method.clusterer.eps big": "--method.clusterer.eps: expected a number",
    "--method.filters MinCam": "did you mean MinCameras?",
    "--data.batch_size null": "--data.batch_size: expected an integer, got 'null'",
    "--trainer.precison 16": "did you mean --trainer.precision?",
    "--trainer.max_epochs x": "--trainer.max_epochs: expected an integer or null, got 'x'",
    "--trainer.num_sanity_val_steps 2": "not offered, fixed at 0",
    "--trainer.logger true": "not offered, use --logger",
    "--logger paper": "--logger.name: expected csv or wandb or tensorboard, got 'paper'",
    "--temperature 3": "--temperature: no such option",
    "--seed x": "--seed: expected an integer, got 'x'",
    "stray": "stray: no such option",
}


@pytest.mark.parametrize("words", WRONG_OPTIONS)
def test_wrong_options_are_one_line(parser, words):
    with pytest.raises(UserError) as error:
        settle(parser, [], words.split())
    assert WRONG_OPTIONS[words] in str(error.value)
    assert "\n" not in str(error.value)


WRONG_FILES = {
    "method: {temperature: hot}": "method.temperature: expected a number, got 'hot'",
    "method: {temprature: 1}": "method.temprature: no such option; did you mean method.temperature",
    "method: {network: 3}": "method.network: expected options by name",
    "method: {clusterer: 3}": "method.clusterer: expected a Clusterer, got '3'",
    "method: {clusterer: {name: JaccardDBSCAN, epss: 1}}": "method.clusterer.epss: JaccardDBSCAN",
    "method: {clusterer: DBSCN}": "method.clusterer: DBSCN: no such class",
    "method: {temperature: null}": "method.temperature: expected a number, got 'null'",
    "trainer: {max_epoch: 3}": "trainer.max_epoch: no such option; did you mean trainer.max_epoch",
    "trainer: {use_distributed_sampler: true}": "trainer.use_distributed_sampler: not offered",
    "seed: x": "seed: expected an integer, got 'x'",
}


@pytest.mark.parametrize("text", WRONG_FILES)
def test_wrong_values_in_files_name_file_and_key(parser, text):
    with pytest.raises(UserError) as error:
        settle(parser, [Layer("mine.yaml", yaml.safe_load(text))], [])
    assert str(error.value).startswith(f"mine.yaml: {WRONG_FILES[text]}")
    assert "\n" not in str(error.value)
