from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.fixture(scope="session")
def market(tmp_path_factory) -> Path:
    """Eight people to train on and six to search for, three cameras, in Market layout."""
    root = tmp_path_factory.mktemp("market")
    noise = np.random.default_rng(0)
    splits = {"bounding_box_train": range(1, 9)}
    splits |= dict.fromkeys(("bounding_box_test", "query"), range(9, 15))
    for split, people in splits.items():
        (root / split).mkdir()
        for person in people:
            colours = np.random.default_rng(person).integers(0, 255, (4, 1, 3))
            body = colours.repeat(16, 0).repeat(32, 1)
            for camera in (1, 2, 3):
                for shot in range(1 if split == "query" else 3):
                    image = (body + noise.normal(0, 25, body.shape)).clip(0, 255).astype(np.uint8)
                    name = f"{person:04d}_c{camera}s1_{shot:06d}_00.jpg"
                    cv2.imwrite(str(root / split / name), image)
    return root


@pytest.fixture
def tiny(market, tmp_path) -> list[str]:
    """Options of a run that takes a second."""
    options = {
        "data": "market_layout",
        "data.root": market,
        "data.height": 48,
        "data.width": 24,
        "data.batch_size": 16,
        "data.num_instances": 4,
        "data.batches": 3,
        "data.workers": 0,
        "method.network.backbone": "small",
        "method.network.width": 8,
        "method.network.weights": "null",
        "method.clusterer.k1": 8,
        "method.clusterer.eps": 0.5,
        "trainer.accelerator": "cpu",
        "trainer.max_epochs": 2,
        "evaluate.every": 1,
        "output": tmp_path / "runs",
    }
    return [word for name, value in options.items() for word in (f"--{name}", str(value))]


@pytest.fixture
def tiny_hhcl(tiny) -> list[str]:
    return ["--method", "hhcl", *tiny]
