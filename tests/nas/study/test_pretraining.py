"""What is learned from a table for a data set holds nothing of that data set, and the shipped pair says so too."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch_geometric.data import Data

from nas.data import load
from nas.diffusion.conditioned import guide, predicted
from nas.diffusion.conditioned_files import DESCRIBED, EVERY, LEARNED, Family, load_family, save_family
from nas.diffusion.rows import Rows
from nas.evaluation.tables.nasbench_graph import LINKS, SIZES
from nas.evaluation.tables.registry import find as find_table
from nas.predictors.agreement import spearman
from nas.predictors.dataset import described
from nas.searchspace.errors import BadInput
from nas.searchspace.spaces.registry import find
from nas.searchspace.task import Task
from nas.study.pretraining import load_pair, pretrain, pretrained, shipped
from tests.nas.study.test_experience import made_up
from tests.nas.toys import graph

NAMES = ("cora", "citeseer", "pubmed")
SPACE = find("nasbench-graph")
FILE = Path(os.environ.get("NAS_DATA", ".")) / "nasbench_graph" / "nasbench_graph.npz"


def table(folder: Path, **changed: Any) -> str:
    file = folder / "toy.npz"
    np.savez(file, **(made_up() | {"datasets": np.array(NAMES)} | changed))
    return str(file)


def task(name: str) -> Task:
    """Without a graph, as searches on a table have it."""
    features, outputs = SIZES[name]
    return replace(load(graph()), name=name, features=features, outputs=outputs, train=(), valid=(), test=())


def learned(file: str, *leave_out: str) -> Family:
    column = find_table(file).column
    said = {name: described(column(name).task, LINKS[name]) for name in NAMES}
    return pretrain(file, descriptions=said, leave_out=leave_out, steps=60)


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Family:
    return learned(table(tmp_path_factory.mktemp("table")), "cora", EVERY)


def some(count: int = 40) -> list[Any]:
    rng = random.Random(0)
    return [SPACE.sample(rng) for _ in range(count)]


def said(family: Family, of: Task) -> Any:
    return predicted(Rows(SPACE), guide(family.of(of), family.describe(of)), some())


def test_of_the_column_of_the_data_set_at_hand_nothing_is_used(family: Family, tmp_path: Path) -> None:
    changed = {split: made_up()[split].copy() for split in ("valid", "test")}
    for values in changed.values():
        values[:, NAMES.index("cora")] = np.random.default_rng(5).uniform(0, 1, len(values))
    other = learned(table(tmp_path, **changed), "cora", EVERY)
    assert (said(family, task("cora")) == said(other, task("cora"))).all()
    assert (said(family, task("pubmed")) != said(other, task("pubmed"))).any(), "of which no predictor was left out"
    assert "cora" not in family.of(task("cora")).sources


def test_a_data_set_is_known_by_its_name_and_by_its_size(family: Family) -> None:
    cora, own = task("cora"), load(graph())
    assert family.of(replace(cora, name="data")) is family.predictors["cora"]
    assert family.of(replace(cora, name="Cora", features=9)) is family.predictors["cora"]
    assert family.of(own) is family.predictors[EVERY]
    assert family.left_out(own) is None


def test_what_other_data_sets_have_in_common_is_expected(family: Family) -> None:
    gcns = [sum(node.op == "gcn" for node in a.nodes) for a in some()]
    for of in (task("cora"), load(graph())):
        assert np.corrcoef(said(family, of)[:, 0], gcns)[0, 1] > 0.6


def test_what_was_saved_says_the_same(family: Family, tmp_path: Path) -> None:
    save_family(family, Rows(SPACE), tmp_path)
    again = load_family(Rows(SPACE), tmp_path)
    assert list(again.known) == list(family.known)
    for of in (task("cora"), load(graph())):
        assert again.of(of).sources == family.of(of).sources
        assert said(again, of) == pytest.approx(said(family, of), abs=0.01)
    first = {file: (tmp_path / file).read_bytes() for file in (DESCRIBED, LEARNED)}
    save_family(again, Rows(SPACE), tmp_path)
    assert {file: (tmp_path / file).read_bytes() for file in first} == first


def test_files_that_are_none_or_of_another_space_are_refused(family: Family, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no conditioned predictors: No such file"):
        load_family(Rows(SPACE), tmp_path)
    save_family(family, Rows(SPACE), tmp_path)
    with pytest.raises(BadInput, match="the space 'nasbench-graph', whose knobs are not those of 'nasbench-graph-pr"):
        load_family(Rows(find("nasbench-graph-proteins")), tmp_path)
    text = (tmp_path / DESCRIBED).read_text()
    (tmp_path / DESCRIBED).write_text(text.replace('"format": 1', '"format": 2'))
    with pytest.raises(BadInput, match=r"another version of this package does \(format 2\); this one reads format 1"):
        load_family(Rows(SPACE), tmp_path)
    (tmp_path / DESCRIBED).write_text(text)
    (tmp_path / LEARNED).write_bytes((tmp_path / LEARNED).read_bytes()[:-100])
    with pytest.raises(BadInput, match="is damaged"):
        load_family(Rows(SPACE), tmp_path)


def test_the_shipped_pair_is_small_and_leaves_each_data_set_out() -> None:
    folder = shipped(SPACE)
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 3e6
    family = load_pair(SPACE, folder).family
    assert set(family.known) == set(SIZES)
    for name in SIZES:
        assert family.left_out(task(name)) == name
        assert name not in family.of(task(name)).sources
        assert len(family.of(task(name)).sources) == 7 + (name == "proteins")
    assert len(family.of(load(graph())).sources) == 8


def test_the_shipped_pair_proposes_for_a_graph_of_ones_own() -> None:
    own = load(graph())
    generator, towards = pretrained(SPACE.for_task(own), own)
    guided = generator.draw(64, seed=0, guide=towards)
    assert guided.valid > 0.9
    random_ones, found = (predicted(generator.rows, towards, each) for each in (some(), guided.architectures))
    assert found.mean() > random_ones.mean() + 0.5


def test_nothing_is_shipped_for_other_spaces_or_known_of_data_without_a_graph() -> None:
    with pytest.raises(BadInput, match="nothing is pre-trained for the space 'design', only for nasbench-graph"):
        pretrained(find("design"), load(graph()))
    own = load(Data(**dict(graph())))
    with pytest.raises(BadInput, match="what data is like cannot be said: it has no graph here"):
        pretrained(SPACE, replace(own, train=(), valid=(), test=()))


@pytest.mark.skipif(not FILE.is_file(), reason="set NAS_DATA to the folder that holds nasbench_graph/")
def test_the_shipped_predictors_rank_what_they_left_out() -> None:
    family = load_pair(SPACE, shipped(SPACE)).family
    for name, least in {"cora": 0.35, "citeseer": 0.65, "physics": 0.45}.items():
        column = find_table("nasbench-graph").column(name)
        rows = np.random.default_rng(0).choice(26206, 2000, replace=False)
        assert column.network is not None
        networks = [column.network(int(row)) for row in rows]
        found = predicted(Rows(SPACE), guide(family.of(column.task), family.describe(column.task)), networks)[:, 0]
        assert spearman(found, column.numbers["valid_accuracy"][rows]) > least
