"""What the shipped generator and predictor propose for a data set on which nothing was tried.

    python experiments/diffusion/transfer.py

Needs the table (NAS_DATA, or the package nas-bench-graph). Each data set of NAS-Bench-Graph is left out in turn: the
predictor never saw its column (``nas.study.pretraining``). A method proposes 1, 3 or 10 architectures; their validation
is looked up, the one with the best is chosen, and of that the regret is read: 0 is the best of the table, 1 its median.
``test`` regret says what was won; ``valid`` regret is the one to judge a ranking by, since on some data sets the best
validation has a middling test. On ``proteins`` the table has five operations alone.

Methods: ``random``; ``mean rank``, the mean normal score over the other data sets; ``experience``, the prior of ``bo``;
``predictor``, the conditioned predictor over all networks of the table; ``predictor without graph``, told of the data
set's size alone; ``generated``, of so many guided draws the best by the predictor; ``filtered``, of unguided ones.
The spread is the standard error of the mean over seeds, where there are any.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from recording import append, origin

from nas.diffusion.conditioned import guide, predicted
from nas.diffusion.generator import Sampling
from nas.diffusion.guidance import Strength
from nas.evaluation.tables.base import Column
from nas.evaluation.tables.registry import find
from nas.predictors.agreement import spearman
from nas.predictors.dataset import described
from nas.searchspace.spaces.registry import find as space_named
from nas.study.experience import experience
from nas.study.pretraining import Pair, load_pair, shipped

TABLE = Path(__file__).with_name("transfer.csv")
NAME, BUDGETS, SEEDS, RANDOM_SEEDS = "nasbench-graph", (1, 3, 10), 10, 200
DRAWS = {"generated 16": 16, "generated 256": 256, "generated 256 at scale 4": 256, "filtered 256": 256}

Regrets = list[float]


def main() -> None:
    space = space_named(NAME)
    pair = load_pair(space, shipped(space))
    found: dict[str, dict[str, tuple[float, float, list[Regrets]]]] = {}
    table = find(NAME)
    for data in table.datasets:
        for method, correlations, several in methods(pair, table.column(data)):
            found.setdefault(method, {})[data] = (*correlations, several)
            print(data, method, np.round(correlations, 3), np.mean(several, axis=0).round(3), flush=True)
    TABLE.unlink(missing_ok=True)
    for method, by_data in found.items():
        for data, (valid, test, several) in by_data.items():
            record(method, data, valid, test, np.array(several))
        for name, of in (("mean of 9", list(by_data)), ("mean of 8", [d for d in by_data if d != "proteins"])):
            valid, test = np.mean([by_data[d][:2] for d in of], axis=0)
            record(method, name, valid, test, np.mean([by_data[d][2] for d in of], axis=0))


def record(method: str, data: str, valid: float, test: float, several: np.ndarray) -> None:
    names = [f"{split}_{k}" for split in ("test", "valid") for k in BUDGETS]
    row: dict[str, Any] = {"method": method, "data": data, "seeds": len(several)}
    row |= {"spearman_valid": "" if np.isnan(valid) else f"{valid:.3f}"}
    row |= {"spearman_test": "" if np.isnan(test) else f"{test:.3f}"}
    error = several.std(0, ddof=1) / len(several) ** 0.5 if len(several) > 1 else np.full(len(names), np.nan)
    for name, mean, spread in zip(names, several.mean(0), error, strict=True):
        row |= {name: f"{mean:.3f}", f"{name}_se": "" if np.isnan(spread) else f"{spread:.3f}"}
    append(TABLE, row | origin())


def methods(pair: Pair, column: Column) -> Iterator[tuple[str, tuple[float, float], list[Regrets]]]:
    """Names, rank correlations with validation and test, and the regrets of each seed."""
    metric = column.task.metric
    numbers = {split: column.numbers[f"{split}_{metric}"] for split in ("test", "valid")}
    valid, test = numbers["valid"], numbers["test"]
    rows = np.flatnonzero(np.isfinite(valid))

    def regrets(ranked: Sequence[int]) -> Regrets:
        chosen = [ranked[int(np.argmax(valid[ranked[:k]]))] for k in BUDGETS]
        of = [(split, numbers[split][i]) for split in numbers for i in chosen]
        return [float(column.regret(split, value)) for split, value in of]

    def ranking(scores: np.ndarray) -> tuple[tuple[float, float], list[Regrets]]:
        correlations = spearman(scores, valid[rows]), spearman(scores, test[rows])
        return correlations, [regrets(list(rows[np.argsort(-scores, kind="stable")]))]

    none = float("nan"), float("nan")
    yield "random", none, [regrets(random.Random(seed).sample(list(rows), 10)) for seed in range(RANDOM_SEEDS)]
    others = find(NAME).column("cora" if column.task.name != "cora" else "citeseer")
    assert others.network is not None
    networks = [others.network(int(row)) for row in rows]
    known = experience(NAME, None, column.space, column.task)
    yield "mean rank", *ranking(known.scores(networks).mean(1))
    yield "experience", *ranking(known.prior(networks))
    predictor = pair.family.of(column.task)
    assert column.task.name not in predictor.sources
    towards = guide(predictor, pair.family.describe(column.task))
    plain = guide(predictor, described(column.task, column.links))
    of = pair.generator.rows
    yield "predictor", *ranking(predicted(of, towards, networks)[:, 0])
    yield "predictor without graph", *ranking(predicted(of, plain, networks)[:, 0])
    for name, draws in DRAWS.items():
        how = Sampling(strength=Strength(scale=4.0)) if "scale" in name else Sampling()
        towards_it = None if "filtered" in name else towards
        several = []
        for seed in range(SEEDS):
            drawn = enough(lambda n, s: pair.generator.draw(n, seed=s, guide=towards_it, how=how).architectures,  # noqa: B023
                           lambda a: np.isfinite(valid[column.row(a)]), draws, seed)  # fmt: skip
            order = np.argsort(-predicted(of, towards, drawn)[:, 0], kind="stable")
            several.append(regrets([column.row(drawn[i]) for i in order]))
        yield name, none, several


def enough(draw: Callable[[int, int], list[Any]], known: Callable[[Any], Any], draws: int, seed: int) -> list[Any]:
    """Those of so many draws, or of more where these have fewer than ten that the table knows."""
    found, part = list[Any](), 0
    while len(found) < max(BUDGETS):
        found = list(dict.fromkeys([*found, *(a for a in draw(draws, seed + 1000 * part) if known(a))]))
        part += 1
    return found


if __name__ == "__main__":
    main()
