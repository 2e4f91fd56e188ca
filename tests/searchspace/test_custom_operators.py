"""A user's own layers: printed in full where they can be, else imported by name, and clashes are refused."""

from __future__ import annotations

import random
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from nas.searchspace import BadInput, Space, operator
from nas.searchspace.operators import OPERATORS
from nas.searchspace.source import load, module, source
from nas.searchspace.spaces.registry import find
from tests.searchspace.declared import NODE, features, graph


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Operators and modules that a test adds go when it ends, and those of other tests are not there."""
    rows, modules = dict(OPERATORS), {name: m for name, m in sys.modules.items() if name.startswith("mine")}
    for name in modules:
        del sys.modules[name]
    yield
    OPERATORS.clear()
    OPERATORS.update(rows)
    for name in [name for name in sys.modules if name.startswith("mine")]:
        del sys.modules[name]
    sys.modules.update(modules)


SPACE = """

@architecture
class Mine:
    width: int = choice(4, 8)

    def network(self, net):
        return net.operator("OPERATOR", net.x, self.width)
"""
HEAD = "from nas.searchspace import architecture, choice, operator\nimport torch\n"


def written(folder: Path, body: str, name: str = "mine.py", head: str = HEAD, operator: str = "mine") -> Space[Any]:
    """A space in a file whose network is one operator."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(head + textwrap.dedent(body) + SPACE.replace("OPERATOR", operator))
    return find(f"{path}:Mine")


def runs(space: Space[Any]) -> str:
    """The source of one of its networks, after it ran on a graph."""
    a = space.sample(random.Random(0))
    text = source(a, NODE)
    y = module(a, NODE).double()(features(6, 5), graph(6, 12))
    assert y.shape == (6, 3)
    return text


PLAIN = """
@operator("mine")
class Layer(torch.nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = torch.nn.Linear(inputs, outputs)

    def forward(self, x, edge_index):
        return self.linear(x)
"""


def test_a_class_is_printed_without_our_decorators(tmp_path: Path) -> None:
    text = runs(written(tmp_path, PLAIN))
    assert "class Layer(torch.nn.Module):" in text
    assert "operator" not in text
    assert "nas" not in text.replace("nas_generated", "")
    assert "# needed beside this file" not in text


def test_helpers_constants_and_imports_come_along(tmp_path: Path) -> None:
    text = runs(
        written(
            tmp_path,
            '''
            import math
            import torch.nn.functional as F
            from torch_geometric.utils import scatter as gather
            from torch import Tensor

            SCALE = 2 ** -3
            TABLE = {"a": [1, 2.5], "b": (None, True)}
            EPS = 1e-3
            unrelated = object()

            def scaled(x: Tensor) -> Tensor:
                """Uses a constant and another helper."""
                return shifted(x) * SCALE * len(TABLE["a"])

            def shifted(x):
                return x + math.pi

            class Base(torch.nn.Module):
                def pre(self, x):
                    return F.relu(scaled(x))

            @operator("mine", power=1)
            class Layer(Base):
                def __init__(self, inputs, outputs, power):
                    super().__init__()
                    self.power = power
                    self.linear = torch.nn.Linear(inputs, outputs)

                def forward(self, x, edge_index):
                    EPS = 0.0  # a local one; `other` reads the module's
                    h = self.pre(self.linear(x)) ** self.power + EPS
                    return gather(h[edge_index[0]], edge_index[1], dim_size=x.size(0)) + self.other()

                def other(self):
                    return EPS
            ''',
        )
    )
    for line in (
        "import math",
        "import torch.nn.functional as F",
        "from torch_geometric.utils import scatter as gather",
        "SCALE = 0.125",
        "TABLE = {'a': [1, 2.5], 'b': (None, True)}",
        "EPS = 0.001",
        "def scaled(x: Tensor) -> Tensor:",
        "from torch import Tensor",
        "self.conv1 = Layer(5, 8, power=1)",
    ):
        assert line in text.splitlines() or "        " + line in text.splitlines(), line
    assert "unrelated" not in text
    order = [text.index(part) for part in ("SCALE = ", "def scaled", "class Base", "class Layer", "class Model")]
    assert order == sorted(order)


def test_a_message_passing_class(tmp_path: Path) -> None:
    text = runs(
        written(
            tmp_path,
            """
            from torch import Tensor
            from torch_geometric.nn import MessagePassing, GCNConv
            from torch_geometric.typing import Adj, OptTensor
            from torch_geometric.utils import degree


            @operator("mine", aggr="mean")
            class Layer(MessagePassing):
                def __init__(self, inputs: int, outputs: int, aggr: str) -> None:
                    super().__init__(aggr=aggr)
                    self.linear = torch.nn.Linear(inputs, outputs)

                def forward(self, x: Tensor, edge_index: Adj, weight: OptTensor = None) -> Tensor:
                    deg = degree(edge_index[1], x.size(0), dtype=x.dtype).view(-1, 1)
                    return self.propagate(edge_index, x=self.linear(x), deg=deg)

                def message(self, x_j: Tensor, deg_i: Tensor) -> Tensor:
                    return x_j / deg_i
            """,
        )
    )
    assert "from torch_geometric.typing import Adj, OptTensor" in text
    assert "GCNConv" not in text


def test_postponed_annotations_stay_postponed(tmp_path: Path) -> None:
    head = "from __future__ import annotations\nfrom typing import TYPE_CHECKING\n" + HEAD
    body = """
    if TYPE_CHECKING:
        from torch import Tensor

    @operator("mine")
    class Layer(torch.nn.Module):
        def __init__(self, inputs: int, outputs: int) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(inputs, outputs)

        def same(self) -> Layer:
            return self

        def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
            return self.same().linear(x)
    """
    text = runs(written(tmp_path, body, head=head))
    assert text.split('"""')[2].lstrip().startswith("from __future__ import annotations\nimport torch\n")


@pytest.mark.parametrize(
    ("need", "use", "why"),
    [
        ("import numpy as np", "np.ones(1)[0]", "it needs the package numpy"),
        ("from numpy import ones", "ones(1)[0]", "it needs the package numpy"),
        ("from nas.searchspace import Recipe", "Recipe().lr", "it needs the package nas"),
        ("one = object()", "(1 if one else 0)", "it needs one, a object that its module makes"),
        ("one = lambda: 1", "one()", "it needs one, a function that its module makes"),
        ("one = torch.ones(2, 2)", "one.sum()", "it needs one, a Tensor that its module makes"),
        ("exec('one = 1; two = [float(\"nan\")]')", "(0 * one if two else 1)", "it needs two, a list that its module"),
    ],
)
def test_what_cannot_be_printed_is_imported_by_name(tmp_path: Path, need: str, use: str, why: str) -> None:
    text = runs(written(tmp_path, f"{need}\n{PLAIN.replace('self.linear(x)', f'self.linear(x) * {use}')}"))
    (line,) = (line for line in text.splitlines() if line.startswith("from mine"))
    assert line.startswith(f"from mine import Layer  # needed beside this file: {why}")
    assert "class Layer" not in text
    assert text == source(find(f"{tmp_path / 'mine.py'}:Mine").sample(random.Random(0)), NODE)


def test_a_file_may_be_loaded_again(tmp_path: Path) -> None:
    first = written(tmp_path, PLAIN)
    again = written(tmp_path, PLAIN.replace("self.linear(x)", "self.linear(x) + 1"))
    assert first.of is not again.of
    assert first.fingerprint() == again.fingerprint()
    assert "self.linear(x) + 1" in source(again.sample(random.Random(0)), NODE)
    bound = again.for_task(NODE)
    assert bound.fingerprint() != first.fingerprint()


def test_the_same_operator_from_two_files(tmp_path: Path) -> None:
    written(tmp_path / "a", PLAIN)
    with pytest.raises(BadInput, match="there is an operator 'mine' already; give yours another name"):
        written(tmp_path / "b", PLAIN)


def test_two_files_of_one_name_are_kept_apart(tmp_path: Path) -> None:
    first = written(tmp_path / "a", PLAIN)
    body = PLAIN.replace('"mine"', '"other"').replace("self.linear(x)", "self.linear(x) + 2")
    second = written(tmp_path / "b", body, operator="other")
    assert (first.of.__module__, second.of.__module__) == ("mine", "mine_2")
    assert "+ 2" in runs(second)
    assert "+ 2" not in runs(first)


def test_a_file_named_like_a_library_does_not_shadow_it(tmp_path: Path) -> None:
    space = written(tmp_path, PLAIN, name="random.py")
    assert sys.modules["random"] is random
    assert space.of.__module__ == "random_2"
    del sys.modules["random_2"]


BOTH = """
class Layer(torch.nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = torch.nn.Linear(inputs, outputs)

    def forward(self, x, edge_index):
        return self.linear(x) + 3


operator("{name}")(Layer)
"""
OTHER = BOTH.replace("Layer", "Another")


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (BOTH, "Layer"),
        (BOTH.replace("Layer", "Model"), "Model"),
        (BOTH.replace("Layer", "GCNConv"), "GCNConv"),
        ("F = 3" + OTHER.replace("+ 3", "+ F"), "F"),
        ("from torch_geometric.nn import GATConv as GCNConv" + OTHER.replace("+ 3", "+ len(str(GCNConv))"), "GCNConv"),
    ],
)
def test_two_things_of_one_name_in_a_module(tmp_path: Path, body: str, name: str) -> None:
    written(tmp_path / "a", PLAIN)
    (tmp_path / "b").mkdir()
    path = tmp_path / "b" / "mine_too.py"
    network = """

@architecture
class Mixed:
    width: int = choice(4, 8)

    def network(self, net):
        x = net.operator("gcn", net.operator("mine", net.x, self.width), self.width)
        return net.activation("elu", net.operator("too", x, self.width))
"""
    path.write_text(HEAD + body.replace("{name}", "too") + network)
    a = find(f"{path}:Mixed").sample(random.Random(0))
    with pytest.raises(BadInput, match=f"would need two things called '{name}'; rename one of your own"):
        source(a, NODE)


def test_a_class_in_a_function(tmp_path: Path) -> None:
    @operator("closed")
    class Closed(torch.nn.Module):
        def __init__(self, inputs: int, outputs: int) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(inputs, outputs)

        def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
            return self.linear(x) + len(str(tmp_path))

    space = written(tmp_path, "", operator="closed")
    with pytest.raises(BadInput, match=r"the source of Closed cannot be exported and it cannot be imported: Closed"):
        source(space.sample(random.Random(0)), NODE)


def test_a_class_without_a_file(tmp_path: Path) -> None:
    made = type("Made", (torch.nn.Linear,), {"__module__": "nowhere"})
    operator("made")(made)
    space = written(tmp_path, "", operator="made")
    with pytest.raises(BadInput, match="the source of Made cannot be exported and it cannot be imported"):
        source(space.sample(random.Random(0)), NODE)


@pytest.mark.parametrize("name", ["", "a b", "a'b", "x);import os", "a.b", "-"])
def test_bad_names(name: str) -> None:
    with pytest.raises(BadInput, match="an operator's name is made of letters, digits, '-' and '_'; got "):
        operator(name)(torch.nn.Linear)


@pytest.mark.parametrize("key", ["inputs", "outputs", "per_head", "a b", "x=1); import os; ("])
def test_bad_settings(key: str) -> None:
    with pytest.raises(BadInput, match="cannot be the name of a setting"):
        operator("mine", **{key: 1})(torch.nn.Linear)


def test_built_in_names_are_taken() -> None:
    with pytest.raises(BadInput, match="there is an operator 'gcn' already"):
        operator("gcn")(torch.nn.Linear)
    with pytest.raises(BadInput, match="there is an operator 'attention' already"):
        operator("attention")(torch.nn.Linear)


def test_an_operator_is_a_class() -> None:
    with pytest.raises(BadInput, match=r"an operator is a torch\.nn\.Module class; got "):
        operator("mine")(lambda x: x)  # type: ignore[type-var]


def test_an_exported_class_needs_nothing_of_ours(tmp_path: Path) -> None:
    text = runs(written(tmp_path, PLAIN))
    scope: dict[str, Any] = {"__name__": "exported"}
    exec(text, scope)
    model = scope["Model"]()
    same = load(text)()
    same.load_state_dict(model.state_dict())
    x, edges = torch.ones(4, 5), graph(4, 5)
    assert torch.equal(model(x, edges), same(x, edges))
