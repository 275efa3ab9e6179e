"""Training of lanes in lockstep: batches, losses, metrics, optimizers, early stopping."""
