"""What `--help` prints without a method: everything that exists, one line each, at once."""

from reidzoo.cli import names
from reidzoo.cli.request import DEFAULT_DATA

USAGE = "python -m reidzoo.fit --method METHOD [--data DATA] [options]"
MAIN = {
    "--method NAME": "what to train, see below; or the dotted name of your own class",
    "--data NAME": f"what to train on, see below [{DEFAULT_DATA}]",
    "--data.root DIR": "where the data set lies",
    "--config FILE": "YAML with any of these settings; may be given several times",
    "--init PATH": "start from the weights of a run, checkpoint or .safetensors file",
    "--resume auto|PATH": "continue the newest run with the same settings, or this one",
    "--output DIR": "folder of all runs [runs]",
    "--logger NAME": "csv, wandb or tensorboard; metrics.csv is written in any case [csv]",
    "--logger.images true": "also log pictures; person images are sensitive [false]",
    "--seed N": "seed of everything random [1]",
    "--compile BACKEND": "compile the backbone: inductor or another backend of torch.compile",
    "--deterministic": "same seed, same bits on a GPU too, slower there; a CPU gives them anyway",
    "--trainer.OPTION": "any option of Lightning's Trainer: --trainer.devices 4",
    "--print_config": "print all settings as YAML for --config, and stop",
    "--help": "this; with --method (and --data): every option and its published value",
}


def overview() -> str:
    """One line per main option, method and data set; needs nothing slow."""
    found = names.methods()
    width = max(map(len, [*found, *names.data_sets()])) + 2
    methods = [f"  {entry.name:{width}}{entry.summary}" for entry in found.values()]
    sets = [f"  {entry.name:{width}}{entry.summary}" for entry in names.data_sets().values()]
    options = [f"  {option:22}{text}" for option, text in MAIN.items()]
    return "\n".join(
        [f"usage: {USAGE}", "", *options, "", "methods", *methods, "", "data sets", *sets]
    )
