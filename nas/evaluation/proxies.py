"""Scores of an untrained network by proxies, by some epochs of training, and by how others of its space did."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch

from nas.evaluation.columns import column, cost_column
from nas.evaluation.engine.lowering import lowered
from nas.evaluation.engine.scoring import Scoring
from nas.evaluation.job import Failed, Job
from nas.evaluation.short import short_training
from nas.evaluation.train import predict
from nas.metrics import resolve_metric
from nas.predictors.elsewhere import LEVEL, elsewhere, prior, spaces
from nas.searchspace.errors import BadInput
from nas.searchspace.recipe import Recipe
from nas.searchspace.registry import unknown
from nas.searchspace.source import load
from nas.searchspace.task import Task
from nas.zerocost.base import NotScored, Proxy
from nas.zerocost.registry import PROXIES, find

SHORT, PRIOR = "short", "prior"
EPOCHS, SHARE = 15, 0.15
"""Of a short training, where the user does not say: so many, and more of a training that nothing ends before its last
epoch, such a share of them. It has the same share of the seconds that a training may take, if these are limited."""


def known(name: str) -> Proxy:
    """The proxy of that name; ``short`` or ``short:EPOCHS`` is the real training, left after some epochs.

    ``prior`` looks at the architecture alone, of a space whose networks were trained on other data sets.

    Raises:
        BadInput: for an unknown name; the message offers the nearest.
    """
    if name == PRIOR:
        return Proxy(
            name=PRIOR,
            summary=f"what trainings on other data sets make one expect; for nodes, in {' and '.join(spaces())}; "
            "counts twice where ranks are added",
            paper="ours; experiments/experience",
            needs="the architecture",
            cost="nothing",
            score=_needs_a_job,
            weight=2.0,  # it ranks best by far, and with all that was tried beside it so better than with one
        )
    if name.partition(":")[0] != SHORT:
        if name not in PROXIES:
            raise unknown("proxy", name, names())
        return find(name)
    epochs = _asked(name)
    first = f"{epochs} epochs" if epochs else f"{EPOCHS} epochs, or {SHARE:.0%} if no patience ends it"
    most = f"{EPOCHS} epochs of training, or {SHARE:.0%}, in {SHARE:.0%} of trial_seconds at the most"
    return Proxy(
        name=name,
        summary=f"mean of the best training and validation metric in the real training's first {first}",
        paper="ours; the first rung of successive halving: Jamieson and Talwalkar, AISTATS 2016, arXiv 1502.07943",
        needs="validation labels",
        cost=f"{epochs} epochs of training" if epochs else most,
        score=_needs_a_job,
    )


def names() -> list[str]:
    """Every name that needs no argument."""
    return [*PROXIES.names(), SHORT, PRIOR]


def names_for(of: type[Any], task: Task) -> list[str]:
    """Those that can score networks of a class on a task."""
    return [name for name in names() if name != PRIOR or elsewhere(of, task) is not None]


def check_prior(of: type[Any], task: Task, proxies: Iterable[str]) -> None:
    """Raises ``BadInput`` if a prior is asked for and nothing is known of the architectures of the class."""
    if PRIOR in proxies and elsewhere(of, task) is None:
        none = f"none of {of.__name__}" if task.level == LEVEL else f"none with a task at {task.level} level"
        raise BadInput(
            f"{PRIOR} is what trainings on other data sets make one expect, and there are {none}; it knows "
            f"{', '.join(spaces())} at {LEVEL} level"
        )


def scores(job: Job, task: Task) -> dict[str, float]:
    """The job's proxies of its network, and the seconds that each took.

    A proxy that has no score for the network, or one that is not finite, is left out.
    """
    cuda = [torch.device(job.device)] if job.device.startswith("cuda") else []
    found: dict[str, float] = {}
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(job.seed)
        model = load(job.source)().to(job.device)
        with lowered(model, job.seed):
            for name in job.proxies:
                begin = time.perf_counter()
                try:
                    value = _score(name, model, job, task)
                except (NotScored, Failed):
                    continue
                if math.isfinite(value):
                    found |= {column(name): value, cost_column(name): time.perf_counter() - begin}
    return found


def _score(name: str, model: torch.nn.Module, job: Job, task: Task) -> float:
    if name == PRIOR:
        return _expected(job.architecture, task)
    if name.startswith(SHORT):
        return _short(job, task, name)
    return find(name).score(model, task, job.seed)


def _expected(architecture: Any, task: Task) -> float:
    expected = prior(type(architecture), task)
    if expected is None:
        raise NotScored(f"nothing is known of networks of {type(architecture).__name__} on other data sets")
    return expected(architecture)


def ready(task: Task, sources: Iterable[str], proxies: Sequence[str]) -> None:
    """Make what these proxies keep with the task's batches, for networks that hear as far as those of ``sources``.

    Worker processes then share it.
    """
    for text in sources:
        for name in proxies:
            if name in PROXIES:
                model = load(text)()
                with lowered(model, 0):
                    _quietly(lambda name=name, model=model: find(name).score(model, task, 0))  # type: ignore[misc]


def _quietly(score: Callable[[], float]) -> None:
    try:
        score()
    except Exception:  # whoever needs the score will hear of it
        return


def _short(job: Job, task: Task, name: str) -> float:
    torch.manual_seed(job.seed)
    model = load(job.source)().to(job.device)
    asked = _asked(name)
    with lowered(model, job.seed):
        return short_training(
            model,
            task,
            job.recipe,
            resolve_metric(job.metrics[0], task.target),
            asked or _epochs(job.recipe),
            seed=job.seed,
            class_weights=job.class_weights,
            scores=Scoring(predict),
            seconds=job.seconds if asked or job.seconds is None else SHARE * job.seconds,
        )


def _asked(name: str) -> int | None:
    """The epochs that the name says, if it does."""
    _, _, text = name.partition(":")
    if not text and name == SHORT:
        return None
    if not text.isdigit() or int(text) < 1:
        raise BadInput(f"a short training is named {SHORT} or {SHORT}:EPOCHS, such as {SHORT}:20; got {name!r}")
    return int(text)


def _epochs(recipe: Recipe) -> int:
    return max(EPOCHS, round(SHARE * recipe.epochs)) if recipe.waits >= recipe.epochs else EPOCHS


def _needs_a_job(*_: object) -> float:
    raise BadInput("this needs an architecture, not its module alone")
