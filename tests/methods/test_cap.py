import numpy as np
import pytest
import torch
from torch.nn import functional

from reidzoo.distributed import sum_of_means
from reidzoo.errors import UserError
from reidzoo.losses import proxy_contrast
from reidzoo.methods.cap import CAP
from reidzoo.methods.state import FeatureBank, PseudoLabels
from tests.tiny import fit


@pytest.fixture
def data(golden):
    return {name: torch.from_numpy(np.asarray(value)) for name, value in golden("cap").items()}


def build(data, network, **options):
    """CAP after a refresh from the features and labels of the golden file."""
    method = CAP(
        network=network,
        momentum=float(data["alpha"]),
        temperature=float(data["beta"]),
        hardest=int(data["bg_knn"]),
        **options,
    )
    bank = FeatureBank({"global": data["dataset_features"]}, data["all_img_cams"])
    method.refresh(PseudoLabels(data["all_pseudo_label"]), bank)
    return method


def batch_of(data):
    labels = data["all_pseudo_label"][data["batch_index"]]
    return {"label": labels, "camera": data["batch_cams"]}


def test_golden_proxies(data, network_of_32):
    proxies = build(data, network_of_32).proxies
    assert torch.equal(proxies.labels, data["proxy_label"])
    assert torch.equal(proxies.cameras, data["proxy_cam"])
    np.testing.assert_allclose(proxies.rows, data["proxies"], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("inter_from", "key"), [(5, "intra"), (0, "joint")])
def test_golden_loss_gradient_and_memory(data, network_of_32, inter_from, key):
    method = build(data, network_of_32, inter_from=inter_from)
    method.proxies.reset(data["proxies"])
    x = data["batch_features"].requires_grad_()
    loss = torch.stack(list(method.compute_loss({"global": x}, batch_of(data)).values())).sum()
    loss.backward()
    method.update({"global": x.detach()}, batch_of(data))
    assert loss.item() == pytest.approx(data[f"{key}_loss"].item(), abs=1e-5)
    np.testing.assert_allclose(x.grad, data[f"{key}_grad"], atol=1e-5, rtol=1e-4)
    np.testing.assert_allclose(method.proxies.rows, data[f"{key}_proxies_after"], atol=1e-5, rtol=0)


def slow_inter(features, rows, mine, others_first, hardest):
    """The loss across cameras of one image, word for word: positives, then the hardest others."""
    logits = rows @ features / 0.07
    ranked = [int(q) for q in others_first(logits)][:hardest]
    met = torch.cat([logits[mine], logits[ranked]])
    return -(logits[mine] - met.logsumexp(0)).mean()


@pytest.mark.parametrize("hardest", [3, 8, 50])
def test_few_other_proxies_let_the_own_ones_in_again(hardest):
    """Of 9 proxies 3 are positive: 3 others, 6 others and 2 own, 6 others and all 3 own."""
    rng = torch.Generator().manual_seed(hardest)
    rows = functional.normalize(torch.randn(9, 6, generator=rng), dim=1)
    x = functional.normalize(torch.randn(5, 6, generator=rng), dim=1)
    labels = torch.arange(9) % 3
    same = (torch.arange(5) % 3)[:, None] == labels
    losses = proxy_contrast(x @ rows.T / 0.07, same, same, hardest)
    for i, loss in enumerate(losses):

        def others_first(logits, own=same[i]):
            return sorted(range(9), key=lambda q: (bool(own[q]), -float(logits[q])))

        expected = slow_inter(x[i], rows, same[i].nonzero()[:, 0], others_first, hardest)
        torch.testing.assert_close(loss, expected)


def test_cameras_count_alike_however_many_images_they_have():
    values, cameras = torch.rand(9), torch.tensor([0, 0, 0, 0, 0, 2, 2, 4, -1])
    expected = sum(values[cameras == camera].mean() for camera in cameras.unique())
    torch.testing.assert_close(sum_of_means(values, cameras), expected)


def test_loss_across_cameras_starts_in_its_epoch(tmp_path):
    seen = []

    class Watched(CAP):
        def compute_loss(self, out, batch):
            terms = super().compute_loss(out, batch)
            seen.append((self.current_epoch, float(terms["inter"].detach())))
            return terms

    fit(Watched, tmp_path, 3, method_inter_from=2, data_batches=2)
    assert [(epoch, loss > 0) for epoch, loss in seen] == [
        (epoch, epoch == 2) for epoch in (0, 0, 1, 1, 2, 2)
    ]


def test_a_batch_holds_images_of_one_camera_and_cluster_in_blocks(tmp_path):
    blocks = []

    class Watched(CAP):
        def compute_loss(self, out, batch):
            proxies = self.proxies.find(batch["label"], batch["camera"])
            blocks.append(proxies.view(-1, 4))
            return super().compute_loss(out, batch)

    fit(Watched, tmp_path, 1)
    rows = torch.cat(blocks)
    assert (rows == rows[:, :1]).all()
    assert len(rows.unique()) > 8


def test_data_without_cameras_are_refused(tmp_path):
    from tests.tiny import tiny_data, tiny_method, tiny_trainer

    data = tiny_data()
    data.setup()
    data.cameras = torch.full_like(data.cameras, -1)
    with pytest.raises(UserError, match=r"--method CAP needs camera ids, but the data has 0 known"):
        tiny_trainer(tmp_path, 1).fit(tiny_method(CAP), datamodule=data)
