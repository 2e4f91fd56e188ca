"""Which global names a piece of code reads."""

from __future__ import annotations

import textwrap

import pytest

from nas.searchspace.printing import _free_names


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("def f(a, *b, c=D, **e): return a, b, c, e", {"D"}),
        ("def f():\n    import math\n    from os import path as p\n    return math, p", set()),
        ("def f(): return [a for a in B if a]", {"B"}),
        ("def f(): return {k: v for k, v in C.items()}, x", {"C", "x"}),
        ("def f():\n    try: pass\n    except Wrong as error: return error", {"Wrong"}),
        ("def f(): return (lambda a, b=C: a + b + d)", {"C", "d"}),
        ("def f():\n    def g(a): return a + h\n    return g", {"h"}),
        ("def f():\n    a = 1\n    def g(): return a\n    return g", set()),
        ("def f():\n    with Open() as a, b() as (c, d): return a, c, d", {"Open", "b"}),
        ("def f():\n    for a in range(3): pass\n    return a", {"range"}),
        ("def f(x: Tensor, *y: int) -> Other: return x", {"Tensor", "int", "Other"}),
        ("def f():\n    x: Note = 1\n    return x", {"Note"}),
        ("def f():\n    if (n := g()): return n", {"g"}),
        ("def f():\n    global COUNT\n    COUNT += 1", {"COUNT"}),
        ("def f():\n    match x:\n        case Point(a=b): return b", {"x", "Point"}),
        ("def f(): return f(1)", set()),
        ("def f(): return __name__, __file__", set()),
        ("class A(Base, metaclass=Meta):\n    x = Y\n    def f(self): return x", {"Base", "Meta", "Y", "x"}),
        (
            "class A:\n    eps = 1\n    def f(self):\n        eps = 2\n        return eps\n    def g(self): return eps",
            {"eps"},
        ),
        ("class A:\n    def f(self): return super().f(), __class__, A", {"super"}),
        ("@deco(1)\ndef f(): pass", {"deco"}),
        ("async def f():\n    async for a in b: await c(a)", {"b", "c"}),
    ],
)
def test_free_names(code: str, names: set[str]) -> None:
    assert _free_names(textwrap.dedent(code)) == names
