"""Jobs on the workers of a Ray cluster, of this machine or of many.

The driver keeps the loop, the store and the files; a worker only trains. Weights come back as bytes, for a worker may
not see the driver's disk. Ray is imported when an executor is entered.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import re
import threading
import warnings
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Future
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nas.evaluation import executors
from nas.evaluation.engine.prepare import complete, prepare
from nas.evaluation.evaluate import packed, write_whole
from nas.evaluation.job import Job, Outcome
from nas.evaluation.limits import default_memory
from nas.searchspace.errors import MissingExtra, RunError
from nas.searchspace.spaces.registry import absolute
from nas.searchspace.task import Task

TRIES = 2
"""How often a job is begun whose worker dies."""
STARTS = 3
"""How often in a row a worker may die before it is ready."""


def check_installed() -> None:
    """Refuse early what needs Ray where there is none.

    Raises:
        MissingExtra: naming what to install.
    """
    if importlib.util.find_spec("ray") is None:
        raise MissingExtra("the executor ray needs Ray: pip install 'gnn-nas[ray]'")


class Worker:
    """What runs in a process of Ray: it fetches the task once, then does one job at a time."""

    def begin(self, task: Task, threads: int, space: str, device: str, neighbours: int) -> None:
        """Make ready; ``neighbours`` workers share the memory of this machine, or of its GPU."""
        executors.start_worker(task, threads, space)
        self._device, self._neighbours = device, neighbours

    def work(self, job: Job) -> tuple[Outcome, bytes | None]:
        """What the job measured, and its weights as a file of safetensors holds them."""
        sent: list[bytes] = []
        job = replace(job, device=self._device, memory=job.memory or default_memory(self._device, self._neighbours))
        outcome = executors.work(job, lambda state, _: sent.append(packed(state)))
        return outcome, sent[0] if sent else None


class RayWorkers:
    """Workers on a Ray cluster; the task is put into its object store once, and each worker fetches it once.

    A job whose worker dies, or is lost with its machine, is done once more by another one; then it is a failed trial.
    The cluster is left as it was found: workers are stopped in the end, and a Ray that was started here too.

    Args:
        address: see ``Settings.ray_address``. A Ray to which this process is connected already is taken as it is.
        workers: None or 0 is as many as the cluster has room for now.
        gpus: of each worker; None means that they compute on CPUs.
        space: the file of the user's space, if it is one, has to lie at the same path on all machines.
        before: may make more of the prepared task.
        threads: CPUs of each worker; None is its share of them, as far as each finds room on one machine.
    """

    def __init__(
        self,
        task: Task,
        address: str = "auto",
        workers: int | None = None,
        gpus: float | None = None,
        space: str = "",
        before: Callable[[Task], None] | None = None,
        threads: int | None = None,
    ) -> None:
        check_installed()
        self.slots = workers or 1
        self._address, self._wanted, self._gpus = address, workers, gpus
        self._space = absolute(space) if space else ""
        self._prepared = prepare(task)
        complete(self._prepared)
        if before is not None:
            before(self._prepared)
        self._trainings, self._threads = max(1, len(task.folds)), threads

    def __enter__(self) -> Self:
        import ray

        self._ray = ray
        self._connected = not ray.is_initialized() and _connect(self._address)
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        self.slots = self._wanted or places(nodes, self._threads or 1, self._gpus)
        if self.slots == 0:
            self._leave()
            what = "CPU" if self._gpus is None else f"{self._gpus:g} of a GPU and a CPU"
            raise RunError(f"no machine of the Ray cluster has {what} for a worker; give workers to wait for some")
        threads = self._threads or threads_of(nodes, self.slots, self._gpus)
        self._actor = ray.remote(Worker).options(num_cpus=threads, num_gpus=self._gpus or 0, max_restarts=0)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="nas-ray", daemon=True)
        self._thread.start()
        self._idle: asyncio.Queue[Any] = asyncio.Queue()
        self._hired: set[Any] = set()
        self._given_up = 0
        device, neighbours = ("cpu", 0) if self._gpus is None else ("cuda", max(1, int(1 / self._gpus)))
        on_cpus = max(1, int(max(node.get("CPU", 0) for node in nodes)) // threads)
        self._arguments = (ray.put(self._prepared), threads, self._space, device, neighbours or on_cpus)
        for _ in range(self.slots):
            self._start(self._hire())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._start(_cancelled()).result(timeout=10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=10)
            self._loop.close()
            for worker in self._hired:
                self._ray.kill(worker)
        finally:
            self._leave()

    def submit(self, job: Job) -> Future[Outcome]:
        return self._start(self._done(job))

    def _start(self, what: Coroutine[Any, Any, Any]) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(what, self._loop)

    def _leave(self) -> None:
        if self._connected:
            self._ray.shutdown()

    async def _done(self, job: Job) -> Outcome:
        """Have a job done, and write its weights here."""
        errors = self._ray.exceptions
        limit = None if job.seconds is None else job.seconds * self._trainings + executors.GRACE
        reason = ""
        for _ in range(TRIES):
            worker = await self._worker()
            try:
                found: tuple[Outcome, bytes | None] = await _within(limit, worker.work.remote(job))
            except errors.RayTaskError as error:  # nothing of the candidate's: that would be a reason
                self._idle.put_nowait(worker)
                raise error.cause from None
            except TimeoutError:
                self._replace(worker)
                return Outcome(
                    seconds=limit or 0.0, reason=f"time limit: the worker hung and was killed after {limit:g} s"
                )
            except errors.RayError as error:
                self._replace(worker)
                reason = why(error)
                continue
            self._idle.put_nowait(worker)
            outcome, weights = found
            if weights is not None and job.weights is not None:
                await asyncio.to_thread(write_whole, weights, Path(job.weights))
            return outcome
        return Outcome(reason=f"worker died: {reason}")

    async def _worker(self) -> Any:
        """An idle worker, as soon as there is one."""
        found = await self._idle.get()
        if isinstance(found, BaseException):
            self._idle.put_nowait(found)  # for the next one who asks
            raise found
        return found

    async def _hire(self) -> None:
        """Start a worker and let it have jobs; the cluster may take its time to find room for it."""
        failure: BaseException | None = None
        for _ in range(STARTS):
            worker = self._actor.remote()
            self._hired.add(worker)
            try:
                await _within(None, worker.begin.remote(*self._arguments))
            except self._ray.exceptions.RayTaskError as error:
                failure = error.cause
                self._dismiss(worker)
                break
            except Exception as error:
                failure = error
                self._dismiss(worker)
            else:
                self._idle.put_nowait(worker)
                return
        self._given_up += 1
        if self._given_up == self.slots:  # else the others go on
            self._idle.put_nowait(BrokenExecutor(f"on Ray, {type(failure).__name__}: {_first_line(str(failure))}"))

    def _replace(self, worker: Any) -> None:
        self._dismiss(worker)
        self._start(self._hire())

    def _dismiss(self, worker: Any) -> None:
        self._hired.discard(worker)
        self._ray.kill(worker)


def places(nodes: Sequence[Mapping[str, float]], threads: int, gpus: float | None) -> int:
    """How many workers with so many CPUs and GPUs the machines have room for at a time."""
    return sum(min(int(node.get("CPU", 0)) // threads, _by_gpu(node.get("GPU", 0), gpus)) for node in nodes)


def threads_of(nodes: Sequence[Mapping[str, float]], workers: int, gpus: float | None) -> int:
    """The most CPUs that each of so many workers can have; 1 if there is not even room for so many."""
    most = int(max((node.get("CPU", 0) for node in nodes), default=0))
    return next((n for n in range(most, 1, -1) if places(nodes, n, gpus) >= workers), 1)


def _by_gpu(there: float, gpus: float | None) -> int:
    if gpus is None:
        return 2**31
    return int(there) * int(1 / gpus + 1e-9) if gpus <= 1 else int(there // gpus)


REASONS = {
    "Some common causes": "its process ended unexpectedly",  # first, for Ray lists causes that it only guesses
    "OutOfMemory|low on memory": "its machine ran out of memory and Ray killed it",
    "ActorUnavailable": "the connection to it was lost",
    "NodeDied|node has died|node was terminated|node failed": "its machine was lost",
}


def why(error: Exception) -> str:
    """A line for what Ray says in ten."""
    text = f"{type(error).__name__} {error}"
    return next((said for found, said in REASONS.items() if re.search(found, text)), _first_line(str(error)))


def _first_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0][:300] if lines else "no message"


async def _within(limit: float | None, ref: Any) -> Any:
    """What Ray answers.

    Raises:
        TimeoutError: if it takes longer than ``limit`` seconds. What comes later is of no interest.
    """
    future = asyncio.wrap_future(ref.future())
    done, _ = await asyncio.wait({future}, timeout=limit)
    if not done:
        future.add_done_callback(lambda late: late.cancelled() or late.exception())
        raise TimeoutError
    return future.result()


async def _cancelled() -> None:
    """Cancel what else runs in this loop."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _connect(address: str) -> bool:
    """Connect this process to a cluster, or start one; nothing of it is printed.

    Raises:
        RunError: if there is none at the address.
    """
    import ray
    from ray._private import worker as inside

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    logging.getLogger("ray").setLevel(logging.ERROR)
    if hasattr(inside, "print_to_stdstream"):  # prints each death of a worker to stdout, which is ours
        inside.print_to_stdstream = _say_nothing
    quiet = {"log_to_driver": False, "configure_logging": False}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what they say stands in our error too
            if address == "auto":
                try:
                    ray.init(address="auto", **quiet)
                    return True
                except ConnectionError:
                    if "RAY_ADDRESS" in os.environ:
                        raise
                    address = "local"
            ray.init(address=address, **quiet, **({"include_dashboard": False} if address == "local" else {}))
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise RunError(
            f"no Ray cluster answers at {address} ({_first_line(str(error))}); see docs/cluster.md"
        ) from error
    return True


def _say_nothing(*_: Any, **__: Any) -> None:
    """In place of what prints."""
