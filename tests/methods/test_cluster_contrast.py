import numpy as np
import pytest
import torch

from reidzoo.methods.cluster_contrast import ClusterContrast
from tests.methods.replay import label_batches, replay


@pytest.mark.parametrize(("update", "prefix"), [("mean", "cm"), ("hardest", "cmhard")])
def test_golden(golden, network_of_32, update, prefix):
    data = golden("cluster_contrast")
    method = ClusterContrast(
        network=network_of_32,
        momentum=float(data["momentum"]),
        temperature=float(data["temp"]),
        update=update,
    )
    method.memory.reset(torch.from_numpy(data["memory_init"]))

    def compare_memory(step):
        np.testing.assert_allclose(
            method.memory.rows, data[f"{prefix}_memory"][step], atol=1e-5, rtol=0
        )

    replay(
        method,
        data["inputs"],
        label_batches(data["targets"]),
        data[f"{prefix}_loss"],
        data[f"{prefix}_grad"],
        normalise=True,
        after_step=compare_memory,
    )
