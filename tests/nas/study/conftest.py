"""Searches with two jobs at a time."""

from __future__ import annotations

import pytest

from nas.study.plan import Plan
from tests.nas.toys import two_slots


@pytest.fixture(params=["slots", pytest.param("processes", marks=pytest.mark.slow)])
def two_at_a_time(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches with two workers have two jobs out at a time, here or, which takes seconds to start, in processes."""
    if request.param == "slots":
        monkeypatch.setattr(Plan, "executor", two_slots)
