"""Where the scores of proxies stand among the metrics of a trial."""

from __future__ import annotations


def column(name: str) -> str:
    """Of a score."""
    return f"proxy_{name}"


def cost_column(name: str) -> str:
    """Of the seconds that it took."""
    return f"proxy_seconds_{name}"
