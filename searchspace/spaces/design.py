"""The design space of GraphGym: layers before, of, and after message passing, their connections and their training.

You, Ying and Leskovec, "Design Space for Graph Neural Networks", NeurIPS 2020 (arXiv 2011.08843), tables 1 and 2:
twelve dimensions, 314,928 designs. One message-passing layer is eq. 1 of the paper, AGG(ACT(DROPOUT(BN(W h + b))))
over the neighbourhood and the node itself. The paper adjusts the width to a computational budget; here it is constant.
"""

from __future__ import annotations

from dataclasses import replace

from nas.searchspace.language import architecture, choice, constant
from nas.searchspace.network import Network, Value
from nas.searchspace.recipe import Recipe
from nas.searchspace.task import Task


@architecture
class Design:
    """One design: a stack of linear layers, message-passing layers, and linear layers again."""

    pre_layers: int = choice(1, 2, 3)
    layers: int = choice(2, 4, 6, 8)
    post_layers: int = choice(1, 2, 3)
    connectivity: str = choice("stack", "skip-sum", "skip-cat")
    aggregation: str = choice("mean", "max", "sum")
    activation: str = choice("relu", "prelu", "swish")
    norm: str = choice("none", "batch")
    dropout: float = choice(0.0, 0.3, 0.6)
    optimiser: str = choice("sgd", "adam")
    lr: float = choice(0.1, 0.01, 0.001)
    batch_size: int = choice(16, 32, 64)
    epochs: int = choice(100, 200, 400)
    width: int = constant(64)

    def network(self, net: Network) -> Value:
        x = net.x
        for number in range(1, self.pre_layers + 1):
            net.comment(f"pre-processing {number}")
            x = self._mapped(net, x)
        for number in range(1, self.layers + 1):
            net.comment(f"message passing {number}")
            passed = net.operator("aggregate", self._mapped(net, x), self.width, aggr=self.aggregation)
            if self.connectivity == "skip-sum":
                passed = net.add(x, passed)
            elif self.connectivity == "skip-cat":
                passed = net.concat(x, passed)
            x = passed
        x = net.pool(x)
        for number in range(1, self.post_layers):  # the last one is the head
            net.comment(f"post-processing {number}")
            x = self._mapped(net, x)
        return x

    def _mapped(self, net: Network, x: Value) -> Value:
        x = net.norm(self.norm, net.linear(x, self.width))
        return net.activation(self.activation, net.dropout(self.dropout, x))

    def recipe(self, recipe: Recipe, task: Task) -> Recipe:
        """Annealed, and so to the end of the cosine."""
        return replace(
            recipe,
            optimiser=self.optimiser,
            lr=self.lr,
            epochs=self.epochs,
            batch_size=self.batch_size,
            cosine=True,
        )

    def canonical(self, task: Task | None) -> Design:
        """A task on the nodes or links of one graph is trained in one step, so the batch size means nothing there."""
        if task is not None and task.level != "graph":
            return replace(self, batch_size=64)
        return self
