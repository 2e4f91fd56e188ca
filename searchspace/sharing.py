"""Which weights of two networks may be the same: the constrained parameter sharing of AGNN.

Zhou et al., "Auto-GNN: Neural Architecture Search of Graph Neural Networks", arXiv 1909.03184: a layer
inherits the weights of a layer at the same place whose weights have the same shapes, and which has the same attention
function and the same activation function; batch normalisation and skip connections inherit nothing. Here the attention
function of any operator is the operator with all its settings but those that say how messages are aggregated, and
dropout. The unconstrained sharing of ENAS (Pham et al., ICML 2018) asks for names and shapes alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nas.searchspace.network import Network, Step
from nas.searchspace.source import load, source, trace
from nas.searchspace.task import Task

if TYPE_CHECKING:
    import torch

MODES = ("homogeneous", "all")

FREE = ("aggregate", "aggr", "dropout")
"""Settings of an operator in which a donor may differ."""
NORMALISATIONS = (
    "torch.nn.modules.batchnorm",
    "torch.nn.modules.instancenorm",
    "torch.nn.modules.normalization",
    "torch_geometric.nn.norm",
)
"""Where they live."""
TRANSPARENT = ("activation", "norm", "dropout", "add", "concat")
"""Kinds of steps that are no layer of their own."""


@dataclass(frozen=True)
class Part:
    """Weights that are inherited together.

    Attributes:
        key: the same for two parts of which one may start with the weights of the other.
        names: their names in the module's state; parts of one key list them in one order.
    """

    key: Hashable
    names: tuple[str, ...]


def parts(architecture: Any, task: Task, mode: str = "homogeneous") -> tuple[Part, ...]:
    """What of the architecture's network may be inherited, by one of the ``MODES``.

    Of a network that cannot be made nothing may: whoever trains it will say why.
    """
    try:
        model = _without_weights(source(architecture, task))
    except (Exception, SystemExit):
        return ()
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    if mode == "all":
        return tuple(Part((name, shape), (name,)) for name, shape in shapes.items())
    fresh = tuple(f"{name}." for name, module in model.named_modules() if _stays_fresh(module))
    shared = {name: shape for name, shape in shapes.items() if not name.startswith(fresh)}
    return tuple(_homogeneous(trace(architecture, task)[0], shared))


def _homogeneous(net: Network, shapes: dict[str, tuple[int, ...]]) -> Iterable[Part]:
    before, later = _places(net.steps)
    equals: Counter[Hashable] = Counter()
    for step in net.steps:
        prefix = f"{step.attribute}."
        names = tuple(name for name in shapes if name.startswith(prefix))
        if not names or step.kind in TRANSPARENT or _is_skip(step, net.steps):
            continue
        key = (
            step.kind,
            step.name,
            tuple((name, value) for name, value in step.settings if name not in FREE),
            before[step.output.number],
            step.kind != "operator" and step.output.number in later,  # a map before message passing, or after
            _activations(step, net.steps),
            tuple((name.removeprefix(prefix), shapes[name]) for name in names),
        )
        equals[key] += 1
        yield Part((*key, equals[key]), names)  # of branches that are alike each has its own


def _places(steps: list[Step]) -> tuple[dict[int, tuple[int, int]], set[int]]:
    """The operators before each value, it counted in, with the maps since the last; the values operators read."""
    before: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for step in steps:
        operators, maps = max(before[value.number] for value in step.inputs)
        if step.kind == "operator":
            operators, maps = operators + 1, 0
        before[step.output.number] = (operators, maps + (step.kind not in (*TRANSPARENT, "operator")))
    later: set[int] = set()
    for step in reversed(steps):
        if step.kind == "operator" or step.output.number in later:
            later |= {value.number for value in step.inputs}
    return before, later


def _is_skip(step: Step, steps: list[Step]) -> bool:
    """Whether it only carries a value past a layer: the operator of that name, or a map that is added or put beside."""
    if step.kind == "linear":
        return any(s.kind in ("add", "concat") for s in _readers(step, steps))
    return step.name == "skip"


def _activations(step: Step, steps: list[Step]) -> tuple[str, ...]:
    """The first activation on each way from the step to the next layer, ``linear`` where there is none."""
    found, ways = set(), [step]
    while ways:
        readers = _readers(ways.pop(), steps)
        for reader in readers:
            if reader.kind == "activation":
                found.add(str(reader.name))
            elif reader.kind in TRANSPARENT:
                ways.append(reader)
        if not readers or any(reader.kind not in TRANSPARENT for reader in readers):
            found.add("linear")
    return tuple(sorted(found))


def _readers(step: Step, steps: list[Step]) -> list[Step]:
    return [s for s in steps if step.output.number in {value.number for value in s.inputs}]


def _without_weights(text: str) -> torch.nn.Module:
    """The network of a source, with shapes alone where its layers can be made so."""
    import torch

    of = load(text)
    try:
        with torch.device("meta"):
            return of()
    except Exception:
        with torch.random.fork_rng(devices=[]):
            return of()


def _stays_fresh(module: torch.nn.Module) -> bool:
    """Whether it is a normalisation or a learnable activation, which nobody inherits."""
    import torch

    return isinstance(module, torch.nn.PReLU) or type(module).__module__.startswith(NORMALISATIONS)
