"""Layers that compute with few bits: fake quantisation in training, packed whole numbers in a file."""

import torch
from torch_geometric.nn import MessagePassing

HISTORY = 0.9
"""Weight of what was seen before in the range of values that pass through."""
SMALLEST = 1e-12


def described(name: str) -> tuple[str, int, bool, bool]:
    """Kind, bits, whether each row has a range of its own, and whether the range is learned, of a format's name.

    ``float``; ``binary``; ``ternary``; ``int4``, symmetric; ``affine4``, from the least to the largest value; the last
    two with any number of bits, and with ``-channel`` or ``-learned`` behind.
    """
    kind, *more = name.split("-")
    bits = int("".join(c for c in kind if c.isdigit()) or {"binary": 1, "ternary": 2}.get(kind, 32))
    return kind.rstrip("0123456789"), bits, "channel" in more, "learned" in more


def limits(x: torch.Tensor, kind: str, by_row: bool) -> torch.Tensor:
    """What a format must know of values: two numbers, ``[2]``, or of each row, ``[2, rows, 1, ...]``.

    The least and the largest value with zero among them (affine), the largest magnitude twice (int: Jacob et al., CVPR
    2018), the threshold and the level of ternary values (Li and Liu, arXiv 1605.04711), the level of binary ones
    (Rastegari et al., ECCV 2016). Zeros do not count in the last two, so that sparse values are like dense ones.
    """
    rows = x.detach().reshape(x.size(0), -1) if by_row else x.detach().reshape(1, -1)
    size = rows.abs()
    if kind == "affine":
        low, high = rows.amin(1).clamp(max=0), rows.amax(1).clamp(min=0)
    elif kind == "int":
        low = high = size.amax(1)
    else:
        low = high = size.sum(1) / (size > 0).sum(1).clamp(min=1)
        if kind == "ternary":
            low = 0.7 * low
            large = size > low.unsqueeze(1)
            high = (size * large).sum(1) / large.sum(1).clamp(min=1)
    shape = (x.size(0), *(1 for _ in x.shape[1:])) if by_row else ()
    return torch.stack([low.reshape(shape), high.reshape(shape)])


def grid(
    kind: str, bits: int, low: torch.Tensor, high: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor | float, float]:
    """Scale and zero of a format between two values, and its largest code."""
    top = 2.0**bits - 1 if kind == "affine" else 2.0**bits - 2
    scale = ((high - low) / top if kind == "affine" else high / (top / 2)).clamp(min=SMALLEST)
    return scale, torch.round(-low / scale) if kind == "affine" else top / 2, top


def coded(
    x: torch.Tensor, kind: str, bits: int, low: torch.Tensor, high: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor | float, torch.Tensor]:
    """The code of each value, a whole number from 0, and ``zero`` and ``scale``: (code - zero) * scale is the value.

    The gradient of the code is that before rounding, and none where a value is out of range: straight through
    (Bengio et al., arXiv 1308.3432).
    """
    if kind == "binary":
        bit = (x >= 0).to(x.dtype)
        return bit + (x - x.detach()) / (2 * high).clamp(min=SMALLEST), 0.5, 2 * high
    if kind == "ternary":
        sign = x.detach().sign() * (x.detach().abs() > low)
        return sign + 1 + (x - x.detach()) / high.clamp(min=SMALLEST), 1.0, high
    scale, zero, top = grid(kind, bits, low, high)
    code = (x / scale + zero).clamp(0, top)
    return torch.round(code).detach() + (code - code.detach()), zero, scale


def to_bytes(code: torch.Tensor, kind: str, bits: int) -> torch.Tensor:
    """Codes one after the other, ``[bytes]``: five to a byte in base three (ternary), else lowest bit first."""
    code = code.reshape(-1).to(torch.int64)
    if kind == "ternary":
        places = torch.nn.functional.pad(code, (0, -len(code) % 5)).reshape(-1, 5)
        return (places * 3 ** torch.arange(5)).sum(1).to(torch.uint8)
    stream = ((code.unsqueeze(1) >> torch.arange(bits)) & 1).reshape(-1)
    places = torch.nn.functional.pad(stream, (0, -len(stream) % 8)).reshape(-1, 8)
    return (places << torch.arange(8)).sum(1).to(torch.uint8)


def from_bytes(held: torch.Tensor, kind: str, bits: int, number: int) -> torch.Tensor:
    """The inverse of ``to_bytes`` for so many codes, ``[number]`` int64."""
    held = held.to(torch.int64).unsqueeze(1)
    if kind == "ternary":
        return (held // 3 ** torch.arange(5) % 3).reshape(-1)[:number]
    stream = ((held >> torch.arange(8)) & 1).reshape(-1)[: number * bits].reshape(number, bits)
    return (stream << torch.arange(bits)).sum(1)


class Quantiser(torch.nn.Module):
    """Rounds what passes through to a format, and lets gradients straight through.

    The range of weights is their own. That of other values (``moving``) is an average over the steps of training, and
    is kept. A range that is learned is a parameter that begins at the first values (Esser et al., ICLR 2020).

    ``protect`` lets rows pass as they are in training, at random, those of the nodes with the most incoming edges
    with this probability, the others with less, in the order of their degrees (Tailor et al., ICLR 2021).
    """

    range: torch.Tensor

    def __init__(self, format: str, moving: bool = True, protect: float = 0.0) -> None:
        super().__init__()
        self.format, self.moving, self.protect = format, moving, protect
        self.kind, self.bits, self.by_row, self.learned = described(format)
        self.edges: torch.Tensor | None = None
        if self.learned:
            self.scale = torch.nn.Parameter(torch.tensor(float("nan")))
        elif moving and self.kind != "float":
            self.register_buffer("range", torch.full((2,), float("nan")))

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor | None = None) -> torch.Tensor:
        if self.kind == "float":
            return x
        out = self.rounded(x)
        edge_index = self.edges if edge_index is None else edge_index
        if not self.training or self.protect == 0 or edge_index is None:
            return out
        chance = self.chance(edge_index, x.size(0)).to(x.device)
        kept = torch.rand(chance.shape, device=x.device) < chance
        return torch.where(kept.reshape(-1, *(1 for _ in x.shape[1:])), x, out)

    def rounded(self, x: torch.Tensor) -> torch.Tensor:
        """The values that the codes stand for."""
        code, zero, scale = self.coded(x)
        return (code - zero) * scale

    def coded(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | float, torch.Tensor]:
        """See the function of that name."""
        if self.learned:
            return self.coded_by_scale(x)
        now = self.followed(limits(x, self.kind, self.by_row))
        return coded(x, self.kind, self.bits, now[0], now[1])

    def followed(self, now: torch.Tensor) -> torch.Tensor:
        """The limits of a format where those of the values are ``now``; what is kept of them moves in training."""
        if not self.moving:
            return now
        held = HISTORY * self.range + (1 - HISTORY) * now if self.training else self.range
        now = torch.where(self.range.isnan(), now, held)
        if self.training:
            self.range.copy_(now)
        return now

    def coded_by_scale(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | float, torch.Tensor]:
        """Codes whose scale is learned; its gradient is slowed down as in section 2.2 of LSQ."""
        top = 2.0 ** (self.bits - 1) - 1
        begin = torch.where(self.scale.isnan(), 2 * x.detach().abs().mean() / top**0.5, self.scale).detach()
        if self.training:
            self.scale.data.copy_(begin)
        slow = (x.numel() * top) ** -0.5
        scale = begin + slow * (self.scale - self.scale.detach()).nan_to_num()
        scale = scale.abs().clamp(min=SMALLEST)
        code = (x / scale + top).clamp(0, 2 * top)
        return torch.round(code).detach() + (code - code.detach()), top, scale

    def chance(self, edge_index: torch.Tensor, nodes: int) -> torch.Tensor:
        """The probability of each node to pass as it is, ``[nodes]``."""
        incoming = torch.bincount(edge_index[1], minlength=nodes)
        rank = incoming.argsort(stable=True).argsort(stable=True)
        return self.protect * rank / max(nodes - 1, 1)


class Quantised(torch.nn.Module):
    """A layer whose weights, messages and attention coefficients are rounded.

    Weights are the parameters with two dimensions or more. Messages are what nodes send: of our own layers what passes
    the slot ``send``, of torch_geometric's what is propagated. Attention is the coefficient of an edge, learned or
    not: what passes the slot ``weigh``, or what is propagated beside the messages.

    A state with packed weights can be loaded too; those are used as they are.
    """

    def __init__(
        self,
        layer: torch.nn.Module,
        weights: str = "float",
        messages: str = "float",
        attention: str = "float",
        protect: float = 0.0,
    ) -> None:
        super().__init__()
        self.layer, self.settled = layer, False
        self.weights = torch.nn.ModuleDict()
        if weights != "float":
            for name, parameter in layer.named_parameters():
                if parameter.dim() > 1:
                    self.weights[name.replace(".", "/")] = Quantiser(weights, moving=False)
        self.send: torch.nn.Module = Quantiser(messages, protect=protect)
        self.weigh: torch.nn.Module = Quantiser(attention)
        if isinstance(getattr(layer, "send", None), torch.nn.Module):
            layer.send, layer.weigh = self.send, self.weigh
            del self.send, self.weigh
        elif isinstance(layer, MessagePassing) and (messages, attention) != ("float", "float"):
            layer.register_propagate_forward_pre_hook(self.propagated)
        self.register_load_state_dict_pre_hook(self.unpack)  # type: ignore[no-untyped-call]

    def forward(self, x: torch.Tensor, *edges: torch.Tensor) -> torch.Tensor:
        send = getattr(self.layer, "send", None)
        if edges and isinstance(send, Quantiser):
            send.edges = edges[0]
        out: torch.Tensor = torch.func.functional_call(self.layer, self.low(), (x, *edges))
        return out

    def low(self) -> dict[str, torch.Tensor]:
        """The rounded weights by name; none where they are stored so."""
        found = dict[str, torch.Tensor]()
        for key, quantiser in self.weights.items():
            if not self.settled:
                name = key.replace("/", ".")
                place, _, last = name.rpartition(".")
                # not get_parameter, which refuses what stands in for a parameter while somebody differentiates
                found[name] = quantiser(getattr(self.layer.get_submodule(place), last))
        return found

    def propagated(
        self, layer: torch.nn.Module, inputs: tuple[torch.Tensor, object, dict[str, object]]
    ) -> tuple[torch.Tensor, object, dict[str, object]]:
        """Rounds what is about to be propagated."""
        edge_index, size, named = inputs
        for name in ("x", "value"):
            value = named.get(name)
            if isinstance(value, torch.Tensor):
                named[name] = self.send(value, edge_index)
            elif isinstance(value, tuple):
                named[name] = (self.send(value[0], edge_index), *value[1:])
        for name in ("alpha", "edge_weight", "norm"):
            if named.get(name) is not None:
                named[name] = self.weigh(named[name])
        return edge_index, size, named

    def pack(self) -> dict[str, torch.Tensor]:
        """The weights as they are stored: codes under the weight's name, and the scale and zero that read them."""
        found = dict[str, torch.Tensor]()
        for key, quantiser in self.weights.items():
            assert isinstance(quantiser, Quantiser)
            place = "layer." + key.replace("/", ".")
            with torch.no_grad():
                code, zero, scale = quantiser.coded(self.get_parameter(place))
            found[place] = to_bytes(code.cpu(), quantiser.kind, quantiser.bits)
            found[f"{place}.scale"] = scale.reshape(-1)
            if isinstance(zero, torch.Tensor):
                found[f"{place}.zero"] = zero.reshape(-1)
        return found

    def unpack(self, module: torch.nn.Module, state: dict[str, torch.Tensor], prefix: str, *more: object) -> None:
        """Puts weights in the place of their codes before a state is loaded."""
        self.settled = False
        for key, quantiser in self.weights.items():
            assert isinstance(quantiser, Quantiser)
            name = "layer." + key.replace("/", ".")
            scale, zero = state.pop(f"{prefix}{name}.scale", None), state.pop(f"{prefix}{name}.zero", None)
            if scale is None:
                continue
            self.settled, weight = True, self.get_parameter(name)
            shape = (-1, *(1 for _ in weight.shape[1:])) if len(scale) > 1 else ()
            level = {"binary": 0.5, "ternary": 1.0}.get(quantiser.kind, 2.0 ** (quantiser.bits - 1) - 1)
            code = from_bytes(state[prefix + name], quantiser.kind, quantiser.bits, weight.numel())
            code = code.to(scale.dtype).reshape(weight.shape)
            state[prefix + name] = (code - (level if zero is None else zero.reshape(shape))) * scale.reshape(shape)
            if quantiser.learned:
                state[f"{prefix}weights.{key}.scale"] = scale.reshape(())


class QuantisedByName(Quantised):
    """The same for a layer that is called with arguments by name."""

    def forward(self, x: torch.Tensor, *edges: torch.Tensor, **named: torch.Tensor) -> torch.Tensor:
        send = getattr(self.layer, "send", None)
        if edges and isinstance(send, Quantiser):
            send.edges = edges[0]
        out: torch.Tensor = torch.func.functional_call(self.layer, self.low(), (x, *edges), named)
        return out
