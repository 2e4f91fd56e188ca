"""How worker processes come about."""

from __future__ import annotations

import os
from collections.abc import Mapping
from multiprocessing.context import BaseContext

import torch.multiprocessing

IMPORTED = ["nas.evaluation.executors", "torch_geometric.nn"]
"""What workers need and is slow to import; nothing that starts threads."""


def context(device: str) -> BaseContext:
    """Workers are forked from a process that has imported what they need: that takes milliseconds, not seconds, and
    they share its memory. On a GPU, and where a system has no such server, each of them begins anew.
    """
    if device != "cpu" or "forkserver" not in torch.multiprocessing.get_all_start_methods():
        return torch.multiprocessing.get_context("spawn")
    found = torch.multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(IMPORTED)
    return found


def environment() -> dict[str, str]:
    """That of this process, for :func:`adopt`."""
    return dict(os.environ)


def adopt(variables: Mapping[str, str]) -> None:
    """Take over the driver's environment in a worker, which has that of the server as it was started."""
    if dict(os.environ) != variables:
        os.environ.clear()
        os.environ.update(variables)
