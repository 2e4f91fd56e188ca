"""What other data sets of a table say, and that the one at hand says nothing."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nas
from nas.data import load
from nas.evaluation.tables.nasbench_graph import LINKS, SIZES
from nas.evaluation.tables.registry import find as find_table
from nas.predictors.transfer import Experience
from nas.predictors.warped import scores as normal_scores
from nas.searchspace.errors import BadInput
from nas.searchspace.spaces.registry import find
from nas.searchspace.task import Task
from nas.study.experience import experience
from nas.study.folder import runs_root
from tests.nas.evaluation.tables.toy import OPS, arrays
from tests.nas.toys import StopAfter, graph, graphs, told

FILE = Path(os.environ.get("NAS_DATA", ".")) / "nasbench_graph" / "nasbench_graph.npz"
NAMES = ("cora", "citeseer", "proteins")


def made_up() -> dict[str, Any]:
    """Networks of one kind are good on all data sets, which else have nothing in common; all rows have numbers."""
    rng, rows = np.random.default_rng(0), arrays()["raw_to_row"]
    shape = (rows.max() + 1, len(NAMES))
    found = arrays() | {"datasets": np.array(NAMES)}
    gcns = np.zeros(shape[0])
    kinds = np.indices(rows.shape)[3:]
    gcns[rows[rows >= 0]] = (kinds == OPS.index("gcn")).sum(0)[rows >= 0]
    for split in ("valid", "test"):
        found[split] = (0.5 + 0.05 * gcns[:, None] + rng.uniform(0, 0.1, shape)).astype(np.float32)
    return found | {name: rng.uniform(0.1, 2.0, shape).astype(np.float32) for name in ("latency", "params")}


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("prior") / "toy.npz"
    np.savez(file, **made_up())
    return str(file)


@pytest.fixture(params=["toy", "real"])
def table(request: pytest.FixtureRequest) -> str:
    if request.param == "real" and not FILE.is_file():
        pytest.skip("set NAS_DATA to the folder that holds nasbench_graph/")
    return request.getfixturevalue("toy") if request.param == "toy" else str(FILE)


def known(table: str, data: str) -> tuple[Experience, Any]:
    """Of a search on the table itself, and its space."""
    column = find_table(table).column(data)
    space = column.space.for_task(column.task)
    return experience(table, None, space, column.task), space


def drawn(space: Any, count: int) -> list[Any]:
    rng = random.Random(0)
    return [space.sample(rng) for _ in range(count)]


def test_the_data_set_at_hand_is_never_a_source(table: str) -> None:
    every = find_table(table).datasets
    whole = [data for data in every if data != "proteins" or table != str(FILE)]
    for data in every:
        found, space = known(table, data)
        assert list(found.sources) == [other for other in whole if other != data]
        assert found.statistics.shape == (len(found.sources), len(found.own))
        assert found.scores(drawn(space, 7)).shape == (7, len(found.sources))


@pytest.mark.parametrize("name", ["Cora", "CORA"])
def test_nor_is_it_one_in_other_letters(toy: str, name: str) -> None:
    task = Task(name, "node", "multiclass", *SIZES["cora"], "accuracy", "public", "")
    space = find("nasbench-graph").for_task(task)
    assert experience(toy, None, space, task).sources == ("citeseer", "proteins")


def test_what_it_says_depends_on_no_number_of_the_data_set_at_hand(table: str, tmp_path: Path) -> None:
    with np.load(table) as there:
        numbers = {name: there[name] for name in there.files}
    rng = np.random.default_rng(1)
    for data in ("cora", "proteins"):
        changed, at = dict(numbers), numbers["datasets"].tolist().index(data)
        for name in ("valid", "test", "latency", "params"):
            changed[name] = numbers[name].copy()
            changed[name][:, at] = rng.permutation(numbers[name][:, at])
        np.savez(tmp_path / f"{data}.npz", **changed)
        (before, space), (after, _) = known(table, data), known(str(tmp_path / f"{data}.npz"), data)
        some = drawn(space, 200)
        assert (before.features(some) == after.features(some)).all()
        assert (before.prior(some) == after.prior(some)).all()
        assert before.first(50) == after.first(50)


def test_a_score_is_the_mean_of_the_normal_scores_of_both_splits(toy: str) -> None:
    found, space = known(toy, "cora")
    there, some = made_up(), drawn(space, 50)
    rows = [there["raw_to_row"][(*(n.input for n in a.nodes[1:]), *(OPS.index(n.op) for n in a.nodes))] for a in some]
    for column, source in enumerate(found.sources):
        at = NAMES.index(source)
        expected = [normal_scores(there[split][:, at].astype(float))[rows] for split in ("valid", "test")]
        assert found.scores(some)[:, column] == pytest.approx(np.mean(expected, axis=0))


def test_descriptions_of_one_network_have_one_score(table: str) -> None:
    found, space = known(table, "cora")
    some = [a for a in drawn(space, 300) if space.canonical(a) != a]
    assert len(some) > 100
    assert (found.scores(some) == found.scores([space.canonical(a) for a in some])).all()


@pytest.mark.parametrize("data", ["cora", "proteins"])
def test_the_first_are_different_networks_of_the_space_best_first(table: str, data: str) -> None:
    found, space = known(table, data)
    first = list(found.first(12))
    assert len({space.canonical(a) for a in first}) == len(first) == 12
    assert all(space.from_json(space.to_json(a)) == a for a in first)
    if data == "proteins":
        assert {node.op for a in first for node in a.nodes} <= {"gcn", "sage", "arma", "fc", "skip"}
    expected = found.prior(first)
    assert bool((np.diff(expected) <= 1e-9).all())
    others = found.prior(drawn(space, 300))
    assert expected[0] >= others.max()
    assert expected[-1] > np.quantile(others, 0.8)


def test_there_are_no_more_than_the_table_has(toy: str) -> None:
    found, space = known(toy, "cora")
    assert len({space.canonical(a) for a in found.first(10_000)}) == 494


def test_data_sets_that_lack_networks_are_no_sources(toy: str, tmp_path: Path) -> None:
    for split in ("valid", "test"):
        changed = made_up()
        changed[split][3, 1] = np.nan
        np.savez(tmp_path / f"{split}.npz", **changed)
        assert known(str(tmp_path / f"{split}.npz"), "cora")[0].sources == ("proteins",)


def options(table: str) -> dict[str, Any]:
    return {"controller": "bo", "controller_options": {"prior": table, "startup": 3}}


def test_a_search_with_a_prior_resumes_where_it_was(table: str) -> None:
    given = {"table": table, "trials": 12, "objectives": (), **options(table)}
    whole = nas.search("cora", name="whole", **given)
    assert len(whole.records) == 12
    for stop in (2, 7):
        with pytest.raises(KeyboardInterrupt):
            nas.search("cora", name=f"cut-{stop}", watcher=StopAfter(stop), **given)
        assert told(nas.resume(f"cut-{stop}").records) == told(whole.records)


def test_a_prior_helps_where_data_sets_have_something_in_common(toy: str) -> None:
    result = nas.search("cora", table=toy, trials=6, **options(toy))
    gcns = [sum(node.op == "gcn" for node in r.trial.architecture.nodes) for r in result.records]
    assert min(gcns[:3]) >= 2
    assert max(gcns) >= 3


@pytest.mark.parametrize("data", [graph(), graphs()], ids=["a graph", "graphs"])
def test_it_is_the_prior_of_a_search_on_data_of_ones_own(toy: str, data: Any) -> None:
    given = {"space": "nasbench-graph", "device": "cpu", "epochs": 1, **options(toy)}
    result = nas.search(data, trials=4, name="own", **given)
    assert all(r.trial.values is not None for r in result.records)
    promised = experience(toy, None, result.plan.space, result.plan.task)
    assert promised.sources == NAMES
    first = {result.plan.space.canonical(a) for a in promised.first(6)}
    assert len(first) == 6
    assert {result.plan.space.canonical(r.trial.architecture) for r in result.records[:3]} <= first


@pytest.mark.skipif(not FILE.is_file(), reason="set NAS_DATA to the folder that holds nasbench_graph/")
def test_the_table_of_that_name_is_a_prior_by_its_name() -> None:
    result = nas.search(graph(), space="nasbench-graph", trials=4, epochs=1, device="cpu", **options("nasbench-graph"))
    same = nas.search(graph(), space="nasbench-graph", trials=4, epochs=1, device="cpu", **options(str(FILE)))
    assert told(result.records) == told(same.records)
    with pytest.raises(BadInput, match="table nasbench-graph cannot be the prior of a search in design: it knows net"):
        nas.search(graph(), space="design", trials=4, device="cpu", **options("nasbench-graph"))


def test_another_data_set_of_the_same_name_is_not_taken_for_that_of_the_table(toy: str) -> None:
    """``proteins`` is also a data set of small graphs, which is in no table."""
    task = replace(load(graphs()), name="proteins")
    own = experience(toy, None, find("nasbench-graph").for_task(task), task).own
    assert own[0] == pytest.approx(np.log(sum(len(each.x) for each in graphs())))


def test_a_graph_of_ones_own_is_counted(toy: str) -> None:
    data = graph(nodes=40)
    task = load(data)
    found = experience(toy, None, find("nasbench-graph").for_task(task), task)
    expected = [np.log(n) for n in (40, data.edge_index.shape[1] / 40, 5, 3)]
    assert found.own == pytest.approx(expected)
    nodes, links = LINKS["citeseer"]
    features, classes = SIZES["citeseer"]
    assert found.statistics[1] == pytest.approx(np.log([nodes, 2 * links / nodes, features, classes]))


@pytest.mark.parametrize("space", ["design", "agnn"])
def test_a_search_in_another_space_is_refused_before_any_work(toy: str, space: str) -> None:
    with pytest.raises(BadInput, match=f"toy.npz cannot be the prior of a search in {space}: it knows networks of the"):
        nas.search(graph(), space=space, trials=2, device="cpu", **options(toy))
    assert not runs_root().exists()


def test_a_table_of_this_data_set_alone_is_no_prior(toy: str, tmp_path: Path) -> None:
    alone = made_up()
    alone |= {name: alone[name][:, :1] for name in ("valid", "test", "latency", "params")}
    np.savez(tmp_path / "alone.npz", **(alone | {"datasets": np.array(["cora"])}))
    with pytest.raises(BadInput, match=r"cannot be the prior .*: it knows no other data set"):
        nas.search("cora", table=toy, trials=2, **options(str(tmp_path / "alone.npz")))


def test_a_prior_that_is_no_table_is_refused(toy: str) -> None:
    with pytest.raises(BadInput, match="unknown table 'nasbench-grahp'; did you mean 'nasbench-graph'"):
        nas.search("cora", table=toy, trials=2, **options("nasbench-grahp"))


def test_the_size_of_a_data_set_that_only_a_table_knows_is_not_known(tmp_path: Path) -> None:
    renamed = made_up() | {"datasets": np.array(["cora", "citeseer", "mine"])}
    np.savez(tmp_path / "mine.npz", **renamed)
    table = str(tmp_path / "mine.npz")
    with pytest.raises(BadInput, match="goes by how large data sets are, which the table does not say of mine"):
        nas.search("mine", table=table, trials=2, **options(table))
