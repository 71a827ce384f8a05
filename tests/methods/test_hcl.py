"""No code exists to compare with: what the reconstruction promises is tested instead."""

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from reidzoo.clustering import JaccardDBSCAN
from reidzoo.methods.hcl import HCL
from reidzoo.methods.mgce_hcl import MGCEHCL
from reidzoo.methods.state import FeatureBank

CLUSTERER = JaccardDBSCAN(k1=8, k2=2, eps=0.55, min_samples=2)


@pytest.fixture
def bank():
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(6, 32, generator=generator).repeat(6, 1)
    noisy = centres + 0.8 * torch.randn(36, 32, generator=generator)
    noisy[30:] = torch.randn(6, 32, generator=generator)
    return FeatureBank({"global": F.normalize(noisy, dim=1)}, torch.arange(36) % 3)


@pytest.fixture
def prepared(network_of_32, bank):
    def prepare(kind=HCL, labels=None, **options):
        method = kind(network=network_of_32, clusterer=CLUSTERER, **options)
        method.labels = method.pseudo_label(bank, None, 0)
        method.refresh(method.labels, bank)
        return method

    return prepare


def batch_of(method):
    index = (method.labels.labels >= 0).nonzero()[:, 0]
    return {"index": index, "label": method.labels.labels[index]}


def loss_of(method, x):
    return method.compute_loss({"global": x}, batch_of(method))


@pytest.mark.parametrize("negatives", ["clusters", "instances"])
def test_is_the_equation(prepared, bank, negatives):
    method = prepared(MGCEHCL, negatives=negatives, cluster_weight=0.5)
    labels, batch = method.labels.labels, batch_of(method)
    assert (labels < 0).any()
    votes = method.clusterings(bank["global"], bank.cameras)
    rows = bank["global"].double()
    x = F.normalize(rows[batch["index"]] + 0.1, dim=1)
    centres = torch.stack(
        [F.normalize(rows[labels == k].mean(0), dim=0) for k in range(method.labels.num_clusters)]
    )
    losses, cluster = [], []
    for f, i, y in zip(x, batch["index"], batch["label"], strict=True):
        e = (centres @ f / 0.05).exp()
        cluster.append(-(e[y] / e.sum()).log())
        if negatives == "clusters":
            repulsion = e.sum() - e[y] + (rows[labels < 0] @ f / 0.05).exp().sum()
        else:
            repulsion = (rows[labels != y] @ f / 0.05).exp().sum()
        terms, weights = [], []
        for j in range(36):
            if j != i and labels[j] == y:
                own = (rows[j] @ f / 0.05).exp()
                terms.append(-(own / (own + repulsion)).log())
                same = (votes[:, j] == votes[:, i]) & (votes[:, j] >= 0)
                weights.append(same.float().mean())
        if terms:
            losses.append((torch.stack(terms) * torch.stack(weights)).sum() / sum(weights))
    terms = loss_of(method, x.float())
    expected = {"pairs": torch.stack(losses).mean(), "cluster": 0.5 * torch.stack(cluster).mean()}
    assert_close(terms, {name: value.float() for name, value in expected.items()})


def test_one_granularity_is_hcl(prepared, bank):
    x = F.normalize(bank["global"][: len(batch_of(prepared())["index"])] + 0.1, dim=1)
    expected = loss_of(prepared(), x)
    for offsets in ((0.0,), (0.0, 0.0, 0.0)):
        method = prepared(MGCEHCL, offsets=offsets)
        assert_close(loss_of(method, x), expected)
        assert method.labels.tables["doubtful_pairs"] == 0


def test_several_granularities_doubt_some_pairs(prepared):
    method = prepared(MGCEHCL, offsets=(0.0, -0.2, -0.1, 0.1))
    weights = method.labels.tables["weights"]
    pairs = weights[weights > 0]
    assert 0 < method.labels.tables["doubtful_pairs"] < 1
    assert method.labels.tables["doubtful_pairs"] == (pairs < 1).float().mean()
    assert set((4 * pairs).tolist()) <= {1, 2, 3, 4}


def test_refuses_a_clusterer_of_one_granularity(network_of_32):
    with pytest.raises(ValueError, match="no radius to vary"):
        MGCEHCL(network=network_of_32, clusterer=lambda features, cameras=None: features)
