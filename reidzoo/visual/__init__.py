"""Pictures of what a model finds, what its clusters hold and how a run went."""

from reidzoo.visual.ranked_lists import ranked_lists
from reidzoo.visual.sheet import save_sheet

__all__ = ["ranked_lists", "save_sheet"]
