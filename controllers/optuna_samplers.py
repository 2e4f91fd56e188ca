"""Optuna's samplers as controllers: TPE, Gaussian process, NSGA-II, CMA-ES, and any other one as an object.

Options are named where Optuna's defaults changed between versions. TPE and the Gaussian process look at finished
trials only and are made anew for each proposal from (seed, number); the others live through the study.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, ClassVar

from nas.controllers.base import Problem, at_least
from nas.controllers.optuna_knobs import EveryKnob, Knobs
from nas.controllers.optuna_study import FreshSampler, LivingSampler

if TYPE_CHECKING:
    from optuna import Trial as OptunaTrial
    from optuna.samplers import BaseSampler


class TPE(FreshSampler):
    """Tree-structured Parzen estimator: models where good trials lie, all knobs jointly.

    Bergstra, Bardenet, Bengio and Kegl, "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011; Watanabe,
    arXiv 2304.11127, for the details of Optuna's. The joint (multivariate) model over every knob of the space
    takes half the time of one model per knob, and was as good or better in our runs, on a conditional space too.

    Args:
        startup: random architectures before the first model.
    """

    def __init__(self, problem: Problem, *, startup: int = 10) -> None:
        super().__init__(problem, EveryKnob(problem))
        at_least(1, startup=startup)
        self.startup = startup

    def sampler(self, seed: int) -> BaseSampler:
        from optuna.samplers import TPESampler

        return TPESampler(
            seed=seed,
            n_startup_trials=self.startup,
            n_ei_candidates=24,
            multivariate=True,
            group=False,
            constant_liar=True,
        )


class GP(FreshSampler):
    """Gaussian process with expected improvement: for few, expensive trials; a proposal takes tenths of a second.

    Optuna's GPSampler (Matern 5/2 kernel, log expected improvement; for several objectives log expected hypervolume
    improvement) over the knobs that every architecture has. Conditional ones are left to TPE, one at a time: with
    all knobs in the process, it was measured to propose variants that differ in inactive knobs alone.

    Args:
        startup: random architectures before the first model.
    """

    def __init__(self, problem: Problem, *, startup: int = 10) -> None:
        super().__init__(problem, Knobs(problem))
        at_least(1, startup=startup)
        self.startup = startup

    def ask(self, n: int) -> list[Any]:
        """One thread: the matrices are small, and on a busy machine threads wait for each other for seconds."""
        import torch
        from threadpoolctl import threadpool_limits

        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with threadpool_limits(1):
                return super().ask(n)
        finally:
            torch.set_num_threads(threads)

    def sampler(self, seed: int) -> BaseSampler:
        from optuna.samplers import GPSampler, TPESampler

        conditional = TPESampler(
            seed=seed, n_startup_trials=self.startup, n_ei_candidates=24, multivariate=False, constant_liar=True
        )
        return GPSampler(
            seed=seed,
            independent_sampler=conditional,
            n_startup_trials=self.startup,
            deterministic_objective=False,
            warn_independent_sampling=False,
        )


class NSGA2(LivingSampler):
    """NSGA-II: evolution towards a whole Pareto front, by non-dominated sorting and crowding.

    Deb, Pratap, Agarwal and Meyarivan, "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II", IEEE TEC
    2002. Inactive knobs are carried along as neutral genes.

    Args:
        population: architectures in a generation; the first generation is random. Optuna's 50 is slow for searches
            of a few hundred trials.
    """

    def __init__(self, problem: Problem, *, population: int = 20) -> None:
        super().__init__(problem, EveryKnob(problem))
        at_least(2, population=population)
        from optuna.samplers import NSGAIISampler

        self.study.sampler = NSGAIISampler(population_size=population, seed=problem.rng(-1).getrandbits(32))

    def enqueue(self, architecture: Any) -> OptunaTrial:
        """An architecture from elsewhere joins the generation too, which Optuna notes only when it breeds a child."""
        inner = super().enqueue(architecture)
        _ = inner.relative_params
        return inner


class CMAES(LivingSampler):
    """CMA-ES: adapts a normal distribution over the knobs; for spaces whose knobs are mostly numbers.

    Hansen, "The CMA Evolution Strategy: A Tutorial", arXiv 1604.00772. Every knob is relaxed to a number, the
    options of a choice to their position: a choice without order is given one, so list options in a sensible order.
    Architectures from elsewhere are ignored: they would throw the step size off.

    Args:
        population: proposals in a generation; None takes 4 + 3 ln(number of knobs), rounded down.
    """

    multi_objective: ClassVar[bool] = False
    unshared: ClassVar[str] = "learns from its own proposals alone"

    def __init__(self, problem: Problem, *, population: int | None = None) -> None:
        super().__init__(problem, EveryKnob(problem, numeric=True))
        if population is not None:
            at_least(2, population=population)
        from optuna.samplers import CmaEsSampler

        self.study.sampler = CmaEsSampler(
            seed=problem.rng(-1).getrandbits(32),
            n_startup_trials=1,
            popsize=population,
            warn_independent_sampling=False,
        )


class SamplerController(LivingSampler):
    """Any ``optuna.samplers.BaseSampler`` object, used as in an ordinary Optuna study.

    The object is copied, so that the one passed in can be used again. Give it a seed of its own: the problem's
    plays no part. A resumed search asks it for all of the past again.
    """

    unshared: ClassVar[str] = "is an Optuna sampler, which may learn from its own proposals alone"

    def __init__(self, problem: Problem, sampler: BaseSampler) -> None:
        super().__init__(problem, Knobs(problem))
        self.study.sampler = copy.deepcopy(sampler)
