import math
import random
import re
import sys
from html import unescape
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nas
from nas.controllers.base import Trace
from nas.controllers.random_search import RandomSearch
from nas.controllers.registry import CONTROLLERS
from nas.report.page import render
from nas.report.traces import POINTS, apart, draw, means
from tests.nas.report.test_report_page import HOSTILE, Reader
from tests.nas.toys import Toy, graph, search

NAMES = ("layers.*.hidden", "layers.*.attention", "heads", "aggregate", "combine", "activation")


def made(trials: int, names: tuple[str, ...] = NAMES, about: str = "How undecided it was.") -> Trace:
    """A search in which one class is changed in each trial and the entropies fall by chance."""
    rng = random.Random(0)
    lines = {name: [(t, 4.0 - 3 * t / trials + rng.gauss(0, 0.1)) for t in range(trials)] for name in names}
    steps: dict[str, list[tuple[int, bool]]] = {name: [] for name in names}
    for t in range(trials):
        steps[rng.choice(names)].append((t, rng.random() < 0.02))
    return Trace("Decision entropy", about, lines, steps)


CASES = {
    "one": [made(200)],
    "one trial": [made(1)],
    "long": [made(1000)],
    "very long": [made(5000)],
    "many names": [made(100, tuple(f"knob.{i}" for i in range(30)))],
    "two traces": [made(30), Trace("Another", "Of the same names.", {"heads": [(3, 1.0)]})],
    "lines only": [Trace("Lines", "", {"a": [(0, 1.0), (4, 2.0)], "b": [(2, -5.0)]})],
    "steps only": [Trace("Steps", "", {}, {"a": [(0, True), (7, False)], "b": []})],
    "empty": [Trace("Nothing", "It has just begun.")],
    "empty lines and steps": [Trace("Nearly nothing", "", {"a": []}, {"b": []})],
    "constant": [Trace("Constant", "", {"a": [(t, 0.0) for t in range(9)]})],
    "not finite": [Trace("Broken", "", {"a": [(0, math.nan), (1, 1.0), (2, math.inf)], "b": [(0, math.nan)]})],
    "hostile": [made(20, (HOSTILE, "b"), HOSTILE)],
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def traces(request) -> list[Trace]:
    return request.param


def test_every_trace_is_drawn_well_formed_without_ids_and_loads_nothing(traces, view):
    text = render(view(trials=3, sections=[("How it searched", draw(traces))]))
    read = Reader(text)
    assert read.open == []
    assert text.count("<script") == 1
    assert "url(" not in text
    for tag, attributes in read.elements:
        assert not {"id", "src", "href", "xlink:href", "onclick"} & set(attributes)
        for key in ("d", "x", "y", "width", "height", "viewBox"):
            assert not re.search(r"nan|inf", attributes.get(key) or ""), tag


def test_every_title_explanation_and_name_is_there(traces):
    drawn = draw(traces)
    text = unescape(drawn)
    for trace in traces:
        assert trace.title in text
        assert trace.about in text
        for name in (*trace.lines, *trace.steps):
            assert name in text
    assert HOSTILE not in drawn


def test_the_same_traces_give_the_same_bytes(traces):
    assert draw(traces) == draw(traces)


def test_a_long_search_takes_little_room():
    assert len(draw(CASES["long"])) < 60_000
    assert len(draw(CASES["very long"])) < 150_000


def test_names_at_the_ends_of_lines_do_not_overlap(traces):
    for svg in draw(traces).split("<figure")[1:]:
        places = sorted(float(y) for y in re.findall(r"<text class='name[^']*' x='[^']*' y='([\d.]+)'", svg))
        assert all(b - a > 13 for a, b in pairwise(places))
        height = float(re.search(r"viewBox='0 0 \S+ (\S+)'", svg)[1])
        assert all(10 < place < height for place in places)


def test_steps_are_counted_and_each_has_its_mark():
    steps = {"a": [(0, True), (7, False), (8, True)], "b": [(9, False)], "c": []}
    drawn, _, legend = draw([Trace("Steps", "", {}, steps)]).partition("<figcaption")
    assert "changed 3 times, better 2<" in drawn
    assert "changed 1 time, better 0<" in drawn
    assert "never changed<" in drawn
    assert "<title>trial 7 changed a</title>" in drawn
    assert "<title>trial 8 changed a and became the best</title>" in drawn
    assert drawn.count("<path class='step'") == 2
    assert len(re.findall(r"<path class='step better' d='[^z]*z'", drawn)) == 2  # with a head: another shape
    assert "changed, and the trial became the best" in legend


def test_of_a_long_search_every_trial_that_became_the_best_says_so():
    (trace,) = CASES["long"]
    drawn = draw([trace])
    for name, changes in trace.steps.items():
        for at, better in changes:
            assert (f"trial {at} changed {name} and became the best<" in drawn) == better


def test_the_lines_of_a_long_search_are_means():
    drawn = draw(CASES["long"])
    assert "The lines are means of every 4 trials." in drawn
    for path in re.findall(r"<path class='trace [^']*' d='M([^']*)'", drawn):
        assert len(path.split()) / 2 <= POINTS
    assert "means of every" not in draw(CASES["one"])


numbered = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60).map(lambda values: list(enumerate(values)))


@given(numbered, st.integers(1, 10))
def test_means_keep_the_mean_and_the_order(points, each):
    found = means(points, each)
    assert len(found) == -(-len(points) // each)
    assert [a for a, _ in found] == sorted(a for a, _ in found)
    low, high = min(v for _, v in points), max(v for _, v in points)
    assert all(low - 1e-6 <= v <= high + 1e-6 for _, v in found)
    if each == 1:
        assert found == points


@given(st.lists(st.floats(0, 300), min_size=1, max_size=20))
def test_places_are_apart_in_order_and_no_farther_moved_than_needed(wanted):
    found = apart(wanted, 15.0, 0.0, 300.0)
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    placed = [found[i] for i in order]
    assert all(b - a >= 15.0 - 1e-6 for a, b in pairwise(placed))
    assert placed[0] >= -1e-6
    assert placed[-1] <= 300.0 + 1e-6
    if all(b - a >= 15.0 for a, b in pairwise(sorted(wanted))):
        assert found == pytest.approx(wanted)


class Talkative(RandomSearch):
    """Says which trials it heard of."""

    made = 0

    def __init__(self, problem: Any, *, loud: bool = False) -> None:
        type(self).made += 1
        super().__init__(problem)
        self.loud, self.heard_of = loud, list[tuple[int, float]]()

    def tell(self, trials: Any) -> None:
        super().tell(trials)
        self.heard_of += [(t.number, t.values[0]) for t in trials]

    def traces(self) -> list[Trace]:
        return [Trace(f"Heard, loud: {self.loud}", "All of it.", {"values": self.heard_of})]


class Broken(Talkative):
    def traces(self) -> list[Trace]:
        raise LookupError("where are the <entropies>?")


class Silent(Talkative):
    def traces(self) -> list[Trace]:
        return []


def told(result: Any) -> list[tuple[int, float]]:
    """What a controller heard, repeats included, in order."""
    heard = []
    for record in result.records:
        heard += [(repeat.of, result.records[repeat.of].trial.values[0]) for repeat in record.repeats]
        heard.append((record.trial.number, record.trial.values[0]))
    return heard


def test_the_state_is_computed_again_from_what_was_told(monkeypatch):
    monkeypatch.setattr("nas.report.traces.draw", lambda shown: repr([t.lines for t in shown]))
    result = search(controller=Talkative, trials=18)
    assert any(record.repeats for record in result.records)
    assert result.view().sections == [("How Talkative searched", repr([{"values": told(result)}]))]


def test_trainings_from_scratch_after_the_search_are_not_told(monkeypatch):
    monkeypatch.setattr("nas.report.traces.draw", lambda shown: repr([t.lines for t in shown]))
    result = search(controller=Talkative, trials=5, evaluator="shared", keep=2)
    assert len(result.records) == 7
    assert result.view().sections == [("How Talkative searched", repr([{"values": told(result)[:5]}]))]


def test_a_controller_with_traces_has_a_section():
    result = search(controller=Talkative, trials=3, controller_options={"loud": True})
    text = result.report().read_text(encoding="utf-8")
    assert "<h2>How Talkative searched</h2><h3>Heard, loud: True</h3><p>All of it.</p><figure" in text


def test_a_name_is_looked_up_again(monkeypatch):
    rows = CONTROLLERS.paths() | {"talkative": f"{__name__}:Talkative"}
    monkeypatch.setattr(CONTROLLERS, "paths", lambda: rows)
    search(controller="talkative", trials=2, data="digits", epochs=1)
    assert [title for title, _ in nas.open_run("run", space=Toy).view().sections] == ["How talkative searched"]


def test_what_goes_wrong_is_told_in_the_report():
    text = search(controller=Broken, trials=2).report().read_text(encoding="utf-8")
    assert "could not say how it searched: LookupError: where are the &lt;entropies&gt;?</p>" in text
    assert Reader(text).open == []


@pytest.mark.parametrize("controller", ["random", "tpe", Silent])
def test_without_traces_there_is_no_section(controller):
    assert search(controller=controller, trials=2).view().sections == []


def test_a_controller_without_traces_is_not_made_for_the_report(monkeypatch):
    result = search(controller="random", trials=2)
    monkeypatch.setattr(sys.modules["nas.study.plan"], "create", lambda *_, **__: pytest.fail("made"))
    assert result.view().sections == []


def test_a_controller_that_is_not_given_when_a_run_is_read_is_left_out():
    search(controller=Talkative, trials=2)
    before = Talkative.made
    assert nas.open_run("run", data=graph(), space=Toy).view().sections == []
    assert Talkative.made == before
