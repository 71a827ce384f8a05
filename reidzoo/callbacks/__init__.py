"""Lightning callbacks: when labels are renewed, when a model is evaluated, what a run leaves."""

from reidzoo.callbacks.cluster import ClusterCallback
from reidzoo.callbacks.epoch_line import EpochLine
from reidzoo.callbacks.evaluation import EvaluationCallback
from reidzoo.callbacks.guard import Guard
from reidzoo.callbacks.run_files import RunFiles

__all__ = ["ClusterCallback", "EpochLine", "EvaluationCallback", "Guard", "RunFiles"]
