"""`bench step`: what a training step costs beside the network: sampler, labels, loss, memory.

Everything is set beside the product of features and memory, which no method can do without, beside
the memory's definition (one image after the other), and beside a step of a ResNet-50.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import get_args

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from reidzoo.benchmarks.machine import (
    Cost,
    describe_load,
    describe_processor,
    describe_versions,
    threads,
    time_in_turns,
)
from reidzoo.data.samplers import PlanSampler, PlanShape
from reidzoo.memory import ClusterMemory, HardInstanceMemory, HybridMemory
from reidzoo.memory.bank import Update
from reidzoo.models import Embedder, EmbedderOptions

PRODUCT = "product with the memory"
BY_ONE = "update mean, image by image"
OWN = ("sampler", "labels", "loss and its gradient", "update mean")  # a step of cluster_contrast


@dataclass(frozen=True)
class StepReport:
    """Medians on one thread, and the network's step that they are compared with."""

    batch_size: int
    clusters: int
    features: int
    images: int
    ways: dict[str, Cost]
    network: Cost
    backbone: str
    rounds: int
    machine: str
    load: str
    versions: str
    date: str

    @property
    def network_seconds(self) -> float:
        """CPU seconds of the network's step, scaled to the whole batch."""
        return self.network.cpu_seconds * self.batch_size / self.images

    def to_markdown(self) -> str:
        """Write what `experiments/benchmarks/step.md` holds."""
        product = self.ways[PRODUCT].cpu_seconds
        rows = [
            f"| {name} | {1e3 * cost.cpu_seconds:.2f} | {cost.cpu_seconds / product:.2f} "
            f"| {cost.cpu_seconds / self.network_seconds:.3%} |"
            for name, cost in self.ways.items()
        ]
        together = sum(self.ways[name].cpu_seconds for name in OWN)
        return "\n".join(
            [
                f"# A training step beside its network: B {self.batch_size}, C {self.clusters:,}, "
                f"D {self.features:,}",
                "",
                f"One thread, median of {self.rounds} rounds in turns, CPU time.",
                "",
                f"| work | ms | times the product | share of a {self.backbone} step |",
                "|---|---:|---:|---:|",
                *rows,
                "",
                f"Forward, backward and Adam of {self.backbone} (fp32, channels last, 256 x 128) "
                f"took {self.network.cpu_seconds:.2f} s for {self.images} images, "
                f"{self.network_seconds:.1f} s scaled to {self.batch_size}. Sampler, labels, loss "
                f"and memory of cluster_contrast together add "
                f"{together / self.network_seconds:.2%} to it.",
                "",
                f"{self.machine} (shared; {self.load}); {self.versions}; {self.date}.",
                "`python -m reidzoo.bench step` makes this table.",
                "",
            ]
        )


def bench_step(
    *,
    batch_size: int = 256,
    instances: int = 16,
    clusters: int = 1000,
    members: int = 13,
    features: int = 2048,
    images: int = 8,
    backbone: str = "resnet50",
    rounds: int = 9,
) -> StepReport:
    """Time every part of a step that is not the network, and the network's step.

    Args:
        batch_size: B.
        instances: K images of each identity in a batch.
        clusters: C.
        members: training images of each cluster.
        features: D.
        images: of the network's step, whose cost is scaled to B: 256 take long on a CPU.
        backbone: of the network.
        rounds: times each way is timed, in turns.
    """
    with threads(1):
        ways = make_ways(batch_size, instances, clusters, members, features)
        for way in ways.values():
            way()  # compiles, touches memory
        costs = time_in_turns(ways, rounds)
        step = network_step(backbone, images)
        step()
        network = time_in_turns({"network": step}, 3)["network"]
    return StepReport(
        batch_size, clusters, features, images, costs, network, backbone, rounds,
        describe_processor(), describe_load(), describe_versions("torch", "numba"),
        date.today().isoformat(),
    )  # fmt: skip


def make_ways(B: int, K: int, C: int, members: int, D: int) -> dict[str, Callable[[], object]]:
    """Name what is timed, the product first."""
    torch.manual_seed(0)
    x = F.normalize(torch.randn(B, D), dim=1)
    labels = torch.arange(C).repeat_interleave(members)
    index = labels.new_tensor(np.random.default_rng(0).permutation(C)[: B // K]) * members
    index = (index[:, None] + torch.arange(K) % members).flatten()
    y = labels[index]
    rows = F.normalize(torch.randn(C, D), dim=1)
    memories = [ClusterMemory(D, update=rule) for rule in get_args(Update)]
    for memory in memories:
        memory.reset(rows)
    mean, hardest, batch_mean = memories
    slots = HardInstanceMemory(D, K)
    slots.reset(rows.expand(K, -1, -1))
    hybrid = HybridMemory(0, D)
    hybrid.reset(rows.repeat_interleave(members, 0))
    hybrid.relabel(labels)
    sampler = PlanSampler(PlanShape(1, B, K), len(labels), "pk")
    return {
        PRODUCT: lambda: mean.logits(x),
        "sampler": lambda: draw(sampler, labels),
        "labels": lambda: labels[index],
        "loss and its gradient": lambda: contrast(mean, x, y),
        "update mean": lambda: mean.update(x, y),
        "update hardest": lambda: hardest.update(x, y),
        "update batch_mean": lambda: batch_mean.update(x, y),
        "update of stored instances": lambda: slots.update(x, y),
        "update of a row per image": lambda: hybrid.update(x, index),
        "logits of the hybrid memory": lambda: hybrid.logits(x),
        BY_ONE: lambda: move_one_by_one(mean.rows, x, y, 0.1),
    }


def draw(sampler: PlanSampler, labels: Tensor) -> None:
    """Plan an epoch of one batch, and read the plan."""
    sampler.set_plan(labels, 0)
    list(sampler)


def contrast(memory: ClusterMemory, x: Tensor, y: Tensor) -> None:
    """Cross-entropy over all clusters, and back to the features."""
    F.cross_entropy(memory.logits(x.requires_grad_()), y).backward()  # type: ignore[no-untyped-call]
    x.grad = None
    x.requires_grad_(False)


@torch.no_grad()
def move_one_by_one(rows: Tensor, features: Tensor, labels: Tensor, momentum: float) -> None:
    """Move rows as their definition says.

    >>> rows = torch.tensor([[1.0, 0.0]])
    >>> move_one_by_one(rows, torch.tensor([[0.0, 1.0]]), torch.tensor([0]), 0.5)
    >>> rows
    tensor([[0.7071, 0.7071]])
    """
    for f, y in zip(features, labels.tolist(), strict=True):
        rows[y] = F.normalize(momentum * rows[y] + (1 - momentum) * f, dim=0)


def network_step(backbone: str, images: int) -> Callable[[], object]:
    """Make a training step of a network of random weights."""
    network = Embedder(EmbedderOptions(backbone, weights=None))
    optimizer = torch.optim.Adam(p for p in network.parameters() if p.requires_grad)
    image = torch.randint(0, 256, (images, 3, 256, 128), dtype=torch.uint8)

    def step() -> None:
        network(image)[:, 0].sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    return step
