"""The search space of LPGNAS: AGNN's operators with shortcuts, and the formats of every component of every layer.

Zhao et al., "Learned Low Precision Graph Neural Networks", arXiv 2009.09232, on the blocks of Zhao et al.,
"Probabilistic Dual Network Architecture Search on Graphs", arXiv 2003.09676: in each block a linear map, an attention,
an aggregation, an activation, the width it expands to, a shortcut, and with how many bits each of them computes. The
operators are those of ``agnn``; the published lists of options could not be read, so those of the formats are ours.
"""

from __future__ import annotations

from dataclasses import replace

from nas.searchspace.formats import Formats
from nas.searchspace.language import architecture, choice, nested, repeat
from nas.searchspace.network import Network, Value
from nas.searchspace.recipe import Recipe
from nas.searchspace.task import Task

DROPOUT = 0.6
WIDTHS = (4, 8, 16, 32)


@architecture
class Block:
    """One message-passing layer; ``hidden`` is the width of one head."""

    hidden: int = choice(*WIDTHS)
    heads: int = choice(1, 2, 4, 8)
    attention: str = choice("constant", "gcn", "gat", "sym-gat", "cos", "linear", "generalised-linear")
    aggregate: str = choice("sum", "mean", "max", "mlp")
    combine: str = choice("identity", "mlp")
    activation: str = choice("sigmoid", "tanh", "relu", "linear", "softplus", "leaky_relu", "relu6", "elu")
    shortcut: str = choice("none", "linear")
    formats: Formats = nested(Formats)


@architecture
class LPGNAS:
    """Two blocks; on node-level tasks the last one returns the class scores, its heads averaged."""

    blocks: tuple[Block, ...] = repeat(Block, 2, 2)

    def network(self, net: Network) -> Value:
        x = net.x
        for number, block in enumerate(self.blocks, 1):
            last = number == len(self.blocks)
            scores = last and net.task.level == "node"
            net.comment(f"block {number}")
            net.precision = block.formats
            x = net.dropout(DROPOUT, x)
            out = net.operator(
                "attention",
                x,
                net.outputs if scores else block.hidden * (1 if last else block.heads),
                heads=block.heads,
                attention=block.attention,
                aggregate=block.aggregate,
                combine=block.combine,
                concat=not last,
                dropout=DROPOUT,
            )
            short = net.add(out, net.linear(x, out.width, bias=False))
            out = net.choose(block.shortcut, {"none": out, "linear": short})
            x = net.activation(block.activation, out)
        return net.scores(x) if net.task.level == "node" else x

    def recipe(self, recipe: Recipe, task: Task) -> Recipe:
        return replace(recipe, lr=0.01, weight_decay=5e-4, patience=50)

    def canonical(self, task: Task | None) -> LPGNAS:
        """The width of the last block is the task's on node-level tasks; constant coefficients need no format."""
        blocks = [_without_coefficients(b) if b.attention == "constant" else b for b in self.blocks]
        if task is not None and task.level == "node":
            blocks[-1] = replace(blocks[-1], hidden=WIDTHS[0])
        return replace(self, blocks=tuple(blocks))


def _without_coefficients(block: Block) -> Block:
    return replace(block, formats=replace(block.formats, attention="affine8"))
