import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from reidzoo.images import ImageFiles
from reidzoo.models import Embedder, EmbedderOptions, calibrate_batch_norm
from tests.cli.conftest import market  # noqa: F401  a fixture

HEIGHT, WIDTH = 48, 24


@pytest.fixture(scope="session")
def embedder(market) -> Embedder:  # noqa: F811
    """Random weights, statistics of real images: enough to tell people in plain colours apart."""
    torch.manual_seed(0)
    embedder = Embedder(EmbedderOptions("small", weights=None, width=8, stripes=2))
    files = ImageFiles([str(p) for p in sorted(market.rglob("*.jpg"))], HEIGHT, WIDTH)
    images = torch.stack([torch.from_numpy(image.copy()).permute(2, 0, 1) for image in files])
    calibrate_batch_norm(embedder, [images])
    return embedder.eval()


@pytest.fixture(scope="session")
def trained(tmp_path_factory, embedder, market) -> Path:  # noqa: F811
    """A run folder as fit leaves it."""
    run = tmp_path_factory.mktemp("run")
    card = {
        "method": "hhcl",
        "data": "market_layout",
        "height": HEIGHT,
        "width": WIDTH,
        "threshold": 0.6,
        "network": asdict(embedder.options),
        "config": {"data": {"name": "market_layout", "root": str(market), "workers": 0}},
    }
    state = {f"network.{name}": value for name, value in embedder.state_dict().items()}
    (run / "checkpoints").mkdir()
    torch.save(
        {"epoch": 0, "state_dict": state, "reidzoo": json.dumps(card)},
        run / "checkpoints" / "last.ckpt",
    )
    return run
