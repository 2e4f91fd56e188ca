"""Operators: the layers that pass messages. One row each: how it is imported, constructed and called."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from inspect import signature
from typing import Any, TypeVar

from nas.searchspace.domains import plain
from nas.searchspace.errors import BadInput
from nas.searchspace.registry import unknown

C = TypeVar("C", bound=type)


@dataclass(frozen=True)
class Operator:
    """One row of the table.

    Attributes:
        construct: Python text that makes the layer; ``{inputs}`` and ``{outputs}`` are widths, ``{per_head}`` is
            outputs / heads, and every setting can be named.
        call: Python text of a call; ``{self}`` is the layer and ``{x}`` its input ``[nodes, inputs]``; the result is
            ``[nodes, outputs]``.
        imports: import lines the construct needs.
        settings: the settings and their defaults.
        paper: where the operator is defined.
        printed: a class (or its import path) that torch_geometric does not have: its source is written into the
            generated module.
        same_width: what to construct where inputs equal outputs, if that differs; an empty ``construct`` says that
            the operator can do nothing else.
        weighted: whether a call takes the weight of each edge.
        attributed: what to construct where edges have features, which a call then takes; ``{edge_features}`` is their
            number. None for an operator that cannot use them.
        attributed_imports: import lines that this construct needs, if they are others.
        attributed_printed: a class in the place of ``printed`` where edges have weights or features. ``attributed``
            constructs it, also where they have weights alone and ``{edge_features}`` is 0.
        by_name: whether a call takes what it can have of the edges by name, as a layer of the user's own does.
    """

    name: str
    construct: str
    paper: str
    imports: tuple[str, ...] = ()
    call: str = "{self}({x}, edge_index)"
    settings: Mapping[str, Any] = field(default_factory=dict)
    printed: type | str | None = None
    same_width: str | None = None
    weighted: bool = False
    attributed: str | None = None
    attributed_imports: tuple[str, ...] = ()
    attributed_printed: type | str | None = None
    by_name: bool = False

    def on_edges(self, weights: bool, features: int) -> Operator:
        """The row for edges that have weights, or so many features: it hears of what it can use of them.

        A call takes ``edge_weight``, ``[edges]``, and then ``edge_attr``, ``[edges, features]``.
        """
        weights, attributes = weights and self.weighted, features > 0 and self.attributed is not None
        if not (weights or attributes):
            return self
        takes = [f"edge_{name}" for name, given in (("weight", weights), ("attr", attributes)) if given]
        if self.by_name:
            takes = [f"{name}={name}" for name in takes]
        elif self.weighted and not weights:
            takes = ["None", *takes]
        row = replace(self, call=f"{self.call.removesuffix(')')}, {', '.join(takes)})")
        if not attributes and self.attributed_printed is None:
            return row
        text = str(self.attributed).replace("{edge_features}", str(features))
        return replace(
            row,
            construct=self.construct and text,
            same_width=self.same_width and text,
            imports=self.attributed_imports or self.imports,
            printed=self.attributed_printed or self.printed,
        )

    def constructed(self, inputs: int, outputs: int, settings: Mapping[str, Any]) -> str:
        """The constructing expression for these widths.

        Raises:
            BadInput: for a setting the operator does not have, a value that source cannot hold, heads that do not
                divide the width, or another width where the operator keeps it.
        """
        if extra := set(settings) - set(self.settings):
            has = ", ".join(self.settings) or "none"
            raise BadInput(f"operator {self.name!r} has no setting {sorted(extra)[0]!r}; it has {has}")
        values = {**self.settings, **settings}
        if bad := [key for key, value in values.items() if not plain(value)]:
            raise BadInput(
                f"operator {self.name!r}: the setting {bad[0]!r} must be text, a finite number, a boolean or None; "
                f"got {values[bad[0]]!r}"
            )
        if "{per_head}" in self.construct:
            heads = values["heads"]
            if type(heads) is not int or heads < 1 or outputs % heads:
                raise BadInput(f"operator {self.name!r}: {heads!r} heads do not divide a width of {outputs}")
            values["per_head"] = outputs // heads
        template = self.same_width if self.same_width is not None and inputs == outputs else self.construct
        if not template:
            raise BadInput(f"operator {self.name!r} keeps the width: {inputs} cannot become {outputs}")
        shown = {key: repr(value) for key, value in values.items()}
        return template.format(inputs=inputs, outputs=outputs, **shown)


def _pyg(name: str, construct: str, paper: str, **more: Any) -> Operator:
    return Operator(name, construct, paper, (f"from torch_geometric.nn import {construct.split('(')[0]}",), **more)


def _attention(name: str, layer: str, paper: str) -> Operator:
    """Heads that score edges, and hear of their features."""
    base = f"{layer}({{inputs}}, {{per_head}}, heads={{heads}}, dropout={{dropout}}"
    attributed = f"{base}, edge_dim={{edge_features}})"
    return _pyg(name, f"{base})", paper, settings={"heads": 1, "dropout": 0.0}, attributed=attributed)


def _gin(name: str, inner: str, paper: str) -> Operator:
    """With features of edges it is GINE (Hu et al., ICLR 2020)."""
    return _pyg(
        name,
        f"GINConv({inner})",
        paper,
        attributed=f"GINEConv({inner}, edge_dim={{edge_features}})",
        attributed_imports=("from torch_geometric.nn import GINEConv",),
    )


_LINEAR = "torch.nn.Linear({inputs}, {outputs})"
_MLP = (
    "torch.nn.Sequential(torch.nn.Linear({inputs}, {outputs}), torch.nn.ReLU(), torch.nn.Linear({outputs}, {outputs}))"
)
_ATTENTION = (
    "{inputs}, {outputs}, heads={heads}, attention={attention}, aggregate={aggregate}, combine={combine}, "
    "concat={concat}, dropout={dropout}"
)

OPERATORS: dict[str, Operator] = {
    row.name: row
    for row in (
        _pyg("gcn", "GCNConv({inputs}, {outputs})", "Kipf and Welling, ICLR 2017", weighted=True),
        _attention("gat", "GATConv", "Velickovic et al., ICLR 2018"),
        _attention("gatv2", "GATv2Conv", "Brody et al., ICLR 2022"),
        _attention("transformer", "TransformerConv", "Shi et al., IJCAI 2021"),
        _pyg(
            "sage",
            "SAGEConv({inputs}, {outputs}, aggr={aggr})",
            "Hamilton et al., NeurIPS 2017",
            settings={"aggr": "mean"},
        ),
        _gin("gin", _LINEAR, "Xu et al., ICLR 2019 (one linear map in place of the MLP)"),
        _gin("gin-mlp", _MLP, "Xu et al., ICLR 2019"),
        _pyg(
            "graph",
            "GraphConv({inputs}, {outputs}, aggr={aggr})",
            "Morris et al., AAAI 2019",
            settings={"aggr": "add"},
            weighted=True,
        ),
        _pyg(
            "cheb",
            "ChebConv({inputs}, {outputs}, K={K})",
            "Defferrard et al., NeurIPS 2016",
            settings={"K": 2},
            weighted=True,
        ),
        _pyg("arma", "ARMAConv({inputs}, {outputs})", "Bianchi et al., TPAMI 2021", weighted=True),
        _pyg(
            "tag",
            "TAGConv({inputs}, {outputs}, K={K})",
            "Du et al., arXiv 1710.10370",
            settings={"K": 2},
            weighted=True,
        ),
        _pyg("sg", "SGConv({inputs}, {outputs}, K={K})", "Wu et al., ICML 2019", settings={"K": 2}, weighted=True),
        Operator("fc", _LINEAR, "a linear map of each node", call="{self}({x})"),
        Operator(
            "skip",
            "torch.nn.Linear({inputs}, {outputs}, bias=False)",
            "the identity, or a linear map where the widths differ",
            call="{self}({x})",
            same_width="torch.nn.Identity()",
        ),
        Operator(
            "aggregate",
            "",
            "You et al., NeurIPS 2020, eq. 1: AGG over the neighbourhood and the node itself, no weights",
            settings={"aggr": "mean"},
            printed="nas.searchspace.layers.aggregate:Aggregate",
            same_width="Aggregate({aggr})",
            weighted=True,
            attributed="EdgeAggregate({outputs}, {aggr}, edge_dim={edge_features})",
            attributed_printed="nas.searchspace.layers.aggregate:EdgeAggregate",
        ),
        Operator(
            "attention",
            f"AttentionConv({_ATTENTION})",
            "Zhou et al., arXiv 1909.03184; Gao et al., arXiv 1904.09981",
            settings={
                "heads": 1,
                "attention": "gat",
                "aggregate": "sum",
                "combine": "identity",
                "concat": True,
                "dropout": 0.0,
            },
            printed="nas.searchspace.layers.attention:AttentionConv",
            weighted=True,
            attributed=f"EdgeAttentionConv({_ATTENTION}, edge_dim={{edge_features}})",
            attributed_printed="nas.searchspace.layers.attention:EdgeAttentionConv",
        ),
    )
}


_TAKEN = ("inputs", "outputs", "per_head", "edge_features", "edge_dim")


def _is_name(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)


def operator(name: str, **settings: Any) -> Callable[[C], C]:
    """Class decorator: makes a user's own layer an operator that spaces can name.

    The class is a ``torch.nn.Module`` constructed as ``Layer(inputs, outputs, **settings)`` and called as
    ``layer(x, edge_index)`` with ``x`` of shape ``[nodes, inputs]``; it returns ``[nodes, outputs]``. ``settings`` are
    the keyword arguments that a network may give, with their defaults. A layer whose ``forward`` has an argument
    ``edge_weight``, ``[edges]``, is given it where edges have one; likewise ``edge_attr``, ``[edges, edge_dim]``, and
    such a layer is constructed with the keyword argument ``edge_dim`` there.

        @operator("mean-pool", power=1)
        class MeanPool(torch.nn.Module): ...

    Raises:
        BadInput: if the name is taken by another class or is not made of letters, digits, ``-`` and ``_``, or the
            operator is no class, or a setting cannot be written into source.
    """

    def register(cls: C) -> C:
        if not name or not name.replace("-", "").replace("_", "").isalnum():
            raise BadInput(f"an operator's name is made of letters, digits, '-' and '_'; got {name!r}")
        if not isinstance(cls, type):
            raise BadInput(f"an operator is a torch.nn.Module class; got {cls!r}")
        if not _is_name(cls.__name__):
            raise BadInput(f"operator {name!r}: {cls.__name__!r} is no name that can be written into source")
        if bad := [
            key
            for key in settings
            if not _is_name(key) or key in ("inputs", "outputs", "per_head", "edge_features", "edge_dim")
        ]:
            raise BadInput(f"operator {name!r}: {bad[0]!r} cannot be the name of a setting")
        if name in OPERATORS and not _redefined(cls, OPERATORS[name].printed):
            raise BadInput(f"there is an operator {name!r} already; give yours another name")
        arguments = "".join(f", {key}={{{key}}}" for key in settings)
        construct = f"{cls.__name__}({{inputs}}, {{outputs}}{arguments}"
        heard = _arguments(cls)
        OPERATORS[name] = Operator(
            name,
            f"{construct})",
            "user's own",
            settings=settings,
            printed=cls,
            weighted="edge_weight" in heard,
            attributed=f"{construct}, edge_dim={{edge_features}})" if "edge_attr" in heard else None,
            by_name=True,
        )
        return cls

    return register


def _arguments(cls: type) -> tuple[str, ...]:
    """Names of the arguments of a layer's forward pass."""
    forward = getattr(cls, "forward", None)
    return tuple(signature(forward).parameters) if callable(forward) else ()


def _redefined(cls: type, old: type | str | None) -> bool:
    """Whether ``cls`` is ``old`` made anew, by running its file again."""
    return isinstance(old, type) and (old.__module__, old.__qualname__) == (cls.__module__, cls.__qualname__)


def find(name: str) -> Operator:
    """The row of that name.

    Raises:
        BadInput: if there is none; the message offers the nearest.
    """
    if name not in OPERATORS:
        raise unknown("operator", name, OPERATORS)
    return OPERATORS[name]
