import pytest

from reidzoo.cli.request import understand
from reidzoo.errors import UserError


def test_names_and_files_are_taken_out(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("data: msmt17\nmethod: {name: cluster_contrast, temperature: 0.1}\n")
    request = understand(["--config", str(path), "--seed", "3", "--data.batches", "-1"])
    assert (request.method, request.data) == ("cluster_contrast", "msmt17")
    assert request.options == ("--seed", "3", "--data.batches", "-1")
    assert understand(["--config", str(path), "--method=hhcl"]).method == "hhcl"


def test_options_are_never_abbreviated():
    request = understand(["--method", "hhcl", "--conf", "x", "--dat", "y"])
    assert request.configs == ()
    assert request.options == ("--conf", "x", "--dat", "y")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--method is missing; allowed: "),
        (["--method"], "--method: expected one argument"),
        (["--method", "hchl"], "--method hchl: no such method; "),
        (["--method", "hhcl", "--data", "msmt71"], "did you mean msmt17?"),
        (["--method", "hhcl", "--config", "nowhere.yaml"], "--config nowhere.yaml: no such file"),
        (["--method", "hhcl", "--data.root", "nowhere"], "--data.root nowhere: no such file"),
        (["--method", "hhcl", "--data.root={file}"], "a folder of images is needed"),
        (["--method", "hhcl", "--data.root", "{empty}"], "the folder is empty"),
        (["--method", "hhcl", "--init", "nowhere.ckpt"], "--init nowhere.ckpt: no such file"),
        (["--method", "hhcl", "--resume", "nowhere"], "--resume nowhere: no such file"),
        (["--method", "hhcl", "--config", "{file}"], "data.root /nowhere: no such file"),
        (["--config", "{number}"], "method.name: expected a name, got 3"),
    ],
)
def test_mistakes_found_before_anything_slow_is_imported(tmp_path, words, said):
    (tmp_path / "file.yaml").write_text("data: {root: /nowhere}")
    (tmp_path / "number.yaml").write_text("method: {name: 3}")
    (tmp_path / "empty").mkdir()
    paths = {"file": tmp_path / "file.yaml", "empty": tmp_path / "empty"}
    paths["number"] = tmp_path / "number.yaml"
    with pytest.raises(UserError) as error:
        understand([word.format(**paths) for word in words])
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_auto_and_null_are_no_paths():
    understand(["--method", "hhcl", "--resume", "auto", "--data.root", "null"])


@pytest.mark.parametrize(
    ("words", "value"), [([], "true"), (["warn"], "warn"), (["--seed", "1"], "true")]
)
def test_deterministic_is_short_for_the_option_of_the_trainer(words, value):
    options = understand(["--method", "hhcl", "--deterministic", *words]).options
    assert options[-2:] == ("--trainer.deterministic", value)
