"""Only the weights of the best trials, and of the front, are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nas
from nas.controllers.base import Trial
from nas.study.folder import RunFolder
from nas.study.keeping import Keeper
from nas.study.records import Record, front, ranked
from tests.nas.toys import StopAfter, Toy, graph, search

VALUES = st.none() | st.integers(0, 3).map(float)


def kept(path: Path) -> set[int]:
    return {int(file.stem) for file in (path / "weights").glob("*.safetensors")}


def expected(records: list[Record], keep: int, objectives: int) -> set[int]:
    records = [r for r in records if r.trial.stopped is None]
    chosen = ranked(records)[:keep] + (front(records) if objectives > 1 else [])
    return {r.trial.number for r in chosen}


@pytest.mark.parametrize("objectives", [1, 2])
@settings(max_examples=25)
@given(data=st.data())
def test_whatever_the_order(tmp_path_factory, data, objectives):
    folder = RunFolder(tmp_path_factory.mktemp("runs"), "run")
    folder.weights(0).parent.mkdir(parents=True)
    values = data.draw(st.lists(st.none() | st.tuples(*[st.integers(0, 3).map(float)] * objectives), max_size=12))
    early = data.draw(st.sets(st.integers(0, 12)))
    keep, broken = data.draw(st.integers(1, 4)), data.draw(st.integers(0, 12))
    records: list[Record] = []
    keeper = Keeper(folder, keep, records)
    for number, value in enumerate(values):
        if number == broken:  # resumed
            keeper = Keeper(folder, keep, records)
        folder.weights(number).write_bytes(b"")
        records.append(Record(Trial(number, number, value, stopped=5 if number in early else None), 0.0, "random"))
        keeper.add(records[-1])
        assert kept(folder.path) == expected(records, keep, objectives)


def test_what_a_killed_process_had_still_to_delete(tmp_path):
    folder = RunFolder(tmp_path, "run")
    folder.weights(0).parent.mkdir(parents=True)
    for number in range(3):
        folder.weights(number).write_bytes(b"")
    records = [Record(Trial(number, number, (float(number),)), 0.0, "random") for number in range(3)]
    Keeper(folder, 2, records)
    assert kept(folder.path) == {1, 2}


@pytest.mark.parametrize("more", [{}, {"objectives": ("accuracy", "-params")}])
def test_through_a_search(more: dict[str, Any]):
    with pytest.raises(KeyboardInterrupt):
        search(trials=10, keep=2, watcher=StopAfter(6), **more)
    result = nas.resume("run", data=graph(), space=Toy)
    assert kept(result.path) == expected(result.records, 2, 1 + bool(more))


def test_failed_trials_keep_nothing():
    from tests.nas.toys import Messy

    result = search(space=Messy, controller="grid", trials=20, keep=20)
    assert kept(result.path) == {r.trial.number for r in result.succeeded()}
