"""The declaration language as a type checker sees it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parent / "typed_example.py"


@pytest.mark.slow
def test_wrong_types_are_errors_and_right_ones_are_not() -> None:
    pytest.importorskip("mypy")
    root = EXAMPLE.parents[2]
    command = [sys.executable, "-m", "mypy", "--no-error-summary", str(EXAMPLE.relative_to(root))]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    found = {int(n) for n in re.findall(rf"{EXAMPLE.name}:(\d+): error", done.stdout)}
    lines = EXAMPLE.read_text().splitlines()
    assert found == {n for n, line in enumerate(lines, 1) if line.endswith("# wrong")}, done.stdout
