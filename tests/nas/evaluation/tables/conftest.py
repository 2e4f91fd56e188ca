from __future__ import annotations

from pathlib import Path

import pytest

from tests.nas.evaluation.tables.toy import write


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A table of made-up numbers."""
    return str(write(Path(tmp_path_factory.mktemp("table")) / "toy.npz"))
