"""One thread per process: on two cores, oversubscription makes the suite seven times slower."""

import os

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
os.environ["WANDB_MODE"] = "offline"

from pathlib import Path

import numpy as np
import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def golden():
    """Load one file of numbers made by the original code."""

    def load(name: str) -> dict[str, np.ndarray]:
        path = Path(__file__).parent / "goldens" / f"{name}.npz"
        with np.load(path, allow_pickle=False) as file:
            return dict(file)

    return load
