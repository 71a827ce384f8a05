import pytest
from lightning_fabric.plugins.environments import SLURMEnvironment, TorchElasticEnvironment

from reidzoo.cli.processes import without_requeueing
from reidzoo.cli.runs import process_rank

LAUNCHERS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "NODE_RANK")


@pytest.fixture
def slurm(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_NAME", "hhcl")
    monkeypatch.setenv("SLURM_NTASKS", "8")
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "4")


def test_slurm_jobs_are_requeued_by_their_script(slurm):
    (environment,) = without_requeueing([])
    assert isinstance(environment, SLURMEnvironment)
    assert not environment.auto_requeue


def test_an_environment_of_ones_own_stays(slurm):
    own = TorchElasticEnvironment()
    assert without_requeueing([own]) == [own]


def test_elsewhere_lightning_chooses(monkeypatch):
    monkeypatch.delenv("SLURM_NTASKS", raising=False)
    assert without_requeueing([]) == []


@pytest.mark.parametrize(
    ("variables", "rank"),
    [
        ({}, 0),
        ({"RANK": "5", "LOCAL_RANK": "1"}, 5),  # torchrun
        ({"RANK": "0", "LOCAL_RANK": "0", "SLURM_PROCID": "3"}, 0),  # torchrun in a SLURM job
        ({"LOCAL_RANK": "1"}, 1),  # Lightning's children
        ({"SLURM_PROCID": "7"}, 7),  # srun
        ({"NODE_RANK": "1"}, 1),  # Lightning by hand, second node
        ({"NODE_RANK": "0"}, 0),
    ],
)
def test_rank_before_there_is_a_group(monkeypatch, variables, rank):
    for name in LAUNCHERS:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert process_rank() == rank
