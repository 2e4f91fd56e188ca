"""The parts of a supernet that has decided against the layers of the derived network, with the same weights."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch

from nas.controllers.supernet import parts
from nas.controllers.supernet.parts import Attention, Linear
from nas.controllers.supernet.sampling import Weights
from nas.data import load
from nas.searchspace import Network, Space, Value, architecture, choice
from nas.searchspace.layers.attention import AttentionConv, EdgeAttentionConv
from nas.searchspace.precision import FLOAT
from tests.controllers.supernet.test_mixed import undecided
from tests.controllers.supernet.worlds import carrying, kinds, network, one_hot, supernet
from tests.nas.toys import graph

ATTENTIONS = ("constant", "gcn", "gat", "sym-gat", "cos", "linear", "generalised-linear")
AGGREGATES, COMBINES = ("sum", "mean", "max", "mlp"), ("identity", "mlp")
DATA = graph(12)
TASK = load(DATA)
CARRYING = load(carrying(graph(12))).train[0]
KINDS = kinds()
HEADS, HIDDEN = (1, 2), (2, 3)


def test_options_have_mean_zero_and_deviation_one() -> None:
    found = parts.alike(torch.randn(50, 3) * torch.tensor([1.0, 30.0, 5.0]) + 7)
    torch.testing.assert_close(found.mean(0), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(found.std(0, correction=0), torch.ones(3), atol=1e-3, rtol=0)


@pytest.fixture
def _not_normalised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Options are normalised before they are weighed, which the derived network does not do."""
    monkeypatch.setattr(parts, "alike", lambda x: x)


def hot(size: int, i: int) -> torch.Tensor:
    return torch.nn.functional.one_hot(torch.tensor(i), size).float()


@pytest.mark.each_once
@pytest.mark.usefixtures("_not_normalised")
@pytest.mark.parametrize(("concat", "edges"), [(True, False), (False, False), (False, True)])
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_attention_is_the_layer_of_its_options(attention: str, concat: bool, edges: bool) -> None:
    """Also where it is narrower than the widest: the columns that do not count are zero or left out."""
    torch.manual_seed(0)
    mixed = [undecided(n, values) for n, values in enumerate((ATTENTIONS, AGGREGATES, COMBINES, HEADS, HIDDEN))]
    names = ("attention", "aggregate", "combine", "heads")
    settings: dict[str, Any] = dict(zip(names, mixed, strict=False)) | {"concat": concat, "dropout": 0.0}
    batch = CARRYING if edges else TASK.train[0]
    more: Any = (batch.edge_weight, batch.edge_attr) if edges else ()
    whole = Attention(5, mixed[4], settings, FLOAT, 2 if edges else 0).eval()
    torch.nn.init.normal_(whole.bias)
    kind: Any = whole.kinds[ATTENTIONS.index(attention)]
    every = product(enumerate(AGGREGATES), enumerate(COMBINES), enumerate(HEADS), enumerate(HIDDEN))
    for (a, aggregate), (c, combine), (h, heads), (d, hidden) in every:
        at = (ATTENTIONS.index(attention), a, c, h, d)
        weights = Weights(tuple(hot(len(m.table), i) for m, i in zip(mixed, at, strict=True)))
        out = whole(batch.x, weights, batch)
        outputs = hidden * heads if concat else hidden
        given = (5, outputs, heads, attention, aggregate, combine, concat)
        real = (EdgeAttentionConv(*given, edge_dim=2) if edges else AttentionConv(*given)).eval()
        copy(real, whole, kind, heads, hidden)
        assert not out[:, outputs:].any()
        torch.testing.assert_close(out[:, :outputs], real(batch.x, batch.edge_index, *more), atol=1e-5, rtol=1e-4)


def copy(real: Any, whole: Any, kind: Any, heads: int, hidden: int) -> None:
    """The first rows and columns, as many as there are."""
    with torch.no_grad():
        real.linear.weight.copy_(whole.map.weight[: heads * hidden])
        real.bias.copy_(whole.bias[: len(real.bias)])
        if whole.edge is not None:
            real.edge.weight.copy_(whole.edge.weight[: heads * hidden])
        for name, parameter in kind.layer.named_parameters():
            held = dict(real.named_parameters())[name]
            held.copy_(parameter[: held.size(0), : held.size(1)])
        if hasattr(real, "mlp"):
            for i in (0, 2):
                real.mlp[i].weight.copy_(whole.mlp[i].weight[:hidden, :hidden])
                real.mlp[i].bias.copy_(whole.mlp[i].bias[:hidden])
        if hasattr(real, "merge"):
            left, right = whole.merge.weight[:hidden].split(whole.width, 1)
            real.merge.weight.copy_(torch.cat([left[:, :hidden], right[:, :hidden]], 1))
            real.merge.bias.copy_(whole.merge.bias[:hidden])


def test_a_linear_map_is_narrower_where_its_width_is() -> None:
    torch.manual_seed(0)
    inputs, width = undecided(0, (2, 5)), undecided(1, (1, 3, 4))
    whole, x = Linear(inputs, width, True, "float"), torch.randn(6, 5)
    for i, d in enumerate((1, 3, 4)):
        out = whole(x, Weights((hot(2, 1), hot(3, i))))
        torch.testing.assert_close(out[:, :d], torch.nn.functional.linear(x, whole.map.weight[:d], whole.map.bias[:d]))
        assert not out[:, d:].any()
        narrow = whole(x[:, :2], Weights((hot(2, 0), hot(3, i))))
        torch.testing.assert_close(narrow, (x[:, :2] @ whole.map.weight[:d, :2].t()) + whole.map.bias[:d])


def test_mixed_widths_weigh_columns_by_those_that_have_them() -> None:
    width = undecided(0, (1, 3))
    out = parts.masked(torch.ones(2, 3), width, Weights((torch.tensor([0.25, 0.75]),)))
    assert out.tolist() == [[1.0, 0.75, 0.75]] * 2


@architecture
class Operators:
    conv: str = choice("gcn", "gat", "sage", "gin", "fc", "cheb")
    heads: int | None = choice(1, 3, when=lambda a: a.conv == "gat")

    def network(self, net: Network) -> Value:
        return net.scores(net.operator(self.conv, net.x, net.outputs, heads=self.heads))


@pytest.mark.parametrize("kind", ["nodes", "nodes, carrying edges"])
def test_operators_are_the_layers_of_the_table(kind: str) -> None:
    """Each with its own weights, and one for each of its settings; it hears of the edges what it can."""
    task = KINDS[kind]
    net, space, batch = supernet(Operators, task).eval(), Space(Operators), task.train[0]
    part: Any = net.parts[0]
    for number, made in enumerate(space.enumerate()):
        real = network(made, task).eval()
        real.conv1.load_state_dict(part.layers[number].layer.state_dict())
        out = net(batch, one_hot(net.knobs, space.knobs(made)))
        torch.testing.assert_close(out, real(*batch.arguments(task.inputs))[batch.index])
    assert number + 1 == len(part.layers)


def test_a_mixture_of_operators_is_their_weighted_sum() -> None:
    net, batch = supernet(Operators, TASK).eval(), TASK.train[0]
    assert [knob.path for knob in net.knobs] == ["conv", "heads"]
    first, second = (one_hot(net.knobs, {"conv": name}) for name in ("gcn", "sage"))
    mixed = Weights((0.3 * first.of[0] + 0.7 * second.of[0], first.of[1]))
    torch.testing.assert_close(net(batch, mixed), 0.3 * net(batch, first) + 0.7 * net(batch, second))
