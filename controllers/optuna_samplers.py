"""Optuna's samplers as controllers: TPE, Gaussian process, NSGA-II, CMA-ES, and any other one as an object."""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any, ClassVar

from nas.controllers.base import Problem
from nas.controllers.optuna_study import EveryKnob, FreshSampler, Knobs, LivingSampler

if TYPE_CHECKING:
    from optuna import Study
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial


class TPE(FreshSampler):
    """Tree-structured Parzen estimator."""

    def __init__(self, problem: Problem, *, startup: int = 10, multivariate: bool = False) -> None:
        super().__init__(problem, EveryKnob(problem) if multivariate else Knobs(problem))
        self.startup = startup
        self.multivariate = multivariate

    def sampler(self, seed: int) -> BaseSampler:
        from optuna.samplers import TPESampler

        return fixed(TPESampler(
            n_startup_trials=self.startup, multivariate=self.multivariate, group=False, constant_liar=True, seed=seed
        ), self.knobs)

class GP(FreshSampler):
    """Gaussian process"""

    def __init__(self, problem: Problem, *, startup: int = 10, whole: bool=True) -> None:
        super().__init__(problem, EveryKnob(problem) if whole else Knobs(problem))
        self.startup = startup

    def sampler(self, seed: int) -> BaseSampler:
        from optuna.samplers import GPSampler

        return fixed(GPSampler(seed=seed, n_startup_trials=self.startup, deterministic_objective=False, warn_independent_sampling=False), self.knobs)


class NSGA2(LivingSampler):
    """NSGA2"""

    def __init__(self, problem: Problem, *, population: int = 50) -> None:
        super().__init__(problem, EveryKnob(problem))
        from optuna.samplers import NSGAIISampler

        self.study.sampler = fixed(NSGAIISampler(population_size=population, seed=problem.rng(-1).getrandbits(32)), self.knobs)


class CMAES(LivingSampler):
    """CMAES"""
    multi_objective: ClassVar[bool] = False

    def __init__(self, problem: Problem, *, population=None, margin: bool=True) -> None:
        super().__init__(problem, EveryKnob(problem, numeric=True))
        from optuna.samplers import CmaEsSampler
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.study.sampler = fixed(CmaEsSampler(popsize=population, with_margin=margin, warn_independent_sampling=False, seed=problem.rng(-1).getrandbits(32)), self.knobs)

def fixed(sampler, knobs):
    if known := knobs.fixed():
        space = {path: d for path, d in known.items() if not d.single()}
        sampler.infer_relative_search_space = lambda study, trial: dict(space)
    return sampler

class SamplerController(LivingSampler):
    def __init__(self, problem, sampler):
        super().__init__(problem, Knobs(problem))
        self.study.sampler = copy.deepcopy(sampler)
