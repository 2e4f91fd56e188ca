"""The comparison in one table, and whether the targets are met.

    python experiments/lpgnas/summary.py [--tables DIR]

Reads finals.csv and fronts.csv, here or in another folder (gpu). A network counts as no less accurate if its mean test
accuracy over the final seeds is no lower; all networks were chosen on validation. Domination is said twice: of chosen
networks by their means on the test split, and of whole fronts by the search's one validation accuracy against the mean
one of the rounded network.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recording import rows

HERE = Path(__file__).parent
FACTOR, FACTOR_FLOAT, LOSS, ENOUGH = 2.3, 8.0, 0.005, 4
ROUNDING = 1e-9
RIVALS = ("lpgnas", "nsga2", "random")

Row = dict[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, default=HERE)
    tables = parser.parse_args().tables
    finals, fronts = rows(tables / "finals.csv"), rows(tables / "fronts.csv")
    for data in dict.fromkeys(row["data"] for row in finals):
        table(data, [row for row in finals if row["data"] == data])
    losses(finals)
    for method in RIVALS:
        if any(row["method"] == method for row in finals):
            targets(method, finals, fronts)


def table(data: str, here: Sequence[Row]) -> None:
    whole = reference(here)
    seeds = ", ".join(dict.fromkeys(row["seeds"] for row in here))
    print(f"{data} ({seeds} seeds)")
    print(f"  {'':43s}{'test accuracy':>15s}{'validation':>12s}{'bytes':>11s}{'smaller':>9s}{'buffer':>12s}")
    for row in here:
        name = f"{row['method']} {row['network']}, {row['precision']}, {row['way']}"
        test = f"{percent(row['test_mean'])} +- {percent(row['test_deviation'])}"
        smaller = f"{int(whole['bytes']) / int(row['bytes']):.1f} x" if whole else "?"
        size, buffer = f"{int(row['bytes']):,}", f"{int(row['buffer']):,}"
        print(f"  {name:43s}{test:>15s}{percent(row['valid_mean']):>12s}{size:>11s}{smaller:>9s}{buffer:>12s}")
    print()


def losses(finals: Sequence[Row]) -> None:
    """Points of test accuracy that fewer bits cost the float network, on average over data sets."""
    print("points below float32, mean over data sets")
    for precision, way in dict.fromkeys((r["precision"], r["way"]) for r in of(finals, method="float")):
        here = of(finals, method="float", precision=precision, way=way)
        whole = [of(finals, method="float", precision="float32", data=row["data"])[0] for row in here]
        lost = [accuracy(before) - accuracy(row) for before, row in zip(whole, here, strict=True)]
        each = ", ".join(f"{row['data']} {100 * points:.1f}" for row, points in zip(here, lost, strict=True))
        print(f"  {f'{precision}, {way}':36s}{100 * fmean(lost):5.1f}  ({each})")
    print()


def targets(method: str, finals: Sequence[Row], fronts: Sequence[Row]) -> None:
    print(method)
    several = [data for data in dict.fromkeys(r["data"] for r in finals) if mine(method, data, finals)]
    for data in several:
        eight = of(finals, data=data, method="float", precision="W8A8")
        if data == "pubmed" and eight:
            least, most = max(accuracy(r) for r in eight), int(eight[0]["bytes"]) / FACTOR
            said = found(mine(method, data, finals), most, least)
            print(f"  on {data} {FACTOR} x smaller than W8A8 ({percent(least)}) at no lower accuracy: {said}")
    small = {}
    for data in several:
        if whole := reference([r for r in finals if r["data"] == data]):
            most, least = int(whole["bytes"]) / FACTOR_FLOAT, accuracy(whole) - LOSS
            small[data] = found(mine(method, data, finals), most, least)
            print(f"  on {data} {FACTOR_FLOAT:g} x smaller than float32 within {100 * LOSS:g} points: {small[data]}")
    number = sum(said.startswith("yes") for said in small.values())
    print(f"  that is {number} of {len(small)} data sets, and {ENOUGH} are wanted")
    for data in several:
        for row in of(finals, data=data, method="float", way="rounded after training"):
            size, test, valid = int(row["bytes"]), accuracy(row), float(row["valid_mean"])
            no_larger = [r for r in mine(method, data, finals) if int(r["bytes"]) <= size]
            on_front = [r for r in of(fronts, data=data, method=method) if int(r["bytes"]) <= size]
            chosen = any(accuracy(r) >= test for r in no_larger)
            front = any(float(r["valid"]) >= valid for r in on_front)
            by = {"chosen networks on test": chosen, "its front on validation": front}
            said = ", ".join(f"{'yes' if true else 'NO'} by {what}" for what, true in by.items())
            print(f"  on {data} dominates the rounded {row['precision']}: {said}")
    print()


def found(networks: Sequence[Row], most: float, least: float) -> str:
    """Which of the networks has at most so many bytes and at least this accuracy."""
    said = []
    for row in networks:
        share = f"{int(row['bytes']) / most:.2f} of the bytes"
        said.append(f"{row['network']}: {percent(row['test_mean'])} of {percent(least)}, {share}")
        if int(row["bytes"]) <= most and accuracy(row) >= least - ROUNDING:
            return f"yes, {said[-1]}"
    return f"NO, {'; '.join(said)}"


def mine(method: str, data: str, finals: Sequence[Row]) -> list[Row]:
    return of(finals, method=method, data=data)


def of(table: Sequence[Row], **wanted: str) -> list[Row]:
    return [row for row in table if all(row[key] == value for key, value in wanted.items())]


def reference(here: Sequence[Row]) -> Row | None:
    """The float network of a data set."""
    return next((row for row in here if row["precision"] == "float32"), None)


def accuracy(row: Row) -> float:
    return float(row["test_mean"])


def percent(share: str | float) -> str:
    return f"{100 * float(share):.1f}"


if __name__ == "__main__":
    main()
