"""Two objectives at once: what guided generation dominates, against unguided draws that a predictor filters.

    python experiments/diffusion/fronts.py [--data cora ...] [--seeds N]

Needs the table (NAS_DATA, or the package nas-bench-graph). Validation quality and the logarithm of the parameters are
learned from some random architectures, as ``nas generate`` does. ``guided`` draws so many towards both and asks the
predictors of each draw in each step within the guidance interval, and once more to choose; ``guided at`` aims at
another change of the logits. ``filtered`` makes as many unguided draws as these are calls, one call for each, repeats
included, though a call of guidance also takes a gradient. Both choose from what was not learned from, by the predicted
hypervolume: always the architecture that adds most, and once none does the same again with what is left. ``random``
are the first unguided draws.

The hypervolume is the true one of those chosen, on validation, scaled as in ``experiments/search_quality/fronts.py``;
``with_labelled`` is that of these and the learned ones. Deviations (``_sd``) are between seeds; ``over_filtered`` is
the mean difference to ``filtered`` with as many calls on the same seed, for ``random`` with the fewest. ``cpu_seconds``
are of drawing and choosing, the median of the seeds, since the first one also compiles.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from recording import append, origin
from search_quality.fronts import Volume

from nas.diffusion.generator import Generator, Sampling
from nas.diffusion.guidance import Guide, Strength
from nas.diffusion.learned_guide import RowPredictor, by_cost, guide
from nas.evaluation.tables.base import Column
from nas.evaluation.tables.registry import column
from nas.predictors.warped import Warped
from nas.study.generating import generator_of

FILE = Path(__file__).with_suffix(".csv")
SETTINGS = tomllib.loads((FILE.parent / "settings.toml").read_text())["fronts"]
COST = "params"
MEASURED = "hypervolume", "with_labelled", "different", "chosen", "cpu_seconds"

Row = dict[str, float]
Method = tuple[str, int]
"""A name, and how many guided draws its calls are worth."""


class Chosen(NamedTuple):
    """``different`` architectures were drawn that were not learned from, and some of them chosen."""

    calls: int
    different: int
    architectures: list[Any]
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=SETTINGS["data"])
    parser.add_argument("--seeds", type=int, default=SETTINGS["seeds"])
    given = parser.parse_args()
    found: dict[Method, dict[str, list[Row]]] = {}
    for data in given.data:
        for seed in range(given.seeds):
            for method, row in measured(column("nasbench-graph", data), seed):
                found.setdefault(method, {}).setdefault(data, []).append(row)
                print(data, seed, *method, {name: round(value, 3) for name, value in row.items()}, flush=True)
    FILE.unlink(missing_ok=True)
    for method, by_data in found.items():
        for data, several in by_data.items():
            record(method, data, several, found[_rival(method)][data])
    for method, by_data in found.items():
        record(method, f"mean of {len(by_data)}", _means(by_data), _means(found[_rival(method)]))


def record(method: Method, data: str, several: Sequence[Row], rivals: Sequence[Row]) -> None:
    """A row of means and deviations over seeds."""
    name, draws = method
    row: dict[str, Any] = {"data": data, "method": name, "guided_draws": draws or "", "seeds": len(several)}
    row["calls"] = f"{np.mean([one['calls'] for one in several]):.0f}"
    for measure in MEASURED:
        values = np.array([one[measure] for one in several])
        row[measure] = f"{np.median(values) if measure == 'cpu_seconds' else values.mean():.4f}"
        if measure in MEASURED[:2]:
            row[f"{measure}_sd"] = _deviation(values)
    ahead = np.array([one["hypervolume"] - other["hypervolume"] for one, other in zip(several, rivals, strict=True)])
    row |= {"over_filtered": f"{ahead.mean():.4f}", "over_filtered_sd": _deviation(ahead)}
    append(FILE, row | origin())


def measured(here: Column, seed: int) -> Iterator[tuple[Method, Row]]:
    """What each method's choice dominates."""
    quality = f"valid_{here.task.metric}"
    volume = Volume(here, quality, COST)

    def true(architectures: Sequence[Any]) -> np.ndarray:
        places = [here.row(a) for a in architectures]
        return np.stack([here.numbers[quality][places], here.numbers[COST][places]], axis=1)

    made = generator_of(here.space)
    labelled = known(here, random.Random(f"{here.task.name}/{seed}/labelled"))
    choice = Choice(made, labelled, true(labelled), seed)
    for method, chosen in methods(made, choice, seed):
        dominated = volume(true(chosen.architectures)), volume(true([*chosen.architectures, *labelled]))
        numbers = *dominated, chosen.different, len(chosen.architectures), chosen.seconds
        yield method, {"calls": chosen.calls, **dict(zip(MEASURED, map(float, numbers), strict=True))}


def known(here: Column, rng: random.Random) -> list[Any]:
    """Different random architectures with their numbers in the table."""
    found: dict[Any, None] = {}
    while len(found) < SETTINGS["labelled"]:
        architecture = here.space.canonical(here.space.sample(rng))
        if here.metrics(architecture) is not None:
            found[architecture] = None
    return list(found)


def methods(made: Generator, choice: Choice, seed: int) -> Iterator[tuple[Method, Chosen]]:
    """All of them, on one seed of labels and draws."""
    towards = choice.guide
    made.draw(1, seed=seed)
    first = choice.new(made.draw(4 * SETTINGS["chosen"], seed=seed).architectures)
    yield ("random", 0), Chosen(0, len(first), first[: SETTINGS["chosen"]], 0.0)
    for draws in SETTINGS["draws"]:
        calls = 0
        for change in SETTINGS["changes"]:
            strength = Strength(change=change) if change else Strength()
            how = Sampling(steps=SETTINGS["steps"], strength=strength)
            levels = made.noise.levels(how.steps)[:-1]
            calls = draws * (1 + int(((levels >= strength.low) & (levels <= strength.high)).sum()))
            made.draw(1, seed=seed, guide=towards, how=how)
            name = f"guided at {change:g}" if change else "guided"
            yield (name, draws), choice.of(made, draws, calls, seed, towards, how)
        yield ("filtered", draws), choice.of(made, calls, calls, seed)


class Choice:
    """Predictors of both objectives, and what they choose of what was drawn.

    Args:
        made: the generator.
        labelled: architectures to learn from.
        values: ``[items, 2]``, their quality and cost.
        seed: of the predictors.
    """

    def __init__(self, made: Generator, labelled: Sequence[Any], values: np.ndarray, seed: int) -> None:
        quality = RowPredictor(made.rows, seed)
        self._quality = Warped(quality)
        self._quality.fit(labelled, values[:, 0])
        self._cost = by_cost(made.rows, labelled, list(values[:, 1]), seed)
        self._labelled = set(labelled)
        scaled = np.stack([values[:, 0], -np.log(values[:, 1])], axis=1)
        self._median, self._best = np.median(scaled, axis=0), scaled.max(0)
        self.guide = guide([quality, self._cost])

    def of(
        self, made: Generator, draws: int, calls: int, seed: int, towards: Guide | None = None,
        how: Sampling | None = None,
    ) -> Chosen:  # fmt: skip
        """Of so many draws, guided or not."""
        start = time.process_time()
        new = self.new(made.draw(draws, seed=seed, guide=towards, how=how).architectures)
        predicted = np.stack([self._quality.predict(new)[0], self._cost.predict(new)[0]], axis=1)
        places = greedy((predicted - self._median) / (self._best - self._median), SETTINGS["chosen"])
        return Chosen(calls, len(new), [new[i] for i in places], time.process_time() - start)

    def new(self, architectures: Sequence[Any]) -> list[Any]:
        """Those that were not learned from."""
        return [a for a in architectures if a not in self._labelled]


def greedy(points: np.ndarray, k: int) -> list[int]:
    """The places of ``k`` of ``[items, 2]``: always what adds most to the area that those chosen dominate above 0.

    When nothing adds to it the area starts anew, with what is left; what lies below 0 comes last, by its sum.
    """
    left = np.ones(len(points), bool)
    chosen, layer = list[int](), list[int]()
    while left.any() and len(chosen) < k:
        gains = np.where(left, gain(points, points[layer]), 0)
        if gains.max() <= 0 and layer:
            layer = []
            continue
        worth = gains if gains.max() > 0 else np.where(left, points.sum(1), -np.inf)
        layer.append(int(worth.argmax()))
        chosen.append(layer[-1])
        left[layer[-1]] = False
    return chosen


def gain(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """``[items]``, the area above 0 that each of ``[items, 2]`` dominates and none of the others does."""
    stairs = np.maximum(others[np.argsort(others[:, 0])], 0)
    ends = np.append(stairs[:, 0], np.inf)
    begins = np.insert(stairs[:, 0], 0, 0)
    heights = np.append(np.maximum.accumulate(stairs[::-1, 1])[::-1], 0)
    width = np.maximum(np.minimum(points[:, :1], ends) - begins, 0)
    return np.asarray((width * np.maximum(points[:, 1:] - heights, 0)).sum(1))


def _rival(method: Method) -> Method:
    return "filtered", method[1] or SETTINGS["draws"][0]


def _means(by_data: dict[str, list[Row]]) -> list[Row]:
    """Of each seed the means over data sets."""
    return [
        {name: float(np.mean([row[name] for row in several])) for name in several[0]}
        for several in zip(*by_data.values(), strict=True)
    ]


def _deviation(values: np.ndarray) -> str:
    return f"{values.std(ddof=1):.4f}" if len(values) > 1 else ""


if __name__ == "__main__":
    main()
