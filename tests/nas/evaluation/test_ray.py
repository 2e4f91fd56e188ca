"""Jobs on Ray: the outcomes of the other executors, and what becomes of workers and machines that are lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Future
from dataclasses import replace
from typing import Any

import psutil
import pytest
import torch

import nas
from nas.evaluation import executors, ray_executor
from nas.evaluation.executors import InProcess
from nas.evaluation.job import Outcome
from nas.evaluation.ray_executor import RayWorkers, places, threads_of, why
from nas.searchspace.errors import MissingExtra, RunError
from nas.study.plan import Plan
from nas.study.records import Record
from nas.study.search import Silent
from tests.nas.toys import MISBEHAVING, StopAfter, Toy, Wide, graph, job, numbers, search, task, told

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'gnn-nas[ray]'")

ARCHITECTURE = Toy(conv="sage", hidden=4, dropout=0.3)
DATA = task()
GOOD = job("", DATA, ARCHITECTURE)
OURS = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 * 2**20}
"""A machine of the cluster."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """One machine with one CPU, to which this process is connected."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args=OURS)
    ray_executor._connect(made.address)
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.fixture(scope="module")
def puts() -> list[Any]:
    """What the shared worker put into the object store."""
    return []


@pytest.fixture(scope="module")
def workers(cluster: Any, puts: list[Any]) -> Iterator[RayWorkers]:
    """A worker that the tests of this file share."""
    grace, executors.GRACE = executors.GRACE, 1.0
    put = ray.put
    ray.put = lambda value: puts.append(value) or put(value)
    with RayWorkers(DATA) as made:
        ray.put = put
        assert made.slots == 1
        yield made
    executors.GRACE = grace


def outcome(future: Future[Outcome]) -> Outcome:
    return future.result(timeout=100)


class Lent:
    """The shared worker as the executor of a search, which leaves it running."""

    slots = 1

    def __init__(self, inner: RayWorkers) -> None:
        self.submit = inner.submit

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class DiesOnce(torch.nn.Module):
    """Takes its process down unless the file is there, which it makes before."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        if not os.path.exists("FILE"):
            open("FILE", "w").close()
            os._exit(7)
        self.linear = torch.nn.Linear(inputs, outputs)

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


@pytest.mark.services
def test_on_ray_and_in_process_outcomes_are_equal_and_weights_arrive(workers, tmp_path):
    files = [tmp_path / "here.safetensors", tmp_path / "a" / "there.safetensors"]
    jobs = [job("", DATA, ARCHITECTURE, weights=str(file)) for file in files]
    with InProcess(DATA, "cpu") as here:
        first = outcome(here.submit(jobs[0]))
    second = outcome(workers.submit(jobs[1]))
    assert first.reason is second.reason is None
    assert numbers(first) == numbers(second)
    assert first.curve == second.curve
    assert files[0].read_bytes() == files[1].read_bytes()


class SleepsOnce(torch.nn.Module):
    """Takes a minute unless the file is there, which it makes before."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        if not os.path.exists("FILE"):
            open("FILE", "w").close()
            time.sleep(60)
        self.linear = torch.nn.Linear(inputs, outputs)

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


@pytest.mark.services
def test_a_job_whose_worker_dies_is_done_once_more(workers, tmp_path, monkeypatch):
    monkeypatch.setitem(MISBEHAVING, "once", DiesOnce)
    text = job("once", DATA).source.replace("FILE", str(tmp_path / "been"))
    once = outcome(workers.submit(replace(GOOD, source=text, weights=str(tmp_path / "weights"))))
    assert once.reason is None
    assert (tmp_path / "been").exists()
    assert (tmp_path / "weights").exists()


@pytest.mark.services
def test_no_candidate_takes_the_search_down(workers):
    """Those that always kill their worker fail; the others are not concerned."""
    expected = {
        "dies": "worker died: its process ended unexpectedly",
        "raises": "LookupError: no such thing",
        "nan": "not a number: the validation loss of epoch 1 is nan",
        "exits": "SystemExit: good bye",
    }
    futures = {name: workers.submit(job(name, DATA)) for name in expected}
    assert {name: outcome(future).reason for name, future in futures.items()} == expected
    assert outcome(workers.submit(GOOD)).reason is None


@pytest.mark.services
def test_a_hanging_worker_is_replaced(workers):
    hung = outcome(workers.submit(job("hangs", DATA, seconds=0.5)))
    assert hung.reason == "time limit: the worker hung and was killed after 1.5 s"
    assert hung.seconds == 1.5
    assert outcome(workers.submit(GOOD)).reason is None


@pytest.mark.services
def test_weights_that_cannot_be_written_are_no_candidates_fault(workers, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        outcome(workers.submit(replace(GOOD, weights=str(tmp_path / "file" / "w"))))


@pytest.mark.services
def test_a_search_on_ray_goes_on_elsewhere_as_if_it_had_been_there(workers, monkeypatch):
    given = {"space": Wide, "trials": 6, "controller": "evolution"}
    with monkeypatch.context() as patched:
        patched.setattr(Plan, "executor", lambda plan: Lent(workers))
        with pytest.raises(KeyboardInterrupt):
            search(executor="ray", watcher=StopAfter(3), **given)
    result = nas.resume("run", data=graph(), space=Wide, executor="process")
    assert told(result.records) == told(search(name="other", **given).records)
    assert nas.open_run("run", data=graph(), space=Wide).plan.settings.executor == "process"


@pytest.mark.services
def test_the_task_is_put_once(workers, puts):
    assert [type(value).__name__ for value in puts] == ["Task"]


class Losing(Silent):
    """Pulls the plug of a machine after three trials."""

    def __init__(self, cluster: Any, node: Any) -> None:
        self.cluster, self.node, self.notes = cluster, node, list[str]()

    def recorded(self, record: Record) -> None:
        if record.trial.number == 2:
            self.cluster.remove_node(self.node, allow_graceful=False)

    def noted(self, note: str) -> None:
        self.notes.append(note)


@pytest.mark.slow
@pytest.mark.services
def test_a_machine_that_is_lost_takes_no_trial_along(cluster, workers):
    """The shared worker sits on the first machine, so that those of the search have one machine each."""
    nodes = [cluster.add_node(**OURS) for _ in range(2)]
    watcher = Losing(cluster, nodes[1])
    result = search(space=Wide, executor="ray", workers=2, trials=8, epochs=200, patience=200, watcher=watcher)
    assert [record.trial.number for record in result.records] == list(range(8))
    assert all(record.trial.values is not None for record in result.records)
    assert len(list((result.path / "weights").glob("*.safetensors"))) == 5
    assert len(watcher.notes) == 1
    assert watcher.notes[0].startswith("the 2 workers were busy ")
    cluster.remove_node(nodes[0])


@pytest.mark.services
def test_a_job_on_a_machine_that_is_lost_is_done_on_another(cluster, workers, tmp_path, monkeypatch):
    monkeypatch.setitem(MISBEHAVING, "once", SleepsOnce)
    been, reasons = tmp_path / "been", list[str]()
    monkeypatch.setattr(ray_executor, "why", lambda error: reasons.append(why(error)) or reasons[0])
    node = cluster.add_node(**OURS)
    with RayWorkers(DATA, workers=1) as elsewhere:
        future = elsewhere.submit(replace(GOOD, source=job("once", DATA).source.replace("FILE", str(been))))
        while not been.exists():
            time.sleep(0.05)
        cluster.remove_node(node, allow_graceful=False)
        other = cluster.add_node(**OURS)
        assert outcome(future).reason is None
    assert reasons[0] in ("its machine was lost", "the connection to it was lost")
    cluster.remove_node(other)


@pytest.mark.services
def test_workers_that_cannot_start(cluster, workers, tmp_path):
    node = cluster.add_node(**OURS)
    with RayWorkers(DATA, workers=1, space=f"{tmp_path}/nowhere.py:Toy") as broken:
        for _ in range(2):
            with pytest.raises(BrokenExecutor, match=r"on Ray, BadInput: .*nowhere.py"):
                outcome(broken.submit(GOOD))
    cluster.remove_node(node)


@pytest.mark.services
def test_as_many_workers_as_there_is_room_for_and_a_prompt_end(cluster):
    node = cluster.add_node(**{**OURS, "num_cpus": 3, "num_gpus": 1})  # Ray takes our word for it
    begin = time.monotonic()
    with RayWorkers(DATA, gpus=0.5) as halves:
        assert halves.slots == 2
    assert time.monotonic() - begin < 10
    cluster.remove_node(node)


@pytest.mark.gpu
@pytest.mark.services
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_two_workers_share_a_gpu(cluster):
    node = cluster.add_node(**{**OURS, "num_cpus": 2, "num_gpus": 1})
    with InProcess(DATA, "cuda") as here, RayWorkers(DATA, workers=2, gpus=0.5) as there:
        one = outcome(here.submit(replace(GOOD, device="cuda")))
        found = [outcome(future) for future in [there.submit(GOOD) for _ in range(4)]]
    assert [each.reason for each in found] == [None] * 4
    for each in found:
        assert each.metrics["valid_loss"] == pytest.approx(one.metrics["valid_loss"], rel=0.2)
    cluster.remove_node(node)


def test_ray_is_not_installed(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"the executor ray needs Ray: pip install 'gnn-nas\[ray\]'"):
        search(executor="ray")


@pytest.mark.services
def test_no_room(cluster):
    with pytest.raises(RunError, match=r"no machine of the Ray cluster has 0.5 of a GPU and a CPU for a worker"):
        RayWorkers(DATA, gpus=0.5).__enter__()
    assert ray.is_initialized()


def test_no_cluster(monkeypatch):
    asked = []

    def refuses(address: str, **_: Any) -> None:
        asked.append(address)
        raise ConnectionError("could not find any running Ray instance")

    monkeypatch.setattr(ray, "init", refuses)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(RunError, match=r"no Ray cluster answers at ray://head:1 \(could not find any running Ray"):
        ray_executor._connect("ray://head:1")
    with pytest.raises(RunError, match="no Ray cluster answers at local"):
        ray_executor._connect("auto")
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    with pytest.raises(RunError, match="no Ray cluster answers at auto"):
        ray_executor._connect("auto")
    assert asked == ["ray://head:1", "auto", "local", "auto"]


TWO = [{"CPU": 4.0, "GPU": 2.0}, {"CPU": 8.0}]


@pytest.mark.parametrize(
    ("workers", "gpus", "room", "threads"),
    [(12, None, 12, 1), (3, None, 12, 4), (2, None, 12, 4), (1, None, 12, 8), (50, None, 12, 1),
     (2, 1, 2, 2), (1, 2, 1, 4), (4, 0.5, 4, 1), (4, 0.3, 4, 1)],
)  # fmt: skip
def test_room_and_threads(workers, gpus, room, threads):
    assert places(TWO, 1, gpus) == room
    assert threads_of(TWO, workers, gpus) == threads


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ray.exceptions.OutOfMemoryError("Task was killed due to the node running low on memory."), "out of memory"),
        (ray.exceptions.NodeDiedError("gone"), "its machine was lost"),
        (ray.exceptions.RayActorError(error_msg="The actor died because its node has died."), "its machine was lost"),
        (ray.exceptions.RayError("something\nelse"), "something"),
        (ray.exceptions.RayError(""), "no message"),
    ],
)
def test_reasons(error, said):
    assert said in why(error)


@pytest.mark.slow
@pytest.mark.services
def test_ctrl_c_leaves_nothing_running(tmp_path):
    """As in a terminal: every process of the group hears it."""
    flags = ["--executor", "ray", "--ray-address", "local", "--workers", "1", "--controller", "random", "--epochs", "3"]
    command = [sys.executable, "-m", "nas", "search", "--trials", "5000", "--name", "stopped", "--json", *flags]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as driver:
        assert driver.stderr is not None
        seen = []
        for line in driver.stderr:
            seen.append(line)
            if line.startswith("trial 2:"):
                break
        started = psutil.Process(driver.pid).children(recursive=True)
        assert any("raylet" in " ".join(process.cmdline()) for process in started)
        os.killpg(driver.pid, signal.SIGINT)
        out, rest = driver.communicate(timeout=60)
    assert driver.returncode == 130, "".join(seen) + rest
    _, alive = psutil.wait_procs(started, timeout=20)
    assert not alive
    assert json.loads(out)
    assert "Go on with: nas resume stopped" in rest
    assert "raylet" not in "".join(seen) + rest
