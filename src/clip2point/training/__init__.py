"""The training engine: loop, optimisers, checkpoints, metrics and processes. It knows no model and no data."""
