"""Training: the engine of every training in this package; loop, optimizers, state and distributed processes."""
