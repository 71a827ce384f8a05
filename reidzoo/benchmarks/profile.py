"""`bench profile`: which operations a training step consists of, by torch.profiler."""

from dataclasses import dataclass
from datetime import date

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.profiler import ProfilerActivity, profile, record_function

from reidzoo.benchmarks.machine import (
    describe_load,
    describe_processor,
    describe_versions,
    threads,
)
from reidzoo.methods.cluster_contrast import ClusterContrast
from reidzoo.models import EmbedderOptions

PHASES = ("forward", "loss", "backward", "update", "optimiser")
SHOWN = 14  # operations


@dataclass(frozen=True)
class ProfileReport:
    """Milliseconds per step, by phase and by operation."""

    backbone: str
    images: int
    height: int
    width: int
    samples_per_bn: int | None
    phases: dict[str, float]
    operations: dict[str, tuple[float, int]]  # name -> (own time, calls)
    steps: int
    machine: str
    load: str
    versions: str
    date: str

    def to_markdown(self) -> str:
        """Write one half of `experiments/benchmarks/step_profile.md`."""
        whole = sum(self.phases.values())
        phases = [
            f"| {name} | {spent:.1f} | {spent / whole:.1%} |" for name, spent in self.phases.items()
        ]
        operations = [
            f"| `{name}` | {spent:.1f} | {spent / whole:.1%} | {calls} |"
            for name, (spent, calls) in self.operations.items()
        ]
        ghost = f" --samples_per_bn {self.samples_per_bn}" if self.samples_per_bn else ""
        size = f"{self.images} images of {self.height} x {self.width}"
        return "\n".join(
            [
                f"## {self.backbone}, {size}",
                "",
                f"cluster_contrast, fp32, channels last, mean of {self.steps} steps on one thread "
                "after two that are not counted. The profiler's clock is the wall's, so other "
                "programs on the machine are in the times; the shares are what to read.",
                "",
                "| phase | ms | share |",
                "|---|---:|---:|",
                *phases,
                "",
                "| operation | own ms | share | calls |",
                "|---|---:|---:|---:|",
                *operations,
                "",
                f"{self.machine} (shared; {self.load}); {self.versions}; {self.date}.",
                f"`python -m reidzoo.bench profile --backbone {self.backbone} --images "
                f"{self.images} --height {self.height} --width {self.width}{ghost}` makes this "
                "part.",
                "",
            ]
        )


def bench_profile(
    *,
    backbone: str = "small",
    images: int = 64,
    height: int = 64,
    width: int = 32,
    clusters: int = 1000,
    samples_per_bn: int | None = None,
    steps: int = 5,
) -> ProfileReport:
    """Profile training steps of cluster_contrast on random images.

    Args:
        backbone: of the network, with random weights.
        images: B, four of each identity.
        height: of the images.
        width: of the images.
        clusters: C.
        samples_per_bn: ghost batch norm; null: none.
        steps: that are profiled.
    """
    torch.manual_seed(0)
    options = EmbedderOptions(backbone, weights=None, samples_per_bn=samples_per_bn)
    method = ClusterContrast(network=options)
    method.memory.reset(F.normalize(torch.randn(clusters, method.num_features), dim=1))
    optimizer = method.optimization.build(method.parameters(), 1)["optimizer"]
    image = torch.randint(0, 256, (images, 3, height, width), dtype=torch.uint8)
    batch = {
        "image": image.contiguous(memory_format=torch.channels_last),
        "label": torch.arange(images) // 4 % clusters,
    }
    with threads(1):
        for _ in range(2):
            run_step(method, optimizer, batch)
        with profile(activities=[ProfilerActivity.CPU]) as seen:
            for _ in range(steps):
                run_step(method, optimizer, batch)
    averages = seen.key_averages()
    phases = {e.key: e.cpu_time_total / 1e3 / steps for e in averages if e.key in PHASES}
    own = sorted(
        (e for e in averages if e.key not in PHASES), key=lambda e: -e.self_cpu_time_total
    )  # fmt: skip
    return ProfileReport(
        backbone, images, height, width, samples_per_bn, {name: phases[name] for name in PHASES},
        {e.key: (e.self_cpu_time_total / 1e3 / steps, e.count // steps) for e in own[:SHOWN]},
        steps, describe_processor(), describe_load(), describe_versions("torch"),
        date.today().isoformat(),
    )  # fmt: skip


def run_step(
    method: ClusterContrast, optimizer: torch.optim.Optimizer, batch: dict[str, Tensor]
) -> None:
    """Run a step as `Method.training_step` and Lightning do, each phase under its name."""
    with record_function("forward"):
        out = method.forward_batch(batch)
    with record_function("loss"):
        loss = torch.stack(list(method.compute_loss(out, batch).values())).sum()
    with record_function("backward"):
        loss.backward()  # type: ignore[no-untyped-call]
    with record_function("update"), torch.no_grad():
        method.update({"global": out["global"].detach()}, batch)
    with record_function("optimiser"):
        optimizer.step()
        optimizer.zero_grad()
