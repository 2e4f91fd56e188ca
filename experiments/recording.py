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


def origin(device: str = "cpu") -> dict[str, Any]:
    """Date, commit, machine with its GPU if the run used it, and versions."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=Path(__file__).parent, check=False
    ).stdout.strip()
    found = versions()
    return {
        "date": date.today().isoformat(),
        "commit": commit,
        "machine": f"{os.cpu_count()} x {platform.machine()}{gpu(device)}",
        **{name: found[name] for name in ("python", "torch", "torch_geometric", "optuna")},
    }


def gpu(device: str) -> str:
    """The name of the GPU, to be put behind that of the machine; nothing on a CPU."""
    if not device.startswith("cuda"):
        return ""
    import torch

    return f" + {torch.cuda.get_device_name(device)}"


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
