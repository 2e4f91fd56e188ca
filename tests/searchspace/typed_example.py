"""What a type checker knows of an architecture. Lines that end in ``# wrong`` must be errors, the others must not."""

import random

from nas.searchspace import Space, architecture, choice, constant, earlier, integer, nested, real, repeat


@architecture
class Layer:
    conv: str = choice("gcn", "gat")
    heads: int | None = choice(1, 4, when=lambda layer: layer.conv == "gat")
    source: int = earlier()


@architecture
class Model:
    layers: tuple[Layer, ...] = repeat(Layer, 1, 4)
    first: Layer = nested(Layer)
    depth: int = integer(1, 3)
    lr: float = real(0.1, 0.2)
    momentum: float | None = real(0.1, 0.2, when=lambda model: model.depth > 1)
    width: int = constant(64)


layer = Layer(conv="gcn", heads=None, source=0)
space = Space(Model)
model = space.sample(random.Random(0))
conv: str = model.layers[0].conv
heads: int | None = model.first.heads
lr: float = space.mutate(model, random.Random(0)).lr
other: Model = space.from_knobs(space.knobs(model))

width: str = model.width  # wrong
model.depth = 2  # wrong
Layer(conv=1, heads=None, source=0)  # wrong
Layer(conv="gcn", haeds=None, source=0)  # wrong
Layer("gcn", None, 0)  # wrong
certain: int = layer.heads  # wrong
space.mutate(layer, random.Random(0))  # wrong


@architecture
class Mistyped:
    conv: int = choice("gcn", "gat")  # wrong
    depth: str = integer(1, 3)  # wrong
    heads: int = choice(1, 4, when=lambda a: True)  # wrong
    layers: tuple[Model, ...] = repeat(Layer, 1, 2)  # wrong
