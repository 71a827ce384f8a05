"""Every fault of the numbers is injected once, noticed, named, and never trained on."""

import logging
from dataclasses import replace

import pytest
import torch

from reidzoo.callbacks import ClusterCallback, Guard
from reidzoo.cli.names import methods
from reidzoo.data.sets.synthetic import Synthetic
from reidzoo.errors import UserError
from reidzoo.methods.cluster_contrast import ClusterContrast
from reidzoo.methods.hhcl import HHCL
from tests.tiny import TrueIdentities, fit, same_state, tiny_data

BATCHES = 3
BAD = {"nan": torch.nan, "infinite": torch.inf}


class Faulty(ClusterContrast):
    """Goes wrong in chosen steps (from 0, over all epochs)."""

    bad_steps: tuple[int, ...] = (4,)
    value = torch.nan

    def __init__(self, **base):
        super().__init__(**base)
        self.updates = 0

    def compute_loss(self, out, batch):
        terms = super().compute_loss(out, batch)
        if self.current_epoch * BATCHES + self.trainer.fit_loop.batch_idx in self.bad_steps:
            terms["cluster"] = self.spoil(terms["cluster"], out)
        return terms

    def spoil(self, loss, out):
        return loss * self.value

    def update(self, out, batch):
        super().update(out, batch)
        self.updates += 1


class BadGradient(Faulty):
    """The loss is finite, its gradient is not: the root of zero."""

    def spoil(self, loss, out):
        return loss + (0 * out["global"].sum()).abs().sqrt()


class BadStatistics(Faulty):
    """What the batch norms have seen is broken, and so is the loss."""

    def forward_batch(self, batch):
        if self.current_epoch * BATCHES + self.trainer.fit_loop.batch_idx in self.bad_steps:
            return self.embed(batch["image"].float() * torch.nan)
        return super().forward_batch(batch)


def train(kind, folder, epochs=2, guard=None, cluster=None, **options):
    callbacks = [guard or Guard(), cluster or ClusterCallback()]
    options = {"data_batches": BATCHES, "trainer_callbacks": callbacks} | options
    return fit(kind, folder, epochs, **options)


@pytest.mark.parametrize("value", BAD)
def test_a_bad_loss_ends_the_run(tmp_path, value):
    class Wrong(Faulty):
        pass

    Wrong.value = BAD[value]
    with pytest.raises(UserError, match=r"^the loss became infinite or NaN in epoch 2; lower .*lr"):
        train(Wrong, tmp_path)


def test_a_long_epoch_does_not_wait_for_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr("reidzoo.callbacks.guard.LOOK_EVERY", 2)

    class Wrong(Faulty):
        bad_steps = (1,)
        seen: list[int] = []  # noqa: RUF012  the test reads it

        def compute_loss(self, out, batch):
            self.seen.append(self.trainer.fit_loop.batch_idx)
            return super().compute_loss(out, batch)

    with pytest.raises(UserError, match="the loss became"):
        train(Wrong, tmp_path)
    assert Wrong.seen == [0, 1]


def test_a_bad_gradient_of_the_last_step_reaches_no_checkpoint(tmp_path):
    class Wrong(BadGradient):
        bad_steps = (BATCHES - 1,)

    with pytest.raises(UserError, match=r"^\S+ holds \d+ numbers that are not finite, at the end"):
        train(Wrong, tmp_path)


@pytest.mark.parametrize("kind", [Faulty, BadGradient, BadStatistics])
def test_a_bad_step_is_left_out_as_if_it_had_not_been(tmp_path, kind, caplog):
    """The last step of the run: without it the run would have ended there."""

    class Wrong(kind):
        bad_steps = (2 * BATCHES - 1,)

    class Right(kind):
        bad_steps = ()

        def on_train_batch_start(self, batch, batch_idx):
            skipped = self.current_epoch == 1 and batch_idx == BATCHES - 1
            return -1 if skipped else None

    with caplog.at_level(logging.WARNING):
        found, trainer = train(Wrong, tmp_path, guard=Guard(steps="skip"))
    expected, _ = train(Right, tmp_path)
    assert same_state(found, expected)
    assert found.updates == 2 * BATCHES - 1
    assert caplog.text.count("step 3 of epoch 2 is left out") == 1
    assert trainer.callback_metrics["guard/skipped"] == 1
    assert torch.isfinite(trainer.callback_metrics["loss"])


def test_sound_steps_are_untouched_by_skipping(tmp_path):
    class Right(Faulty):
        bad_steps = ()

    assert same_state(
        train(Right, tmp_path, guard=Guard(steps="skip"))[0], train(Right, tmp_path)[0]
    )


def test_skipping_for_ever_is_no_training(tmp_path):
    class Wrong(Faulty):
        bad_steps = (0, 2, 3, 4)

    with pytest.raises(UserError, match=r"^--guard.patience 3: .* up to step 2 of epoch 2"):
        train(Wrong, tmp_path, guard=Guard(steps="skip", patience=3))


class Collapsing:
    """True identities in the first `sound` calls, then what `answer` makes of them."""

    def __init__(self, identities, answer, sound=1):
        self.truth, self.answer, self.sound = TrueIdentities(identities), answer, sound
        self.calls = 0

    def __call__(self, features, cameras=None):
        self.calls += 1
        labels = self.truth(features, cameras)
        return labels if self.calls <= self.sound else self.answer(labels)


COLLAPSES = {
    "one cluster": (torch.zeros_like, "1 clusters and 0 outliers"),
    "no cluster but outliers": (lambda labels: labels * 0 - 1, "0 clusters and"),
    "one cluster and outliers": (lambda labels: labels.clamp(max=1) - 1, "1 clusters and"),
}


@pytest.fixture(scope="module")
def identities():
    data = tiny_data()
    data.setup()
    return data.identities


@pytest.mark.parametrize("name", COLLAPSES)
def test_a_collapse_that_lasts_ends_the_run(tmp_path, identities, name, caplog):
    answer, said = COLLAPSES[name]
    clusterer = Collapsing(identities, answer)
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(UserError, match=rf"^--cluster.patience 2: .*{said}.*raise eps"),
    ):
        train(
            ClusterContrast,
            tmp_path,
            4,
            cluster=ClusterCallback(patience=2),
            method_clusterer=clusterer,
        )
    assert clusterer.calls == 3
    assert caplog.text.count("The previous labels stay, since --method.clusterer") == 1


def test_a_collapse_ends_the_run_at_once_if_asked(tmp_path, identities):
    clusterer = Collapsing(identities, torch.zeros_like)
    with pytest.raises(UserError, match=r"^--cluster.unusable stop: .*1 clusters"):
        train(
            ClusterContrast,
            tmp_path,
            cluster=ClusterCallback(unusable="stop"),
            method_clusterer=clusterer,
        )


def test_patience_goes_on_counting_after_a_resume(tmp_path, identities):
    def run(sound, **options):
        clusterer = Collapsing(identities, torch.zeros_like, sound)
        cluster = ClusterCallback(patience=2)
        return train(
            ClusterContrast,
            tmp_path,
            3,
            cluster=cluster,
            method_clusterer=clusterer,
            **options,
        )

    _, trainer = run(sound=1, stop_after=2)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    with pytest.raises(UserError, match=r"^--cluster.patience 2"):
        run(sound=0, resume=tmp_path / "half.ckpt")


class BrokenFeatures(ClusterContrast):
    """Two images have no features from some epoch on."""

    first = 1

    def embed(self, image):
        out = super().embed(image)
        if not self.network.training and self.refresh_epoch >= self.first:
            out["global"][:2] = torch.nan
        return out


def test_features_that_are_not_finite_are_never_clustered(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        method, _ = train(BrokenFeatures, tmp_path, 2)
    assert 'rows of the features "global" are not finite' in caplog.text
    assert method.labels.version == 0
    with pytest.raises(UserError, match=r'^--cluster.unusable stop: .*features "global"'):
        train(BrokenFeatures, tmp_path, 2, cluster=ClusterCallback(unusable="stop"))

    class AtOnce(BrokenFeatures):
        first = 0

    with pytest.raises(UserError, match=r'^\d+ of \d+ rows of the features "global"'):
        train(AtOnce, tmp_path, 2)


@pytest.mark.parametrize("kind", [ClusterContrast, HHCL])
def test_a_memory_with_rows_of_zeros_is_refused(tmp_path, identities, kind):
    """A clusterer that leaves a number out makes a cluster without images."""
    gap = Collapsing(identities, lambda labels: labels + (labels > 2), sound=0)
    with pytest.raises(UserError, match=r"^after the refresh of epoch 1, memory \S+ has 1 rows of"):
        train(kind, tmp_path, method_clusterer=gap)


class Hole(Synthetic):
    """Tiny people whom camera 1 has never seen."""

    def read(self):
        splits = super().read()
        return replace(splits, train=tuple(r for r in splits.train if r.camera != 1))


@pytest.mark.parametrize("name", [n for n, e in methods().items() if e.load().needs])
def test_a_camera_without_images_is_named_and_passed_by(tmp_path, monkeypatch, name, caplog):
    monkeypatch.setattr("tests.tiny.Synthetic", Hole)
    with caplog.at_level(logging.WARNING):
        _, trainer = train(methods()[name].load(), tmp_path, 1)
    assert "cameras 1 (counted from 0) have no training images" in caplog.text
    assert torch.isfinite(trainer.callback_metrics["loss"])


@pytest.mark.parametrize(("option", "value"), [("patience", 0), ("patience", -1)])
def test_options_are_checked(option, value):
    for kind, section in ((Guard, "guard"), (ClusterCallback, "cluster")):
        with pytest.raises(UserError, match=rf"^--{section}.{option} {value}: must be 1 or more"):
            kind(**{option: value})
