"""Is a learned screen better that counts the seconds of trainings? On NAS-Bench-Graph, by a simulated clock.

    python experiments/zerocost/timed.py [--seeds N] [--data cora ...]

Needs the table (NAS_DATA, or the package nas-bench-graph). Evolution alone, and behind a learned ranking that knows
architectures alone, since a table has no networks to score: by the predicted value, and by the expected improvement per
second. All have the same simulated seconds, what ``networks`` average trainings of the table take; screening costs
nothing here. Interrupted, it goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from recording import append, origin, rows

import nas
from nas.controllers import Problem, Trial
from nas.controllers.acquisition import expected_improvement
from nas.controllers.evolution import Evolution
from nas.controllers.learned_ranking import LearnedRanking
from nas.controllers.screening import Scores, Screened
from nas.evaluation.tables.registry import column
from nas.predictors.forest import Forest
from nas.predictors.warped import scores as normal_scores
from nas.searchspace.space import Space

HERE = Path(__file__).parent
TABLE = HERE / "timed.csv"
SETTINGS = tomllib.loads((HERE / "settings.toml").read_text())["timed"]


class PerSecond(LearnedRanking):
    """An architecture is worth its expected improvement per second, of which a second forest learns the logarithm.

    Snoek, Larochelle and Adams, "Practical Bayesian Optimization of Machine Learning Algorithms", NeurIPS 2012, section
    3.2.
    """

    def __init__(self, space: Space[Any], columns: Sequence[str], seed: int) -> None:
        super().__init__(space, columns, seed)
        self._seconds, self._times = list[float](), Forest(seed=seed)

    def learn(self, trial: Trial) -> None:
        if trial.values is not None:
            self._seconds.append(trial.seconds)
        super().learn(trial)

    def _fit(self, number: int) -> None:
        super()._fit(number)
        self._times.fit(np.stack(self._features), np.log(self._seconds))

    def worth(self, architectures: Sequence[Any], scores: Sequence[Scores]) -> list[float]:
        assert self._forest is not None
        encoded = np.stack([self._encoded(a, found) for a, found in zip(architectures, scores, strict=True)])
        means, deviations = self._forest.predict(encoded)
        gains = expected_improvement(means, np.maximum(deviations, 1e-9), normal_scores(np.array(self._values)).max())
        return [float(w) for w in np.log(np.maximum(gains, 1e-18)) - self._times.predict(encoded)[0]]


class ByValue(Screened):
    """Evolution behind a ranking by what is predicted."""

    ranking: type[LearnedRanking] = LearnedRanking

    def __init__(self, problem: Problem) -> None:
        ranking = self.ranking(problem.space, (), problem.seed)
        super().__init__(Evolution(problem), problem.space, lambda architecture: {}, ranking, SETTINGS["pool"])


class BySecond(ByValue):
    """By the expected improvement per second."""

    ranking = PerSecond


WAYS: dict[str, Any] = {"none": "evolution", "by value": ByValue, "by improvement per second": BySecond}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=SETTINGS["seeds"])
    parser.add_argument("--data", nargs="*", default=SETTINGS["data"])
    chosen = parser.parse_args()
    done = {(r["data"], r["screen"], int(r["networks"]), int(r["seed"])) for r in rows(TABLE)}
    for seed in range(chosen.seeds):
        for data in chosen.data:
            for way in WAYS:
                if (data, way, max(SETTINGS["networks"]), seed) not in done:
                    for row in searched(data, way, seed):
                        append(TABLE, row | origin())
    show()


def searched(data: str, way: str, seed: int) -> list[dict[str, Any]]:
    """A row for each budget."""
    here = column("nasbench-graph", data)
    valid = f"valid_{here.task.metric}"
    average = here.seconds({"latency": float(np.nanmean(here.numbers["latency"]))})
    seconds = average * max(SETTINGS["networks"])
    with tempfile.TemporaryDirectory() as runs:
        result = nas.search(
            data, table="nasbench-graph", space="", controller=WAYS[way], simulated=True, seconds=seconds, seed=seed,
            runs=runs,
        )  # fmt: skip
    made = []
    for budget in SETTINGS["networks"]:
        within = [r.trial for r in result.records if r.elapsed <= average * budget]
        best = max(trial.metrics[valid] for trial in within)
        made.append({
            "data": data, "screen": way, "seed": seed, "networks": budget, "trials": len(within),
            "valid_regret": f"{here.regret('valid', best):.4f}",
        })  # fmt: skip
    return made


def show() -> None:
    """The mean over data sets, with the standard error over seeds."""
    found = rows(TABLE)
    for budget in SETTINGS["networks"]:
        for way in WAYS:
            mine = [r for r in found if (int(r["networks"]), r["screen"]) == (budget, way)]
            seeds = sorted({int(r["seed"]) for r in mine})
            means = [np.mean([float(r["valid_regret"]) for r in mine if int(r["seed"]) == seed]) for seed in seeds]
            trials = np.mean([int(r["trials"]) for r in mine])
            error = np.std(means, ddof=1) / len(means) ** 0.5 if len(means) > 1 else float("nan")
            print(f"{budget:4d} networks' time, {way:26s} {np.mean(means):.3f} +- {error:.3f}, {trials:.0f} trials")


if __name__ == "__main__":
    main()
