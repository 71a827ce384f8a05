import numpy as np
import pytest
import torch

from reidzoo.methods.hhcl import HHCL
from tests.methods.replay import label_batches, replay


def build(data, network, memory, smoothing=0.0):
    method = HHCL(
        network=network,
        memory=memory,
        momentum=float(data["momentum"]),
        temperature=float(data["temp"]),
        hard_weight=float(data["hard_weight"]),
        smoothing=smoothing,
        stored=int(data["num_instances"]),
    )
    centroids = torch.from_numpy(data["centroids_init"])
    method.centroids.reset(centroids)
    instances = torch.from_numpy(data["instances_init"])
    method.hard.reset(centroids if memory == "hybrid" else instances)
    return method


def joined_rows(method):
    """The released code keeps both memories in one array."""
    hard, centroids = method.hard.rows, method.centroids.rows
    if hard.dim() == 3:
        return torch.cat([centroids, hard.flatten(0, 1)])
    return torch.cat([hard, centroids])


@pytest.mark.parametrize(("smoothing", "suffix"), [(0.0, ""), (0.1, "_smooth")])
@pytest.mark.parametrize(
    ("memory", "prefix"), [("hybrid", "cmhybrid"), ("instances", "cmhybrid_v2")]
)
def test_golden(golden, network_of_32, memory, prefix, smoothing, suffix):
    data = golden("hhcl")
    method = build(data, network_of_32, memory, smoothing)

    def compare_memory(step):
        if memory == "hybrid":
            expected = data["cmhybrid_memory"][step]
        elif step == len(data["inputs"]) - 1:
            expected = data["cmhybrid_v2_memory_last"]
        else:
            return
        np.testing.assert_allclose(joined_rows(method), expected, atol=1e-5, rtol=0)

    replay(
        method,
        data["inputs"],
        label_batches(data["targets"]),
        data[f"{prefix}{suffix}_loss"],
        data[f"{prefix}{suffix}_grad"],
        after_step=compare_memory,
    )


def test_golden_when_identities_fill_only_some_slots(golden, network_of_32):
    data = golden("hhcl_v2_uneven")
    method = build(data, network_of_32, "instances")
    replay(method, data["inputs"], label_batches(data["targets"]), data["loss"], data["grad"])
    np.testing.assert_allclose(joined_rows(method), data["memory_last"], atol=1e-5, rtol=0)


def test_weights_of_the_two_modes(network_of_32):
    assert HHCL(network=network_of_32).weights == (0.5, 0.25)
    assert HHCL(network=network_of_32, memory="instances").weights == (0.5, 0.5)
