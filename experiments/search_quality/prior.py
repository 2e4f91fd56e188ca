"""How well the prior from other data sets ranks, by which statistics say how alike data sets are, and how strictly.

    python experiments/search_quality/prior.py

Needs the table (NAS_DATA, or the package nas-bench-graph). Each data set of NAS-Bench-Graph is left out in turn; the
Spearman correlation of the prior with its validation is taken over all of its networks and over the best fifth of them.
Nothing is drawn, so there are no seeds. The nine data sets are all there are: the choice of the statistics and of the
bandwidth (``nas.predictors.transfer.NEAR``) was made by this very table, so it flatters them.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from recording import append, origin

from nas.evaluation.tables.registry import find
from nas.predictors import transfer
from nas.predictors.agreement import spearman
from nas.predictors.transfer import Experience
from nas.study.experience import experience

HERE = Path(__file__).parent
TABLE = HERE / "prior.csv"
COLUMNS = ("size", "degree", "features", "classes", "homophily", "labelled")
MORE = {
    "cora": (0.81, 140 / 2708),
    "citeseer": (0.74, 120 / 3327),
    "pubmed": (0.80, 60 / 19717),
    "cs": (0.81, 300 / 18333),
    "physics": (0.93, 100 / 34493),
    "photo": (0.83, 160 / 7650),
    "computers": (0.78, 200 / 13752),
    "arxiv": (0.66, 0.54),
    "proteins": (0.66, 0.65),
}
"""Edge homophily and the share of the nodes that are labelled for training."""
SETS = {
    "even weights": (),
    "size": (0,),
    "degree": (1,),
    "features": (2,),
    "classes": (3,),
    "size, degree": (0, 1),
    "size, degree, features, classes": (0, 1, 2, 3),
    "all six": (0, 1, 2, 3, 4, 5),
}
NEAR = (0.3, 0.5, 0.8)


def main() -> None:
    found: dict[tuple[str, float], dict[str, tuple[float, float]]] = {}
    table = find("nasbench-graph")
    first = table.column("cora")
    assert first.network is not None
    networks = [first.network(row) for row in range(len(first.numbers["valid_accuracy"]))]
    for data in table.datasets:
        column = table.column(data)
        values = column.numbers[f"valid_{column.task.metric}"]
        rows = np.flatnonzero(np.isfinite(values))
        known = experience("nasbench-graph", None, column.space, column.task)
        scores, top = known.scores([networks[row] for row in rows]), values[rows] >= np.nanquantile(values, 0.8)
        for name, chosen in SETS.items():
            for near in NEAR if chosen else NEAR[:1]:
                transfer.NEAR = near
                expected = scores @ with_statistics(known, data, chosen).weights
                correlations = spearman(expected, values[rows]), spearman(expected[top], values[rows][top])
                found.setdefault((name, near), {})[data] = correlations
    TABLE.unlink(missing_ok=True)
    for (name, near), by_data in found.items():
        overall, best = np.array(list(by_data.values())).T
        row = {"statistics": name, "near": near if SETS[name] else "", "spearman": f"{overall.mean():.3f}"}
        row |= {"spearman_best_fifth": f"{best.mean():.3f}"} | {data: f"{a:.2f}" for data, (a, _) in by_data.items()}
        append(TABLE, row | origin())
        print(row)


def with_statistics(known: Experience, data: str, chosen: tuple[int, ...]) -> Experience:
    """The same experience, with other statistics; without any all sources count alike."""
    if not chosen:
        return replace(known, statistics=np.zeros((len(known.sources), 1)), own=np.zeros(1))
    more = np.array([[homophily, np.log(labelled)] for homophily, labelled in (MORE[s] for s in known.sources)])
    own = np.array([MORE[data][0], np.log(MORE[data][1])])
    every, mine = np.concatenate([known.statistics, more], axis=1), np.concatenate([known.own, own])
    return replace(known, statistics=every[:, chosen], own=mine[list(chosen)])


if __name__ == "__main__":
    main()
