"""From an architecture's source to measured numbers: training, its limits, and where it runs."""
