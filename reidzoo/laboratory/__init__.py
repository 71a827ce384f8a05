"""Comparisons: a grid of runs, what they reached, and whether the difference means anything."""
