"""What a supernet follows of a network method, and what it refuses by name."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
import torch

from nas.controllers.supernet.training import portion
from nas.searchspace import Network, Space, Value, architecture, choice, integer
from nas.searchspace.elements import DECODERS
from nas.searchspace.errors import BadInput
from nas.searchspace.spaces.registry import find
from tests.controllers.supernet.worlds import even, kinds, network, one_hot, supernet

KINDS = kinds()
TASK, GRAPHS = KINDS["nodes"], KINDS["graphs"]


@architecture
class Followed:
    """A knob of each kind that a network may hand on."""

    activation: str = choice("relu", "tanh", "prelu")
    norm: str = choice("none", "batch", "layer")
    dropout: float = choice(0.0, 0.2)
    width: int = choice(2, 4)
    branch: bool = choice(True, False)
    source: int = choice(0, 1)

    def network(self, net: Network) -> Value:
        first = net.linear(net.x, self.width)
        second = net.operator("gcn", net.x, self.width)
        h = net.choose(self.source, {0: first, 1: second})
        h = net.norm(self.norm, net.activation(self.activation, h))
        h = net.choose(self.branch, {True: net.add(h, first), False: h})
        return net.dropout(self.dropout, net.concat(h, net.activation("relu", net.linear(net.x, 3))))


@pytest.mark.parametrize("task", KINDS.values(), ids=KINDS)
def test_a_mixture_of_all_and_any_one_hot_pass_give_scores(task: Any) -> None:
    net, space = supernet(Followed, task), Space(Followed).for_task(task)
    batch = task.train[0]
    paths = {knob.path for knob in net.knobs}
    assert paths == set(space.every_knob())
    for weights in (even(net.knobs), one_hot(net.knobs, {}), one_hot(net.knobs, {"width": 4, "source": 1})):
        out = net(batch, weights)
        assert out.shape == (len(batch.y), task.outputs)
        assert out.isfinite().all()
    net(batch, even(net.knobs)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


@architecture
class Same:
    width: int = choice(2, 4)
    source: int = choice(0, 1)
    norm: str = choice("none", "layer")

    def network(self, net: Network) -> Value:
        first, second = net.linear(net.x, self.width), net.operator("gcn", net.x, self.width)
        h = net.activation("tanh", net.choose(self.source, {0: first, 1: second}))
        return net.operator("sage", net.concat(net.add(h, h), net.x), 4)


@pytest.mark.parametrize("task", [TASK, replace(TASK, centre=(5.0,) * 3, spread=(2.0, 0.5, 9.0))], ids=["", "in units"])
def test_one_hot_passes_are_those_of_the_derived_network(task: Any) -> None:
    """Whose weights are the first rows and columns of the supernet's."""
    net, batch = supernet(Same, task).eval(), task.train[0]
    parts: Any = net.parts
    linear, gcn, sage, head = (part for part in parts if type(part).__name__ in ("Linear", "Operator"))
    for width, source in [(2, 0), (4, 0), (2, 1), (4, 1)]:
        made = Same(width=width, source=source, norm="none")
        real = network(made, task).eval()
        columns = [*range(width), *range(4, 4 + task.features)]
        with torch.no_grad():
            if source == 0:
                real.linear1.load_state_dict({k: v[:width] for k, v in linear.map.state_dict().items()})
            else:
                real.conv1.bias.copy_(gcn.layers[0].layer.bias[:width])
                real.conv1.lin.weight.copy_(gcn.layers[0].layer.lin.weight[:width])
            layer, held = real.conv2, sage.layers[0].layer
            layer.lin_l.weight.copy_(held.lin_l.weight[:, columns])
            layer.lin_l.bias.copy_(held.lin_l.bias)
            layer.lin_r.weight.copy_(held.lin_r.weight[:, columns])
            real.linear2.load_state_dict(head.map.state_dict())
        found = net(batch, one_hot(net.knobs, {"width": width, "source": source}))
        torch.testing.assert_close(found, real(batch.x, batch.edge_index)[batch.index], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("kind", ["links", "links, carrying edges"])
def test_a_decided_decoder_is_that_of_the_derived_network(kind: str, decoder: str) -> None:
    task = KINDS[kind]
    net, batch = supernet(Same, task).eval(), task.train[0]
    made = replace(Space(Same).for_task(task).sample(Random(0)), width=4, source=0, norm="none", decoder=decoder)
    parts: Any = net.parts
    linear, sage, mapped, decoders = (parts[i] for i in (0, 3, 4, 5))
    real = network(made, task).eval()
    with torch.no_grad():
        real.linear1.load_state_dict(linear.map.state_dict())
        real.conv2.load_state_dict(sage.layers[0].layer.state_dict())
        real.decoder1.load_state_dict(decoders[list(DECODERS).index(decoder)].made.state_dict())
        if DECODERS[decoder].projects:
            real.linear2.load_state_dict(mapped.map.state_dict())
        found = net(batch, one_hot(net.knobs, {"width": 4, "source": 0, "decoder": decoder}))
        torch.testing.assert_close(found, real(*batch.arguments(task.inputs)), atol=1e-5, rtol=1e-4)


def test_bits_of_a_link_task_are_those_of_the_derived_network() -> None:
    task = KINDS["links"]
    net = supernet(Same, task)
    for decoder in DECODERS:
        made = replace(Space(Same).for_task(task).sample(Random(0)), width=4, source=0, norm="none", decoder=decoder)
        bits = 32 * sum(p.numel() for p in network(made, task).parameters())
        chosen = {"width": 4, "source": 0, "norm": "none", "decoder": decoder}
        assert float(net.size(one_hot(net.knobs, chosen))) == bits


@architecture
class If:
    conv: str = choice("gcn", "gat")

    def network(self, net: Network) -> Value:
        return net.operator("gcn", net.x, 4) if self.conv == "gcn" else net.x


@architecture
class Loop:
    layers: int = integer(1, 3)

    def network(self, net: Network) -> Value:
        x = net.x
        for _ in range(self.layers):
            x = net.linear(x, 4)
        return x


@architecture
class Heads:
    heads: int = choice(2, 3)

    def network(self, net: Network) -> Value:
        return net.operator("attention", net.x, 4, heads=self.heads)


@architecture
class Nothing:
    conv: str = choice("gcn", "gat")

    def network(self, net: Network) -> Any:
        return None


@architecture
class Many:
    conv: str = choice("gcn", "gat", "sage", "gin")
    heads: int = choice(*range(1, 14))

    def network(self, net: Network) -> Value:
        return net.operator(self.conv, net.x, 4, heads=self.heads)


@architecture
class Uneven:
    conv: str = choice("a", "b")

    def network(self, net: Network) -> Value:
        return net.choose(self.conv, {"a": net.x, "b": net.linear(net.x, 2)})


@pytest.mark.parametrize(
    ("of", "why"),
    [
        (If, r"its network decides by the knob conv"),
        (Loop, r"its network decides by the knob layers"),
        (Heads, r"some heads do not divide some widths"),
        (Nothing, r"its network returns no value of the network"),
        (Many, r"one of its operators has 52 forms, 48 at the most"),
        (Uneven, r"values to choose from have one width"),
        (find("design").of, r"(its network decides by the knob|the length of) \S+.*"),
    ],
)
def test_what_cannot_be_followed_is_refused(of: Any, why: str) -> None:
    with pytest.raises(BadInput, match=rf"^the space {of.__name__} cannot be one supernet: {why}$"):
        supernet(of, TASK)


@pytest.mark.parametrize("kind", ["graphs", "graphs, carrying edges"])
@pytest.mark.parametrize("seed", range(3))
def test_portions_keep_whole_graphs(seed: int, kind: str) -> None:
    batch = KINDS[kind].train[0]
    assert batch.batch is not None
    part = portion(batch, 3, torch.Generator().manual_seed(seed))
    assert part.batch is not None
    assert len(part.y) == 3
    assert part.batch.unique().tolist() == [0, 1, 2]
    assert torch.equal(part.batch[part.edge_index[0]], part.batch[part.edge_index[1]])
    whole = [described(batch, g) for g in range(len(batch.y))]
    places = [whole.index(described(part, g)) for g in range(3)]
    assert places == sorted(set(places))


def described(batch: Any, graph: int) -> tuple[Any, ...]:
    nodes = (batch.batch == graph).nonzero().squeeze(1)
    inside = batch.batch[batch.edge_index[0]] == graph
    edges = (batch.edge_index[:, inside] - nodes[0]).t()
    more = [] if batch.edge_attr is None else [batch.edge_attr[inside], batch.edge_weight[inside, None]]
    carried = torch.cat([edges, *more], dim=1)
    return batch.x[nodes].tolist(), sorted(carried.tolist()), batch.y[graph].tolist()


def test_a_portion_of_few_graphs_is_all_of_them() -> None:
    assert portion(GRAPHS.train[0], 99, torch.Generator()) is GRAPHS.train[0]
