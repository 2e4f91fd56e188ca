"""What stands between operators and behind them: activations, normalisations, readouts, decoders, as Python text."""

from __future__ import annotations

from dataclasses import dataclass

ACTIVATIONS: dict[str, str] = {
    "linear": "{x}",
    "relu": "torch.relu({x})",
    "elu": "F.elu({x})",
    "leaky_relu": "F.leaky_relu({x})",
    "relu6": "F.relu6({x})",
    "softplus": "F.softplus({x})",
    "sigmoid": "torch.sigmoid({x})",
    "tanh": "torch.tanh({x})",
    "gelu": "F.gelu({x})",
    "swish": "F.silu({x})",
    "prelu": "torch.nn.PReLU()",
}
"""Name to expression; ``prelu`` alone has a weight and so is constructed."""

NORMALISATIONS: dict[str, str] = {
    "batch": "torch.nn.BatchNorm1d({width})",
    "layer": "torch.nn.LayerNorm({width})",
}

GRAPHS = "batch.max().item() + 1"
"""The number of graphs. Written so, and not left to the readout to find, it stays free under ``torch.export``."""

READOUTS: dict[str, tuple[str, str, int]] = {
    "mean": ("", f"global_mean_pool({{x}}, batch, size={GRAPHS})", 1),
    "sum": ("", f"global_add_pool({{x}}, batch, size={GRAPHS})", 1),
    "max": ("", f"global_max_pool({{x}}, batch, size={GRAPHS})", 1),
    "attention": (
        "AttentionalAggregation(torch.nn.Linear({width}, 1))",
        f"{{self}}({{x}}, batch, dim_size={GRAPHS})",
        1,
    ),
    "set2set": ("Set2Set({width}, processing_steps=3)", f"{{self}}({{x}}, batch, dim_size={GRAPHS})", 2),
}
"""Name to construct, call, and the factor by which the width grows. Set2Set: Vinyals et al., ICLR 2016;
attention: Li et al., ICLR 2016."""

READOUT_IMPORTS: dict[str, str] = {
    "mean": "from torch_geometric.nn import global_mean_pool",
    "sum": "from torch_geometric.nn import global_add_pool",
    "max": "from torch_geometric.nn import global_max_pool",
    "attention": "from torch_geometric.nn import AttentionalAggregation",
    "set2set": "from torch_geometric.nn import Set2Set",
}


@dataclass(frozen=True)
class Decoder:
    """From the embeddings of nodes to the scores of pairs.

    Attributes:
        printed: import path of the layer, whose source is written into the generated module.
        construct: Python text that makes it; ``{width}`` is that of an embedding, ``{outputs}`` the scores of a pair.
        reads: what a call takes beside the embeddings ``[nodes, width]``.
        projects: whether a linear map comes before it, because it has no weights of its own.
    """

    printed: str
    construct: str
    reads: tuple[str, ...] = ("edge_label_index",)
    projects: bool = False


_HOME = "nas.searchspace.layers.decoders"

DECODERS: dict[str, Decoder] = {
    "dot": Decoder(f"{_HOME}:DotDecoder", "DotDecoder({outputs})", projects=True),
    "bilinear": Decoder(f"{_HOME}:BilinearDecoder", "BilinearDecoder({width}, {outputs})"),
    "mlp": Decoder(f"{_HOME}:ProductDecoder", "ProductDecoder({width}, {outputs})"),
    "ncn": Decoder(
        f"{_HOME}:CommonNeighbourDecoder",
        "CommonNeighbourDecoder({width}, {outputs})",
        ("edge_index", "edge_label_index"),
    ),
}
"""Dot product: Kipf and Welling, arXiv 1611.07308; the perceptron on the product of two embeddings: Hu et al., NeurIPS
2020 (OGB); with those of common neighbours: Wang et al., ICLR 2024 (NCN)."""
