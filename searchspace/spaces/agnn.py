"""The search space of AGNN: seven attention functions, aggregation, combination, heads, width, activation per layer.

Zhou et al., "Auto-GNN: Neural Architecture Search of Graph Neural Networks", arXiv 1909.03184, on the space of Gao et
al., "GraphNAS", arXiv 1904.09981. Two layers, as published; neither normalisation nor residual connections.
Dropout is GAT's: on the features and on the attention coefficients.
"""

from __future__ import annotations

from dataclasses import replace

from nas.searchspace.language import architecture, choice, repeat
from nas.searchspace.network import Network, Value
from nas.searchspace.recipe import Recipe
from nas.searchspace.task import Task

DROPOUT = 0.6
WIDTHS = (4, 8, 16, 32, 64, 128, 256)


@architecture
class Layer:
    """One message-passing layer; ``hidden`` is the width of one head."""

    hidden: int = choice(*WIDTHS)
    attention: str = choice("constant", "gcn", "gat", "sym-gat", "cos", "linear", "generalised-linear")
    heads: int = choice(1, 2, 4, 6, 8, 16)
    aggregate: str = choice("sum", "mean", "max", "mlp")
    combine: str = choice("identity", "mlp")
    activation: str = choice("sigmoid", "tanh", "relu", "linear", "softplus", "leaky_relu", "relu6", "elu")


@architecture
class AGNN:
    """Two layers; on node-level tasks the last one returns the class scores, its heads averaged."""

    layers: tuple[Layer, ...] = repeat(Layer, 2, 2)

    def network(self, net: Network) -> Value:
        x = net.x
        for number, layer in enumerate(self.layers, 1):
            last = number == len(self.layers)
            scores = last and net.task.level == "node"
            net.comment(f"layer {number}")
            x = net.dropout(DROPOUT, x)
            x = net.operator(
                "attention",
                x,
                net.outputs if scores else layer.hidden * (1 if last else layer.heads),
                heads=layer.heads,
                attention=layer.attention,
                aggregate=layer.aggregate,
                combine=layer.combine,
                concat=not last,
                dropout=DROPOUT,
            )
            x = net.activation(layer.activation, x)
        return net.scores(x) if net.task.level == "node" else x

    def recipe(self, recipe: Recipe, task: Task) -> Recipe:
        return replace(recipe, lr=0.01, weight_decay=5e-4, patience=50)

    def canonical(self, task: Task | None) -> AGNN:
        """The width of the last layer is the task's on node-level tasks, whatever ``hidden`` says."""
        if task is None or task.level != "node":
            return self
        return replace(self, layers=(*self.layers[:-1], replace(self.layers[-1], hidden=WIDTHS[0])))
