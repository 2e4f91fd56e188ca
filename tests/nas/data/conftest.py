"""Graphs of a dozen nodes, and the folder of real ones where there is one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.utils import to_undirected


@pytest.fixture
def nas_data() -> Path:
    """The folder of real data sets; the test is skipped where NAS_DATA does not name one."""
    folder = os.environ.get("NAS_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs real data sets: set NAS_DATA to their folder")
    return Path(folder)


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache folder, and no data folder unless the test names one."""
    monkeypatch.setenv("NAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NAS_DATA", raising=False)
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


def ring(nodes: int = 12, classes: int = 2, features: int = 3, **more) -> Data:
    """A ring whose nodes take the classes in turn."""
    ahead = torch.arange(nodes)
    edge_index = to_undirected(torch.stack([ahead, (ahead + 1) % nodes]), num_nodes=nodes)
    x = torch.arange(nodes * features).reshape(nodes, features) / (nodes * features)
    return Data(**({"x": x, "edge_index": edge_index, "y": ahead % classes} | more))


@pytest.fixture(name="ring")
def _ring():
    return ring
