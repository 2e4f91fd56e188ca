"""Encodings depend on the space alone, are made once for each network, and vary as much as they are said to."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from nas.predictors.base import Array
from nas.predictors.encoder import KNOBS, Encoder
from nas.predictors.vocabulary import Scaling, Vocabulary
from nas.searchspace import Network, Space, Value, architecture, choice, real
from nas.searchspace.errors import BadInput
from nas.searchspace.skeleton import skeleton
from tests.predictors.networks import SPACE, TASK, cell, sampled


@architecture
class Bare:
    """It describes no network."""

    conv: str = choice("gcn", "gat", "sage")
    rate: float = real(0.0, 1.0)
    fixed: str = choice("only")


@architecture
class Odd:
    """Every second network does not fit."""

    conv: str = choice("gcn", "gat")
    heads: int = choice(1, 3)
    width: int = choice(4, 8)

    def network(self, net: Network) -> Value:
        return net.operator(self.conv, net.x, self.width, **({"heads": self.heads} if self.conv == "gat" else {}))


def length(architectures: Any) -> Array:
    return np.array([[len(str(a)) / 100] for a in architectures])


def test_groups_are_knobs_counts_and_extras_and_columns_are_all_of_them() -> None:
    encoder = Encoder(SPACE, [length])
    some = sampled(20)
    knobs, counts, extra = encoder.encode(some, "groups")
    assert np.allclose(extra, length(some))
    columns = encoder.encode(some, "columns")
    assert columns.dtype == np.float32
    assert columns.shape == (20, knobs.shape[1] + counts.shape[1] + 1)
    for graph, row, a in zip(encoder.encode(some, "graph"), columns, some, strict=True):
        assert graph.skeleton == skeleton(a, TASK)
        assert np.array_equal(graph.row, row)


@pytest.mark.parametrize("space", [SPACE, Space(Bare)], ids=["cells", "bare"])
def test_groups_are_centred_and_of_unit_variance_but_knobs_beside_counts(space: Space[Any]) -> None:
    rng = random.Random(7)
    groups = Encoder(space).encode([space.sample(rng) for _ in range(2000)], "groups")
    deviations = [KNOBS, 1] if space is SPACE else [1]
    for group, deviation in zip(groups, deviations, strict=True):
        assert group.std(0) @ group.std(0) == pytest.approx(deviation**2, rel=0.1)
        assert (np.abs(group.mean(0)) < 0.1).all()


def test_what_an_architecture_looks_like_does_not_depend_on_what_came_before() -> None:
    some = sampled(30)
    late = Encoder(SPACE)
    late.encode(sampled(50, 3), "columns")
    first, one = Encoder(SPACE).encode(some, "groups"), [late.encode([a], "groups") for a in reversed(some)]
    for group, ones in zip(first, zip(*reversed(one), strict=True), strict=True):
        assert np.array_equal(group, np.concatenate(ones))


def test_each_network_is_encoded_once() -> None:
    asked: list[Any] = []

    def extra(architectures: Any) -> Array:
        asked.extend(architectures)
        return np.zeros((len(architectures), 2))

    encoder = Encoder(SPACE, [extra])
    one, same = cell((0, "gcn"), (0, "gat"), (0, "fc"), (0, "gin")), cell((0, "gin"), (0, "fc"), (0, "gcn"), (0, "gat"))
    rows = encoder.encode([one, same, one], "columns")
    assert np.array_equal(rows[0], rows[1])
    encoder.encode([same], "graph")
    assert asked == [SPACE.canonical(one)]


def test_features_that_do_not_vary_are_left_out_and_networks_that_do_not_fit_are_encoded() -> None:
    (knobs,) = Encoder(Space(Bare)).encode([Bare(conv="gcn", rate=0.5, fixed="only")], "groups")
    assert knobs.shape == (1, 4)
    space = Space(Odd).for_task(TASK)
    encoder, bad = Encoder(space), Odd(conv="gat", heads=3, width=8)
    assert encoder.encode([bad], "graph")[0].skeleton.names == ("input",)
    assert len({row.tobytes() for row in encoder.encode(list(space.enumerate()), "columns")}) == 8


@pytest.mark.parametrize("answer", [np.zeros(2), np.zeros((3, 1)), np.full((2, 1), np.nan)])
def test_an_extra_that_answers_with_nonsense_is_said(answer: Array) -> None:
    encoder = Encoder(SPACE, [lambda architectures: answer])
    with pytest.raises(BadInput, match=r"is \[items, numbers\], all finite; for 2 architectures .* gave \["):
        encoder.encode(sampled(2), "groups")


def test_families_have_equal_shares_of_the_variance() -> None:
    counts = [{"a": {"x": float(i % 2), "y": 1.0}, "b": {"x": 100.0 * (i % 5), "z": 3.0 * (i % 3)}} for i in range(30)]
    known = Vocabulary(counts)
    rows = known.rows(counts)
    assert rows.shape == (30, 4)
    scaled = Scaling.of(rows, known.families)(rows)
    assert scaled.shape == (30, 3)
    assert scaled.var(0)[0] == pytest.approx(0.5)
    assert scaled.var(0)[1:].sum() == pytest.approx(0.5, rel=1e-3)
    assert not known.rows([{"a": {"new": 5.0}, "b": {}}]).any()
