"""Spaces that the tests of this folder share: those of the search space's tests, and odd ones."""

from __future__ import annotations

from typing import Any

from nas.searchspace import Space, architecture, choice, earlier, integer, nested, real, repeat
from tests.searchspace.declared import EVERY as DECLARED
from tests.searchspace.declared import Large


@architecture
class Inner:
    op: str = choice("a", "b", "c")
    source: int = earlier()
    rate: float | None = real(1e-3, 1.0, log=True, when=lambda i: i.op == "c")


@architecture
class Block:
    left: Inner = nested(Inner)
    right: Inner | None = nested(Inner)


@architecture
class Odd:
    """No knob of its own at the top but conditional ones, nested elements without knobs, rules, bins."""

    blocks: tuple[Block, ...] = repeat(Block, 2, 3)
    width: int = integer(1, 1000, log=True)
    count: int = integer(0, 10**12)
    shift: float = real(-2.0, 3.0)
    deep: bool | None = choice(True, False, when=lambda o: len(o.blocks) == 3)

    def forbidden(self) -> str | None:
        return "the first op is not a" if self.blocks[0].left.op == "a" else None


@architecture
class Ends:
    """Two numbers; larger is better in both, and together they may not be large."""

    x: int = integer(0, 6)
    y: int = integer(0, 6)

    def forbidden(self) -> str | None:
        return "too much" if self.x + self.y > 7 else None


@architecture
class Chosen:
    """A full product."""

    a: str = choice("p", "q", "r")
    b: int = choice(1, 2, 3, 4)
    c: bool = choice(True, False)
    d: str = choice("u", "v", "w", "x", "y")


EVERY: dict[str, Space[Any]] = {
    **{name: space for name, space in DECLARED.items() if space.of is not Large},
    **{of.__name__: Space(of) for of in (Odd, Ends, Chosen)},
}
