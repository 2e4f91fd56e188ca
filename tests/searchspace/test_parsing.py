"""Whatever is wrong with a text is one ``ValueError`` with a message."""

from __future__ import annotations

import pytest

from nas.searchspace.parsing import DEPTH, json_of, toml_of


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "nested deeper than 100"),
        ("[" * (DEPTH + 1) + "]" * (DEPTH + 1), "nested deeper than 100"),
        ("9" * 5000, "limit"),
        ("{", "Expecting"),
        (b"\xff", "utf-8"),
    ],
)
def test_json(text: str | bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        json_of(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = " + "[" * 20_000, "nested deeper than 100"),
        (".".join("a" * 5000) + " = 1", "nested deeper than 100"),
        ("a = " + "9" * 5000, "limit"),
        ("a = ", "Invalid value"),
    ],
)
def test_toml(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        toml_of(text)


def test_what_is_not_too_deep() -> None:
    assert json_of("[" * DEPTH + "]" * DEPTH)
    assert toml_of("a.b = [1, {c = 2}]") == {"a": {"b": [1, {"c": 2}]}}
