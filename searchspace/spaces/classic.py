"""Classic networks, well tuned: one operator, depth, width, residual and jumping connections, normalisation, training.

Luo, Shi and Wu, "Classic GNNs are Strong Baselines: Reassessing GNNs for Node Classification", NeurIPS 2024 (arXiv
2406.08993), and "Can Classic GNNs Be Strong Baselines for Graph-level Tasks?", ICML 2025 (arXiv 2502.09263): with these
parts in the right place GCN, SAGE, GAT and GIN equal what was designed to replace them, also where neighbours differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nas.searchspace.language import architecture, choice
from nas.searchspace.network import Network, Value
from nas.searchspace.recipe import Recipe
from nas.searchspace.task import Task

ATTENTION = ("gat", "gatv2", "transformer")


@architecture
class Classic:
    """A stack of layers with one operator."""

    conv: str = choice("gcn", "sage", "gat", "gatv2", "transformer", "gin-mlp", "graph", "cheb", "fc")
    heads: int | None = choice(1, 4, 8, when=lambda a: a.conv in ATTENTION)
    layers: int = choice(1, 2, 3, 4, 6, 8, 10)
    hidden: int = choice(16, 32, 64, 128, 256)
    before: bool = choice(False, True)
    residual: bool = choice(False, True)
    jumping: bool = choice(False, True)
    norm: str = choice("none", "batch", "layer")
    activation: str = choice("relu", "elu")
    dropout: float = choice(0.0, 0.2, 0.5, 0.7)
    lr: float = choice(0.001, 0.003, 0.01, 0.03)
    weight_decay: float = choice(0.0, 5e-5, 5e-4, 5e-3)

    def network(self, net: Network) -> Value:
        x = net.x
        if self.before:
            net.comment("before message passing")
            x = net.activation(self.activation, net.linear(net.dropout(self.dropout, x), self.hidden))
        values = []
        for number in range(1, self.layers + 1):
            net.comment(f"layer {number}")
            h = net.dropout(self.dropout, x)
            passed = net.operator(self.conv, h, self.hidden, heads=self.heads)
            if self.residual:
                passed = net.add(passed, net.linear(h, self.hidden))
            x = net.activation(self.activation, net.norm(self.norm, passed))
            values.append(x)
        if self.jumping and len(values) > 1:
            net.comment("the layers side by side")
            x = net.concat(*values)
        return net.dropout(self.dropout, x) if net.task.level == "node" else x

    def recipe(self, recipe: Recipe, task: Task) -> Recipe:
        """Many epochs where one of them is a single step, and patience does the rest; sets of graphs are annealed.

        Annealed to the end, six sets of graphs had equal or better validation with fewer epochs than with patience.
        """
        own = replace(recipe, lr=self.lr, weight_decay=self.weight_decay)
        if task.level == "graph":
            return replace(own, epochs=100, cosine=True)
        epochs, patience = (1000, 100) if len(task.train) == 1 else (200, 40)
        return replace(own, epochs=epochs, patience=patience)

    def canonical(self, task: Task | None) -> Classic:
        """The layers of a single one do not stand side by side."""
        return replace(self, jumping=False) if self.layers == 1 else self

    @classmethod
    def known_good(cls, task: Task) -> Sequence[dict[str, Any]]:
        """The published recipes: Kipf and Welling's GCN, GAT, SAGE, GIN, and deep residual ones of Luo et al.

        For links the GCN comes with layer normalisation first, with each decoder but one, and last as published.
        """
        plain = {
            "heads": None, "before": False, "residual": False, "jumping": False, "norm": "none", "activation": "relu",
            "dropout": 0.5, "lr": 0.01, "weight_decay": 5e-4,
        }  # fmt: skip
        deep = plain | {"residual": True, "norm": "batch", "dropout": 0.2, "weight_decay": 0.0}
        gcn = plain | {"conv": "gcn", "layers": 2, "hidden": 64}
        gin = plain | {
            "conv": "gin-mlp",
            "layers": 2,
            "hidden": 64,
            "norm": "batch",
            "dropout": 0.0,
            "weight_decay": 0.0,
        }
        nodes = [
            gcn,
            plain | {"conv": "sage", "layers": 2, "hidden": 64},
            plain | {"conv": "gat", "heads": 8, "layers": 2, "hidden": 64, "activation": "elu", "dropout": 0.7},
            plain | {"conv": "fc", "layers": 2, "hidden": 64},
            deep | {"conv": "gcn", "layers": 4, "hidden": 64},
            deep | {"conv": "sage", "layers": 8, "hidden": 64},
            gcn | {"hidden": 256, "dropout": 0.7},
        ]
        graphs = [
            gin | {"readout": "sum"},
            gin | {"layers": 3, "readout": "sum"},
            gcn | {"layers": 3, "dropout": 0.0, "weight_decay": 0.0, "norm": "batch", "readout": "mean"},
            gin | {"jumping": True, "layers": 4, "readout": "sum", "lr": 0.003},
            deep | {"conv": "gin-mlp", "layers": 4, "hidden": 128, "lr": 0.001, "readout": "mean"},
            deep | {"conv": "gcn", "layers": 6, "hidden": 128, "lr": 0.001, "readout": "mean"},
            gin | {"layers": 3, "dropout": 0.5, "weight_decay": 5e-4, "readout": "mean"},
        ]
        normed = gcn | {"hidden": 128, "norm": "layer", "lr": 0.003, "weight_decay": 0.0}
        links = [normed | {"decoder": decoder} for decoder in ("dot", "mlp", "ncn")]
        links.append(gcn | {"dropout": 0.0, "weight_decay": 0.0, "decoder": "dot"})
        return {"node": nodes, "graph": graphs, "link": links}[task.level]
