"""Tables fit the terminal, lose no number, and set numbers to the right."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from nas.cli.table import NARROW, table

WORDS = st.text("abcdef ,=", max_size=60).map(lambda text: " ".join(text.split()))
NUMBERS = st.one_of(st.integers(-(10**6), 10**6).map("{:,}".format), st.floats(0, 1).map("{:.4f}".format), st.just("-"))
ROWS = st.lists(st.tuples(WORDS.map(lambda w: w[:8]), NUMBERS, NUMBERS, WORDS), max_size=6)
COLUMNS = ["run", "validation\naccuracy", "parameters", "architecture"]


@example(rows=[("run", "-", "-", "a" * 18), ("without one", "-", "-", "")], width=50, cut=True)
@given(rows=ROWS, width=st.one_of(st.none(), st.integers(50, 160)), cut=st.booleans())
def test_no_line_is_wider_than_the_terminal_and_no_number_is_lost(rows, width, cut):
    lines = table(COLUMNS, rows, width, cut)
    assert all(line == line.rstrip() for line in lines)
    if width is not None:
        assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for row in rows:
        assert row[1] in text
        assert row[2] in text
        if not cut or width is None:
            assert all(word in text for word in row[3].split() if len(word) <= NARROW)


@given(rows=ROWS)
def test_without_a_width_every_row_is_one_line(rows):
    lines = table(COLUMNS, rows, None)
    assert len(lines) == 3 + len(rows)
    for line, row in zip(lines[3:], rows, strict=True):
        assert line.split() == " ".join(row).split()


def test_by_hand():
    rows = [["digits", "1,797", "linked to the ten most similar"], ["cora", "-", "papers"]]
    assert table(["data\nset", "nodes", "what it is"], rows, 40) == [
        "data",
        "set     nodes  what it is",
        "────────────────────────────────────────",
        "digits  1,797  linked to the ten most",
        "               similar",
        "cora        -  papers",
    ]
    assert table(["data", "nodes", "what it is"], rows, 40, cut=True)[2] == "digits  1,797  linked to the ten most s…"
    assert table(["data", "nodes", "what it is"], rows, 30) == [
        "data    nodes",
        "─────────────",
        "digits  1,797",
        "  linked to the ten most",
        "  similar",
        "cora        -",
        "  papers",
    ]


def test_an_empty_table_is_its_heading():
    assert table(["a", "b"], [], 80) == ["a  b", "────"]
