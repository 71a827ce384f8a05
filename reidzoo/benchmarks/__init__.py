"""What `python -m reidzoo.bench` measures, each against a plain alternative in the same run."""
