"""A space as users declare them: knobs that are there only with others, layers that come and go, forbidden rules."""

from __future__ import annotations

from nas.searchspace import architecture, choice, repeat


@architecture
class Layer:
    conv: str = choice("gcn", "gat", "sage", "gin", "none")
    heads: int | None = choice(1, 2, 4, 8, when=lambda layer: layer.conv == "gat")
    aggregate: str | None = choice("mean", "max", "sum", when=lambda layer: layer.conv == "sage")
    norm: str | None = choice("none", "batch", "layer", when=lambda layer: layer.conv != "none")
    activation: str = choice("relu", "elu", "tanh")


@architecture
class Constrained:
    layers: tuple[Layer, ...] = repeat(Layer, 1, 4)
    hidden: int = choice(16, 64, 256)
    residual: bool | None = choice(True, False, when=lambda a: len(a.layers) > 1)
    dropout: float = choice(0.0, 0.3, 0.6)

    def forbidden(self) -> str | None:
        if self.layers[0].conv == "none":
            return "the first layer passes messages"
        if sum((layer.heads or 1) for layer in self.layers) * self.hidden > 2048:
            return "too many heads for so wide a network"
        if self.residual and self.dropout == 0.0:
            return "residual networks need dropout"
        return None
