"""What every result table says of its origin."""

from __future__ import annotations

import csv
import os
import platform
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

from nas.study.plan import versions


def origin() -> dict[str, Any]:
    """Date, commit, machine and versions of the run."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=Path(__file__).parent, check=False
    ).stdout.strip()
    found = versions()
    return {
        "date": date.today().isoformat(),
        "commit": commit,
        "machine": f"{os.cpu_count()} x {platform.machine()}",
        **{name: found[name] for name in ("python", "torch", "torch_geometric", "optuna")},
    }


def append(file: Path, row: dict[str, Any]) -> None:
    """Add a row to a CSV table; the first one writes the header."""
    new = not file.exists()
    with file.open("a", newline="") as out:
        writer = csv.DictWriter(out, fieldnames=list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


def rows(file: Path) -> list[dict[str, str]]:
    """The rows of a table; none if it is not there."""
    if not file.exists():
        return []
    with file.open(newline="") as table:
        return list(csv.DictReader(table))
