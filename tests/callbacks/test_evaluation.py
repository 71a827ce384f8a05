import json
from dataclasses import replace

import pytorch_lightning as pl
import torch

from reidzoo.callbacks import ClusterCallback, EvaluationCallback
from reidzoo.data.records import Record, Splits
from reidzoo.data.sets.synthetic import Synthetic
from reidzoo.gallery.answers import first_answers
from reidzoo.gallery.scoring import score_splits
from reidzoo.methods.cluster_contrast import ClusterContrast
from tests.tiny import fit, tiny_method, tiny_trainer


class TwoPeople:
    """Just enough of a data module: splits."""

    splits = Splits(
        train=(),
        query=(Record("q", 1, 0),),
        gallery=(Record("a", 1, 0), Record("b", 2, 1), Record("c", 1, 1)),
    )


def test_answers_leave_out_the_query_camera_of_the_same_person():
    query = torch.tensor([[1.0, 0.0]])
    gallery = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]])
    answers = first_answers(query, gallery, TwoPeople.splits, torch.tensor([0]), top=2)
    assert answers.gallery.tolist() == [[1, 2]]
    torch.testing.assert_close(answers.distances, torch.tensor([[0.2, 0.4]]))
    assert score_splits(query, gallery, TwoPeople.splits)["mAP"] == 0.5


def test_evaluates_when_due_and_at_the_end(tmp_path):
    evaluation = EvaluationCallback(every=2)
    fit(ClusterContrast, tmp_path, 3, trainer_callbacks=[ClusterCallback(), evaluation])
    assert [scores["epoch"] for scores in evaluation.history] == [0, 2, 3]


def test_a_threshold_reaches_the_checkpoint_with_and_without_identities(tmp_path):
    class Unlabelled(Synthetic):
        def setup(self, stage=None):
            super().setup(stage)
            self.splits = replace(self.splits, query=(), gallery=())

    options = {"preset": "tiny", "height": 48, "width": 24, "batch_size": 32, "num_instances": 4}
    for data in (Synthetic, Unlabelled):
        pl.seed_everything(0, verbose=False)
        method, trainer = tiny_method(ClusterContrast), tiny_trainer(tmp_path, 1)
        trainer.fit(method, datamodule=data(**options, batches=5, workers=0))
        trainer.save_checkpoint(tmp_path / "one.ckpt")
        saved = torch.load(tmp_path / "one.ckpt", weights_only=True)["reidzoo"]
        assert 0 < json.loads(saved)["threshold"] < 1


def test_resumed_history_is_that_of_the_whole_run(tmp_path):
    def run(**options):
        evaluation = EvaluationCallback(every=1)
        callbacks = [ClusterCallback(), evaluation]
        _, trainer = fit(ClusterContrast, tmp_path, 3, trainer_callbacks=callbacks, **options)
        return evaluation.history, trainer

    whole, _ = run()
    _, trainer = run(stop_after=1)
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    resumed, _ = run(resume=tmp_path / "one.ckpt")
    assert [scores["epoch"] for scores in resumed] == [0, 1, 2, 3]
    assert resumed[0] == whole[0]
    assert resumed[2:] == whole[2:]
