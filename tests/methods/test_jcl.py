"""No code exists to compare with: what the reconstruction promises is tested instead."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from reidzoo.clustering import MinCameras
from reidzoo.methods.jcl import JCL
from reidzoo.methods.state import FeatureBank
from reidzoo.models.waveblock import WaveBlock
from tests.tiny import fit

#                  one camera  two cameras     outlier  two cameras
FOUND = torch.tensor([0, 0, 0, 1, 1, 1, -1, 2, 2])
CAMERAS = torch.tensor([1, 1, 1, 0, 1, 1, 0, 2, 0])


@pytest.fixture
def bank():
    rows = torch.randn(9, 32, generator=torch.Generator().manual_seed(0))
    return FeatureBank({"global": F.normalize(rows, dim=1)}, CAMERAS)


@pytest.fixture
def prepared(network_of_32, bank):
    def prepare(**options):
        options = {"filters": [MinCameras(2)]} | options
        clusterer = lambda features, cameras=None: FOUND  # noqa: E731
        method = JCL(network=network_of_32, clusterer=clusterer, **options)
        method.labels = method.pseudo_label(bank, None, 0)
        method.refresh(method.labels, bank)
        return method

    return prepare


def test_clusters_of_one_camera_are_dissolved(prepared):
    method = prepared()
    assert method.labels.labels.tolist() == [-1, -1, -1, 0, 0, 0, -1, 1, 1]
    assert method.labels.tables["filtered_images"] == 3
    assert len(method.clusters) == 2
    assert len(method.instances) == 9


def test_the_default_filter_spares_the_few_clusters_of_an_early_epoch(prepared, bank):
    method = prepared(filters=JCL.__init__.__kwdefaults__["filters"])
    assert torch.equal(method.labels.labels, FOUND)
    one_camera = FeatureBank(bank.features, torch.zeros(9).long())
    assert torch.equal(prepared().pseudo_label(one_camera, None, 0).labels, FOUND)


@pytest.mark.parametrize("outliers_from", [0, 5])
def test_is_the_equation(prepared, bank, outliers_from):
    method = prepared(outliers_from=outliers_from, hardest=4)
    rows, labels = bank["global"], method.labels.labels
    index = torch.tensor([3, 4, 7])
    x, y = F.normalize(rows[index] + 0.1, dim=1), labels[index]
    expected = []
    for f, i, k in zip(x, index, y, strict=True):
        e = rows @ f / 0.05
        near = min(e[j] for j in range(9) if labels[j] == k and j != i).exp()
        allowed = labels >= 0 if outliers_from else torch.ones(9).bool()
        far = e[(labels != k) & allowed].sort(descending=True).values[:4].exp().sum()
        expected.append(-(near / (near + far)).log())
    terms = method.compute_loss({"global": x}, {"index": index, "label": y})
    torch.testing.assert_close(terms["instance"], 0.5 * torch.stack(expected).mean())
    cluster = F.cross_entropy(x @ method.clusters.rows.T / 0.05, y)
    torch.testing.assert_close(terms["cluster"], cluster)


def test_waves_set_in_later(network_of_32, tmp_path):
    waving = []

    class Watched(JCL):
        def forward_batch(self, batch):
            blocks = [m for m in self.network.modules() if isinstance(m, WaveBlock)]
            waving.append([block.active for block in blocks])
            return super().forward_batch(batch)

    network = replace(network_of_32, waveblock=True, attention="nonlocal")
    fit(Watched, tmp_path, 2, method_network=network, method_wave_from=1, data_batches=1)
    assert waving == [[False, False], [True, True]]
