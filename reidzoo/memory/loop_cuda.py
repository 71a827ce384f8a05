"""The loop that moves rows, for CUDA: one program per label, which takes its images in turn."""

import triton
import triton.language as tl
from torch import Tensor


@triton.jit  # type: ignore[untyped-decorator]
def walk_run(  # type: ignore[no-untyped-def]
    rows,  # noqa: ANN001  (triton would read the annotations as types of its own)
    features,  # noqa: ANN001
    labels,  # noqa: ANN001
    order,  # noqa: ANN001
    keep,  # noqa: ANN001
    take,  # noqa: ANN001
    B,  # noqa: ANN001
    C,  # noqa: ANN001
    D,  # noqa: ANN001
    UNIT: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """Move one part of the row of one label by the images of its run, the others do nothing.

    Programs are (sorted place, part s). `labels` [B] are sorted, `order` [B] says where each was.
    """
    place, part = tl.program_id(0), tl.program_id(1)
    parts = tl.num_programs(1)
    label = tl.load(labels + place)
    before = tl.load(labels + place - 1, mask=place > 0, other=-1)
    if (label >= 0) & (label < C) & (label != before):
        d = tl.arange(0, BLOCK)
        inside = d < D
        here = rows + (label * parts + part) * D + d
        row = tl.load(here, mask=inside, other=0.0)
        current = label
        while current == label:
            image = tl.load(order + place)
            feature = tl.load(features + (image * parts + part) * D + d, mask=inside, other=0.0)
            row = keep * row + take * feature
            if UNIT:
                row = row / tl.maximum(tl.sqrt(tl.sum(row * row, axis=0)), 1e-12)
            place += 1
            current = tl.load(labels + place, mask=place < B, other=-1)
        tl.store(here, row, mask=inside)


def walk_runs(
    rows: Tensor, features: Tensor, labels: Tensor, keep: float, take: float, unit: bool
) -> None:
    """Rows [C, S, D] and features [B, S, D], contiguous and fp32; as `loop.walk`."""
    ordered, order = labels.sort(stable=True)
    C, S, D = rows.shape
    walk_run[(len(labels), S)](
        rows, features, ordered, order, keep, take, len(labels), C, D,
        UNIT=unit, BLOCK=triton.next_power_of_2(D),
    )  # fmt: skip
