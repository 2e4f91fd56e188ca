"""The comparison in one table, and whether the targets are met.

    python experiments/lpgnas/summary.py [--tables DIR] [--seeds 1,2]

Reads finals.csv and fronts.csv, here or in another folder (gpu). Methods are compared with the search in float32 of the
same data and seed; where there are several seeds of the search, by the mean of the differences and the geometric mean
of the sizes. All networks were chosen on validation. Domination is said twice: of chosen networks by their means on the
test split, and of whole fronts by the search's one validation accuracy against the mean one of the rounded network.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, geometric_mean

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recording import rows

HERE = Path(__file__).parent
FACTOR, FACTOR_FLOAT, LOSS, ENOUGH = 2.3, 8.0, 0.005, 4
ROUNDING = 1e-9
RIVALS = ("lpgnas", "nsga2", "random")
TRAINED, ROUNDED, AUTO = "trained", "rounded after training", "auto"

Row = dict[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, default=HERE)
    parser.add_argument("--seeds", help="of the searches  [default: all]")
    given = parser.parse_args()
    finals, fronts = (
        [row for row in rows(given.tables / name) if given.seeds is None or row["seed"] in given.seeds.split(",")]
        for name in ("finals.csv", "fronts.csv")
    )
    for data, seed in dict.fromkeys((row["data"], row["seed"]) for row in finals):
        table(data, seed, of(finals, data=data, seed=seed))
    against_float(finals)
    domination(finals, fronts)


def table(data: str, seed: str, here: Sequence[Row]) -> None:
    whole = next((row for row in here if row["precision"] == "float32"), None)
    seeds = ", ".join(dict.fromkeys(row["seeds"] for row in here))
    print(f"{data}, search with seed {seed} (final trainings: {seeds})")
    print(f"  {'':43s}{'test accuracy':>15s}{'validation':>12s}{'bytes':>11s}{'smaller':>9s}{'buffer':>12s}")
    for row in here:
        name = f"{row['method']} {row['network']}, {row['precision']}, {row['way']}"
        test = f"{percent(row['test_mean'])} +- {percent(row['test_deviation'])}"
        smaller = f"{int(whole['bytes']) / int(row['bytes']):.1f} x" if whole else "?"
        size, buffer = f"{int(row['bytes']):,}", f"{int(row['buffer']):,}"
        print(f"  {name:43s}{test:>15s}{percent(row['valid_mean']):>12s}{size:>11s}{smaller:>9s}{buffer:>12s}")
    print()


def against_float(finals: Sequence[Row]) -> None:
    """Of each way to a smaller network the points it is below float32 and how much smaller, and the targets."""
    ways = [(r["method"], r["network"], r["precision"], r["way"]) for r in finals if r["precision"] != "float32"]
    for method, network, precision, way in dict.fromkeys(ways):
        met, known = 0, 0
        named = {"method": method, "network": network, "precision": precision, "way": way}
        print(", ".join(dict.fromkeys((method, network, precision, way))))
        for data in dict.fromkeys(row["data"] for row in finals):
            pairs = [(row, whole) for row in of(finals, data=data, **named) if (whole := reference(finals, row))]
            if not pairs:
                continue
            lost = fmean(accuracy(whole) - accuracy(row) for row, whole in pairs)
            smaller = geometric_mean(int(whole["bytes"]) / int(row["bytes"]) for row, whole in pairs)
            good = smaller >= FACTOR_FLOAT and lost <= LOSS + ROUNDING
            known, met = known + 1, met + good
            said = f"{100 * lost:5.1f} points below float32, {smaller:6.1f} x smaller, {len(pairs)} searches"
            print(f"  {data:10s} {said}{', met' if good else ''}{small_enough(finals, pairs)}")
        print(f"  {FACTOR_FLOAT:g} x smaller within {100 * LOSS:g} points: {met} of {known}, and {ENOUGH} are wanted\n")


def small_enough(finals: Sequence[Row], pairs: Sequence[tuple[Row, Row]]) -> str:
    """The target on PubMed: so much smaller than the rounded W8A8, and no less accurate."""
    eights = [(row, eight) for row, _ in pairs if (eight := reference(finals, row, "W8A8", ROUNDED))]
    if not eights or eights[0][0]["data"] != "pubmed":
        return ""
    lost = fmean(accuracy(eight) - accuracy(row) for row, eight in eights)
    smaller = geometric_mean(int(eight["bytes"]) / int(row["bytes"]) for row, eight in eights)
    met = "met" if smaller >= FACTOR and lost <= ROUNDING else f"NOT {FACTOR} x at no lower accuracy"
    return f"; {100 * lost:.1f} points below W8A8, {smaller:.1f} x smaller, {met}"


def domination(finals: Sequence[Row], fronts: Sequence[Row]) -> None:
    for method in RIVALS:
        for data, seed in dict.fromkeys((r["data"], r["seed"]) for r in of(finals, method=method)):
            here = {"data": data, "seed": seed}
            for row in of(finals, method="float", way=ROUNDED, **here):
                size, test, valid = int(row["bytes"]), accuracy(row), float(row["valid_mean"])
                no_larger = [r for r in of(finals, method=method, **here) if int(r["bytes"]) <= size]
                on_front = [r for r in of(fronts, method=method, **here) if int(r["bytes"]) <= size]
                chosen = any(accuracy(r) >= test for r in no_larger)
                front = any(float(r["valid"]) >= valid for r in on_front)
                by = {"chosen networks on test": chosen, "its front on validation": front}
                said = ", ".join(f"{'yes' if true else 'NO'} by {what}" for what, true in by.items())
                print(f"{method} on {data}, seed {seed}, dominates the rounded {row['precision']}: {said}")


def reference(finals: Sequence[Row], row: Row, precision: str = "float32", way: str = TRAINED) -> Row | None:
    """The network of the search in float32 with the same data and seed."""
    same = {"data": row["data"], "seed": row["seed"], "method": "float", "precision": precision, "way": way}
    return next(iter(of(finals, **same)), None)


def of(table: Sequence[Row], **wanted: str) -> list[Row]:
    return [row for row in table if all(row[key] == value for key, value in wanted.items())]


def accuracy(row: Row) -> float:
    return float(row["test_mean"])


def percent(share: str | float) -> str:
    return f"{100 * float(share):.1f}"


if __name__ == "__main__":
    main()
