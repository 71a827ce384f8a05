"""A training step never waits for the device, and is fp32 where rows, memories and losses are."""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from reidzoo.callbacks import ClusterCallback
from reidzoo.cli.names import methods
from reidzoo.memory import MemoryBank
from tests.tiny import fit

WAITS = {  # operations that read a tensor on the host, or whose result's size depends on values
    "_local_scalar_dense",
    "bincount",
    "equal",
    "is_nonzero",
    "masked_select",
    "nonzero",
    "repeat_interleave",
    "_unique2",
    "unique_consecutive",
    "unique_dim",
    "lift_fresh",  # the other way round: torch.tensor([...], device=...) copies from the host
}
VARIANTS: dict[str, list[dict[str, Any]]] = {  # ways through a step beside the published one
    "cluster_contrast": [{"method_outliers": "instances", "method_update": "hardest"}],
    "hcl": [{"method_negatives": "instances"}],
    "hhcl": [{"method_memory": "instances", "method_smoothing": 0.1}],
    "jcl": [{"method_positive": "mean"}],
    "maskpre": [{"method_target": "region", "method_block_width": 0.5}],
    "pplr": [{"method_camera_weight": 0.5, "method_agreement_from": 0}],
    "selective_contrastive": [{"method_startup_epochs": 0}],
}
CASES = [
    pytest.param(name, options, id="-".join([name, *map(str, options.values())]))
    for name in sorted(methods())
    for options in [{}, *VARIANTS.get(name, [])]
]


class NoHostReads(TorchDispatchMode):
    """Refuses what would make the host wait for a GPU, also where there is none."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket._qualified_op_name.removeprefix("aten::")
        indices = args[1] if name in ("index", "index_put", "index_put_") else ()
        masked = any(i is not None and i.dtype == torch.bool for i in indices)
        assert name not in WAITS, f"{name} makes the host wait for the device"
        assert not masked, f"{name} by a mask makes the host wait for the device"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    "read",
    [
        lambda x: float(x.sum()),
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: x.unique(),
        lambda x: x.long().bincount(),
        lambda x: torch.tensor([1.0]),
    ],
)
def test_the_check_sees_reads(read):
    x = torch.ones(3)
    with pytest.raises(AssertionError, match="makes the host wait"), NoHostReads():
        read(x)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_a_step_in_half_precision(name, options, tmp_path, monkeypatch):
    method, trainer = fit(
        methods()[name].load(),
        tmp_path,
        1,
        data_batches=2,
        trainer_callbacks=[ClusterCallback()],
        **options,
    )
    monkeypatch.setattr(method, "log_dict", lambda *_, **__: None)  # Lightning's affair
    seen: list[torch.Tensor] = []
    compute_loss, update = method.compute_loss, method.update

    def compute_and_look(out, batch):
        terms = compute_loss(out, batch)
        seen.extend([*out.values(), *terms.values()])
        return terms

    def update_and_look(out, batch):
        seen.extend(out.values())
        update(out, batch)

    monkeypatch.setattr(method, "compute_loss", compute_and_look)
    monkeypatch.setattr(method, "update", update_and_look)
    method.train()
    batches = list(trainer.datamodule.train_dataloader())
    for dtype, batch in zip((torch.bfloat16, torch.float16), batches, strict=True):
        with NoHostReads():
            with torch.autocast("cpu", dtype):
                loss = method.training_step(batch, 0)
            if dtype == torch.bfloat16:  # convolutions in fp16 take seconds backwards on a CPU
                loss.backward()
            method.on_after_backward()
        assert torch.isfinite(loss)
        seen.append(loss)
    assert {value.dtype for value in seen} == {torch.float32}
    banks = [module for module in method.modules() if isinstance(module, MemoryBank)]
    assert all(bank.rows.dtype == torch.float32 and bank.rows.isfinite().all() for bank in banks)
