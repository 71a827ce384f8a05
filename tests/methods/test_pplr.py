import numpy as np
import pytest
import torch
from torch.nn import functional

from reidzoo.clustering import cross_agreement
from reidzoo.errors import UserError
from reidzoo.losses import soft_triplet
from reidzoo.methods.pplr import PPLR
from reidzoo.methods.state import FeatureBank, PseudoLabels
from reidzoo.models import EmbedderOptions
from tests.tiny import fit, tiny_data, tiny_method, tiny_trainer

D = 24  # of the golden file


@pytest.fixture
def data(golden):
    return {name: torch.from_numpy(np.asarray(value)) for name, value in golden("pplr").items()}


def build(**options):
    """PPLR whose branches all have the 24 features of the golden file."""
    return PPLR(network=EmbedderOptions(backbone="small", weights=None, width=D // 8), **options)


def terms_of(method, data, **rows):
    """Losses and leaves from the golden file's logits, and rows of the branches if they matter."""
    agreement, labels = data["ca"], data["targets"]
    method.labels = PseudoLabels(labels, {"agreement": agreement})
    out = {
        "logits": torch.cat([data["logits_g"][:, None], data["logits_p"].mT], dim=1),  # [B,1+S,C]
        "whole": torch.zeros(len(labels), D),
        "parts": torch.zeros(len(labels), agreement.shape[1], D),
    } | rows
    leaves = {name: value.requires_grad_() for name, value in out.items()}
    batch = {"label": labels, "index": torch.arange(len(labels)), "camera": data["cams"]}
    return method.compute_loss(leaves, batch), leaves


def test_golden_part_guided_labels(data):
    terms, leaves = terms_of(build(label_weight=float(data["beta"])), data)
    terms["whole"].backward()
    assert terms["whole"].item() == pytest.approx(data["pglr_loss"].item(), abs=1e-5)
    gradient = leaves["logits"].grad
    np.testing.assert_allclose(gradient[:, 0], data["pglr_grad_g"], atol=1e-6, rtol=0)
    assert gradient[:, 1:].eq(0).all() == data["pglr_grad_p_is_none"]


def test_golden_smoothing_of_one_part(data):
    one = data | {"logits_p": data["logits_p"][..., :1], "ca": data["ca"][:, :1]}
    terms, leaves = terms_of(build(parts=1, agreement_from=0), one)
    terms["parts"].backward()
    assert terms["parts"].item() == pytest.approx(data["aals_loss"].item(), abs=1e-5)
    gradient = leaves["logits"].grad[:, 1]
    np.testing.assert_allclose(gradient, data["aals_grad"], atol=1e-6, rtol=0)


def test_parts_are_averaged_and_smoothed_evenly_before(data):
    method = build(agreement_from=0)
    each = [
        terms_of(method, data | {"logits_p": data["logits_p"][..., [s]], "ca": data["ca"][:, [s]]})
        for s in range(3)
    ]
    together, _ = terms_of(method, data)
    mean = torch.stack([terms["parts"] for terms, _ in each]).mean()
    torch.testing.assert_close(together["parts"], mean)
    method.agreement_from = 5
    early, _ = terms_of(method, data)
    log_p = data["logits_p"].log_softmax(1)
    own = log_p.gather(1, data["targets"][:, None, None].expand(-1, 1, 3))[:, 0]
    torch.testing.assert_close(early["parts"], -(0.9 * own + 0.1 * log_p.mean(1)).mean())


def test_golden_contrast_across_cameras(data):
    method = build(
        parts=1, camera_weight=0.5, hardest=int(data["num_hards"]), temperature=float(data["temp"])
    )
    for memory in method.proxies:
        memory.reset(data["proxies"])
        memory.labels, memory.cameras = data["proxy_pid"], data["proxy_cid"]
    one = data | {"logits_p": data["logits_p"][..., :1], "ca": data["ca"][:, :1]}
    terms, leaves = terms_of(method, one, whole=data["x"].clone(), parts=data["x"][:, None].clone())
    terms["camera"].backward()
    expected = data["intercam_loss"].item()  # twice: of the whole and of its only part
    assert terms["camera"].item() == pytest.approx(2 * 0.5 * expected, abs=1e-5)
    for name in ("whole", "parts"):
        gradient = leaves[name].grad.view(-1, D) / 0.5
        np.testing.assert_allclose(gradient, data["intercam_grad"], atol=1e-5, rtol=1e-4)


def test_agreement_is_that_of_sets_of_neighbours():
    rows = functional.normalize(torch.randn(30, 4, generator=torch.Generator().manual_seed(0)))
    part = functional.normalize(rows + 0.5 * rows.roll(1, 0), dim=1)
    scores = cross_agreement(rows, torch.stack([part, rows], dim=1), k=7)
    for i in range(30):
        own, other = (
            set((x @ x[i]).index_fill(0, torch.tensor(i), -9).topk(7).indices.tolist())
            for x in (rows, part)
        )
        assert scores[i, 0] == pytest.approx(len(own & other) / len(own | other))
    assert scores[:, 1].eq(1).all()
    assert 0.1 < scores[:, 0].mean() < 0.9
    assert cross_agreement(rows[:5], rows[:5, None], k=20).eq(1).all()  # lists of all 4 others


def test_triplet_is_the_slow_loop():
    rows = torch.randn(9, 5, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(9) % 3
    expected = []
    for i in range(9):
        far = max(float((rows[i] - rows[j]).norm()) for j in range(9) if labels[j] == labels[i])
        near = min(float((rows[i] - rows[j]).norm()) for j in range(9) if labels[j] != labels[i])
        expected.append(np.log1p(np.exp(far - near)))
    loss = soft_triplet(rows, rows, labels[:, None] == labels)
    assert loss.item() == pytest.approx(np.mean(expected), abs=1e-5)


def test_refresh_sets_classifiers_and_proxies():
    method = build(camera_weight=0.5, max_clusters=3)
    rows = functional.normalize(torch.randn(6, D), dim=1)
    parts = functional.normalize(torch.randn(6, 3, D), dim=2)
    cameras = torch.tensor([0, 0, 1, 1, 1, 0])
    bank = FeatureBank({"global": rows, "parts": parts}, cameras)
    method.refresh(PseudoLabels(torch.tensor([0, 0, 0, 1, -1, 1])), bank)
    for classifier, memory, x in zip(
        method.classifiers, method.proxies, [rows, *parts.unbind(1)], strict=True
    ):
        means = torch.stack([x[:3].mean(0), x[[3, 5]].mean(0)])
        torch.testing.assert_close(classifier.weight[:2], functional.normalize(means, dim=1))
        assert classifier.weight[2].eq(0).all()
        assert list(zip(memory.cameras.tolist(), memory.labels.tolist(), strict=True)) == [
            (0, 0), (0, 1), (1, 0), (1, 1)
        ]  # fmt: skip
        torch.testing.assert_close(memory.rows[1], x[5])
    with pytest.raises(UserError, match=r"--method.max_clusters 3: 4 clusters were found; raise"):
        method.refresh(PseudoLabels(torch.arange(6).clamp(max=3)), bank)


def test_version_with_cameras_trains_and_needs_them(tmp_path):
    _, trainer = fit(PPLR, tmp_path, 1, method_camera_weight=0.5, data_batches=2)
    assert trainer.callback_metrics["loss/camera"] > 0
    assert 0 < trainer.callback_metrics["cluster/mean_agreement"] < 1
    data = tiny_data(batches=1)
    data.setup()
    data.cameras = torch.full_like(data.cameras, -1)
    with pytest.raises(UserError, match=r"--method PPLR needs camera ids, but the data has 0"):
        tiny_trainer(tmp_path, 1).fit(tiny_method(PPLR, camera_weight=0.5), datamodule=data)
    tiny_trainer(tmp_path, 1).fit(tiny_method(PPLR), datamodule=data)
