"""Where jobs run: in this process, or in local worker processes of which none can take the search down."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import torch

from nas.evaluation.devices import resolve, spread
from nas.evaluation.engine.memory import keep_freed_memory
from nas.evaluation.engine.prepare import complete, prepare, without_preparation
from nas.evaluation.evaluate import State, evaluate, write_weights
from nas.evaluation.interrupts import held_back, ignore
from nas.evaluation.job import Job, Outcome
from nas.evaluation.processes import adopt, context, environment
from nas.searchspace.task import Task

GRACE = 30.0
"""Seconds beyond its own limit after which a hung worker is killed."""


class Executor(Protocol):
    """Runs jobs. ``submit`` may run the job before it returns.

    Attributes:
        slots: jobs that can run at the same time.
    """

    slots: int

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def submit(self, job: Job) -> Future[Outcome]: ...


class InProcess:
    """One job at a time in this very process."""

    slots = 1

    def __init__(self, task: Task, device: str) -> None:
        self._task = prepare(task.to(resolve(device)))

    def __enter__(self) -> Self:
        keep_freed_memory()
        gc.freeze()  # else collecting after each trial walks all that was imported, for a third of a second
        return self

    def __exit__(self, *_: object) -> None:
        gc.unfreeze()

    def submit(self, job: Job) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(evaluate(job, self._task))
        except Exception as error:
            future.set_exception(error)
        return future


class LocalProcesses:
    """Worker processes with the task in shared memory, one device each; a dead or hung worker is replaced.

    The task is prepared once and sent to each worker; its tensors are not copied. Each worker computes with
    ``threads``, else with its share of the cores. ``before`` may make more of the prepared task. Workers ignore Ctrl-C,
    so that the driver alone decides what becomes of it.
    """

    def __init__(
        self,
        task: Task,
        device: str,
        workers: int,
        space: str = "",
        threads: int | None = None,
        before: Callable[[Task], None] | None = None,
    ) -> None:
        threads = threads or max(1, (os.cpu_count() or 1) // workers)
        self.slots = workers
        self._devices = spread(resolve(device), workers)
        prepared = prepare(task)
        complete(prepared)
        if before is not None:
            before(prepared)
        self._arguments = (prepared, threads, space)
        self._trainings = max(1, len(task.folds))
        self._next = 0

    def __enter__(self) -> Self:
        from pebble import ProcessPool

        self._pool = ProcessPool(
            max_workers=self.slots,
            initializer=start_worker,
            initargs=(*self._arguments, environment()),
            context=context(self._devices[0]),
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._pool.close()
        else:
            self._pool.stop()
        self._pool.join()

    def submit(self, job: Job) -> Future[Outcome]:
        if job.device.startswith("cuda"):
            job = replace(job, device=self._devices[self._next % self.slots])
            self._next += 1
        limit = None if job.seconds is None else job.seconds * self._trainings + GRACE
        with held_back():
            inner = self._pool.schedule(work, args=(job,), timeout=limit)
        outer: Future[Outcome] = Future()
        outer.set_running_or_notify_cancel()
        inner.add_done_callback(lambda done: _hand_over(done, outer, job))
        return outer


def _hand_over(done: Future[Outcome], outer: Future[Outcome], job: Job) -> None:
    """A worker's end becomes an outcome; errors that are no candidate's fault stay errors."""
    from pebble import ProcessExpired

    try:
        outer.set_result(done.result())
    except TimeoutError:
        seconds = (job.seconds or 0) + GRACE
        reason = f"time limit: the worker hung and was killed after {seconds:g} s"
        outer.set_result(Outcome(seconds=seconds, reason=reason))
    except ProcessExpired as error:
        how = f"signal {-error.exitcode}" if error.exitcode and error.exitcode < 0 else f"exit code {error.exitcode}"
        outer.set_result(Outcome(reason=f"worker died: {how}"))
    except BaseException as error:
        outer.set_exception(error)


_worker: dict[str, Any] = {}


def start_worker(task: Task, threads: int, space: str, variables: Mapping[str, str] | None = None) -> None:
    """Make this process one that does jobs on a prepared task, with the driver's variables of the environment."""
    ignore()
    if variables is not None:
        adopt(variables)
    torch.set_num_threads(threads)
    keep_freed_memory()
    if ":" in space:  # operators of the user's own that are imported by name live in the space's file
        from nas.searchspace.spaces.registry import find

        find(space)
    _worker["task"] = task
    _worker["on"] = {}
    gc.freeze()


def work(job: Job, write: Callable[[State, Path], None] = write_weights) -> Outcome:
    """Do a job in a process that was started as a worker; ``write`` as in ``evaluate``."""
    task, on = _worker["task"], _worker["on"]
    if job.device not in on:
        on[job.device] = task if job.device == "cpu" else without_preparation(task).to(job.device)
    return evaluate(job, on[job.device], write)
