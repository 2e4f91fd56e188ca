"""The recorded first proposals; see record.py for how to renew them."""

from __future__ import annotations

import csv
import json

import pytest

from nas.controllers import CONTROLLERS
from tests.controllers.record import FILE, SEEDS, recorded

with FILE.open() as lines:
    ROWS = {(row["controller"], int(row["seed"])): row["proposals"] for row in csv.DictReader(lines)}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", CONTROLLERS.names())
def test_first_proposals_are_as_recorded(name: str, seed: int) -> None:
    assert json.loads(recorded(name, seed)) == json.loads(ROWS[name, seed])


def test_nothing_is_recorded_that_does_not_exist() -> None:
    assert {name for name, _ in ROWS} == set(CONTROLLERS.names())
