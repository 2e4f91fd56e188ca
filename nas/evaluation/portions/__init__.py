"""A graph too large for one step: what a step takes, how the graph is cut, and which way is taken."""
