"""The command line and its files: any words, any YAML."""

import string

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reidzoo import bench, compare, embed, evaluate, export, report, search, zoo
from reidzoo.cli.choices import hints
from reidzoo.cli.layers import SECTIONS
from reidzoo.cli.names import data_sets, load, methods
from reidzoo.cli.parser import build_parser, settle, to_tree, to_yaml
from reidzoo.cli.request import understand
from tests.fuzz.outcomes import cases, settles

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ODD = [
    "",
    "null",
    "true",
    "nan",
    "inf",
    "-inf",
    "-1",
    "0",
    "1",
    "1e400",
    "3.5",
    "9" * 30,
    "9" * 400,
    "[]",
]
ODD += ["{}", "[1, 2]", "{a: 1}", "!!python/object/apply:os.system [ls]", "*a", "&a [*a]", "="]
ODD += ["../..", "/dev/null", "~nobody/x", "a\0b", "%s", "{}}", "hhcl", "JaccardDBSCAN", "MinSize"]
FLAGS = ["--top", "--json", "-o", "--model", "--batch", "--data"]
VALUES = st.one_of(
    st.sampled_from(ODD),
    st.integers().map(str),
    st.floats().map(str),
    TEXT,
)
PARSER = build_parser(load("method", "hhcl", methods()), load("data", "folder", data_sets()))
OPTIONS = sorted(option for option in hints(PARSER) if not option.endswith(".help"))
MISSPELT = st.sampled_from(OPTIONS).map(lambda option: option[:-1] or option)
WORDS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(OPTIONS), VALUES).map(lambda pair: [f"--{pair[0]}", pair[1]]),
        st.tuples(st.sampled_from(OPTIONS), VALUES).map(lambda pair: ["--{}={}".format(*pair)]),
        st.tuples(MISSPELT, VALUES).map(lambda pair: [f"--{pair[0]}", pair[1]]),
        st.sampled_from(OPTIONS).map(lambda option: [f"--{option}"]),
        VALUES.map(lambda value: [value]),
    ),
    max_size=3,
).map(lambda parts: [word for part in parts for word in part])
PLAIN = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), TEXT, st.dates(),
        st.binary(max_size=4),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(TEXT, st.integers()), inner, max_size=3),
    ),
    max_leaves=5,
)  # fmt: skip


def nested(option, value):
    """`a.b: 3` as `{a: {b: 3}}`."""
    for part in reversed(option.split(".")):
        value = {part: value}
    return value


def use(words):
    """Everything that happens to words before a network is made."""
    request = understand(["--method", "hhcl", "--data", "folder", *words])
    settings = settle(PARSER, request.configs, request.options)
    to_yaml(to_tree(PARSER, settings, "hhcl", "folder"))


@given(WORDS)
@cases(240)
def test_words(words):
    settles("command line", lambda: use(words))


@given(st.lists(st.one_of(VALUES, st.sampled_from(["--method", "--data", "--config", "--help"]))))
@cases(100)
def test_words_before_any_class_is_known(words):
    settles("command line", lambda: understand(words))


COMMANDS = {
    "bench": bench.main, "compare": compare.main, "embed": embed.main, "evaluate": evaluate.main,
    "export": export.main, "report": report.main, "search": search.main, "zoo": zoo.main,
}  # fmt: skip


@given(
    st.sampled_from(sorted(COMMANDS)),
    st.lists(
        st.one_of(
            VALUES, st.sampled_from(["--top", "--json", "-o", "--model", "--batch", "--data"])
        ),
        min_size=1,
        max_size=4,
    ),
)
@cases(100)
def test_words_of_the_other_commands(tmp_path_factory, name, words):
    """In an empty folder, where none of the files that are named exist."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("empty"))
        patch.setattr(f"reidzoo.{name}.errors.run", lambda command, *rest, **more: command())
        settles("command line", lambda: COMMANDS[name](words))


@given(st.one_of(st.binary(max_size=60), st.text(string.printable, max_size=60).map(str.encode)))
@cases(150)
def test_files_of_any_bytes(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    settles("YAML", lambda: use(["--config", str(path)]))


@given(st.dictionaries(st.sampled_from(SECTIONS), PLAIN, max_size=2))
@cases(60)
def test_sections_of_any_content(tmp_path_factory, tree):
    path = tmp_path_factory.getbasetemp() / "sections.yaml"
    path.write_text(yaml.safe_dump(tree))
    settles("YAML", lambda: use(["--config", str(path)]))


@given(st.sampled_from(OPTIONS), PLAIN)
@cases(120)
def test_options_of_any_value(tmp_path_factory, option, value):
    path = tmp_path_factory.getbasetemp() / "options.yaml"
    path.write_text(yaml.safe_dump(nested(option, value)))
    settles("YAML", lambda: use(["--config", str(path)]))
