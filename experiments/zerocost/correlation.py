"""How well proxies rank: rank correlation with the quality after full training.

    python experiments/zerocost/correlation.py [--space design agnn nasbench-graph] [--data cora ...]
        [--proxy naswot short ...] [--summary]

First ``trained.py`` for ``design`` and ``agnn``, the mean over the seeds there are; the truth of ``nasbench-graph`` is
the benchmark's table, the mean of three. Every architecture is scored by every proxy, once, with fresh weights of one
seed; ``scores.csv`` gets a row for each and an interrupted run goes on. ``correlation.csv`` is made of it, of the
proxies that scored nearly all: Spearman's correlation with validation quality (what a search selects by) and with test
quality, Kendall's, the share of the best tenth that is found, each with a 95 % bootstrap interval over architectures,
and the cost as a share of full training (processor time of one thread, both; not said where a GPU did all trainings).

Combinations are sums of ranks, except ``learned``: a random forest over the encoding and all proxies but the short
training, and ``learned + short`` with it, both as predictions for architectures that the forest has not seen (ten
folds).
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from nasbench_graph import Table
from recording import append, origin, rows
from sampling import sampled
from scipy.stats import rankdata
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import KFold, cross_val_predict
from trained import SETTINGS

from nas.data import load
from nas.evaluation.columns import column
from nas.evaluation.engine.prepare import prepare
from nas.evaluation.job import Job
from nas.evaluation.proxies import PRIOR, SHORT, names_for, scores
from nas.evaluation.proxies import known as known_proxy
from nas.metrics import METRICS
from nas.ranking.statistics import hit_rate, interval, kendall, spearman
from nas.searchspace.encodings import one_hot
from nas.searchspace.source import source
from nas.searchspace.space import Space
from nas.searchspace.spaces.registry import find
from nas.settings import Settings
from nas.study.jobs import recipe_of

HERE = Path(__file__).parent
TRAINED, SCORES, TABLE = HERE / "trained.csv", HERE / "scores.csv", HERE / "correlation.csv"
COMBINED = {
    "ntk-krr + depth": ("ntk-krr", "-depth"),
    "ntk-error + ntk-condition": ("ntk-error", "ntk-condition"),
    "ntk-condition + synflow": ("ntk-condition", "synflow"),
    "short + ntk-condition": (SHORT, "ntk-condition"),
    "prior + short": (PRIOR, SHORT),
    "prior + ntk-condition + synflow": (PRIOR, "ntk-condition", "synflow"),
}
"""Sums of ranks, weighed as a screen weighs them; a minus turns one round."""
AGAIN = "a training"
"""How one training ranks the mean of the others: what no proxy that costs less should be asked to surpass."""
TABLE_SEEDS = 3
"""Of NAS-Bench-Graph."""
LEAST = 20
"""Fewer architectures say nothing of a ranking."""
MOST = 0.9
"""A proxy that has scored a smaller share of the networks is left out: it is not finished."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", nargs="*", default=[*SETTINGS["spaces"], "nasbench-graph"])
    parser.add_argument("--data", nargs="*", default=SETTINGS["data"])
    parser.add_argument("--proxy", nargs="*", help="all, unless some are named")
    parser.add_argument("--summary", action="store_true", help="do not score, make correlation.csv alone")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    for space in () if chosen.summary else chosen.space:
        for data in chosen.data:
            score(space, data, chosen.proxy)
    summarise()


def truth(space: str, data: str) -> dict[int, dict[str, Any]]:
    """By number: the architecture, its qualities after training (larger is better, means over the seeds), the seconds
    that a training took, and the qualities of each seed. What failed with any seed is left out."""
    if space == "nasbench-graph":
        if data not in Table.names():
            return {}
        table = Table(data)
        chosen = sampled(table.space, SETTINGS["looked_up"], SETTINGS["seed"])
        at = [table.row(architecture) for architecture in chosen]
        return {
            i: {"architecture": a, "valid": table.valid[row], "test": table.test[row], "cpu": np.nan, "seeds": {}}
            for i, (a, row) in enumerate(zip(chosen, at, strict=True))
        }
    trainings: dict[int, list[dict[str, str]]] = {}
    for row in rows(TRAINED):
        if (row["space"], row["data"]) == (space, data):
            trainings.setdefault(int(row["number"]), []).append(row)
    bound = find(space).for_task(load(data))  # of graphs it has a readout too
    return {
        number: {
            "architecture": bound.from_json(json.loads(of[0]["architecture"])),
            "valid": _mean([float(row["valid"]) for row in of]),
            "test": _mean([float(row["test"]) for row in of]),
            "cpu": _mean([float(row["cpu_seconds"]) for row in of if row["cpu_seconds"]]),  # a GPU's are not known
            "seeds": {int(row["seed"]): (float(row["valid"]), float(row["test"])) for row in of},
        }
        for number, of in trainings.items()
        if all(row["valid"] for row in of)
    }


def _mean(of: list[float]) -> float:
    return float(np.mean(of)) if of else np.nan


def score(space: str, data: str, proxies: list[str] | None = None) -> None:
    known = truth(space, data)
    done = {(int(r["number"]), r["proxy"]) for r in rows(SCORES) if (r["space"], r["data"]) == (space, data)}
    task = load(data)
    names = [name for name in names_for(find(space).of, task) if proxies is None or name in proxies]
    if all((number, name) in done for number in known for name in names):
        return
    assert METRICS[task.metric].larger_is_better
    prepared, bound = prepare(task), find(space).for_task(task)
    limit = SETTINGS["trial_seconds"].get(space, {}).get(data)
    for number, row in known.items():
        architecture = bound.from_json(bound.to_json(row["architecture"]))
        recipe = recipe_of(architecture, task, Settings())
        text = source(architecture, task)
        for name in names:
            if (number, name) in done:
                continue
            begin = time.process_time()
            said = {"seconds": limit, "proxies": (name,), "architecture": architecture}
            job = Job(text, recipe, SETTINGS["seed"], (task.metric,), **said)
            value = scores(job, prepared).get(column(name))
            cpu = time.process_time() - begin
            found = {"space": space, "data": data, "number": number, "proxy": name, "score": value}
            append(SCORES, found | {"cpu_seconds": round(cpu, 4)})
        print(f"{space} {data} {number}", flush=True)


def summarise() -> None:
    """Write correlation.csv anew."""
    scored: dict[tuple[str, str], dict[str, dict[int, tuple[float, float]]]] = {}
    for row in rows(SCORES):
        value = float(row["score"]) if row["score"] else -np.inf
        of = scored.setdefault((row["space"], row["data"]), {}).setdefault(row["proxy"], {})
        of[int(row["number"])] = value, float(row["cpu_seconds"])
    made = []
    for (space, data), by_proxy in scored.items():
        known = truth(space, data)
        usual = max(map(len, by_proxy.values()))
        by_proxy = {name: of for name, of in by_proxy.items() if len(of) >= MOST * usual}
        numbers = [n for n in sorted(known) if all(n in of for of in by_proxy.values())]
        if len(numbers) < LEAST:
            continue
        valid, test = (np.array([known[n][split] for n in numbers]) for split in ("valid", "test"))
        spent = [known[n]["cpu"] for n in numbers if known[n]["cpu"] == known[n]["cpu"]]
        cost = np.mean(spent) if spent else np.nan
        values = {name: np.array([of[n][0] for n in numbers]) for name, of in by_proxy.items()}
        seconds = {name: float(np.mean([of[n][1] for n in numbers])) for name, of in by_proxy.items()}
        architectures = [known[n]["architecture"] for n in numbers]
        bound = find(space) if space == "nasbench-graph" else find(space).for_task(load(data))
        for name, summed in COMBINED.items():
            if not {p.lstrip("-") for p in summed} <= values.keys():
                continue
            ranks = [
                known_proxy(p.lstrip("-")).weight * rankdata(-values[p[1:]] if p[0] == "-" else values[p])
                for p in summed
            ]
            values[name], seconds[name] = np.sum(ranks, axis=0), sum(seconds[p.lstrip("-")] for p in summed)
        for name, parts in {"learned": [n for n in by_proxy if n != SHORT], "learned + short": list(by_proxy)}.items():
            values[name] = _learned(bound, architectures, [values[p] for p in parts], valid)
            seconds[name] = sum(seconds[p] for p in parts)
        values["validation quality"], seconds["validation quality"] = valid, float(cost)
        about: dict[str, Any] = {"space": space, "data": data, "architectures": len(numbers)}
        about["seeds"] = min(len(known[n]["seeds"]) or TABLE_SEEDS for n in numbers)
        truths = dict.fromkeys(values, (valid, test))
        if about["seeds"] > 1 and space != "nasbench-graph":
            each = np.array(
                [[known[n]["seeds"][seed] for n in numbers] for seed in SETTINGS["seeds"][: about["seeds"]]]
            )
            values[AGAIN], seconds[AGAIN] = each[0, :, 0], float(cost)
            truths[AGAIN] = each[1:, :, 0].mean(0), each[1:, :, 1].mean(0)
        for name, ranking in values.items():
            made.append({**about, "proxy": name} | _row(ranking, *truths[name]))
            made[-1] |= {"cpu_ms": round(1e3 * seconds[name], 1)}
            made[-1] |= {"share_of_training": round(seconds[name] / cost, 3) if spent else None}
    if made:
        with TABLE.open("w", newline="") as out:
            writer = csv.DictWriter(out, fieldnames=[*made[0], *origin()])
            writer.writeheader()
            writer.writerows(row | origin() for row in made)
        _show(made)


def _row(of: np.ndarray[Any, Any], valid: np.ndarray[Any, Any], test: np.ndarray[Any, Any]) -> dict[str, Any]:
    measured: dict[str, Any] = {}
    for name, statistic, truth_of in (
        ("spearman_valid", spearman, valid),
        ("spearman_test", spearman, test),
        ("kendall_valid", kendall, valid),
        ("hit_rate_valid", hit_rate, valid),
    ):
        low, high = interval(statistic, of, truth_of, seed=0)
        measured |= {
            name: round(statistic(of, truth_of), 3),
            f"{name}_low": round(low, 3),
            f"{name}_high": round(high, 3),
        }
    return measured


def _learned(
    space: Space[Any], architectures: list[Any], proxies: list[Any], valid: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    encoded = np.stack([one_hot(space, a) for a in architectures])
    finite = [np.where(np.isfinite(p), p, np.min(p[np.isfinite(p)], initial=0.0) - 1) for p in proxies]
    features = np.column_stack([encoded, *map(rankdata, finite)])
    forest = RandomForestRegressor(200, min_samples_leaf=2, max_features=1 / 3, random_state=0)
    folds = KFold(10, shuffle=True, random_state=0)
    predicted: np.ndarray[Any, Any] = cross_val_predict(forest, features, valid, cv=folds)
    return predicted


def _show(made: list[dict[str, Any]]) -> None:
    """Spearman with validation quality: proxies by data sets."""
    for space in dict.fromkeys(row["space"] for row in made):
        mine = [row for row in made if row["space"] == space]
        data = list(dict.fromkeys(row["data"] for row in mine))
        print(f"\n{space:24s}" + "".join(f"{d[:9]:>10s}" for d in data) + "      mean  of test  share of training")
        for proxy in dict.fromkeys(row["proxy"] for row in mine):
            by = {row["data"]: row for row in mine if row["proxy"] == proxy}
            of = [by[d]["spearman_valid"] for d in by]
            test = np.mean([row["spearman_test"] for row in by.values()])
            shares = [row["share_of_training"] for row in by.values() if row["share_of_training"] is not None]
            cells = "".join(f"{by[d]['spearman_valid']:10.2f}" if d in by else f"{'-':>10s}" for d in data)
            share = f"{np.mean(shares):19.3f}" if shares else f"{'-':>19s}"
            print(f"{proxy:24s}{cells}{np.mean(of):10.2f}{test:9.2f}{share}")


if __name__ == "__main__":
    random.seed(0)
    main()
