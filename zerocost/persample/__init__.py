"""The gradients of every labelled item apart, from one forward and one backward pass."""
