import math
import random
import re
from dataclasses import replace

import pytest

from nas.report.correlation import Compared, Comparison, render, shown
from tests.nas.report.test_report_page import HOSTILE, Reader

N = 40
UNKNOWN = (math.nan, math.nan, math.nan)


def proxy(name: str, scores: list[float], spearman=(0.5, 0.2, 0.7), seconds: float = 0.05) -> Compared:
    test = (spearman[0] - 0.02, spearman[1], spearman[2])
    rates = (0.25, 0.0, 0.75) if not math.isnan(spearman[0]) else UNKNOWN
    return Compared(name, "what it says", "a paper", spearman, spearman, rates, test, seconds, seconds / 4, scores)


def comparison(**changed) -> Comparison:
    rng = random.Random(0)
    valid = [rng.uniform(0.3, 0.8) for _ in range(N)]
    proxies = [
        proxy("even", [v + rng.gauss(0, 0.1) for v in valid]),
        proxy("decades", [10 ** rng.uniform(-2, 7) for _ in valid]),
        proxy("huge", [10 ** rng.uniform(0, 30) for _ in valid], (0.1, -0.2, 0.4)),
        proxy("one far off", [*(rng.random() for _ in valid[1:]), 1e6]),
        proxy("some missing", [math.nan if i % 4 == 0 else rng.random() for i in range(N)]),
        proxy("few values", [float(i % 3) for i in range(N)], (-0.3, -0.5, -0.08), seconds=3.0),
        proxy("constant", [2.0] * N, UNKNOWN),
        proxy("none", [math.nan] * N, UNKNOWN, math.nan),
    ]
    given = {
        "name": "toy-correlation-1",
        "data": "toy",
        "space": "design",
        "metric": "accuracy",
        "valid": valid,
        "labels": [f"architecture {i}" for i in range(N)],
        "proxies": proxies,
        "ceiling": (0.9, 0.8, 0.95),
        "failures": {},
        "seconds": 4.0,
        "facts": [("seed", "0")],
        "versions": {"gnn-nas": "0.1.0"},
    }
    return Comparison(**(given | changed))


CASES = {
    "all kinds of scores": {},
    "a loss": {"metric": "rmse", "valid": [*(1 + i / N for i in range(N - 1)), 1e6]},
    "failures and notes": {"failures": {"out of memory": 2, "<b>": 1}, "notes": ["gradsign was slow"]},
    "no proxy tells anything": {"proxies": [proxy("constant", [2.0] * N, UNKNOWN)], "ceiling": UNKNOWN},
    "three architectures": {
        "valid": [0.1, 0.2, 0.2],
        "labels": ["a", "b", "c"],
        "proxies": [proxy("x", [1.0, 2.0, 3.0], (0.9, math.nan, math.nan))],
    },
    "all alike": {"valid": [0.5] * N},
}


@pytest.mark.parametrize("changed", CASES.values(), ids=CASES.keys())
def test_every_page_is_well_formed_and_holds_no_broken_number(changed):
    page = render(comparison(**changed))
    read = Reader(page)
    assert read.open == []
    assert "nan" not in page.replace("dominant", "")
    assert "inf" not in read.text
    assert not any("e" in tick for tick in re.findall("class='tick'[^>]*>([^<]*)<", page))
    assert page == render(comparison(**changed))


def test_it_loads_nothing_and_escapes_what_it_is_given():
    view = comparison(name=HOSTILE, data=HOSTILE, notes=[HOSTILE], failures={HOSTILE: 1}, labels=[HOSTILE] * N)
    hostile = replace(view, proxies=[replace(view.proxies[0], name=HOSTILE, summary=HOSTILE, paper=HOSTILE)])
    page = render(hostile)
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert not Reader(page).all("link")


def test_every_architecture_is_drawn_for_every_proxy_that_has_a_score():
    read = Reader(render(comparison()))
    overview = 2 * 6 + 1  # validation and test of each proxy that tells something, and the ceiling
    assert len(read.all("circle")) - overview - _legend(read) == 7 * N - N // 4
    assert read.text.count("It has no score for any of these architectures.") == 1


def _legend(read: Reader) -> int:
    return sum(circle.get("cx") in ("9", "15") for circle in read.all("circle"))


def test_the_lead_is_about_the_best_proxy():
    text = Reader(render(comparison())).text
    assert "even ranks best: Spearman's correlation of its score with the validation accuracy" in text
    assert ".50 [.20, .70]" in text
    assert "No proxy tells" in Reader(render(comparison(**CASES["no proxy tells anything"]))).text


def test_axes_are_those_on_which_the_scores_spread():
    text = Reader(render(comparison())).text
    assert "rank by huge, 40 is best" in text
    assert "rank by one far off, 40 is best" in text
    assert "rank by even" not in text
    assert "rank by decades" not in text


def test_how_a_statistic_is_written():
    assert shown((0.8432, 0.7, 0.918)) == ".84 <span class='muted'>[.70, .92]</span>"
    assert shown((-0.08, -1.0, 0.001)) == "−.08 <span class='muted'>[−1.00, .00]</span>"
    assert shown((1.0, math.nan, math.nan)) == "1.00"
    assert shown(UNKNOWN) == "–"
