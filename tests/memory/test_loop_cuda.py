"""The CUDA form of the loop, without a GPU: triton interprets it, and compiles it for an H200."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("triton")
HOPPER = 90
COMPARE = """
import torch
from reidzoo.memory.loop import walk
from reidzoo.memory.loop_cuda import walk_runs

for shape in [(5, 1, 7), (6, 3, 16)]:
    rows = torch.nn.functional.normalize(torch.randn(shape), dim=-1)
    features = torch.nn.functional.normalize(torch.randn(20, *shape[1:]), dim=-1)
    labels = torch.randint(-1, shape[0], (20,))
    for weights in [(0.3, 0.7, True), (1.0, 1.0, False)]:
        ours, expected = rows.clone(), rows.clone()
        walk(expected, features, labels, *weights)
        walk_runs(ours, features, labels, *weights)
        torch.testing.assert_close(ours, expected, atol=1e-6, rtol=0)
        assert not torch.equal(ours, rows)
"""


def test_interpreted_it_is_the_loop():
    """In a process of its own: triton asks for the variable when it is imported."""
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    done = subprocess.run(
        [sys.executable, "-c", COMPARE], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("unit", [True, False])
def test_it_compiles(unit):
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from reidzoo.memory.loop_cuda import walk_run

    types = dict.fromkeys(("rows", "features"), "*fp32")
    types |= dict.fromkeys(("labels", "order"), "*i64") | dict.fromkeys(("keep", "take"), "fp32")
    types |= {"B": "i32", "C": "i32", "D": "i32", "UNIT": "constexpr", "BLOCK": "constexpr"}
    source = ASTSource(walk_run, types, {"UNIT": unit, "BLOCK": 2048})
    assert triton.compile(source, target=GPUTarget("cuda", HOPPER, 32)).asm["cubin"]
