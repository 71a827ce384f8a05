"""From files to batches: records, readers, samplers, augmentation and `ReIDDataModule`."""
