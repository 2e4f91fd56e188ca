"""Where jobs run: the same outcomes everywhere, and no candidate takes the search down."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

import nas
from nas.controllers.random_search import RandomSearch
from nas.evaluation import executors
from nas.evaluation.executors import InProcess, LocalProcesses
from nas.evaluation.job import Outcome
from nas.searchspace.errors import BadInput, RunError
from nas.study.plan import Plan
from tests.nas.toys import StopAfter, Toy, Wide, graph, job, numbers, search, task, told, two_slots

ARCHITECTURE = Toy(conv="sage", hidden=4, dropout=0.3)
DATA = task()
GOOD = job("", DATA, ARCHITECTURE)


@pytest.fixture(scope="module")
def workers() -> Iterator[LocalProcesses]:
    """Two workers that the tests of this file share: each needs seconds to import torch."""
    executors_grace, executors.GRACE = executors.GRACE, 0.5
    with LocalProcesses(DATA, "cpu", 2) as pool:
        yield pool
    executors.GRACE = executors_grace


def outcome(future: Future[Outcome]) -> Outcome:
    return future.result(timeout=100)


def test_in_process_and_in_workers_outcomes_are_equal(workers, tmp_path):
    files = [tmp_path / name for name in ("here", "there")]
    jobs = [job("", DATA, ARCHITECTURE, weights=str(file)) for file in files]
    with InProcess(DATA, "cpu") as here:
        first = outcome(here.submit(jobs[0]))
    second = outcome(workers.submit(jobs[1]))
    assert first.reason is second.reason is None
    # a worker may use more threads, which sums in another order
    assert numbers(first) == pytest.approx(numbers(second), rel=1e-5)
    assert files[0].stat().st_size == files[1].stat().st_size


def test_a_worker_survives_whatever_a_candidate_does(workers):
    """The jobs run two at a time; those that kill their worker take no other one with them."""
    expected = {
        "dies": "worker died: exit code 7",
        "raises": "LookupError: no such thing",
        "killed": "worker died: signal 9",
        "shapeless": "the network returned [48, 4] where the task needs [48, 3]",
        "nan": "not a number: the validation loss of epoch 1 is nan",
        "exits": "SystemExit: good bye",
    }
    futures = {name: workers.submit(job(name, DATA)) for name in expected}
    good = [workers.submit(GOOD) for _ in range(3)]
    assert {name: outcome(future).reason for name, future in futures.items()} == expected
    assert [outcome(future).reason for future in good] == [None] * 3


def test_a_hanging_worker_is_replaced(workers):
    begin = time.monotonic()
    hung = outcome(workers.submit(job("hangs", DATA, seconds=0.5)))
    assert hung.reason == "time limit: the worker hung and was killed after 1 s"
    assert hung.seconds == 1.0
    assert time.monotonic() - begin < 100
    assert outcome(workers.submit(GOOD)).reason is None


def test_weights_that_cannot_be_written_are_no_candidates_fault(workers, tmp_path):
    (tmp_path / "file").touch()
    bad = job("", DATA, ARCHITECTURE, weights=str(tmp_path / "file" / "w"))
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        outcome(workers.submit(bad))
    with InProcess(DATA, "cpu") as here, pytest.raises(OSError, match=r"Not a directory|File exists"):
        outcome(here.submit(bad))


def test_ctrl_c_in_the_driver_stops_workers_at_once():
    before = set(psutil.Process().children(recursive=True))
    begin = time.monotonic()
    pool = LocalProcesses(DATA, "cpu", 2)

    def interrupted() -> None:
        with pool:
            pool.submit(job("hangs", DATA))
            outcome(pool.submit(GOOD))  # so that the workers have started
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert time.monotonic() - begin < 60
    left = [p for p in set(psutil.Process().children(recursive=True)) - before if "resource_tracker" not in _line(p)]
    assert not left


def _line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return "resource_tracker"


def test_a_search_with_two_workers(monkeypatch):
    """Numbers are consecutive, networks distinct, what was stored before Ctrl-C stays, and resuming goes on."""
    with pytest.raises(KeyboardInterrupt):
        search(space=Wide, workers=2, trials=9, controller="evolution", watcher=StopAfter(3))
    part = nas.open_run("run", data=graph(), space=Wide)
    assert len(part.records) == 3
    assert not list((part.path / "weights").glob("*running*"))
    monkeypatch.setattr(Plan, "executor", two_slots)  # new workers would take seconds to start
    result = nas.resume("run", data=graph(), space=Wide)
    assert [r.trial.number for r in result.records] == list(range(9))
    assert told(result.records)[:3] == told(part.records)
    assert len({r.trial.architecture for r in result.records}) == 9
    assert all(r.trial.values is not None for r in result.records)
    assert list((result.path / "weights").glob("*.safetensors"))


def test_workers_that_cannot_start(tmp_path, monkeypatch):
    """The file of the space vanishes between the plan and the workers."""
    (tmp_path / "borrowed.py").write_text("from tests.nas.toys import Toy\n")
    real = LocalProcesses.__enter__

    def vanished(self: LocalProcesses) -> Any:
        (tmp_path / "borrowed.py").unlink()
        return real(self)

    monkeypatch.setattr(LocalProcesses, "__enter__", vanished)
    with pytest.raises(RunError, match=r"the worker processes cannot be started .*; the finished trials are safe"):
        search(space=f"{tmp_path}/borrowed.py:Toy", workers=2)


def test_the_end_of_a_space_with_several_slots(monkeypatch):
    monkeypatch.setattr(Plan, "executor", two_slots)
    for controller in ("grid", "random"):
        result = search(controller=controller, name=controller, trials=40)
        assert [r.trial.number for r in result.records] == list(range(24))


def test_the_same_network_twice_at_a_time_is_trained_once(monkeypatch):
    heard: list[Any] = []

    class Twice(RandomSearch):
        def ask(self, n: int) -> list[Any]:
            self.asked += n
            return [self.space.sample(self.problem.rng(self.asked // 2))]

        def tell(self, trials: Any) -> None:
            heard.extend(trials)
            super().tell(trials)

    monkeypatch.setattr(Plan, "executor", two_slots)
    result = search(controller=Twice, trials=6)
    assert len({r.trial.architecture for r in result.records}) == 6
    assert len(heard) >= 8
    assert {t.number for t in heard} == set(range(6))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cuda_without_a_gpu(tmp_path):
    with pytest.raises(BadInput, match=r"device 'cuda' cannot be used: .*Use --device cpu or --device auto"):
        search(device="cuda")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("device", "message"),
    [("gpu", "there is no device 'gpu'; use auto, cpu, cuda"), ("meta", "device 'meta' is not supported; use auto")],
)
def test_devices_nobody_has(device, message):
    with pytest.raises(BadInput, match=message):
        search(device=device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_run_made_on_a_gpu_can_be_looked_at_without_one(tmp_path: Path):
    search(trials=1)
    file = tmp_path / "runs" / "run" / "search.toml"
    file.write_text(file.read_text().replace('device = "cpu"', 'device = "cuda"'))
    assert nas.open_run("run", data=graph(), space=Toy).module() is not None
    with pytest.raises(BadInput, match="device 'cuda' cannot be used"):
        nas.resume("run", data=graph(), space=Toy)
