"""Pictures of what a model finds, what its clusters hold and how a run went."""

from reidzoo.visual.cluster_sheet import cluster_sheet
from reidzoo.visual.curves import curves
from reidzoo.visual.ranked_lists import ranked_lists
from reidzoo.visual.sheet import save_sheet

__all__ = ["cluster_sheet", "curves", "ranked_lists", "save_sheet"]
