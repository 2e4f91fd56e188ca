"""A search from its settings to its finished trials: the run folder, the store, the loop."""
