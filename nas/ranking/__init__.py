"""Ranking architectures by proxies without training them, and how well that agrees with training."""
