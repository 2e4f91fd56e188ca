"""Operators: the layers that pass messages. One row each: how it is imported, constructed and called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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
    """

    name: str
    construct: str
    paper: str
    imports: tuple[str, ...] = ()
    call: str = "{self}({x}, edge_index)"
    settings: Mapping[str, Any] = field(default_factory=dict)
    printed: type | str | None = None
    same_width: str | None = None

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
        return template.format(inputs=inputs, outputs=outputs, **{k: repr(v) for k, v in values.items()})


def _pyg(name: str, construct: str, paper: str, **more: Any) -> Operator:
    return Operator(name, construct, paper, (f"from torch_geometric.nn import {construct.split('(')[0]}",), **more)


_LINEAR = "torch.nn.Linear({inputs}, {outputs})"

OPERATORS: dict[str, Operator] = {
    row.name: row
    for row in (
        _pyg("gcn", "GCNConv({inputs}, {outputs})", "Kipf and Welling, ICLR 2017"),
        _pyg(
            "gat",
            "GATConv({inputs}, {per_head}, heads={heads}, dropout={dropout})",
            "Velickovic et al., ICLR 2018",
            settings={"heads": 1, "dropout": 0.0},
        ),
        _pyg(
            "gatv2",
            "GATv2Conv({inputs}, {per_head}, heads={heads}, dropout={dropout})",
            "Brody et al., ICLR 2022",
            settings={"heads": 1, "dropout": 0.0},
        ),
        _pyg(
            "transformer",
            "TransformerConv({inputs}, {per_head}, heads={heads}, dropout={dropout})",
            "Shi et al., IJCAI 2021",
            settings={"heads": 1, "dropout": 0.0},
        ),
        _pyg(
            "sage",
            "SAGEConv({inputs}, {outputs}, aggr={aggr})",
            "Hamilton et al., NeurIPS 2017",
            settings={"aggr": "mean"},
        ),
        _pyg("gin", f"GINConv({_LINEAR})", "Xu et al., ICLR 2019 (one linear map in place of the MLP)"),
        _pyg(
            "gin-mlp",
            "GINConv(torch.nn.Sequential("
            "torch.nn.Linear({inputs}, {outputs}), torch.nn.ReLU(), torch.nn.Linear({outputs}, {outputs})))",
            "Xu et al., ICLR 2019",
        ),
        _pyg(
            "graph",
            "GraphConv({inputs}, {outputs}, aggr={aggr})",
            "Morris et al., AAAI 2019",
            settings={"aggr": "add"},
        ),
        _pyg("cheb", "ChebConv({inputs}, {outputs}, K={K})", "Defferrard et al., NeurIPS 2016", settings={"K": 2}),
        _pyg("arma", "ARMAConv({inputs}, {outputs})", "Bianchi et al., TPAMI 2021"),
        _pyg("tag", "TAGConv({inputs}, {outputs}, K={K})", "Du et al., arXiv 1710.10370", settings={"K": 2}),
        _pyg("sg", "SGConv({inputs}, {outputs}, K={K})", "Wu et al., ICML 2019", settings={"K": 2}),
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
        ),
        Operator(
            "attention",
            "AttentionConv({inputs}, {outputs}, heads={heads}, attention={attention}, aggregate={aggregate}, "
            "combine={combine}, concat={concat}, dropout={dropout})",
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
        ),
    )
}


def operator(name: str, **settings: Any) -> Callable[[C], C]:
    """Class decorator: makes a user's own layer an operator that spaces can name.

    The class is a ``torch.nn.Module`` constructed as ``Layer(inputs, outputs, **settings)`` and called as
    ``layer(x, edge_index)`` with ``x`` of shape ``[nodes, inputs]``; it returns ``[nodes, outputs]``. ``settings`` are
    the keyword arguments that a network may give, with their defaults.

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
        if bad := [key for key in settings if not key.isidentifier() or key in ("inputs", "outputs", "per_head")]:
            raise BadInput(f"operator {name!r}: {bad[0]!r} cannot be the name of a setting")
        if name in OPERATORS and not _redefined(cls, OPERATORS[name].printed):
            raise BadInput(f"there is an operator {name!r} already; give yours another name")
        arguments = "".join(f", {key}={{{key}}}" for key in settings)
        construct = f"{cls.__name__}({{inputs}}, {{outputs}}{arguments})"
        OPERATORS[name] = Operator(name, construct, "user's own", settings=settings, printed=cls)
        return cls

    return register


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
