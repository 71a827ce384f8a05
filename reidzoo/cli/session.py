"""From a request to a trained model: classes, settings, run folder, fit."""

from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
from jsonargparse import ArgumentParser, Namespace

from reidzoo.callbacks import RunFiles
from reidzoo.cli import names
from reidzoo.cli.card import Card, print_results
from reidzoo.cli.choices import hints
from reidzoo.cli.endings import EndTogether
from reidzoo.cli.layers import Layer, Tree, keep_known, published
from reidzoo.cli.loggers import close, log_findings, make_loggers
from reidzoo.cli.parser import build_parser, instantiate, settle, to_tree, to_yaml
from reidzoo.cli.request import DEFAULT_DATA, Request
from reidzoo.cli.runs import Run, announced, base_folder, find_run, new_folder, process_rank
from reidzoo.cli.training import make_trainer, mute
from reidzoo.cli.weights import init_network
from reidzoo.data.datamodule import ReIDDataModule
from reidzoo.errors import UserError
from reidzoo.files import remove_partial, write_text
from reidzoo.laboratory.provenance import record
from reidzoo.laboratory.stamps import stamp, stamp_run
from reidzoo.methods.base import Method
from reidzoo.models import compile_backbone


@dataclass(frozen=True)
class Session:
    """One command line, completely understood.

    Args:
        method: name of the method.
        data: name of the data set.
        parser: every option, typed.
        settings: value of every option.
        layers: the files the values came from, in order.
        options: the words of the command line, which came last.
    """

    method: str
    data: str
    parser: ArgumentParser
    settings: Namespace
    layers: tuple[Layer, ...]
    options: tuple[str, ...]

    def tree(self) -> Tree:
        """All settings as plain values."""
        return to_tree(self.parser, self.settings, self.method, self.data)

    def defaults(self) -> Tree:
        """What every option is by default."""
        return to_tree(self.parser, self.parser.get_defaults(), self.method, self.data)

    def yaml(self) -> str:
        """All settings as a file for `--config`."""
        return to_yaml(self.tree())


def prepare(request: Request) -> Session:
    """Import the classes and put their settings together."""
    method, data = request.method or "", request.data or DEFAULT_DATA
    method_class = load_class("method", method, names.methods(), Method)
    data_class = load_class("data", data, names.data_sets(), ReIDDataModule)
    parser = build_parser(method_class, data_class)
    shipped = published(
        names.published_name(method_class, names.methods()),
        names.published_name(data_class, names.data_sets()),
    )
    layers = list(request.configs)
    if shipped is not None:
        layers.insert(0, keep_known(shipped, hints(parser)) if "." in method + data else shipped)
    settings = settle(parser, layers, request.options)
    return Session(method, data, parser, settings, tuple(layers), request.options)


def load_class(option: str, name: str, entries: dict[str, names.Entry], base: type) -> type:
    """Import a class and make sure it is of the right kind."""
    found = names.load(option, name, entries)
    if not issubclass(found, base):
        raise UserError(
            f"--{option} {name}: must be a subclass of {base.__module__}.{base.__name__}"
        )
    return found


def train(session: Session) -> None:
    """Fit, and leave everything in the run folder."""
    mute()
    tree = session.tree()
    run, news = find_run(tree, session.method, session.data, session.defaults())
    tree.pop("resume", None)
    first = process_rank() == 0
    if news and first:
        print(news)
    objects = make_objects(session, tree, weights=run is None, read=first)
    if run is None:
        run = Run(new_folder(base_folder(tree, session.method, session.data)))
    if first:
        remove_partial(run.folder)
        write_text(run.folder / "config.yaml", to_yaml(tree))
    epochs = objects.trainer.max_epochs
    if run.checkpoint is None or epochs < 0 or run.finished < epochs:
        with announced(run):
            run_trainer(session, objects, run, tree)
    if first:
        print_results(run.folder)


def make_and_read(kind: type[ReIDDataModule], *values: Any, **options: Any) -> ReIDDataModule:
    """Read the data as soon as the module is made.

    What is wrong with them is then said before the method fetches weights, before there are other
    processes, and before there is a folder for a run that cannot start.
    """
    data = kind(*values, **options)
    data.prepare_data()
    data.setup("fit")
    return data


def make_objects(session: Session, tree: Tree, weights: bool, read: bool) -> Namespace:
    """Method, data module and callbacks; weights only where nothing replaces them at once."""
    settings = session.settings.clone()
    if settings.init or not weights:
        settings.method.network.weights = None
    pl.seed_everything(settings.seed, verbose=False)
    makers = [(make_and_read, ReIDDataModule, True)] if read else []
    objects = instantiate(session.parser, settings, *makers)
    objects.method.settings = describe(session, tree)
    if settings.init and weights:
        init_network(objects.method.network, settings.init)
    if settings.compile:
        compile_backbone(objects.method.network, settings.compile)
    return objects


def run_trainer(session: Session, objects: Namespace, run: Run, tree: Tree) -> None:
    """Build the Trainer and run it."""
    recorded = record(tree, session.layers, session.options) if process_rank() == 0 else {}
    about = {name: getattr(objects.method, name) for name in ("paper", "year", "fidelity")}
    about["protocol"] = stamp(tree, {}, {}, recorded).tree()
    loggers = make_loggers(objects.logger, run, tree | about)
    card = Card(
        session.method, session.data, [layer.source for layer in session.layers], run.folder
    )
    files = RunFiles(
        run.folder, stamp=lambda results: stamp_run(run.folder, results, recorded).tree()
    )
    together = EndTogether()
    trainer = make_trainer(objects, files, card, loggers, together)
    with together.watching(trainer):
        trainer.fit(objects.method, datamodule=objects.data, ckpt_path=run.checkpoint)
    if trainer.is_global_zero:
        log_findings(loggers, run.folder, objects.logger.images)
        close(loggers)


def describe(session: Session, tree: Tree) -> Tree:
    """What a checkpoint says about itself."""
    data = tree["data"]
    return {
        "method": session.method,
        "data": session.data,
        "height": data.get("height"),
        "width": data.get("width"),
        "seed": session.settings.seed,
        "config": tree,
    }
