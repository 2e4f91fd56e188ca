"""A ``Network`` that takes down the steps of undecided architectures, and the module that runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nas.controllers.supernet.mixed import Branches, Mixed, options, together
from nas.controllers.supernet.parts import (
    Attention,
    Inputs,
    Linear,
    Operator,
    Rounding,
    bits,
    joined,
    level,
    weighted,
    wide,
)
from nas.controllers.supernet.relaxed import relaxed
from nas.controllers.supernet.rows import Activation, Decoder, Readout, arguments, layer, norm
from nas.controllers.supernet.sampling import Weights
from nas.searchspace import operators
from nas.searchspace.elements import DECODERS, READOUTS
from nas.searchspace.errors import BadInput
from nas.searchspace.precision import FLOAT
from nas.searchspace.task import Batch, Task

MOST = 48
"""Operators side by side in one step."""
ONLY = ("weights", "activations", "messages", "attention", "protect")


@dataclass(frozen=True, eq=False)
class Value:
    """As ``nas.searchspace.network.Value``; the width may be ``Mixed``, and the tensor is as wide as the widest."""

    number: int
    width: Any
    pooled: bool = False
    scores: bool = False
    rounded: Any = "float"
    raw: bool = False

    @property
    def most(self) -> int:
        """Columns of the tensor."""
        return int(max(options(self.width)))


Run = Callable[["Pass"], Tensor | Inputs]


@dataclass(eq=False)
class Pass:
    """One pass of a supernet: the batch, the weights of the options, and the values so far."""

    batch: Batch
    weights: Weights
    values: dict[int, Any]

    def __getitem__(self, value: Value) -> Any:
        return self.values[value.number]


class Supernet(torch.nn.Module):
    """All networks of a space at once, with shared weights.

    Attributes:
        knobs: what is not decided.

    Raises:
        BadInput: if the space's network does something that cannot be followed; the message says what.
    """

    def __init__(self, of: type[Any], task: Task) -> None:
        super().__init__()
        self.task, self.parts = task, torch.nn.ModuleList()
        self.steps: list[tuple[Value, Run]] = []
        self.read: dict[int, Callable[[Weights], list[tuple[int, Tensor]]]] = {}  # by each step, and how likely
        self.formats = False  # whether anything computes with few bits
        self.widths: set[int] = set()  # numbers of the knobs that say how wide something is
        self.sizes: list[tuple[int, Callable[[Weights], Tensor]]] = []  # of the step with this number
        self.passing: list[tuple[int, Callable[[Weights, int, int], Tensor]]] = []
        net = Symbolic(self, task)
        try:
            architecture, self.knobs = relaxed(of)
            net.readout_by = getattr(architecture, "readout", "mean")
            net.decoder_by = getattr(architecture, "decoder", "mlp")
            written = getattr(architecture, "supernet", architecture.network)
            self.result = net.finished(written(net))
        except Branches as why:
            raise BadInput(f"the space {of.__name__} cannot be one supernet: {why}") from None
        except BadInput as why:
            raise BadInput(f"the space {of.__name__} cannot be one supernet: {why}") from None
        except (AttributeError, TypeError, ValueError, KeyError, IndexError) as why:
            raise BadInput(
                f"the space {of.__name__} cannot be one supernet: its network cannot be written down with knobs that "
                f"are not decided ({type(why).__name__}: {why})"
            ) from why

    def forward(self, batch: Batch, weights: Weights) -> Tensor:
        """``[items, outputs]`` for the scored items of a batch."""
        run = Pass(batch, weights, {0: batch.x})
        for value, step in self.steps:
            run.values[value.number] = step(run)
        out: Tensor = joined(run[self.result])
        if self.task.spread:  # as the last line of a network does
            out = out * out.new_tensor(self.task.spread) + out.new_tensor(self.task.centre)
        return out if batch.index is None or self.task.level != "node" else out[batch.index]

    def size(self, weights: Weights) -> Tensor:
        """Expected bits of all weights."""
        used = self.used(weights)
        return torch.stack([torch.zeros(()), *(used[n] * each(weights) for n, each in self.sizes if n in used)]).sum()

    def buffer(self, weights: Weights, nodes: int, edges: int) -> Tensor:
        """Expected bits of all values that pass between layers and along edges."""
        used = self.used(weights)
        each = [used[n] * bits(weights, nodes, edges) for n, bits in self.passing if n in used]
        return torch.stack([torch.zeros(()), *each]).sum()

    def used(self, weights: Weights) -> dict[int, Tensor]:
        """How likely the derived network has each step, by its number; ``Network.keep`` leaves out what is not chosen.

        As if no two of the steps that read a value were there together, which is so for the options of one choice.
        """
        found = {self.result.number: torch.ones(())}
        for value, _ in reversed(self.steps):
            if value.number in found:
                for number, share in self.read[value.number](weights):
                    now, before = found[value.number] * share, found.get(number)
                    found[number] = now if before is None else (before + now).clamp(max=1)
        return found


class Symbolic:
    """What an architecture's ``network`` method is given in the place of a ``Network``."""

    def __init__(self, supernet: Supernet, task: Task) -> None:
        self._supernet, self.task = supernet, task
        self.x, self.outputs = Value(0, task.features, raw=True), task.outputs
        self.readout_by: Any = "mean"
        self.decoder_by: Any = "mlp"
        self._precisions: tuple[Any, ...] = (FLOAT,)
        self._count = 1

    @property
    def precision(self) -> Any:
        return self._precisions[0]

    @precision.setter
    def precision(self, formats: Any) -> None:
        several = formats if isinstance(formats, tuple | list) and formats else (formats,)
        self._precisions = tuple(map(self._formats, several))

    def _formats(self, formats: Any) -> Any:
        found = {name: getattr(formats, name, None) for name in ONLY}
        self._supernet.formats |= any(options(found[name]) not in ((None,), ("float",)) for name in ONLY[:-1])
        return SimpleNamespace(**{n: getattr(FLOAT, n) if v is None else v for n, v in found.items()})

    def _next_layer(self) -> None:
        """An operator or a linear map was added: the next one has the next formats."""
        self._precisions = self._precisions[1:] or self._precisions

    def comment(self, text: str) -> None:
        """Nothing: there is no source."""

    def quantise(self, x: Value) -> Value:
        formats = self.precision.activations
        if options(formats) == ("float",) or x.rounded is formats:
            return x
        part = self._part(Rounding(formats))

        def run(now: Pass) -> Tensor | Inputs:
            if x.raw:
                found: Inputs = part.of_inputs(now[x], now.weights)
                return found
            part.weights = now.weights
            out: Tensor = part(now[x])
            return out

        if not x.raw:
            self._buffer(lambda w, nodes, edges: nodes * w.expected(x.width) * bits(formats, w))
        return replace(self._step(run, x.width, x), rounded=formats, raw=x.raw)

    def operator(self, name: Any, x: Value, width: Any, **settings: Any) -> Value:
        x = self.quantise(x)
        if name == "attention" and not isinstance(name, Mixed):
            return self._attention(x, width, settings)
        which = together(lambda *given: given, name, *settings.values())
        choices = [dict(zip(["name", *settings], chosen, strict=True)) for chosen in options(which)]
        if len(choices) > MOST:
            raise Branches(f"one of its operators has {len(choices)} forms, {MOST} at the most")
        most = int(max(options(width)))
        layers = [layer(self.task, x.most, most, **chosen) for chosen in choices]
        taken = [arguments(self.task, chosen["name"]) for chosen in choices]
        part = self._part(Operator(layers, taken, which, x.width, width, self.precision))
        self._size(part.size)
        self._edges(width)
        self._next_layer()
        return self._step(lambda now: part(now[x], now.weights, now.batch), width, x)

    def _attention(self, x: Value, width: Any, settings: dict[str, Any]) -> Value:
        settings = {**operators.find("attention").settings, **{k: v for k, v in settings.items() if v is not None}}
        for name in ("concat", "dropout"):
            if isinstance(settings[name], Mixed):
                raise Branches(f"the setting {name} of the operator attention is searched")
        heads = settings["heads"]
        hidden = together(lambda w, h: w // h if settings["concat"] else w, width, heads)
        if any(not v for v in options(together(lambda w, h: not settings["concat"] or w % h == 0, width, heads))):
            raise Branches("some heads do not divide some widths")
        self._wide(heads)
        part = self._part(Attention(x.width, hidden, settings, self.precision, self.task.edge_features))
        self._size(part.size)
        self._edges(together(lambda h, w: h * w, heads, hidden), heads)
        self._next_layer()
        return self._step(lambda now: part(now[x], now.weights, now.batch), width, x)

    def linear(self, x: Value, width: Any, *, bias: bool = True) -> Value:
        x = self.quantise(x)
        part = self._part(Linear(x.width, width, bias, self.precision.weights))
        self._size(part.size)
        self._next_layer()
        return self._step(lambda now: part(now[x], now.weights), width, x)

    def activation(self, name: Any, x: Value) -> Value:
        each = self._part(torch.nn.ModuleList(Activation(n) for n in options(name)))
        return self._sum(name, each, x)

    def norm(self, name: Any, x: Value) -> Value:
        each = self._part(torch.nn.ModuleList(norm(n, x.most) for n in options(name)))
        return self._sum(name, each, x, x.most)

    def dropout(self, p: Any, x: Value) -> Value:
        """Where the probability is not decided, its mean."""
        x = self.quantise(x)

        def run(now: Pass) -> Tensor | Inputs:
            chance = float(now.weights.expected(p).detach()) if isinstance(p, Mixed) else p
            h, training = now[x], self._supernet.training
            if isinstance(h, list):
                return [(w, F.dropout(each, chance, training)) for w, each in h]
            return F.dropout(h, chance, training)

        return replace(self._step(run, x.width, x), rounded=x.rounded, raw=x.raw)

    def add(self, *values: Value) -> Value:
        if len({value.most for value in values}) != 1:
            raise BadInput(f"values of one width can be added; got widths {[value.most for value in values]}")

        def run(now: Pass) -> Tensor:
            return torch.stack(level([joined(now[value]) for value in values])).sum(0)

        return values[0] if len(values) == 1 else self._step(run, values[0].width, *values)

    def concat(self, *values: Value) -> Value:
        if len(values) == 1:
            return values[0]
        width: Any = 0
        for value in values:
            width = together(lambda a, b: a + b, width, value.width)
        made = self._step(
            lambda now: torch.cat([wide(joined(now[value]), value.most) for value in values], 1), width, *values
        )
        if made.most != sum(value.most for value in values):
            raise Branches("widths that depend on each other stand side by side")
        return made

    def choose(self, chosen: Any, values: Mapping[Any, Value]) -> Value:
        there = [values[option] for option in options(chosen)]
        if len({value.most for value in there}) != 1:
            raise BadInput("values to choose from have one width")

        def run(now: Pass) -> Tensor:
            active = now.weights.active(chosen)
            found = level([joined(now[there[i]]) for i, _ in active])
            return weighted([(w, x) for (_, w), x in zip(active, found, strict=True)])

        made = self._step(run, there[0].width, *there)
        self._supernet.read[made.number] = lambda w: [(there[i].number, p) for i, p in w.active(chosen)]
        return made

    def given(self, f: Callable[..., Any], *knobs: Any) -> Any:
        return together(f, *knobs)

    def pool(self, x: Value) -> Value:
        return x if self.task.level != "graph" or x.pooled else self.readout(self.readout_by, x)

    def readout(self, name: Any, x: Value) -> Value:
        each: Any = self._part(torch.nn.ModuleList(Readout(n, x.most) for n in options(name)))
        most = max(READOUTS[n][2] for n in options(name)) * x.most
        self._unrounded(name, each, x)

        def run(now: Pass) -> Tensor:
            h = wide(joined(now[x]), x.most)
            found = [(w, each[i](h, now.batch.batch)) for i, w in now.weights.active(name)]
            return weighted([(w, F.pad(out, (0, most - out.size(1)))) for w, out in found])

        width = together(lambda n, w: READOUTS[n][2] * w, name, x.width)
        return replace(self._step(run, width, x), pooled=True)

    def decode(self, x: Value) -> Value:
        if self.task.level != "link" or x.pooled:
            return x
        name = self.decoder_by
        projecting = [DECODERS[n].projects for n in options(name)]
        mapped = self.linear(x, x.width) if any(projecting) else x
        each: Any = self._part(torch.nn.ModuleList(Decoder(n, x.most, self.outputs) for n in options(name)))
        self._unrounded(name, each, x)

        def run(now: Pass) -> Tensor:
            active = now.weights.active(name)
            read = [wide(joined(now[mapped if projecting[i] else x]), x.most) for i, _ in active]
            return weighted([(w, each[i](h, now.batch)) for h, (i, w) in zip(read, active, strict=True)])

        made = self._step(run, self.outputs, x, mapped)
        self._supernet.read[made.number] = lambda w: [
            ((mapped if projecting[i] else x).number, p) for i, p in w.active(name)
        ]
        return replace(made, pooled=True, scores=True)

    def scores(self, x: Value) -> Value:
        if x.most != self.outputs:
            raise BadInput(f"the task needs {self.outputs} numbers per item and the scores have {x.most}")
        return replace(x, scores=True)

    def finished(self, value: Value) -> Value:
        """With what the task adds: the readout or the decoder, and the head."""
        if not isinstance(value, Value):
            raise Branches("its network returns no value of the network")
        value = self.decode(self.pool(value))
        return value if value.scores else self.linear(value, self.outputs)

    def _sum(self, name: Any, each: Any, x: Value, most: int | None = None) -> Value:
        self._unrounded(name, each, x)

        def run(now: Pass) -> Tensor:
            h = joined(now[x])
            h = h if most is None else wide(h, most)
            return weighted([(w, each[i](h)) for i, w in now.weights.active(name)])

        return self._step(run, x.width, x)

    def _part(self, part: Any) -> Any:
        self._supernet.parts.append(part)
        return part

    def _step(self, run: Run, width: Any, *inputs: Value) -> Value:
        self._wide(width)
        value = Value(self._count, width, any(each.pooled for each in inputs))
        self._count += 1
        self._supernet.steps.append((value, run))
        self._supernet.read[value.number] = lambda w: [(each.number, torch.ones(())) for each in inputs]
        return value

    def _wide(self, *widths: Any) -> None:
        self._supernet.widths |= {k.number for w in widths if isinstance(w, Mixed) for k in w.knobs}

    def _size(self, bits: Callable[[Weights], Tensor]) -> None:
        """Of the step that comes next."""
        self._supernet.sizes.append((self._count, bits))

    def _unrounded(self, name: Any, each: Any, x: Value) -> None:
        """Count the parameters of what has no format; those as long as the value is wide are fewer where it is not."""

        def size(weights: Weights) -> Tensor:
            share, total = weights.expected(x.width) / x.most, torch.zeros(())
            for i, w in weights.active(name):
                for p in each[i].parameters():
                    total = total + w * 32.0 * p.numel() * share ** sum(n % x.most == 0 for n in p.shape)
            return total

        if any(True for _ in each.parameters()):
            self._size(size)

    def _buffer(self, bits: Callable[[Weights, int, int], Tensor]) -> None:
        """Of the step that comes next."""
        self._supernet.passing.append((self._count, bits))

    def _edges(self, sent: Any, heads: Any = 1) -> None:
        """Count what nodes send, and the coefficients of edges."""
        messages, attention = self.precision.messages, self.precision.attention
        self._buffer(lambda w, nodes, edges: nodes * w.expected(sent) * bits(messages, w))
        self._buffer(lambda w, nodes, edges: edges * w.expected(heads) * bits(attention, w))
