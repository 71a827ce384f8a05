import logging
from typing import Any

import pytest
import torch

from reidzoo.callbacks import ClusterCallback
from reidzoo.errors import UserError
from reidzoo.methods.cluster_contrast import ClusterContrast
from reidzoo.methods.hcl import HCL
from reidzoo.methods.instance import Instance
from reidzoo.methods.selective_contrastive import SelectiveContrastive
from reidzoo.methods.spcl import SpCL
from tests.tiny import TrueIdentities, fit, same_state, tiny_data


class Watched(ClusterContrast):
    """Writes down which refreshes happened and which images were drawn."""

    def __init__(self, **base: Any) -> None:
        super().__init__(**base)
        self.refreshed: list[int] = []
        self.drawn: list[tuple[int, int, torch.Tensor]] = []
        self.banks: list[torch.Tensor] = []
        self.modes: list[bool] = []

    def refresh(self, labels, bank):
        super().refresh(labels, bank)
        self.refreshed.append(labels.version)
        self.banks.append(bank["global"])

    def compute_loss(self, out, batch):
        self.modes.append(all(part.training for part in self.network.modules()))
        self.drawn.append((self.current_epoch, self.labels.version, batch["label"].clone()))
        return super().compute_loss(out, batch)


class Outliers:
    """Finds clusters for a while, then only outliers."""

    def __init__(self, good: TrueIdentities, calls: int) -> None:
        self.good, self.calls = good, calls

    def __call__(self, features, cameras=None):
        self.calls -= 1
        labels = self.good(features)
        return labels if self.calls >= 0 else torch.full_like(labels, -1)


@pytest.fixture(scope="module")
def truth():
    data = tiny_data()
    data.setup()
    return TrueIdentities(data.identities)


def test_epoch_0_trains_on_fresh_labels_with_workers(tmp_path):
    method, _ = fit(Watched, tmp_path, 2, data_workers=2)
    assert method.refreshed == [0, 1]
    for epoch, version, labels in method.drawn:
        assert version == epoch
        assert (labels >= 0).all()
        assert len(labels.unique()) > 1


def test_labels_are_renewed_every_so_many_epochs(tmp_path):
    callbacks = [ClusterCallback(every=2)]
    method, _ = fit(Watched, tmp_path, 4, trainer_callbacks=callbacks)
    assert [version for _, version, _ in method.drawn[::10]] == [0, 0, 1, 1]


def test_resumes_between_two_refreshes(tmp_path):
    def run(**options):
        return fit(Watched, tmp_path, 4, trainer_callbacks=[ClusterCallback(every=3)], **options)

    whole, _ = run()
    _, trainer = run(stop_after=2)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    resumed, _ = run(resume=tmp_path / "half.ckpt")
    assert resumed.refreshed == [1]
    assert same_state(whole, resumed)


def test_workers_make_no_difference(tmp_path):
    alone, _ = fit(Watched, tmp_path, 2, data_workers=0)
    helped, _ = fit(Watched, tmp_path, 2, data_workers=2)
    assert same_state(alone, helped)


def test_features_come_in_index_order_and_training_mode_is_restored(tmp_path):
    method, trainer = fit(Watched, tmp_path, 1)
    assert all(method.modes)
    torch.manual_seed(0)
    fresh, data = method.banks[0], trainer.datamodule
    assert fresh.shape == (len(data.splits.train), method.num_features)
    torch.testing.assert_close(fresh.norm(dim=1), torch.ones(len(fresh)))
    late, _ = fit(Watched, tmp_path, 1, data_test_batch_size=7)
    torch.testing.assert_close(late.banks[0], fresh, atol=1e-5, rtol=0)


def test_without_clusters_the_previous_labels_stay(tmp_path, truth, caplog):
    with caplog.at_level(logging.WARNING):
        method, trainer = fit(Watched, tmp_path, 3, method_clusterer=Outliers(truth, calls=1))
    assert method.refreshed == [0]
    assert {version for _, version, _ in method.drawn} == {0}
    images = len(truth.identities)
    assert f"0 clusters and {images} outliers in {images} images" in caplog.text
    assert trainer.current_epoch == 3


def test_without_clusters_at_first_says_what_to_change(tmp_path, truth):
    with pytest.raises(UserError, match=r"--method.clusterer.*0 clusters.*raise eps") as error:
        fit(Watched, tmp_path, 1, method_clusterer=Outliers(truth, calls=0))
    assert "\n" not in str(error.value)


def test_a_method_that_needs_cameras_is_refused_without(tmp_path):
    class Needy(ClusterContrast):
        needs = frozenset({"cameras"})

    class NoCameras(type(tiny_data())):
        def setup(self, stage=None):
            super().setup(stage)
            self.cameras = torch.full_like(self.cameras, -1)

    import pytorch_lightning as pl

    from tests.tiny import tiny_method, tiny_trainer

    pl.seed_everything(0, verbose=False)
    data = NoCameras(preset="tiny", height=48, width=24, batch_size=32, num_instances=4, workers=0)
    with pytest.raises(UserError, match=r"--method Needy needs camera ids"):
        tiny_trainer(tmp_path, 1).fit(tiny_method(Needy), datamodule=data)


def test_reports_what_the_labels_look_like(tmp_path, truth):
    _, trainer = fit(Watched, tmp_path, 2, method_clusterer=truth)
    figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
    assert figures["cluster/count"] == 32
    assert figures["cluster/ari"] == 1
    assert figures["cluster/stability"] == 1
    assert figures["cluster/outlier_share"] == 0
    assert 0 <= figures["cluster/neighbour_q05"] <= figures["cluster/neighbour_q95"] <= 2
    assert figures["cluster/split_errors"] == figures["cluster/merge_errors"] == 0
    assert figures["cluster/lost_identities"] == 0
    assert 0 < figures["cluster/other_camera_share"] < 1
    assert 0 <= figures["cluster/camera_nmi"] < 1
    assert 0 < figures["cluster/camera_gap"] < 2
    assert -1 <= figures["cluster/silhouette"] <= 1
    assert figures["time/extract"] > 0


def test_an_oracle_trains_on_the_identities(tmp_path):
    method, _ = fit(Watched, tmp_path, 2, trainer_callbacks=[ClusterCallback(oracle=True)])
    identities = tiny_data()
    identities.setup()
    expected = identities.identities.unique(return_inverse=True)[1]
    assert torch.equal(method.labels.labels, expected)
    assert method.refreshed == [0, 1]


@pytest.mark.parametrize("kind", [HCL, SpCL])
def test_an_oracle_serves_methods_that_label_in_their_own_way(kind, tmp_path):
    method, trainer = fit(kind, tmp_path, 1, trainer_callbacks=[ClusterCallback(oracle=True)])
    identities = trainer.datamodule.identities
    assert torch.equal(method.labels.labels, identities.unique(return_inverse=True)[1])


@pytest.mark.parametrize("kind", [SelectiveContrastive, Instance])
def test_an_oracle_refuses_methods_with_labels_of_their_own(kind, tmp_path):
    with pytest.raises(UserError, match=f"--cluster.oracle true: {kind.__name__} makes labels"):
        fit(kind, tmp_path, 1, trainer_callbacks=[ClusterCallback(oracle=True)])


def test_a_clusterer_may_begin_with_other_settings(tmp_path, truth):
    asked = []

    class Warming:
        def at(self, epoch):
            asked.append(epoch)
            return truth

    fit(Watched, tmp_path, 3, method_clusterer=Warming())
    assert sorted(set(asked)) == [0, 1, 2]


def test_cluster_every_must_be_positive():
    with pytest.raises(UserError, match=r"--cluster.every 0: must be 1 or more"):
        ClusterCallback(every=0)
