"""Architectures that a diffusion model generates: towards objectives, within limits, with what is expected of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from nas.diffusion.generator import Generator, Sampling
from nas.diffusion.guidance import Guide
from nas.diffusion.learned_guide import RowPredictor, by_cost, guide
from nas.generation.known import Known
from nas.predictors.warped import Warped
from nas.ranking.sample import distinct
from nas.searchspace.errors import BadInput
from nas.study.costs import MEASURED, Costs
from nas.study.objectives import COSTS, Objective
from nas.study.plan import Plan

SAMPLED = 200
"""Random architectures whose costs are measured to guide by them."""
DRAWS = 30
"""So many times as many as are wanted are drawn before a limit is given up."""
PORTION = 256
"""Draws of a portion, at least."""

Told = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is, and of how much."""


@dataclass(frozen=True)
class Wanted:
    """What should be generated.

    Attributes:
        n: so many different networks.
        objectives: what they should be good at, the first one ranks; none leaves the generator alone.
        how: is drawn.
        seed: of the draws.
    """

    n: int
    objectives: tuple[Objective, ...] = ()
    how: Sampling = field(default_factory=Sampling)
    seed: int = 0


@dataclass(frozen=True)
class Generated:
    """One architecture.

    Attributes:
        architecture: in its canonical form.
        expected: by objective, in its natural sign and units.
        deviation: of what is expected, for objectives that are not measured.
        costs: measured, where an objective or a limit asks for them.
        promise: what a pretrained guide expects, in deviations over the space; None without one.
    """

    architecture: Any
    expected: Mapping[str, float]
    deviation: Mapping[str, float]
    costs: Mapping[str, float]
    promise: float | None = None


@dataclass(frozen=True)
class Generation:
    """What was generated.

    Attributes:
        rows: best first by the first objective, otherwise in the order in which they were drawn.
        drawn: how many draws it took.
        valid, canonical, unique: shares, see :class:`nas.diffusion.generator.Drawn`.
        novel: share of the different valid networks that the guide did not learn from; None if it learned from none.
        within: share of those within the limits; None without limits.
        seconds: of the drawing alone.
    """

    rows: list[Generated]
    drawn: int
    valid: float
    canonical: float
    unique: float
    novel: float | None
    within: float | None
    seconds: float


def generation(
    plan: Plan,
    generator: Generator,
    wanted: Wanted,
    known: Known | None = None,
    pretrained: Guide | None = None,
    told: Told = lambda what, done, total: None,
) -> Generation:
    """Generate.

    Args:
        plan: data, space and limits.
        generator: of the space.
        wanted: what.
        known: what a guide learns metrics from.
        pretrained: a guide towards good metrics that has learned already.
        told: hears of the progress.

    Raises:
        BadInput: if an objective is a metric and there is nothing to learn it from, or no network within the limits is
            found.
    """
    costs = plan.costs([o.name for o in wanted.objectives if o.name in MEASURED])
    learned = _learned(plan, generator, wanted, costs, known, pretrained is not None, told)
    towards = learned.guide(wanted, costs.limits, pretrained)
    begin = time.perf_counter()
    first = generator.draw(wanted.n, seed=wanted.seed, guide=towards, how=wanted.how)
    seconds, drawn, tried = time.perf_counter() - begin, wanted.n, dict.fromkeys(first.architectures)
    found = [a for a in tried if costs.within(a)]
    while len(found) < wanted.n and drawn < DRAWS * max(wanted.n, PORTION):
        told("drawing", len(found), wanted.n)
        more = generator.draw(PORTION, seed=wanted.seed + drawn, guide=towards, how=wanted.how).architectures
        new = [a for a in more if a not in tried]
        tried |= dict.fromkeys(new)
        found += [a for a in new if costs.within(a)]
        drawn += PORTION
    if costs.limits and not found:
        raise BadInput(f"of {len(tried):,} generated networks none has {costs}; raise the limit, or name another space")
    if not found:
        raise BadInput(f"of {drawn:,} draws none is an architecture of the space {plan.space.name}")
    made = found[: wanted.n]
    seen = None if known is None else set(known.architectures)
    return Generation(
        rows=_rows(made, wanted, learned, costs, _promises(generator, pretrained, made)),
        drawn=drawn,
        valid=first.valid,
        canonical=first.canonical,
        unique=first.unique,
        novel=None if seen is None else sum(a not in seen for a in tried) / max(len(tried), 1),
        within=len(found) / max(len(tried), 1) if costs.limits else None,
        seconds=seconds,
    )


@dataclass(frozen=True)
class Learned:
    """Predictors for what is wanted, by the name of an objective or cost; larger values are better.

    Attributes:
        costs: of the negative logarithm of what is measured.
        quality: of values that only a training tells, with the objective's sign.
    """

    costs: Mapping[str, RowPredictor]
    quality: Mapping[str, Warped]

    def guide(self, wanted: Wanted, limits: Mapping[str, float], pretrained: Guide | None) -> Guide | None:
        """Towards all objectives, and below the limits; None where neither is."""
        if not wanted.objectives and not limits:
            return pretrained
        named = [self._of(o.name) for o in wanted.objectives]
        return guide(
            [each for each in named if each is not None],
            [(self.costs[name], -math.log(limit)) for name, limit in limits.items()],
            [] if pretrained is None else [pretrained],
        )

    def _of(self, name: str) -> RowPredictor | None:
        if name in self.costs:
            return self.costs[name]
        return cast(RowPredictor, self.quality[name].predictor) if name in self.quality else None


def _learned(
    plan: Plan, generator: Generator, wanted: Wanted, costs: Costs, known: Known | None, guided: bool, told: Told
) -> Learned:
    sampled = [plan.space.canonical(a) for a in distinct(plan.space, SAMPLED, wanted.seed)] if costs.names else []
    for number, architecture in enumerate(sampled, 1):
        costs(architecture)
        told("measuring costs", number, len(sampled))
    costly, quality = dict[str, RowPredictor](), dict[str, Warped]()
    for name in costs.names:
        pairs = [(a, measured[name]) for a in sampled if (measured := costs(a)) is not None]
        if not pairs:
            raise BadInput(f"no network of the space {plan.space.name} fits {plan.task.name}, so none has {name}")
        costly[name] = by_cost(generator.rows, [a for a, _ in pairs], [value for _, value in pairs], wanted.seed)
    for objective in wanted.objectives:
        if objective.name in costs.names or (guided and objective.name not in COSTS):
            continue
        if known is None:
            raise BadInput(
                f"what {objective.name} an architecture will have must be learned: name a run, a file of measured "
                "architectures, or pretrained as its guide"
            )
        architectures, values = known.values(objective.key)
        quality[objective.name] = Warped(RowPredictor(generator.rows, wanted.seed))
        quality[objective.name].fit(architectures, np.array([objective.value(v) for v in values]))
    return Learned(costly, quality)


def _rows(
    found: Sequence[Any], wanted: Wanted, learned: Learned, costs: Costs, promises: Sequence[float] | None
) -> list[Generated]:
    """What is expected of each; the best by the first objective first, or by what a pretrained guide promises."""
    expected = {name: predictor.predict(found) for name, predictor in learned.quality.items()}
    signs = {o.name: o.sign for o in wanted.objectives}
    rows = [
        Generated(
            architecture,
            {name: signs[name] * float(mean[i]) for name, (mean, _) in expected.items()},
            {name: float(deviation[i]) for name, (_, deviation) in expected.items()},
            costs(architecture) or {},
            None if promises is None else float(promises[i]),
        )
        for i, architecture in enumerate(found)
    ]

    def worth(row: Generated) -> float:
        first = wanted.objectives[0] if wanted.objectives else None
        if first is not None and first.name in {**row.expected, **row.costs}:
            return first.value({**row.costs, **row.expected}[first.name])
        return 0.0 if row.promise is None else row.promise

    return sorted(rows, key=worth, reverse=True)


def _promises(generator: Generator, guide: Guide | None, found: Sequence[Any]) -> Sequence[float] | None:
    if guide is None:
        return None
    from nas.diffusion.conditioned import predicted

    return [float(value) for value in predicted(generator.rows, guide, found)[:, 0]]
