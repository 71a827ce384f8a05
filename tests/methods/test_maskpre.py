import pytest
import torch
from torch.nn import functional

from reidzoo.methods.maskpre import MaskPre
from reidzoo.methods.state import FeatureBank, PseudoLabels
from reidzoo.models import EmbedderOptions
from tests.tiny import fit

NETWORK = EmbedderOptions(backbone="small", weights=None, width=4, stripes=1)


def build(**options):
    torch.manual_seed(0)
    method = MaskPre(network=NETWORK, **options).train()
    method.memory.reset(functional.normalize(torch.randn(3, 32), dim=1))
    method.teacher.update(method.network, momentum=0)
    return method


def a_batch(size=4):
    image = torch.randint(0, 256, (size, 3, 48, 24), dtype=torch.uint8)
    return {"image": image, "index": torch.arange(size), "label": torch.arange(size) % 3}


def test_without_masks_the_views_agree():
    method = build(blocks=(0.0, 0.0))
    out = method.forward_batch(a_batch())
    views = out["views"].unflatten(0, (-1, 2))
    torch.testing.assert_close(views[:, 0], views[:, 1])
    torch.testing.assert_close(out["global"], views[:, 0])


def test_each_view_loses_another_block():
    method = build(blocks=(0.33, 0.33))
    views = method.forward_batch(a_batch())["views"].unflatten(0, (-1, 2))
    assert ((views[:, 0] - views[:, 1]).abs().amax(1) > 1e-3).all()


def test_a_view_is_told_what_the_teacher_sees_in_the_other_one():
    method = build(blocks=(0.33, 0.33)).eval()  # student = teacher, both in evaluation mode
    out = method.forward_batch(a_batch())
    other = out["views"].unflatten(0, (-1, 2)).flip(1).flatten(0, 1)
    torch.testing.assert_close(out["target"], other)
    perfect = {**out, "predicted": 3 * other}
    assert method.compute_loss(perfect, a_batch())["mask"].abs() < 1e-6
    opposite = {**out, "predicted": -other}
    assert method.compute_loss(opposite, a_batch())["mask"].item() == pytest.approx(0.5 * 4)


def test_region_is_asked_only_where_the_map_was_dropped():
    method = build(target="region", blocks=(0.33, 0.33))
    batch = a_batch()
    out = {name: value.detach().float() for name, value in method.forward_batch(batch).items()}
    assert out["asked"].sum(1).eq(2 * 3).all()  # 2 of 6 rows, 3 columns
    kept = out["asked"] == 0
    before = method.compute_loss(out, batch)["mask"]
    out["predicted"][kept] = 0
    assert torch.equal(method.compute_loss(out, batch)["mask"], before)


def test_region_without_masks_costs_nothing():
    method = build(target="region", blocks=(0.0, 0.0))
    out = method.forward_batch(a_batch())
    loss = method.compute_loss(out, a_batch())["mask"]
    loss.backward()
    assert loss == 0


def test_blocks_grow_with_the_epochs(monkeypatch):
    method = build(target="region", blocks=(1 / 6, 3 / 6), growth_epochs=10)
    lost = []
    for epoch in (0, 5, 10, 40):
        monkeypatch.setattr(MaskPre, "current_epoch", epoch)
        lost.append(method.forward_batch(a_batch())["asked"].sum(1).unique().tolist())
    assert lost == [[3], [6], [9], [9]]  # 1, 2, 3, 3 of 6 rows, 3 columns


def test_only_the_student_learns():
    method = build(blocks=(0.33, 0.33))
    batch = a_batch()
    sum(method.compute_loss(method.forward_batch(batch), batch).values()).backward()
    assert all(p.grad is None for p in method.teacher.parameters())
    assert all(p.grad is not None for p in method.predictor.parameters())


def test_the_teacher_starts_as_the_student():
    method = build()
    with torch.no_grad():
        for parameter in method.network.parameters():
            parameter.add_(1)
    labels = PseudoLabels(torch.tensor([0, 1]))
    method.refresh(labels, FeatureBank({"global": torch.eye(32)[:2]}, torch.zeros(2).long()))
    pairs = zip(method.network.parameters(), method.teacher.network.parameters(), strict=True)
    assert all(torch.equal(student, teacher) for student, teacher in pairs)


def test_the_teacher_is_extracted_only_where_it_is_clustered():
    assert set(build(cluster_model="teacher").eval().embed(a_batch()["image"])) == {
        "global",
        "teacher",
    }
    assert set(build().eval().embed(a_batch()["image"])) == {"global"}


def test_the_teacher_is_judged_beside_the_student(tmp_path):
    """Its own rows are scored: before the first step they are the student's."""
    _, trainer = fit(MaskPre, tmp_path, 1)
    untrained, last = trainer.callbacks[1].history
    assert untrained["teacher_mAP"] == untrained["mAP"]
    assert last["teacher_mAP"] != last["mAP"]
    assert trainer.callback_metrics["val/teacher_mAP"] == pytest.approx(last["teacher_mAP"])
