"""Writing a network down: an architecture's ``network`` method calls these, and each call is one step.

The steps are at once the generated source, the drawing in the report, and the graph encoding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from nas.searchspace import operators
from nas.searchspace.elements import ACTIVATIONS, DECODERS, NORMALISATIONS, READOUT_IMPORTS, READOUTS
from nas.searchspace.errors import BadInput
from nas.searchspace.precision import FLOAT, SHORT, Precision
from nas.searchspace.registry import unknown
from nas.searchspace.task import Task

QUANTISED = "nas.searchspace.layers.quantised:Quantised"
QUANTISER = "nas.searchspace.layers.quantised:Quantiser"


@dataclass(frozen=True)
class Value:
    """A tensor on its way through the network: ``[nodes, width]``, ``[graphs, width]`` after the readout, or
    ``[links, width]`` after the decoder.

    Attributes:
        number: 0 for the node features, then in the order of the steps.
        width: numbers in a row.
        pooled: whether the readout or the decoder lies behind it.
        scores: whether it is what the task asks for, so that no head is added.
        format: what its numbers are rounded to.
    """

    number: int
    width: int
    pooled: bool = False
    scores: bool = False
    format: str = "float"


@dataclass(frozen=True)
class Step:
    """One line of ``forward``, and the line of ``__init__`` that it needs.

    Attributes:
        kind: operator, linear, activation, dropout, norm, add, concat, quantise, readout or decoder.
        label: what a person calls it: ``gat (8 heads)``.
        inputs: the values it reads.
        output: the value it makes.
        call: Python text; ``{0}``, ``{1}``, ... are the inputs.
        attribute: name of the submodule, if it has one.
        construct: Python text that makes the submodule.
        comment: what to say above it.
        name: what it is in its table: the name of the operator, activation, normalisation or readout.
        settings: of an operator, defaults included.
        precision: of an operator or a linear map.
    """

    kind: str
    label: str
    inputs: tuple[Value, ...]
    output: Value
    call: str
    attribute: str | None = None
    construct: str | None = None
    comment: str | None = None
    name: str | None = None
    settings: tuple[tuple[str, Any], ...] = ()
    precision: Precision = FLOAT


class Network:
    """Takes down the steps of one network.

    Args:
        whole: whether it is that network which computes with all bits, whatever its formats.

    Attributes:
        task: what the network is for.
        x: the node features, ``[nodes, task.features]``.
        outputs: numbers the network must return per item.
        precision: with how many bits the operators and linear maps compute that are added from now on, anything with
            attributes of :class:`nas.searchspace.precision.Precision`; or several, one for each of these, the last one
            for all that follow.
        layers: operators and linear maps that were added.
        steps: what was written so far.
        imports: import lines that the steps need.
        printed: classes whose source belongs into the module.
    """

    def __init__(self, task: Task, readout: str = "mean", decoder: str = "mlp", whole: bool = False) -> None:
        self.task, self._whole = task, whole
        self._readout, self._decoder = readout, decoder
        self.x = Value(0, _width(task.features))
        self.outputs = _width(task.outputs)
        self.steps: list[Step] = []
        self.imports: set[str] = set()
        self.printed: list[type] = []
        self.layers = 0
        self._precisions: tuple[Precision, ...] = (FLOAT,)
        self._values = 1
        self._names: dict[str, int] = {}
        self._comment: str | None = None

    @property
    def precision(self) -> Precision:
        return self._precisions[0]

    @precision.setter
    def precision(self, formats: Any) -> None:
        several = formats if isinstance(formats, tuple | list) and formats else (formats,)
        found = tuple(map(Precision.of, several))
        self._precisions = (FLOAT,) if self._whole else found

    def keep(self, result: Value) -> None:
        """Forget the steps that do not lead to ``result``."""
        needed, kept = {result.number}, list[Step]()
        for step in reversed(self.steps):
            if step.output.number in needed:
                needed |= {value.number for value in step.inputs}
                kept.append(step)
        self.steps = kept[::-1]

    def comment(self, text: str) -> None:
        """A comment line above the next step."""
        self._comment = " ".join(text.split())

    def operator(self, name: str, x: Value, width: int, **settings: Any) -> Value:
        """A message-passing layer of the operator table, to ``[nodes, width]``. Settings that are None are left out."""
        row = operators.find(name).on_edges(self.task.edge_weights, self.task.edge_features)
        x = self.quantise(x)
        given = {key: value for key, value in settings.items() if value is not None}
        self.imports |= set(row.imports)
        if row.printed is not None:
            self._print(row.printed)
        named = row.by_name and "=" in row.call
        construct = row.constructed(x.width, _width(width), given)
        construct = self._low(construct, named, weights="weights", messages="messages", attention="attention")
        attribute = self._name("conv")
        call = row.call.format(self=f"self.{attribute}", x="{0}")
        shown = ", ".join(_shown(key, value) for key, value in given.items() if not isinstance(value, bool))
        label = self._labelled(f"{name} ({shown})" if shown else name, *SHORT)
        every = tuple({**row.settings, **given}.items())
        precision = self.precision
        return self._step("operator", label, (x,), width, call, attribute, construct, name, every, precision)

    def linear(self, x: Value, width: int, *, bias: bool = True) -> Value:
        """A linear map of each node."""
        x, attribute = self.quantise(x), self._name("linear")
        construct = f"torch.nn.Linear({x.width}, {_width(width)}{'' if bias else ', bias=False'})"
        construct, call = self._low(construct, weights="weights"), f"self.{attribute}({{0}})"
        label, precision = self._labelled("linear", "weights", "activations"), self.precision
        return self._step("linear", label, (x,), width, call, attribute, construct, precision=precision)

    def quantise(self, x: Value) -> Value:
        """The value in the format of activations; nothing where it is that already, or that is ``float``.

        Operators, linear maps and dropout do this themselves to what enters them.
        """
        format, protect = self.precision.activations, self.precision.protect
        if format == "float" or x.format == format:
            return x
        self._print(QUANTISER)
        attribute, protected = self._name("quantise"), protect > 0 and not x.pooled
        construct = f"Quantiser({format!r}{f', protect={float(protect)!r}' if protected else ''})"
        call = f"self.{attribute}({{0}}{', edge_index' if protected else ''})"
        return replace(self._step("quantise", format, (x,), x.width, call, attribute, construct), format=format)

    def activation(self, name: str, x: Value) -> Value:
        """An elementwise function; ``linear`` is the identity and leaves no trace."""
        if name not in ACTIVATIONS:
            raise unknown("activation", name, ACTIVATIONS)
        if name == "linear":
            return x
        if name == "prelu":
            attribute = self._name("activation")
            call = f"self.{attribute}({{0}})"
            return self._step("activation", name, (x,), x.width, call, attribute, ACTIVATIONS[name], name)
        call = ACTIVATIONS[name].format(x="{0}")
        if "F." in call:
            self.imports.add("import torch.nn.functional as F")
        return self._step("activation", name, (x,), x.width, call, name=name)

    def dropout(self, p: float, x: Value) -> Value:
        """Dropout with probability ``p``; zero leaves no trace."""
        if not (isinstance(p, int | float) and 0 <= p < 1):
            raise BadInput(f"a dropout probability is from 0 to below 1; got {p!r}")
        if p == 0:
            return x
        x = self.quantise(x)  # its range would follow from what dropout scales
        attribute, construct = self._name("dropout"), f"torch.nn.Dropout({float(p)!r})"
        out = self._step("dropout", f"dropout {p:g}", (x,), x.width, f"self.{attribute}({{0}})", attribute, construct)
        return replace(out, format=x.format)

    def norm(self, name: str, x: Value) -> Value:
        """A normalisation; ``none`` leaves no trace."""
        if name == "none":
            return x
        if name not in NORMALISATIONS:
            raise unknown("normalisation", name, [*NORMALISATIONS, "none"])
        attribute = self._name("norm")
        construct = NORMALISATIONS[name].format(width=x.width)
        return self._step("norm", f"{name} norm", (x,), x.width, f"self.{attribute}({{0}})", attribute, construct, name)

    def add(self, *values: Value) -> Value:
        """The sum of values of one width."""
        if len({v.width for v in values}) != 1:
            raise BadInput(f"one or more values of one width can be added; got widths {[v.width for v in values]}")
        if len(values) == 1:
            return values[0]
        call = " + ".join(f"{{{i}}}" for i in range(len(values)))
        return self._step("add", "add", values, values[0].width, call)

    def concat(self, *values: Value) -> Value:
        """The values side by side."""
        if not values:
            raise BadInput("there is nothing to concatenate")
        if len(values) == 1:
            return values[0]
        call = "torch.cat([" + ", ".join(f"{{{i}}}" for i in range(len(values))) + "], dim=1)"
        return self._step("concat", "concat", values, sum(v.width for v in values), call)

    def pool(self, x: Value) -> Value:
        """From nodes to graphs here, on graph-level tasks, by the readout that the search chose; else ``x`` itself.

        A network that does not say where it pools does so at its end.
        """
        return x if self.task.level != "graph" or x.pooled else self.readout(self._readout, x)

    def choose(self, chosen: Any, options: Mapping[Any, Value]) -> Value:
        """One of several values; the steps that only the others need are left out of the network.

        In place of an ``if`` on a knob, which a supernet could not read.
        """
        if chosen not in options:
            raise BadInput(f"there is no value for {chosen!r}; there are {', '.join(map(repr, options))}")
        return options[chosen]

    def given(self, f: Callable[..., Any], *knobs: Any) -> Any:
        """``f`` of knobs, in a way that a supernet can follow where it could not follow an ``if``."""
        return f(*knobs)

    def scores(self, x: Value) -> Value:
        """Says that ``x`` is what the task asks for: no linear head is added.

        Raises:
            BadInput: if its width is not ``outputs``.
        """
        if x.width != self.outputs:
            raise BadInput(f"the task needs {self.outputs} numbers per item and the scores have {x.width}")
        return replace(x, scores=True)

    def readout(self, name: str, x: Value) -> Value:
        """From the nodes of each graph to one row per graph."""
        if name not in READOUTS:
            raise unknown("readout", name, READOUTS)
        construct, call, factor = READOUTS[name]
        self.imports.add(READOUT_IMPORTS[name])
        attribute = self._name("readout") if construct else None
        call = call.format(self=f"self.{attribute}", x="{0}")
        made = construct.format(width=x.width) or None
        return self._step("readout", f"{name} readout", (x,), x.width * factor, call, attribute, made, name)

    def decode(self, x: Value) -> Value:
        """From nodes to links on link-level tasks, by the decoder that the search chose; else ``x`` itself."""
        if self.task.level != "link" or x.pooled:
            return x
        if self._decoder not in DECODERS:
            raise unknown("decoder", self._decoder, DECODERS)
        row, attribute = DECODERS[self._decoder], self._name("decoder")
        if row.projects:
            x = self.linear(x, x.width)
        self._print(row.printed)
        construct = row.construct.format(width=x.width, outputs=self.outputs)
        call = f"self.{attribute}({{0}}, {', '.join(row.reads)})"
        label = f"{self._decoder} decoder"
        out = self._step("decoder", label, (x,), self.outputs, call, attribute, construct, self._decoder)
        return replace(out, scores=True)

    def _step(
        self,
        kind: str,
        label: str,
        inputs: tuple[Value, ...],
        width: int,
        call: str,
        attribute: str | None = None,
        construct: str | None = None,
        name: str | None = None,
        settings: tuple[tuple[str, Any], ...] = (),
        precision: Precision = FLOAT,
    ) -> Value:
        pooled = kind in ("readout", "decoder") or any(value.pooled for value in inputs)
        output = Value(self._values, width, pooled)
        self._values += 1
        comment, self._comment = self._comment, None
        if kind in ("operator", "linear"):
            self.layers += 1
            self._precisions = self._precisions[1:] or self._precisions
        self.steps.append(
            Step(kind, label, inputs, output, call, attribute, construct, comment, name, settings, precision)
        )
        return output

    def _low(self, construct: str, named: bool = False, /, **formats: str) -> str:
        """What makes a layer that computes with few bits.

        Args:
            named: whether it is called with arguments by name.
            formats: names of those that it can have.
        """
        said = {key: f for key, name in formats.items() if (f := getattr(self.precision, name)) != "float"}
        if not said:
            return construct
        self._print(f"{QUANTISED}{'ByName' if named else ''}")
        arguments = "".join(f", {key}={value!r}" for key, value in said.items())
        protected = self.precision.protect > 0 and "messages" in said
        protect = f", protect={float(self.precision.protect)!r}" if protected else ""
        return f"Quantised{'ByName' if named else ''}({construct}{arguments}{protect})"

    def _labelled(self, label: str, *components: str) -> str:
        said = self.precision.said(*components)
        return f"{label}, {said}" if said else label

    def _name(self, kind: str) -> str:
        self._names[kind] = self._names.get(kind, 0) + 1
        return f"{kind}{self._names[kind]}"

    def _print(self, cls: type | str) -> None:
        if isinstance(cls, str):
            from importlib import import_module

            module, _, attribute = cls.partition(":")
            cls = getattr(import_module(module), attribute)
        assert isinstance(cls, type)
        if cls not in self.printed:
            self.printed.append(cls)


def _shown(key: str, value: Any) -> str:
    if key == "heads":
        return f"{value} head" if value == 1 else f"{value} heads"
    return str(value) if isinstance(value, str) else f"{key} {value}"


def _width(width: int) -> int:
    """The width, which is written into source as it is."""
    if type(width) is not int or width < 1:
        raise BadInput(f"a width is a whole number from 1; got {width!r}")
    return width
