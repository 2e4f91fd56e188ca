import random
import re
import tomllib
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from nas.controllers.base import Trial
from nas.report import page, sharing
from nas.report.page import render, write
from nas.report.view import duration, number, size
from nas.searchspace.language import architecture, choice
from nas.searchspace.space import Space
from nas.settings import Settings
from nas.study.objectives import Objective
from nas.study.records import Record

ACCURACY, PARAMS, RMSE = Objective("accuracy", True), Objective("params", False), Objective("rmse", False)
HOSTILE = "</title><script>alert('x')</script> & \"quoted\""


class Reader(HTMLParser):
    """Elements, their attributes, and whether every element is closed in order."""

    VOID = ("meta", "br", "img", "path", "circle", "rect", "polyline")

    def __init__(self, text: str, unread: str = "") -> None:
        super().__init__()
        self.unread = unread
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style", self.unread):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


CASES = {
    "stopped early": {"early": {1: 5, 3: 15}},
    "one objective": {},
    "two objectives, failures": {"space": "design", "objectives": (ACCURACY, PARAMS), "failures": {3: "NaN", 4: "<b>"}},
    "three objectives": {"space": "nasbench-graph", "objectives": (ACCURACY, PARAMS, Objective("latency", False))},
    "only a cost": {"objectives": (PARAMS,)},
    "one trial": {"trials": 1, "state": "running"},
    "all failed": {"trials": 2, "failures": {0: "out of memory", 1: "out of memory"}},
    "empty": {"trials": 0, "state": "interrupted"},
    "many": {"trials": 1600},
    "shared weights": {"trials": 20, "failures": {3: "NaN"}, "retrained": 4},
    "shared weights, two objectives": {"objectives": (ACCURACY, PARAMS), "retrained": 6},
    "shared weights, interrupted": {"trials": 20, "retrained": 0, "state": "interrupted"},
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def any_view(request, view):
    return view(**request.param)


def test_every_report_is_well_formed_and_holds_no_broken_number(any_view):
    text = render(any_view)
    read = Reader(text, unread="code")
    assert read.open == []
    assert not re.search(r"\b(nan|inf|None|Traceback)\b", read.text.replace("(NaN)", ""))
    numbers = [v for _, a in read.elements for k, v in a.items() if k in ("d", "cx", "cy", "x", "y", "points", "width")]
    assert not any("nan" in (v or "") or "inf" in (v or "") for v in numbers)


def test_a_report_loads_nothing(any_view):
    text = render(any_view)
    read = Reader(text)
    for tag, attributes in read.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base", "img", "image", "use"), tag
        assert not {"src", "href", "xlink:href", "srcset", "action"} & set(attributes)
    assert "@import" not in text
    assert "url(" not in text
    assert "default-src 'none'" in read.all("meta")[1]["content"]


def test_ids_cannot_collide_because_there_are_none(any_view):
    assert not any("id" in attributes for _, attributes in Reader(render(any_view)).elements)


def test_the_same_view_gives_the_same_bytes(any_view):
    assert render(any_view) == render(replace(any_view))


def test_what_comes_from_outside_is_escaped(view, task):
    hostile = replace(task, name=HOSTILE, identity=HOSTILE, split=HOSTILE, notes=(HOSTILE,))
    made = view(
        objectives=(ACCURACY, PARAMS),
        failures={2: HOSTILE},
        task=hostile,
        name=HOSTILE,
        versions={HOSTILE: HOSTILE},
        notes=[HOSTILE],
        why=[HOSTILE],
        state=HOSTILE,
        settings=Settings(data=HOSTILE, controller_options={HOSTILE: HOSTILE}),
        sections=[(HOSTILE, "<p>mine</p>")],
    )
    made = replace(made, records=[replace(r, origin=HOSTILE) for r in made.records])
    text = render(made)
    read = Reader(text)
    assert text.count("<script") == 1
    assert read.text.count("alert('x')") > 8
    assert read.open == []


def test_knob_values_are_escaped(view, task):
    @architecture
    class Odd:
        layer: str = choice("<script>", "b")

    space = Space(Odd, "odd").for_task(task)
    records = [Record(Trial(0, Odd(layer="<script>"), (0.5,), {"valid_accuracy": 0.5}, 1.0), 1.0, "random")]
    text = render(replace(view(), space=space, records=records))
    assert text.count("<script") == 1
    assert "The network cannot be drawn" in text
    assert "Odd describes no network" in text


def test_the_answer_comes_first(view):
    made = view(trials=30, failures={1: "NaN"})
    best = max((r for r in made.records if r.trial.values), key=lambda r: r.trial.values)
    lead = Reader(render(made)).text.split("Trials were ranked")[0]
    assert f"Trial {best.trial.number} is the best of 29 finished trials" in lead
    assert f"{100 * best.trial.metrics['valid_accuracy']:.1f} % validation accuracy" in lead
    assert f"{100 * best.trial.metrics['test_accuracy']:.1f} % test accuracy" in lead
    assert f"{best.trial.metrics['params']:,.0f} parameters" in lead
    assert "1 trial failed" in lead


def test_it_says_that_the_test_split_selected_nothing(view):
    text = Reader(render(view())).text
    assert "ranked by the validation accuracy" in text
    assert "was not used to select anything" in text


def test_a_smaller_error_wins(view, task):
    made = view(trials=0, objectives=(RMSE,), task=replace(task, target="regression", metric="rmse"))
    a = made.space.sample(random.Random(0))
    records = [
        Record(Trial(i, a, (-e,), {"valid_rmse": e, "test_rmse": e}, 1.0), i + 1.0, "random")
        for i, e in enumerate((0.9, 0.2, 0.5))
    ]
    text = Reader(render(replace(made, records=records))).text
    assert "Trial 1 is the best of 3 finished trials: 0.2 validation rmse" in text


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ({"trials": 0, "state": "running"}, "No trial has finished yet; it has just begun."),
        ({"trials": 0, "state": "interrupted"}, "No trial has finished yet; nothing can be said about the space."),
        ({"trials": 2, "failures": {0: "NaN", 1: "NaN"}}, "No trial has finished: all 2 failed."),
        ({"trials": 1, "failures": {0: "NaN"}}, "No trial has finished: the only one failed."),
        ({"trials": 1}, "Trial 0 is the only one that finished"),
        ({"trials": 5}, "It takes at least 8 finished trials to say which knobs mattered; there are 5."),
    ],
)
def test_little_to_tell_is_told_in_words(view, case, sentence):
    assert sentence in Reader(render(view(**case))).text


def test_failures_are_grouped_by_reason_whatever_their_numbers(view):
    reasons = {
        0: "out of memory: 10 MiB",
        1: "out of memory: 2.5 MiB",
        2: "the loss became NaN",
        3: "out of memory: 7 MiB",
    }
    text = render(view(failures=reasons))
    assert "<tr><td>3</td><td>out of memory: 10 MiB</td><td>0, 1, 3</td></tr>" in text
    assert "<tr><td>1</td><td>the loss became NaN</td><td>2</td></tr>" in text


def test_only_the_best_thousand_trials_have_a_row(view):
    made = view(trials=1005)
    text = render(made)
    assert text.count("<td class='text'>") == 1000
    assert "The table holds the best 1,000; 5 more are not shown." in text
    worst = min(made.records, key=lambda r: r.trial.values)
    assert f"<td>{worst.trial.number}</td><td class='words'>finished" not in text


def test_trials_of_the_front_are_marked(view):
    made = view(trials=30, objectives=(ACCURACY, PARAMS))
    marked = re.findall(r"<td>(\d+)</td><td class='words onfront'>", render(made))
    assert sorted(map(int, marked)) == sorted(r.trial.number for r in made.front)


def test_a_method_can_add_a_section(view):
    text = render(view(sections=[("Entropies & more", "<p>of the controller</p>")]))
    assert "<h2>Entropies &amp; more</h2><p>of the controller</p>" in text


def test_commands_quote_the_name_for_the_shell(view):
    text = Reader(render(view(name="my run"))).text
    for command in ("nas resume 'my run'", "nas export 'my run' --to DIR", "nas train 'my run' --trial"):
        assert command in text


def test_the_settings_can_be_repeated_from_the_page(view):
    settings = Settings(
        data='a "quoted"\\ name\n',
        trials=7,
        class_weights=True,
        objectives=("accuracy",),
        controller_options={"a b": 0.5},
    )
    text = Reader(render(view(settings=settings))).text
    written = text[text.index("data = ") :].partition("Written by")[0]
    assert Settings.of(tomllib.loads(written)) == settings


def test_what_was_chosen_automatically_is_said(view):
    text = Reader(render(view(why=["50 graphs are few"]))).text
    assert "Chosen automatically" in text
    assert "50 graphs are few" in text
    assert "Chosen automatically" not in Reader(render(view())).text


def test_split_sizes_are_told_where_the_tensors_are_there(view, task):
    import torch

    from nas.searchspace.task import Batch

    batch = Batch(torch.zeros(6, 12), torch.zeros(2, 0, dtype=torch.long), torch.zeros(4, dtype=torch.long))
    with_data = replace(task, train=(batch, batch), valid=(replace(batch, index=torch.arange(3)),))
    text = Reader(render(replace(view(), task=with_data))).text
    assert "given, seed 0 (train 8, valid 3)" in text


def test_write_replaces_the_file_at_once_and_leaves_nothing_else(view, tmp_path, monkeypatch):
    path = tmp_path / "new" / "report.html"
    assert write(view(), path) == path
    assert path.read_text(encoding="utf-8") == render(view())
    monkeypatch.setattr(page.os, "replace", _refuse)
    with pytest.raises(OSError, match="No space left"):
        write(view(trials=1), path)
    assert path.read_text(encoding="utf-8") == render(view())
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def _refuse(*_):
    raise OSError(28, "No space left on device")


def test_a_trial_without_an_objectives_metric_is_shown_by_its_value(view):
    made = view(trials=1)
    trial = replace(made.records[0].trial, metrics={}, values=(0.625,))
    assert (
        "62.5 % validation accuracy"
        in Reader(render(replace(made, records=[replace(made.records[0], trial=trial)]))).text
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.123, "0.12 s"), (12.34, "12.3 s"), (59.99, "1 min"), (190, "3 min 10 s"), (3599.9, "1 h"), (7500, "2 h 5 min")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_numbers_carry_their_units():
    assert number("accuracy", 0.83249) == "83.2 %"
    assert number("params", 92231.0) == "92,231"
    assert number("latency", 0.00123) == "1.23 ms"
    assert number("roc-auc", 0.91234) == "0.9123"
    assert number("rmse", None) == number("rmse", float("nan")) == "–"
    assert [size(b) for b in (512, 2048, 1.5e6, 999.9e6, 3e9)] == ["512 B", "2.05 kB", "1.5 MB", "1 GB", "3 GB"]


def test_stopped_trials_are_told_of(view):
    settings = Settings(fidelity="hyperband")
    made = view(trials=12, early={1: 5, 4: 15, 7: 15}, failures={2: "NaN"}, settings=settings)
    page = Reader(render(made))
    assert "Learning curves" in page.text
    assert (
        "3 trainings of 11 were behind others of the same epoch and stopped, at epoch 5 and 15 (fidelity hyperband)"
    ) in page.text
    assert "; 3 trainings were stopped early; 1 trial failed." in page.text
    assert "trials finished, 3 of them stopped early, 1 failed" in page.text
    assert page.text.count("stopped at 15") == 2
    assert made.best[0].trial.stopped is None


def test_without_curves_there_is_no_section_of_them(view):
    made = view(trials=3)
    records = [replace(r, trial=replace(r.trial, curve=())) for r in made.records]
    assert "Learning curves" in render(made)
    assert "Learning curves" not in render(replace(made, records=records))


def test_a_search_with_shared_weights_says_whose_numbers_are_final(view):
    made = view(trials=30, retrained=4, failures={5: "NaN"})
    winner, text = made.best[0], Reader(render(made)).text
    assert winner.trial.number >= 30
    found = sharing.proposal(made, winner)
    assert found.trial.number < 30
    assert found.trial.architecture == winner.trial.architecture
    lead = (
        f"Trial {winner.trial.number} is the best of the 4 that were trained from scratch, out of 29 finished trials "
        f"with shared weights: {number('accuracy', winner.trial.values[0])} validation accuracy"
    )
    assert lead in text
    assert f"It was found after {duration(found.elapsed)} of {duration(made.records[-1].elapsed)} of searching" in text
    assert "trained for 15 epochs at most and were ranked by the validation accuracy with these shared weights" in text
    assert "The best 4 were then trained from scratch; of those the winner is the best by the validation acc" in text
    assert "trials finished with shared weights, 4 trained from scratch, 1 failed" in text
    assert "Trained were 30 trials with shared weights for 435 epochs and 4 from scratch for 400 epochs." in text
    assert "Proposed by evolution, trained from scratch after the search in 1.5 s: 100 epochs" in text
    states = re.findall(r"<td>(\d+)</td><td class='words[ a-z]*'>([a-z ]+)</td>", render(made))
    assert [int(n) for n, state in states if state == "from scratch"] == [r.trial.number for r in made.best[:4]]
    assert sum(state == "shared weights" for _, state in states) == 29


@pytest.mark.parametrize(
    ("retrained", "sentences"),
    [
        (0, ("is the best of 20 finished trials with shared weights", "No training from scratch has finished, so all")),
        (
            1,
            (
                "is the only one that finished a training from scratch, out of 20",
                "The best was then trained from scratch, and",
            ),
        ),
    ],
)
def test_a_search_with_shared_weights_that_retrained_few(view, retrained, sentences):
    text = Reader(render(view(trials=20, retrained=retrained))).text
    for sentence in sentences:
        assert sentence in text
    how = "from scratch after the search" if retrained else "with shared weights"
    assert f"Proposed by evolution, trained {how} in " in text


def test_nothing_is_said_of_shared_weights_where_there_are_none(view):
    text = Reader(render(view(trials=20))).text
    assert "from scratch" not in text
    assert "shared weights" not in text
