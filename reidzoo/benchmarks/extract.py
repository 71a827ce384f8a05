"""`bench extract`: images per second from pixels to features, by precision and memory layout."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

import torch
from torch import Tensor

from reidzoo.benchmarks.machine import (
    Cost,
    describe_load,
    describe_processor,
    describe_versions,
    threads,
    time_in_turns,
)
from reidzoo.models import Embedder, EmbedderOptions

PLAIN = "fp32, NCHW"


@dataclass(frozen=True)
class ExtractReport:
    """Medians over the rounds for each way, the plain one first."""

    backbone: str
    images: int
    batch_size: int
    height: int
    width: int
    device: str
    processor: str
    ways: dict[str, Cost]
    rounds: int
    machine: str
    load: str
    versions: str
    date: str

    def rate(self, name: str) -> float:
        """Images per second of a way: of CPU time on a CPU, which others use too."""
        cost = self.ways[name]
        return self.images / (cost.cpu_seconds if self.device == "cpu" else cost.wall_seconds)

    def to_markdown(self) -> str:
        """Write what `experiments/benchmarks/extract.md` holds."""
        rows = [
            f"| {name} | {self.rate(name):,.1f} | {self.rate(name) / self.rate(PLAIN):.2f} |"
            for name in self.ways
        ]
        second = "CPU second" if self.device == "cpu" else "second"
        return "\n".join(
            [
                f"# Extraction: {self.backbone} at {self.height} x {self.width}, {self.processor}",
                "",
                f"{self.images} images in batches of {self.batch_size}, bytes in, unit rows out; "
                f"median of {self.rounds} rounds in turns; NHWC is channels last in memory.",
                "",
                f"| way | images per {second} | times the plain way |",
                "|---|---:|---:|",
                *rows,
                "",
                f"{self.machine} (shared; {self.load}); {self.versions}; {self.date}.",
                "`python -m reidzoo.bench extract` makes this table.",
                "",
            ]
        )


def bench_extract(
    *,
    images: int = 32,
    batch_size: int = 16,
    backbone: str = "resnet50",
    height: int = 256,
    width: int = 128,
    device: str = "cpu",
    rounds: int = 3,
) -> ExtractReport:
    """Time the embedding of random images in both layouts, in fp32 and bf16.

    Args:
        images: per round.
        batch_size: images at a time.
        backbone: of the network, with random weights.
        height: of the images.
        width: of the images.
        device: cpu or cuda.
        rounds: times each way is timed, in turns.
    """
    networks = {
        layout: Embedder(EmbedderOptions(backbone, weights=None)).to(memory_format=layout)
        for layout in (torch.contiguous_format, torch.channels_last)
    }
    for network in networks.values():
        network.to(device).eval()
    image = torch.randint(0, 256, (images, 3, height, width), dtype=torch.uint8, device=device)
    ways: dict[str, Callable[[], object]] = {}
    for dtype, word in ((torch.float32, "fp32"), (torch.bfloat16, "bf16")):
        for layout, name in ((torch.contiguous_format, "NCHW"), (torch.channels_last, "NHWC")):
            batches = torch.split(image.contiguous(memory_format=layout), batch_size)
            ways[f"{word}, {name}"] = partial(embed_all, networks[layout], batches, dtype)
    with threads(1):
        for way in ways.values():
            way()
        costs = time_in_turns(ways, rounds)
    return ExtractReport(
        backbone, images, batch_size, height, width, device, processor_name(device), costs, rounds,
        describe_processor(), describe_load(), describe_versions("torch"), date.today().isoformat(),
    )  # fmt: skip


@torch.no_grad()
def embed_all(network: Embedder, batches: Sequence[Tensor], dtype: torch.dtype) -> None:
    """Embed batches in the layout they have; `Embedder.map` would always choose channels last."""
    device = batches[0].device
    with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        for batch in batches:
            network.head(network.backbone(network.normalise(batch)))
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def processor_name(device: str) -> str:
    """Name a device.

    >>> processor_name("cpu")
    'one CPU core'
    """
    return torch.cuda.get_device_name() if device.startswith("cuda") else "one CPU core"
