import math
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.report import charts
from nas.report.scales import Scale, around, printer
from nas.study.objectives import Objective

ACCURACY, PARAMS = Objective("accuracy", True), Objective("params", False)
sensible = st.floats(-1e9, 1e9).filter(lambda v: v == 0 or abs(v) > 1e-6)


@given(st.lists(sensible, min_size=1, max_size=20))
def test_an_axis_holds_its_values_and_has_round_ticks_inside(values):
    scale = around(values, 10.0, 110.0)
    assert scale.low < scale.high
    assert all(10.0 - 1e-6 <= scale(v) <= 110.0 + 1e-6 for v in values)
    ticks = scale.ticks(6)
    assert ticks == sorted(ticks)
    assert 1 <= len(ticks) <= 7
    room = 1e-9 * max(abs(scale.low), abs(scale.high))
    assert all(scale.low - room <= t <= scale.high + room for t in ticks)


@given(st.floats(1e-6, 1e6), st.floats(1.01, 1e8))
def test_a_logarithmic_axis_has_two_ticks_at_least(low, factor):
    ticks = Scale(low, low * factor, 0.0, 1.0, log=True).ticks(6)
    assert 2 <= len(ticks) <= 7
    assert all(low * (1 - 1e-9) <= t <= low * factor * (1 + 1e-9) for t in ticks)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.sampled_from(["accuracy", "seconds", "rmse", "latency"]))
def test_no_two_ticks_are_written_alike(low, span, name):
    ticks = Scale(low, low + span, 0.0, 1.0).ticks(6)
    written, _ = printer(name, ticks)
    assert len({written(t) for t in ticks}) == len(ticks)


def test_equal_factors_are_equally_far_apart_on_a_logarithmic_axis():
    scale = Scale(1.0, 10_000.0, 0.0, 100.0, log=True)
    assert math.isclose(scale(100.0), 50.0)


@pytest.mark.parametrize("against", ["trials", "time"])
def test_every_trial_has_its_mark(view, against):
    made = view(trials=40, failures={3: "NaN", 7: "out of memory"})
    svg = charts.best_so_far(made, against=against).partition("<figcaption")[0]
    assert svg.count("<circle class='dot'") + svg.count("<path class='far'") == 38
    assert svg.count("<path class='cross'") == 2
    assert "trial 7 failed: out of memory" in svg


def test_the_curve_never_falls(view):
    svg = charts.best_so_far(view(trials=40), against="trials").partition("<figcaption")[0]
    path = re.search(r"<path class='best' d='M[\d.]+ ([\d.]+)([^']*)'", svg)
    assert path is not None
    heights = [float(path[1]), *map(float, re.findall(r"V([\d.]+)", path[2]))]
    assert heights == sorted(heights, reverse=True)  # up on a page is a smaller number


def test_the_front_is_drawn_from_end_to_end(view):
    made = view(trials=40, objectives=(ACCURACY, PARAMS))
    svg = charts.pareto(made, 1)
    line = re.search(r"<polyline class='front' points='([^']*)'", svg)
    assert line is not None
    points = [tuple(map(float, p.split(","))) for p in line[1].split()]
    assert len(points) == len(made.front)
    assert points == sorted(points, key=lambda p: (p[0], -p[1]))
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)
    assert f"trial {made.best[0].trial.number}:" in svg


def test_a_hopeless_trial_does_not_flatten_the_others(view):
    from dataclasses import replace

    made = view(trials=20)
    records = list(made.records)
    good = [0.8 + 0.001 * i for i in range(20)]
    good[5] = 0.1
    records = [
        replace(r, trial=replace(r.trial, values=(v,), metrics={"valid_accuracy": v}))
        for r, v in zip(records, good, strict=True)
    ]
    svg = charts.best_so_far(replace(made, records=records), against="trials").partition("<figcaption")[0]
    assert svg.count("<path class='far'") == 1
    heights = [float(y) for y in re.findall(r"cy='([\d.]+)'", svg)]
    assert max(heights) - min(heights) > 150


EARLY = {i: (5, 15, 45)[i % 3] for i in range(40) if i % 4}


def test_every_trial_has_its_curve(view):
    made = view(trials=40, early=EARLY, failures={0: "NaN"})
    svg, _, legend = charts.learning(made).partition("<figcaption")
    assert svg.count("<path class='curve faint'") == len(EARLY)
    assert svg.count("<path class='curve'") == 39 - len(EARLY) - 1
    assert svg.count("<path class='best'") == 1
    assert svg.count("<circle class='dot faint'") == len(EARLY)
    assert "stopped at epoch 45</title>" in svg
    winner = made.best[0].trial.number
    assert svg.index(f"<title>trial {winner}: ") == svg.rindex("<title>")
    for words in ("the winner", "trained in full", "stopped early"):
        assert words in legend
    assert "epochs (logarithmic)" in svg
    assert "validation accuracy (%)" in svg


def test_curves_of_a_search_that_stopped_nobody(view):
    svg, _, legend = charts.learning(view(trials=5)).partition("<figcaption")
    assert "stopped" not in svg + legend
    assert ">epochs</text>" in svg
    starts = [float(x) for x in re.findall(r"d='M([\d.]+) ", svg.partition("<svg x=")[2])]
    assert len(set(starts)) == 1


def test_a_curve_of_a_single_look_is_a_dot(view):
    svg = charts.learning(view(trials=4, early={1: 5}))
    assert re.search(r"<path class='curve faint' d='M[\d.]+ [\d.]+h0'>", svg)


def test_of_very_many_curves_some_of_every_rank_are_drawn(view):
    made = view(trials=450)
    svg = charts.learning(made).partition("<figcaption")[0]
    drawn = [int(n) for n in re.findall(r"<title>trial (\d+):", svg)]
    assert 100 <= len(drawn) <= charts.CURVES
    ranks = sorted([r.trial.number for r in made.best].index(n) for n in drawn)
    assert ranks[0] == 0
    assert max(b - a for a, b in pairwise(ranks)) == 3


def test_a_stopped_trial_has_a_faint_dot(view):
    made = view(trials=20, early={3: 5, 4: 15})
    svg, _, legend = charts.best_so_far(made, against="trials").partition("<figcaption")
    assert svg.count("<circle class='dot faint'") + svg.count("<path class='far'") >= 2
    assert "stopped early" in legend
    assert "stopped early" not in charts.best_so_far(view(trials=20), against="trials")


def test_those_trained_from_scratch_stand_beside_the_curve_of_shared_weights(view):
    made = view(trials=30, retrained=4)
    svg, _, legend = charts.best_so_far(made, against="trials").partition("<figcaption")
    assert svg.count("<path class='scratch'") + svg.count("<circle class='dot'") + svg.count("<path class='far'") == 34
    assert 1 <= svg.count("<path class='scratch'") <= 4
    assert "trained from scratch" in legend
    assert "best so far with shared weights" in legend
    path = re.search(r"<path class='best' d='M[\d.]+ [\d.]+([^']*)'", svg)
    scratch = re.search(r"<path class='scratch' d='M([\d.]+)", svg)
    assert path is not None
    assert scratch is not None
    assert max(map(float, re.findall(r"H([\d.]+)", path[1]))) < float(scratch[1])
    better = max(r.trial.values[0] for r in made.searched)
    alone = view(trials=30, retrained=0)
    assert max(r.trial.values[0] for r in alone.records) == better


def test_the_front_of_those_trained_from_scratch_holds_no_shared_weights(view):
    made = view(trials=40, retrained=6, objectives=(ACCURACY, PARAMS))
    svg = charts.pareto(made, 1)
    shown = {int(n) for n in re.findall(r"<title>trial (\d+):", svg)}
    assert shown == {r.trial.number for r in made.retrained} == set(range(40, 46))


def test_learning_curves_tell_shared_weights_from_whole_trainings(view):
    svg, _, legend = charts.learning(view(trials=20, retrained=3)).partition("<figcaption")
    assert svg.count("<path class='curve faint'") == 20
    assert svg.count("<path class='curve'") == 2
    assert "with shared weights" in legend
    assert "trained from scratch" in legend
    assert ", ended at epoch 15</title>" in svg
    assert "stopped" not in svg + legend
