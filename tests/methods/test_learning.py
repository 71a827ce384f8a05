"""Every method learns the tiny setting from random weights; a new one is found by its file."""

import pytest

from reidzoo.callbacks import ClusterCallback, EvaluationCallback
from reidzoo.cli.names import methods
from tests.tiny import fit

GAIN = 0.12  # mAP over the untrained network; measured with 500 steps: 0.29 and more
OWN = {
    # Its network of the last epoch has seen one camera for two epochs: its labels are what counts.
    "calr_intra": ({"method_epochs_per_camera": 2}, 0.03),
    "selective_contrastive": ({"method_startup_epochs": 2}, GAIN),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(methods()))
def test_learns_the_tiny_setting(name, tmp_path):
    options, gain = OWN.get(name, ({}, GAIN))
    evaluation = EvaluationCallback(every=0)
    callbacks = [ClusterCallback(), evaluation]
    kind = methods()[name].load()
    fit(kind, tmp_path, 8, trainer_callbacks=callbacks, data_batches=40, **options)
    untrained, last = (scores["mAP"] for scores in evaluation.history)
    assert last > untrained + gain
