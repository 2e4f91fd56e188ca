"""Ranking from Python: who is scored, in which order, with pauses, by several processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import nas
from nas.ranking import work as works
from nas.ranking.ledger import Scored
from nas.ranking.ranking import Ranking
from nas.searchspace.errors import BadInput, RunError
from nas.study import executing
from nas.study.search import Silent
from tests.nas.toys import Messy, Toy, Wide, graph, graphs

PROXIES = ["ntk-krr", "params", "gradsign"]
SMALL = Toy(conv="gcn", hidden=2, dropout=0.0)


def rank(n: int | None = 8, **more: Any) -> Ranking:
    given = {"space": Toy, "proxies": PROXIES, "device": "cpu", **more}
    return nas.rank(graph(), n=n, **given)


def told(rows: Any) -> list[Any]:
    """Everything but the clock."""
    return [(r.number, r.architecture, dict(r.scores), r.tried, r.trained, r.reason) for r in rows]


class Stop(Silent):
    """Hears of finished architectures and presses Ctrl-C after some."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, row: Scored) -> None:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def test_every_proxy_scores_every_architecture():
    found = rank()
    assert sorted(row.number for row in found.rows) == list(range(8))
    assert all(set(row.scores) == set(row.seconds) >= {"params", "gradsign"} for row in found.rows)
    assert all(row.tried == tuple(PROXIES) and row.reason is None for row in found.rows)
    assert all(row.scores["params"] == row.metrics["params"] for row in found.rows)
    assert not any(row.trained or "latency" in row.metrics for row in found.rows)
    assert set(found.seconds) == set(PROXIES)
    assert found.notes == ()


def test_equal_seeds_equal_rankings():
    assert told(rank().rows) == told(rank().rows)
    assert told(rank().rows) != told(rank(seed=1).rows)


def test_the_best_is_first():
    found = rank(by="params", n=12)
    params = [row.scores["params"] for row in found.rows]
    assert params == sorted(params, reverse=True)
    sums = rank(n=12).rank_sums()
    assert sums == sorted(sums)
    alone = rank(n=12, proxies=["params"])
    assert alone.by == "params"
    assert [row.number for row in alone.rows] == [row.number for row in found.rows]
    assert alone.architectures == [row.architecture for row in found.rows]


def test_a_space_with_fewer_networks_is_ranked_whole():
    found = rank(n=100, proxies=["params"])
    assert len(found.rows) == 24
    assert found.notes == ("the space has 24 different networks, fewer than 100: all of them are ranked",)


def test_architectures_that_are_given():
    chosen = [SMALL, Toy(conv="gcn", hidden=8, dropout=0.0)]
    found = rank(n=None, architectures=[chosen[0], {"conv": "gcn", "hidden": 8, "dropout": 0.0}], proxies=["params"])
    assert found.architectures == chosen[::-1]


def test_those_that_cannot_be_scored_come_last_with_their_reason():
    found = rank(n=10, space=Messy, proxies=["params", "depth"])
    assert [bool(row.scores) for row in found.rows] == [True] * 6 + [False] * 4
    assert {row.reason for row in found.rows[6:]} == {"two is bad", "IndexError: list index out of range"}
    assert len(found.architectures) == 6


def test_graphs():
    found = nas.rank(graphs(), space=Toy, proxies=PROXIES, n=4, device="cpu")
    assert all(set(row.scores) >= {"params", "gradsign"} for row in found.rows)


def test_a_resumed_ranking_equals_an_uninterrupted_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file, whole = tmp_path / "kept.jsonl", rank()
    with pytest.raises(KeyboardInterrupt):
        rank(out=file, told=Stop(3))
    assert len(file.read_text().splitlines()) == 4
    with file.open("a") as torn:
        torn.write('{"number": 3, "archi')  # by a killed process
    done: list[Scored] = []
    assert told(rank(out=file, told=done.append).rows) == told(whole.rows)
    assert [row.number for row in done] == [3, 4, 5, 6, 7]
    monkeypatch.setattr(executing, "InProcess", None)  # nothing is left to do
    assert told(rank(out=file).rows) == told(whole.rows)
    assert len(file.read_text().splitlines()) == 9


def test_more_proxies_and_more_architectures_go_on_with_the_same_file(tmp_path: Path):
    file = tmp_path / "kept.jsonl"
    rank(n=3, proxies=["params"], out=file)
    done: list[Scored] = []
    found = rank(n=4, proxies=["params", "ntk-krr"], out=file, told=done.append)
    assert [json.loads(line)["tried"] for line in file.read_text().splitlines()[4:]] == [
        ["ntk-krr"],
        ["ntk-krr"],
        ["ntk-krr"],
        ["params", "ntk-krr"],
    ]
    assert told(found.rows) == told(rank(n=4, proxies=["params", "ntk-krr"]).rows)
    assert len(rank(n=2, proxies=["params"], out=file).rows) == 2


def test_several_processes_score_as_one():
    one = {row.number: row for row in rank(n=6).rows}
    two = {row.number: row for row in rank(n=6, workers=2).rows}
    assert one.keys() == two.keys()
    for number, row in one.items():
        assert row.architecture == two[number].architecture
        assert dict(row.scores) == pytest.approx(dict(two[number].scores), rel=1e-5)


def test_the_slow_way_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(works, "split", lambda model, task: "a parameter is used twice")
    assert rank(n=3, proxies=["params"]).notes == ()
    assert (
        rank(n=3, proxies=["gradsign"])
        .notes[0]
        .startswith("gradsign took its slow exact way, a backward pass for every item, for ")
    )
    assert rank(n=3, proxies=["gradsign"]).notes[0].endswith(": a parameter is used twice")


def test_the_proxies_that_can_be_slow_are_known_by_their_homes():
    homes = {name: works.known(name).score.__module__ for name in ("gradsign", "ntk-krr", "ntk-alignment")}
    assert set(homes.values()) == set(works.PER_ITEM)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"proxies": ["gradsing"]}, "unknown proxy 'gradsing'; did you mean 'gradsign'\\? known: "),
        ({"proxies": "gradsign"}, "proxies must be a list of names, such as .*; got 'gradsign'"),
        ({"proxies": []}, "proxies must be a list of names"),
        ({"proxies": ["short:no"]}, "a short training is named short or short:EPOCHS"),
        ({"by": "depth"}, "cannot order by 'depth', which is not scored; the proxies are ntk-krr, params, gradsign"),
        ({"n": 0}, "n must be at least 1; got 0"),
        ({"architectures": [SMALL]}, "give one of the two"),
        ({"n": None, "architectures": []}, "there are no architectures to rank"),
        ({"n": None, "architectures": [{"conv": "gcn"}]}, "architecture 0 does not belong to the space 'Toy': "),
        ({"space": "desing"}, "unknown search space 'desing'; did you mean 'design'"),
        ({"device": "gpu"}, "device 'gpu'"),
        ({"sed": 3}, "unknown setting 'sed'; did you mean 'seed'"),
    ],
)
def test_what_cannot_be_ranked(given: dict[str, Any], message: str, tmp_path: Path):
    with pytest.raises(BadInput, match=message):
        rank(out=tmp_path / "kept.jsonl", **given)
    assert not any(tmp_path.iterdir())


def test_a_file_of_something_else_is_refused(tmp_path: Path):
    file = tmp_path / "kept.jsonl"
    rank(n=2, proxies=["params"], out=file)
    before = file.read_text()
    for given, message in (
        ({"seed": 1}, "was made with seed 0 and this command has 1; give the same settings to go on with it, or "),
        ({"space": Wide}, "made with space 'Toy' and this command has 'Wide'; .* choose another --out"),
        ({"n": None, "architectures": [SMALL]}, "holds another architecture as number 0"),
    ):
        with pytest.raises(BadInput, match=message):
            rank(**{"n": 2, "proxies": ["params"], "out": file, **given})
    assert file.read_text() == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no\n", "is damaged"),
        ("[]\n", "its first line says nothing of its settings"),
        ("{}\n", "its first line does not name its command"),
    ],
)
def test_a_damaged_file(text: str, message: str, tmp_path: Path):
    file = tmp_path / "kept.jsonl"
    file.write_text(text)
    with pytest.raises(RunError, match=f"{message}.*delete it to begin anew"):
        rank(n=2, out=file)


def test_a_damaged_line(tmp_path: Path):
    file = tmp_path / "kept.jsonl"
    rank(n=2, proxies=["params"], out=file)
    file.write_text(file.read_text() + '{"number": 1}\n')
    with pytest.raises(RunError, match=r"is damaged .*'architecture'.*; delete it to begin anew"):
        rank(n=2, proxies=["params"], out=file)
