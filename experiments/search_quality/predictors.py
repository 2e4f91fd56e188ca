"""How well predictors rank networks that they have not seen, and how often they are right about how sure they are.

    python experiments/search_quality/predictors.py [--predictors gp forest ...] [--data cora ...] [--summary]

Needs the table of NAS-Bench-Graph (NAS_DATA/nasbench_graph/nasbench_graph.npz). Each predictor learns the validation
quality of random networks and predicts that of 1,000 others. One row for each predictor, data set, number of networks
learned and whether ranks were learned (``warp``): over five seeds the mean and deviation of the rank correlation, the
mean and the extremes of the share of values within 1.645 deviations (0.9 is right), and the median seconds of a fit and
of a prediction, without those of compiling. A row that is there is skipped.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recording import append, origin, rows

from nas.predictors import PREDICTORS, Encoder, create
from nas.predictors.agreement import spearman
from nas.searchspace.space import Space
from nas.searchspace.spaces.nasbench_graph import NASBenchGraph, Node
from nas.searchspace.task import Task

FILE = Path(__file__).with_suffix(".csv")
LEARNED = (50, 100, 200)
PREDICTED = 1000
SEEDS = 5
DATA = ("cora", "citeseer", "arxiv")


def measure(name: str, encoder: Encoder, networks: list[Any], quality: np.ndarray, warp: bool) -> dict[str, Any]:
    """One predictor on one data set; ``networks`` and ``quality`` are of every seed, first those to learn."""
    agreement, covered, fit_seconds, predict_seconds = [], [], [], []
    for seed, (some, values) in enumerate(zip(networks, quality, strict=True)):
        learned = len(some) - PREDICTED
        made = create(name, encoder.space, seed=seed, encoder=encoder, warp=warp)
        start = time.perf_counter()
        made.fit(some[:learned], values[:learned])
        fit_seconds.append(time.perf_counter() - start)
        start = time.perf_counter()
        mean, deviation = made.predict(some[learned:])
        predict_seconds.append(time.perf_counter() - start)
        agreement.append(spearman(mean, values[learned:]))
        covered.append(float((np.abs(values[learned:] - mean) <= 1.645 * deviation).mean()))
    return {
        "spearman": round(statistics.mean(agreement), 4), "deviation": round(statistics.stdev(agreement), 4),
        "covered": round(statistics.mean(covered), 4), "least": round(min(covered), 4),
        "most": round(max(covered), 4), "fit_seconds": round(statistics.median(fit_seconds), 3),
        "predict_seconds": round(statistics.median(predict_seconds), 3),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--predictors", nargs="+", default=PREDICTORS.names())
    parser.add_argument("--data", nargs="+", default=DATA)
    parser.add_argument("--summary", action="store_true", help="print the means over the data sets")
    options = parser.parse_args()
    if options.summary:
        summary()
        return
    with np.load(Path(os.environ["NAS_DATA"]) / "nasbench_graph" / "nasbench_graph.npz", allow_pickle=False) as table:
        arrays = {name: table[name] for name in ("datasets", "op_names", "link", "op", "valid")}
    done = {(r["predictor"], r["data"], r["learned"], r["warp"]) for r in rows(FILE)}
    for data in options.data:
        encoder = Encoder(Space(NASBenchGraph).for_task(Task(data, "node", "multiclass", 128, 8, "accuracy", "", "")))
        column = arrays["valid"][:, arrays["datasets"].tolist().index(data)]
        for learned in LEARNED:
            chosen = [np.random.default_rng([s, learned]).permutation(len(column))[: learned + PREDICTED]
                      for s in range(SEEDS)]  # fmt: skip
            networks = [[_network(arrays, row) for row in some] for some in chosen]
            quality = np.stack([column[some] for some in chosen]).astype(float)
            for some in networks:
                encoder.encode(some, "graph")
            for name in options.predictors:
                for warp in (False, True):
                    key = (name, data, str(learned), str(warp))
                    if key in done:
                        continue
                    about = dict(zip(("predictor", "data", "learned", "warp"), key, strict=True))
                    found = measure(name, encoder, networks, quality, warp)
                    print(about, found, flush=True)
                    append(FILE, about | {"seeds": SEEDS} | found | origin())


def _network(arrays: dict[str, Any], row: int) -> NASBenchGraph:
    nodes = zip(arrays["link"][row], arrays["op"][row], strict=True)
    return NASBenchGraph(nodes=tuple(Node(input=int(i), op=str(arrays["op_names"][op])) for i, op in nodes))


def summary() -> None:
    """One line for each predictor: the mean rank correlation over data sets, and the mean and extremes of coverage."""
    found = rows(FILE)
    for name, warp in sorted({(r["predictor"], r["warp"]) for r in found}):
        words = [f"{name:9} {'ranks ' if warp == 'True' else 'values'}"]
        for learned in LEARNED:
            here = [r for r in found if (r["predictor"], r["warp"], r["learned"]) == (name, warp, str(learned))]
            mean = {key: statistics.mean(float(r[key]) for r in here) for key in ("spearman", "covered", "fit_seconds")}
            low, high = min(float(r["least"]) for r in here), max(float(r["most"]) for r in here)
            words.append(
                f"{learned}: {mean['spearman']:.3f}, covers {mean['covered']:.2f} ({low:.2f} to {high:.2f}), "
                f"{mean['fit_seconds']:.2f} s"
            )
        print("  |  ".join(words))


if __name__ == "__main__":
    main()
