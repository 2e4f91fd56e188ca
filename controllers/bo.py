"""Bayesian optimisation: a predictor learns from finished trials, an acquisition chooses among candidates."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from nas.controllers.base import Counted, Problem, Trial, at_least
from nas.controllers.candidates import CANDIDATES, Candidates
from nas.searchspace.errors import BadInput
from nas.searchspace.registry import unknown

if TYPE_CHECKING:
    from nas.controllers.evidence import ScoreOf
    from nas.controllers.surrogate import Surrogate
    from nas.predictors.encoder import Extra
    from nas.predictors.transfer import Prior

ACQUISITIONS = ("ei", "ucb", "thompson")
STARTUP, EXPECTED = 10, 1
"""Architectures before the first model, without a prior and with one."""
AMONG = 2
"""With a prior they are drawn among so many times as many, those of which most is expected."""
EXPECTED_CANDIDATES = 500
"""So many of which most is expected are always candidates."""
ATTEMPTS = 200
"""Random architectures that are drawn for one that is not known and keeps to the limits, before any is taken; so many
of the best candidates are looked at for one that keeps to them."""


class BO(Counted):
    """Bayesian optimisation with a predictor of the architectures' quality: few trials, each well chosen.

    The predictor learns normal scores of the values, so that failures and far outliers do no harm; a failed trial
    counts as the worst. Among candidates that are not known yet the acquisition chooses one. Of two objectives the
    expected hypervolume improvement is taken; of more, a random weighting for each proposal. While proposals are out,
    what is near them is worth less (local penalisation), or, with Thompson sampling, another draw spreads them.

    White, Neiswanger and Savani, "BANANAS", AAAI 2021 (arXiv 1910.11858) compare the parts; what they are worth here is
    measured in ``experiments/search_quality``.

    Args:
        predictor: ``gp``, ``forest``, ``ensemble`` or ``gnn``, see ``nas.predictors``.
        acquisition: ``ei``, ``ucb`` or ``thompson``.
        candidates: ``mutations`` of the best beside random ones, ``random`` ones alone, ``all`` of a small space, or
            what ``diffusion`` generates, guided by what is known; or a generator of one's own.
        startup: architectures before the first model, random ones; with a prior some of those that it expects most of.
            None means 10, with a prior 1.
        scores: names of proxies joined by commas, which score the ``shortlist`` most promising candidates before one is
            chosen.
        shortlist: so many.
        prior: name of a table, such as ``nasbench-graph``, from which is learned how architectures did on other data
            sets, the more a data set resembles the one at hand; or ``pretrained``, which comes with this package.
    """

    multi_objective: ClassVar[bool] = True

    def __init__(
        self,
        problem: Problem,
        *,
        predictor: str = "gp",
        acquisition: str = "ei",
        candidates: str | Candidates = "mutations",
        startup: int | None = None,
        scores: str = "",
        shortlist: int = 16,
        prior: str = "",
    ) -> None:
        super().__init__(problem)
        startup = (EXPECTED if prior else STARTUP) if startup is None else startup
        at_least(1, startup=startup)
        at_least(2, shortlist=shortlist)
        texts = {"predictor": predictor, "acquisition": acquisition}
        if not callable(candidates):
            texts["candidates"] = candidates
        for name, value in {**texts, "scores": scores, "prior": prior}.items():
            if not isinstance(value, str):
                raise BadInput(f"the option {name!r} of a controller must be text; got {value!r}")
        if acquisition not in ACQUISITIONS:
            raise unknown("acquisition", acquisition, ACQUISITIONS)
        if not callable(candidates) and candidates not in CANDIDATES:
            raise unknown("candidate generator", candidates, CANDIDATES)
        if problem.objectives > 1 and acquisition != "ei":
            raise BadInput(
                f"acquisition {acquisition} is for one objective and the study has {problem.objectives}; leave it out: "
                "of several objectives the expected improvement of the hypervolume, or of random weightings, is taken"
            )
        if problem.objectives > 1 and prior:
            raise BadInput(
                f"a prior is of the quality alone and the study has {problem.objectives} objectives; leave prior out"
            )
        self._predictor, self._acquisition = predictor, acquisition
        self._startup, self._shortlist = startup, shortlist
        self._experience = self._experienced(prior) if prior else None
        self._scored = self._scorer(scores) if scores else None
        self._candidates = candidates if callable(candidates) else CANDIDATES[candidates](problem)
        self._known: dict[Any, tuple[float, ...] | None] = {}
        self._pending: list[Any] = []
        self._coarse = self._surrogate()
        self._fine: Surrogate | None = None

    def _surrogate(self, *extras: Extra) -> Surrogate:
        from nas.controllers.surrogate import Surrogate

        options: dict[str, Any] = {}
        if self._experience is not None:
            extras = (*extras, self._experience.features)
            options = {"linear": 1} if self._predictor == "gp" else {}
        return Surrogate(self.problem, self._predictor, self._acquisition, extras, **options)

    def _experienced(self, prior: str) -> Prior:
        if self.problem.experience is None:
            raise BadInput(f"prior {prior} needs a study, which knows the data set; leave it out here")
        return self.problem.experience(prior)

    def _scorer(self, scores: str) -> tuple[ScoreOf, Sequence[str]]:
        if self.problem.scores is None:
            raise BadInput(
                f"scores {scores} are those of networks on a graph, and here is none: a table has numbers alone; leave "
                "scores out"
            )
        names = [name.strip() for name in scores.split(",")]
        if len(set(names)) < len(names):
            raise BadInput(f"scores names a proxy twice: {scores}")
        return self.problem.scores(names)

    # telling

    def tell(self, trials: Sequence[Trial]) -> None:
        self.heard(trials)
        for trial in trials:
            key = self.space.canonical(trial.architecture)
            if key in self._pending:
                self._pending.remove(key)
            if key not in self._known:
                self._known[key] = trial.values

    def forget(self, architectures: Sequence[Any]) -> None:
        super().forget(architectures)
        for key in map(self.space.canonical, architectures):
            if key in self._pending:
                self._pending.remove(key)

    # asking

    def ask(self, n: int) -> list[Any]:
        return [self._propose() for _ in range(n)]

    def _propose(self) -> Any:
        rng = self.next_rng()
        chosen = self._first(rng) if len(self._known) < self._startup else self._modelled(rng)
        self._pending.append(self.space.canonical(chosen))
        return chosen

    def _first(self, rng: random.Random) -> Any:
        """One of those of which most is expected, or any."""
        if self._experience is not None:
            fresh = [a for a in self._promising[: AMONG * self._startup] if not self._taken(a)]
            if fresh:
                return rng.choice(fresh)
        return self._random(rng)

    @cached_property
    def _promising(self) -> list[Any]:
        """Those of which most is expected before anything was tried, best first."""
        if self._experience is None:
            return []
        return list(filter(self._allowed, self._experience.first(EXPECTED_CANDIDATES)))

    def _random(self, rng: random.Random) -> Any:
        for _ in range(ATTEMPTS):
            drawn = self.space.sample(rng)
            if not self._taken(self.space.canonical(drawn)) and self._allowed(drawn):
                break
        return drawn

    def _allowed(self, architecture: Any) -> bool:
        return self.problem.costs is None or self.problem.costs.within(architecture)

    def _taken(self, architecture: Any) -> bool:
        network = self.space.canonical(architecture)
        return network in self._known or network in self._pending

    def _modelled(self, rng: random.Random) -> Any:
        from nas.controllers.surrogate import targets

        known = list(self._known)
        learned = targets(list(self._known.values()), self.problem.objectives, rng)
        found = {**self._candidates(self._known, learned, rng), **{a: a for a in self._promising}}
        for network in (*known, *self._pending):
            found.pop(network, None)
        if not found:
            return self._random(rng)
        pool = list(found)
        worth = self._coarse.worth(pool, known, learned, self._pending, rng)
        if self._scored is not None:
            pool = [pool[i] for i in (-worth).argsort(kind="stable")[: self._shortlist]]
            worth = self._with_scores(known).worth(pool, known, learned, self._pending, rng)
        best = (found[pool[i]] for i in (-worth).argsort(kind="stable")[:ATTEMPTS])
        return next(filter(self._allowed, best), None) or self._random(rng)

    def _with_scores(self, known: Sequence[Any]) -> Surrogate:
        """One that knows scores too, scaled by those of the first architectures."""
        if self._fine is None:
            from nas.controllers.evidence import Scores

            assert self._scored is not None
            score, columns = self._scored
            self._fine = self._surrogate(Scores(score, known[: self._startup], columns))
        return self._fine

    def about(self, architecture: Any) -> Mapping[str, float]:
        """What a trial of the architecture should keep: its scores."""
        return {} if self._scored is None else self._scored[0](architecture)
