"""What stands between operators: activations, normalisations, readouts, as Python text."""

from __future__ import annotations

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
