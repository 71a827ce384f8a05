"""Answers from a trained network: scores, calibrated thresholds, embedding files, searches."""
