"""The tiny setting of the embedded people: what the tests train, in seconds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from reidzoo.callbacks import ClusterCallback, EvaluationCallback
from reidzoo.clustering import JaccardDBSCAN
from reidzoo.data.augment import Augment
from reidzoo.data.sets.synthetic import Synthetic
from reidzoo.methods.base import Method
from reidzoo.methods.optimization import Optimization
from reidzoo.models import EmbedderOptions


@dataclass(frozen=True)
class TrueIdentities:
    """A clusterer that knows the answer: fixed labels, and the supervised bound."""

    identities: Tensor
    eps: float = 0.5

    def graph(self, features: Tensor, cameras: Tensor | None = None) -> None:
        """Nothing is needed: the answer is the same at every radius."""

    def radius(self, graph: None) -> float:
        return self.eps

    def labels(self, graph: None, eps: float | None = None) -> np.ndarray:
        return np.unique(self.identities, return_inverse=True)[1]

    def __call__(self, features: Tensor, cameras: Tensor | None = None) -> Tensor:
        return torch.from_numpy(self.labels(None)).to(features.device)


def tiny_data(**options: Any) -> Synthetic:
    settings: dict[str, Any] = {
        "preset": "tiny",
        "height": 48,
        "width": 24,
        "batch_size": 32,
        "num_instances": 4,
        "batches": 10,
        "workers": 0,
        "augment": Augment(pad=3, jitter=0.8, erase_area=(0.02, 0.3)),
        "seed": 0,
    }
    return Synthetic(**settings | options)


def tiny_method(
    kind: type[Method], samples_per_bn: int | None = None, waveblock: bool = False, **options: Any
) -> Method:
    torch.manual_seed(0)
    grey = (0.45, 0.45, 0.45)
    settings: dict[str, Any] = {
        "network": EmbedderOptions(
            backbone="small",
            weights=None,
            width=12,
            stripes=4,
            mean=grey,
            std=(0.25, 0.25, 0.25),
            samples_per_bn=samples_per_bn,
            waveblock=waveblock,
        ),
        "clusterer": JaccardDBSCAN(k1=12, k2=4, eps=0.55, min_samples=3),
        "optimization": Optimization(optimizer="adamw", lr=1e-3, schedule="cosine"),
    }
    return kind(**settings | options)


def tiny_trainer(folder: Path | str, epochs: int, **options: Any) -> pl.Trainer:
    callbacks = options.pop("callbacks", [ClusterCallback(), EvaluationCallback(every=0)])
    settings: dict[str, Any] = {
        "accelerator": "cpu",
        "max_epochs": epochs,
        "default_root_dir": folder,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
        "num_sanity_val_steps": 0,
    }
    return pl.Trainer(callbacks=callbacks, **settings | options)


class StopAfter(pl.Callback):
    """Interrupts a run at the end of an epoch."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trainer.should_stop = trainer.current_epoch + 1 >= self.epochs


def fit(
    kind: type[Method],
    folder: Path | str,
    epochs: int,
    stop_after: int | None = None,
    seed: int = 0,
    **options: Any,
) -> tuple[Method, pl.Trainer]:
    """Train a method from the same start; `options` reach the data, method and trainer by prefix.

    Args:
        kind: the method.
        folder: where the trainer may write.
        epochs: of the whole run, which its schedule depends on.
        stop_after: epochs after which the run is interrupted.
        seed: of everything.
        options: `data_*`, `method_*`, `trainer_*`, and `resume`.
    """

    def pick(prefix: str) -> dict[str, Any]:
        return {k.removeprefix(prefix): v for k, v in options.items() if k.startswith(prefix)}

    pl.seed_everything(seed, verbose=False)
    method = tiny_method(kind, **pick("method_"))
    trainer = tiny_trainer(folder, epochs, **pick("trainer_"))
    if stop_after is not None:
        trainer.callbacks.append(StopAfter(stop_after))
    trainer.fit(method, datamodule=tiny_data(**pick("data_")), ckpt_path=options.get("resume"))
    return method, trainer


def same_state(one: Method, other: Method) -> bool:
    """Whether two methods agree bit for bit: weights, statistics, memories, labels."""
    first, second = one.state_dict(), other.state_dict()
    if first.keys() != second.keys():
        return False
    labels = (one.labels is None) == (other.labels is None) and (
        one.labels is None
        or other.labels is None
        or torch.equal(one.labels.labels, other.labels.labels)
    )
    return labels and all(torch.equal(first[name], second[name]) for name in first)
