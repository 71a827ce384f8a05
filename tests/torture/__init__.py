"""Real runs, killed at chosen and at random moments, resumed, and compared with untouched ones."""
