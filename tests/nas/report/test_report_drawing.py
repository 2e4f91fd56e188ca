import random
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.report.drawing import draw
from nas.report.layout import TALLEST, place
from nas.searchspace.elements import DECODERS
from nas.searchspace.errors import BadInput
from nas.searchspace.language import architecture, choice
from nas.searchspace.source import trace
from nas.searchspace.spaces.nasbench_graph import NASBenchGraph, Node
from nas.searchspace.spaces.registry import find

SVG = "{http://www.w3.org/2000/svg}"


def _texts(svg: str) -> list[str]:
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("level", ["node", "graph"])
@pytest.mark.parametrize("space", ["agnn", "design", "nasbench-graph"])
def test_every_step_and_every_width_stands_in_the_drawing(space, level, task):
    task = replace(task, level=level)
    bound = find(space).for_task(task)
    for seed in range(8):
        a = bound.sample(random.Random(seed))
        net, result = trace(a, task)
        words = " · ".join(_texts(draw(a, task)))
        for step in net.steps:
            assert step.label.split(" (")[0] in words
            assert step.comment is None or step.comment in words
        assert f"{result.width:,}" in words
        assert f"scores per {level}" in words


def test_a_chain_is_one_box_per_layer(task):
    a = find("agnn").for_task(task).sample(random.Random(2))
    svg = draw(a, task)
    assert svg.count('class="box"') == 4  # features, two layers, scores
    assert svg.count('class="edge"') == 3


@pytest.mark.parametrize("decoder", DECODERS)
def test_a_decoder_has_a_box_of_its_own(task, decoder):
    links = replace(task, level="link", target="multilabel", outputs=1)
    a = find("agnn").for_task(links).sample(random.Random(2))
    svg = draw(replace(a, decoder=decoder), links)
    assert '<g class="decoder">' in svg
    assert f"{decoder} decoder" in _texts(svg)
    assert "label scores per link" in _texts(svg)
    assert svg.count('class="box"') == 5  # features, two layers, decoder with its map, scores


def test_branches_meet_in_a_concatenation(task):
    a = NASBenchGraph(nodes=tuple(Node(input=0, op=op) for op in ("gcn", "gat", "sage", "fc")))
    svg = draw(a, task)
    assert "concat" in _texts(svg)
    assert svg.count('class="edge"') == 4 + 4 + 3  # to the nodes, from them, and down to the scores


def test_a_skip_connection_is_a_line_of_its_own(task):
    a = replace(find("design").of(**_design()), connectivity="skip-cat")
    plain = replace(a, connectivity="stack")
    assert draw(a, task).count('class="edge"') == draw(plain, task).count('class="edge"') + 2 * 2


def _design():
    return {
        "pre_layers": 1,
        "layers": 2,
        "post_layers": 1,
        "connectivity": "stack",
        "aggregation": "mean",
        "activation": "relu",
        "norm": "none",
        "dropout": 0.0,
        "optimiser": "adam",
        "lr": 0.01,
        "batch_size": 32,
        "epochs": 100,
    }


def test_a_deep_network_is_folded_to_the_height_of_a_page(task):
    a = find("design").of(**(_design() | {"layers": 8, "connectivity": "skip-cat", "pre_layers": 3, "post_layers": 3}))
    svg = ElementTree.fromstring(draw(a, task))
    assert float(svg.get("height")) < 1.3 * TALLEST
    assert float(svg.get("width")) < 1200


def test_a_drawing_stands_alone_and_has_no_ids(task):
    svg = draw(find("agnn").for_task(task).sample(random.Random(0)), task)
    assert svg == draw(find("agnn").for_task(task).sample(random.Random(0)), task)
    assert not re.search(r'\bid="|href|url\(|@import', svg)
    assert ElementTree.fromstring(svg).tag == f"{SVG}svg"


def test_a_space_without_a_network_is_told_so(task):
    @architecture
    class Table:
        row: int = choice(1, 2)

    with pytest.raises(BadInput, match="Table describes no network"):
        draw(Table(row=1), task)


def test_what_the_author_of_a_space_writes_is_escaped(task):
    @architecture
    class Mine:
        width: int = choice(4, 8)

        def network(self, net):
            net.comment("<b>bold</b> & more")
            return net.linear(net.x, self.width)

    assert "<b>bold</b> & more" in _texts(draw(Mine(width=4), task))


def test_layers_without_comments_are_told_apart(task):
    @architecture
    class Plain:
        width: int = choice(4, 8)

        def network(self, net):
            x = net.activation("relu", net.linear(net.x, self.width))
            return net.activation("relu", net.linear(x, self.width))

    assert draw(Plain(width=4), task).count('class="box"') == 5  # features, two layers, head, scores


@st.composite
def graphs(draw):
    """Sizes of up to 16 boxes, and edges that lead to larger numbers; every box but the first reads something."""
    count = draw(st.integers(2, 16))
    sizes = [(draw(st.integers(40, 200)), draw(st.integers(20, 120))) for _ in range(count)]
    edges = [(draw(st.integers(0, b - 1)), b) for b in range(1, count)]
    for _ in range(draw(st.integers(0, 10))):
        b = draw(st.integers(1, count - 1))
        edges.append((draw(st.integers(0, b - 1)), b))
    return sizes, edges


@settings(max_examples=30)
@given(graphs())
def test_boxes_do_not_overlap_and_lines_arrive(graph):
    sizes, edges = graph
    placed = place(sizes, edges)
    boxes = [(x, y, x + w, y + h) for (x, y), (w, h) in zip(placed.boxes, sizes, strict=True)]
    for i, (left, top, right, bottom) in enumerate(boxes):
        assert left >= 0
        assert top >= 0
        assert right <= placed.width + 1e-6
        assert bottom <= placed.height + 1e-6
        for other in boxes[:i]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
    for (_, target), (path, (x, y)) in zip(edges, placed.lines, strict=True):
        left, top, right, _ = boxes[target]
        assert left <= x <= right
        assert y == top
        assert path.startswith("M")


def test_a_chain_is_drawn_straight():
    placed = place([(100, 40), (60, 40), (140, 40)], [(0, 1), (1, 2)])
    middles = {x + w / 2 for (x, _), (w, _) in zip(placed.boxes, [(100, 0), (60, 0), (140, 0)], strict=True)}
    assert max(middles) - min(middles) < 1e-6
    assert all("C" not in path for path, _ in placed.lines)
