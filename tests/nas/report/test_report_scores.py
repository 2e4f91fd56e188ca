"""Reports of searches by scores, and of screened ones."""

from __future__ import annotations

import re
from typing import Any

import pytest

from nas.controllers import learned_ranking
from nas.report.page import render
from nas.study import screening
from nas.study.records import searched
from tests.nas.report.test_report_page import Reader
from tests.nas.toys import Toy, Wide, graph, search

DATA = graph()


def scored(name: str = "run", **more: Any) -> Any:
    return search(DATA, name, **{"space": Toy, "trials": 12, "evaluator": "proxy:smooth", "keep": 2, **more})


def page(result: Any) -> tuple[str, str]:
    """The page and what is read of it, which is well formed."""
    text = render(result.view())
    read = Reader(text, unread="code")
    assert read.open == []
    assert not re.search(r"\b(nan|inf|None|Traceback)\b", read.text)
    return text, read.text


def test_scores_are_not_called_accuracies_and_the_winner_was_trained() -> None:
    result = scored()
    text, read = page(result)
    winner = result.best
    assert (
        f"Trial {winner.number} is the best of the 2 that were trained from scratch, out of 12 networks scored by "
        f"smooth: {100 * winner.values[0]:.1f} % validation accuracy"
    ) in read
    assert (
        "The search trained nothing: its trials were ranked by the smooth score of their untrained networks. The best "
        "2 were then trained from scratch; of those the winner is the best by the validation accuracy, and its numbers"
    ) in read
    assert "networks scored by smooth, 2 trained from scratch" in read
    assert "Best smooth score so far against trials" in text
    assert "Trained were 2 from scratch for 4 epochs." in read
    assert "trained from scratch after the search in" in read
    states = re.findall(r"<td>(\d+)</td><td class='words[ a-z]*'>([a-z ]+)</td>", text)
    assert [state for _, state in states] == ["from scratch"] * 2 + ["scored"] * 12
    for record in searched(result.records):
        title = f"trial {record.trial.number}: smooth score {record.trial.values[0]:.4g}"
        assert title in text
        assert f"trial {record.trial.number}: validation accuracy" not in text
    assert "<th scope='col' data-first='descending'><button type='button'>smooth score</button></th>" in text


def test_without_any_training_nothing_is_said_of_accuracies() -> None:
    result = scored(keep=0)
    text, read = page(result)
    assert f"Trial {result.best.number} is the best of 12 networks scored by smooth: " in read
    assert "No network has been trained, so nothing is known yet of how good any of them is." in read
    assert "scored by smooth, not trained, in" in read
    assert "Learning curves" not in read
    assert "was not used to select anything" not in read
    assert "train the winner with ten seeds" in text
    shown = read[: read.index("Data and settings")]
    assert "accuracy" not in shown
    assert "as it was trained" not in text


@pytest.mark.parametrize("keep", [0, 3])
def test_a_front_of_scores_and_one_of_metrics(keep: int) -> None:
    text, read = page(scored(keep=keep, objectives=("accuracy", "-params")))
    first = "validation accuracy" if keep else "smooth score"
    assert f"Better means higher {first} and fewer parameters." in read
    assert f"Pareto front of {first} and parameters" in text
    assert "smooth score" in read[read.index("What mattered") :]


def test_a_screened_search_says_by_what_and_what_it_took() -> None:
    result = search(DATA, space=Wide, trials=9, screen="params,smooth", pool=3)
    _, read = page(result)
    section = read[read.index("Screening") : read.index("Trials", read.index("Screening"))]
    assert (
        "Each trial is the most promising, by the sum of their ranks by params and smooth, of 3 architectures that "
        "random proposed. On average"
    ) in section
    assert re.search(r"Scoring them took [\d.]+ s, \d+ % of the search\.", section)
    assert re.search(r"params9[\d.]+ s-?\d\.\d\d", section)
    plain = search(DATA, "plain", space=Toy, trials=3)
    assert "Screening" not in page(plain)[1]
    few = search(DATA, "few", space=Wide, trials=3, screen="params", pool=3)
    assert "the most promising, by params, of 3 architectures" in page(few)[1]


def test_a_learned_screen_says_since_when_it_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screening, "CHEAP", ("params",))
    monkeypatch.setattr("nas.report.screening.CHEAP", ("params",))
    more = {"space": Wide, "trials": 9, "screen": "auto", "pool": 3, "objectives": ("-params",)}
    _, read = page(search(DATA, "unsure", **more))
    assert "It had no evidence that it ranks networks better than chance, so every proposal of random was" in read
    assert "How random searched" in read
    monkeypatch.setattr(learned_ranking, "LEAST", 5)
    monkeypatch.setattr("nas.predictors.agreement.lower_end", lambda correlation, _: 0.125)
    result = search(DATA, "sure", **more)
    text, read = page(result)
    assert "it chose 4 of 9 trials, each from 3 architectures that random proposed; the first was trial 5." in read
    assert "out-of-bag correlation" in text
    assert "lower end of the interval: 0.125 at trial 4" in text


def test_a_screen_that_knows_other_data_sets_says_which() -> None:
    _, read = page(search(DATA, space="design", trials=2, screen="auto", pool=3, epochs=1))
    assert re.search(
        r"learned from encodings to choose among proposals\. It began with [\d,]+ trainings on \w+, \w+, ", read
    )
    assert (
        "it chose 2 of 2 trials, each from 3 architectures that random proposed; the first was trial 0. On avera"
        in read
    )
    assert "which counts as" in read
