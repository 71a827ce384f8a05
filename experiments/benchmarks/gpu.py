"""Everything that only a GPU can show, in one run of less than 8 minutes on an H200.

    python experiments/benchmarks/gpu.py [--output FOLDER]
    python experiments/benchmarks/gpu.py --small        # on a CPU, in a minute: is it still whole?

An epoch of MSMT17's size (32,621 drawn JPEG files, 400 batches of 256, ResNet-50, bf16) by stages;
the same work by a plain script (fp32, NCHW, Pillow and torchvision); extraction by precision and
layout; a training step with its share of the peak arithmetic and its memory; pseudo-labels. faiss
is not needed. Each part is written as soon as it is known: a run that is cut short is not lost.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from reidzoo.benchmarks.epoch import bench_epoch
from reidzoo.benchmarks.extract import bench_extract
from reidzoo.benchmarks.input import make_plain_pipeline
from reidzoo.benchmarks.people import write_people
from reidzoo.benchmarks.regimes import make_rows
from reidzoo.clustering import JaccardDBSCAN, knn
from reidzoo.models import Embedder, EmbedderOptions

PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12}  # bf16, dense, of the data sheets
MSMT17: dict[str, Any] = {
    "images": 32621, "people": 1041, "backbone": "resnet50", "height": 256, "width": 128,
    "batch_size": 256, "instances": 16, "batches": 400,
}  # fmt: skip
SMALL: dict[str, Any] = {
    "images": 120, "people": 10, "backbone": "small", "height": 64, "width": 32,
    "batch_size": 16, "instances": 4, "batches": 2,
}  # fmt: skip


def main() -> None:
    """Measure part after part and write each at once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="tiny sizes, also without a GPU")
    parser.add_argument("--output", type=Path, default=Path("experiments/benchmarks"))
    options = parser.parse_args()
    if not options.small and not torch.cuda.is_available():
        parser.error("no GPU here; --small shows that the script works")
    size, device = (SMALL, "cpu") if options.small else (MSMT17, "cuda")
    if torch.cuda.is_available():
        device = "cuda"
    workers = 0 if options.small else len(os.sched_getaffinity(0))
    parts: dict[str, Callable[[], Any]] = {
        "pseudo_labels": lambda: time_labels(size, device),
        "step": lambda: time_step(size, device),
        "extract": lambda: time_extraction(size, device),
        "epoch": lambda: time_epoch(size, device, workers),
        "plain": lambda: time_plain(size, device, workers),
    }
    options.output.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {"device": describe(device), "torch": torch.__version__, "size": size}
    for part, measure in parts.items():
        started = time.perf_counter()
        found[part] = measure()
        found[part]["took"] = time.perf_counter() - started
        print(part, json.dumps(found[part], indent=2), flush=True)  # noqa: T201
        path = options.output / ("gpu_small.json" if options.small else "gpu.json")
        path.write_text(json.dumps(found, indent=2) + "\n")


def time_labels(size: dict[str, Any], device: str) -> dict[str, float]:
    """k-NN and everything after it on features of 2,048 entries; the second call counts."""
    rows = torch.from_numpy(make_rows("identities", size["images"], 2048)).to(device)
    clusterer = JaccardDBSCAN()
    clusterer(rows)
    both = seconds(lambda: clusterer(rows), device)
    return {"knn": seconds(lambda: knn(rows, clusterer.k1), device), "knn and labels": both}


def time_step(size: dict[str, Any], device: str, steps: int = 20) -> dict[str, float]:
    """Steps of ours (bf16, channels last) and plain ones (fp32, NCHW) on pixels that are there."""
    B = size["batch_size"]
    shape = B, 3, size["height"], size["width"]
    image = torch.randint(0, 256, shape, dtype=torch.uint8, device=device)
    steps = steps if device == "cuda" else 1
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        make_network(size, device, torch.channels_last).eval()(image[:1])
    work = 3 * B * counter.get_total_flops()  # backwards costs twice as much as forwards
    result: dict[str, float] = {"flop": work}
    for name, layout, half in (
        ("ours", torch.channels_last, True), ("plain", torch.contiguous_format, False)
    ):  # fmt: skip
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        pixels = image.contiguous(memory_format=layout)
        step = partial(make_step(make_network(size, device, layout), half), pixels)
        repeat(step, steps)  # kernels are chosen, memory is there
        spent = seconds(partial(repeat, step, steps), device) / steps
        result[name] = spent
        peak = [value for key, value in PEAKS.items() if key in describe(device)]
        if half and peak:
            result["share of peak arithmetic (MFU)"] = work / spent / peak[0]
        if device == "cuda":
            result[f"{name}, peak GB"] = torch.cuda.max_memory_allocated() / 1e9
    return result


def time_extraction(size: dict[str, Any], device: str) -> dict[str, Any]:
    """Images per second by precision and layout."""
    images = 16 * size["batch_size"] if device == "cuda" else 16
    report = bench_extract(
        images=images, batch_size=min(256, images), backbone=size["backbone"],
        height=size["height"], width=size["width"], device=device,
    )  # fmt: skip
    return {name: report.rate(name) for name in report.ways}


def time_epoch(size: dict[str, Any], device: str, workers: int) -> dict[str, Any]:
    """An epoch as `reidzoo.fit` runs it, the second one of two."""
    report = bench_epoch(
        **size, epochs=1, workers=workers, on_device=True, dense_up_to=0,
        accelerator="gpu" if device == "cuda" else "cpu", precision="bf16-mixed",
    )  # fmt: skip
    shares = {name: spent / report.seconds for name, spent in report.stages.items()}
    return asdict(report) | {"seconds": report.seconds, "shares": shares}


class PlainFiles(Dataset[torch.Tensor]):
    """JPEG files through Pillow and torchvision, one by one."""

    def __init__(self, paths: list[str], height: int, width: int) -> None:
        self.paths, self.read = paths, make_plain_pipeline(height, width)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.read(self.paths[index])


def time_plain(size: dict[str, Any], device: str, workers: int) -> dict[str, float]:
    """Some batches of a plain script, scaled to the epoch; its clustering is not in it."""
    B = size["batch_size"]
    batches = 40 if device == "cuda" else 2
    network = make_network(size, device, torch.contiguous_format)
    with TemporaryDirectory() as folder:
        people = write_people(Path(folder), batches * B, size["people"])
        files = PlainFiles([record.path for record in people], size["height"], size["width"])
        loader = DataLoader(files, B, num_workers=workers, pin_memory=device == "cuda")
        ways = {"train": make_step(network, half=False), "extract": torch.no_grad()(embed(network))}
        spent = {}
        for name, way in ways.items():
            started, seen = 0.0, 0
            for number, image in enumerate(loader):
                way(image.to(device))
                wait(device)
                if number == 0:  # workers have started, kernels are chosen
                    started = time.perf_counter()
                else:
                    seen += len(image)
            spent[name] = (time.perf_counter() - started) / seen
    epoch = size["batches"] * B * spent["train"] + size["images"] * spent["extract"]
    return {f"{name}, s per image": value for name, value in spent.items()} | {
        "epoch without clustering, scaled": epoch
    }


def make_network(size: dict[str, Any], device: str, layout: torch.memory_format) -> Embedder:
    """A network of random weights in a memory layout."""
    network = Embedder(EmbedderOptions(size["backbone"], weights=None))
    return network.to(device=device, memory_format=layout).train()


def embed(network: Embedder) -> Callable[[torch.Tensor], torch.Tensor]:
    """Images to rows in the layout that they have; `Embedder.map` would choose channels last."""
    return lambda image: network.head(network.backbone(network.normalise(image)))


def make_step(network: Embedder, half: bool) -> Callable[[torch.Tensor], None]:
    """Forward, backward and Adam."""
    optimizer = torch.optim.Adam(p for p in network.parameters() if p.requires_grad)

    def step(image: torch.Tensor) -> None:
        with torch.autocast(image.device.type, torch.bfloat16, enabled=half):
            rows = embed(network)(image)
        rows[:, 0].sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def repeat(step: Callable[[], None], times: int) -> None:
    """Call it so often."""
    for _ in range(times):
        step()


def seconds(work: Callable[[], object], device: str) -> float:
    """Wall time until the device has finished."""
    wait(device)
    started = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - started


def wait(device: str) -> None:
    """Let the device finish."""
    if device == "cuda":
        torch.cuda.synchronize()


def describe(device: str) -> str:
    """The device's name."""
    return torch.cuda.get_device_name() if device == "cuda" else "CPU"


if __name__ == "__main__":
    main()
