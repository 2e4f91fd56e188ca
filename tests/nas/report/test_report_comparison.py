"""The page of a comparison: the same bytes each time, safe, and legible with many controllers or few numbers."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from nas.comparison.comparison import Comparison, Mean, Row, Table
from nas.report.comparison import render, written
from tests.nas.report.test_report_page import HOSTILE, Reader

BUDGETS = (10, 40)
VERSIONS = {"gnn-nas": "0.1.0"}


def curve(start: float, end: float, spread: float = 0.02) -> list[Mean]:
    return [Mean(end + (start - end) / (1 + k / 5), spread) for k in range(BUDGETS[-1])]


def table(labels: list[str], name: str = "regret", **changed) -> Table:
    curves = {label: curve(1.0, 0.1 + 0.03 * i) for i, label in enumerate(labels)}
    rows = {label: [line[budget - 1] for budget in BUDGETS] for label, line in curves.items()}
    made = Table("normalised validation regret", name, name != "regret", "standard error over seeds", rows, curves)
    return replace(made, **changed)


def comparison(labels: list[str], **changed) -> Comparison:
    mean = Mean(0.5, 0.1)
    rows = tuple(
        Row(label, data, "accuracy", budget, 3, mean, mean, mean, mean)
        for data in ("cora", "toy")
        for label in labels
        for budget in BUDGETS
    )
    seconds = dict.fromkeys(labels, 0.002)
    failures = dict.fromkeys(labels, 0.0)
    given = Comparison(
        "mine", Path("mine"), BUDGETS, 3, ("cora", "toy"), rows, (table(labels),), seconds, failures, ("a note",)
    )
    return replace(given, **changed)


FEW, MANY = ["evolution", "random"], ["random", *(f"bo:predictor=forest:initial={i}" for i in range(20))]
NONE = [Mean(math.nan, math.nan)] * BUDGETS[-1]
CASES = {
    "two": comparison(FEW),
    "random alone": comparison(["random"]),
    "many": comparison(MANY),
    "accuracies": comparison(FEW, tables=(table(FEW, "accuracy", title="best validation accuracy on cora"),)),
    "one seed": comparison(FEW, seeds=1, tables=(table(FEW, curves={k: curve(1, 0.1, math.nan) for k in FEW}),)),
    "a perfect search": comparison(FEW, tables=(table(FEW, curves={k: curve(1, 0.0) for k in FEW}),)),
    "one has found nothing": comparison(
        FEW, tables=(table(FEW, curves={"evolution": NONE, "random": curve(1, 0.1)}),), failures={"evolution": 1.0}
    ),
    "nobody has": comparison(FEW, tables=(table(FEW, curves=dict.fromkeys(FEW, NONE)),)),
    "hostile": comparison(["random", HOSTILE], name=HOSTILE, notes=(HOSTILE,)),
}


@pytest.mark.parametrize("found", CASES.values(), ids=CASES)
def test_the_page_is_whole_and_always_the_same(found: Comparison) -> None:
    page = render(found, [("seeds", "0 to 2")], VERSIONS)
    assert page == render(found, [("seeds", "0 to 2")], VERSIONS)
    Reader(page)
    assert "<script" not in page
    assert "nan" not in page.split("</style>")[1]


def test_each_controller_has_a_line_of_its_own() -> None:
    page = render(CASES["many"], [], VERSIONS)
    kinds = [part.split("'")[0] for part in page.split("<path class='trace ")[1:]]
    assert len(kinds) == len(set(kinds)) == len(MANY)
    assert sum("c-muted" in kind for kind in kinds) == 1


def test_numbers_as_people_write_them() -> None:
    assert written(Mean(0.2214, 0.0041), "regret") == ".221 ± .004"
    assert written(Mean(1.2, math.nan), "regret") == "1.200"
    assert written(Mean(0.81234, 0.004), "accuracy") == "81.23 ± 0.40 %"
    assert written(Mean(0.81234, 0.004), "accuracy", bare=True) == "81.23 %"
    assert written(Mean(math.nan, math.nan), "accuracy") == "–"
    assert written(Mean(12.5, 0.5), "rmse") == "12.500 ± 0.500"
