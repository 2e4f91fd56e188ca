"""Which device, and how many trainings at once."""

from __future__ import annotations

import os

import pytest
import torch

from nas.evaluation.devices import resolve, spread, units
from nas.searchspace.errors import BadInput


def test_zero_workers_are_one_for_every_core_or_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert units("cpu") == os.cpu_count()
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert (units("cuda"), units("cuda:2")) == (4, 1)
    assert spread("cuda", 6) == ["cuda:0", "cuda:1", "cuda:2", "cuda:3", "cuda:0", "cuda:1"]
    assert spread("cuda:2", 2) == ["cuda:2", "cuda:2"]


@pytest.mark.parametrize("device", ["tpu", "mps", "cuda:x"])
def test_unknown_devices_are_refused(device: str) -> None:
    with pytest.raises(BadInput, match="use auto, cpu, cuda or cuda:N"):
        resolve(device)


def test_auto_takes_what_is_there() -> None:
    assert resolve("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    assert resolve("cpu") == "cpu"
