"""Predict with the exported network on a graph of your own.

    python predict.py graph.pt [--out predictions.csv] [--pairs pairs.csv] [--int8]

``graph.pt`` holds a torch_geometric ``Data`` object saved by ``torch.save``, or a list of them, or a plain dictionary
with the tensors ``x`` and ``edge_index`` (``batch`` for several graphs, ``edge_weight``, ``edge_attr`` and
``edge_label_index`` where the network takes them). From Python:

    from predict import load_model

    model = load_model()

Needs torch and torch_geometric only.
"""

import argparse
import csv
import importlib.util
import json
import struct
import sys
import zlib
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

HERE = Path(__file__).resolve().parent
DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}

EDGES = ("edge_weight", "edge_attr")
SAID = {"level": str, "target": str, "features": int, "outputs": int, "inputs": list, "transforms": list}
"""What a network's description says of its task at least."""

WHOLE = (1433, 256)
"""Inputs and outputs from which on a linear map was measured to be faster on whole numbers, on one thread of a CPU: 1.3
to 1.6 times. Smaller ones are slower, for the numbers must become whole and back."""


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file: eight bytes of length, a JSON header, the raw numbers."""
    try:
        content = bytearray(path.read_bytes())
        (length,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + length])
        tensors = {}
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            dtype = DTYPES[entry["dtype"]]
            flat = torch.frombuffer(content[begin:end], dtype=dtype) if end > begin else torch.empty(0, dtype=dtype)
            tensors[name] = flat.reshape(entry["shape"]).clone()
        return tensors
    except OSError as error:
        raise SystemExit(f"{path} cannot be read: {error.strerror or error}") from None
    except Exception as error:  # of a damaged file nearly anything
        raise SystemExit(f"{path} is damaged ({type(error).__name__}: {error}); export the network again") from None


def read_task(folder: Path = HERE) -> dict[str, Any]:
    """What ``architecture.json`` of an export says of its task."""
    path = folder / "architecture.json"
    try:
        task: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["task"]
        fits = all(type(task[name]) is kind for name, kind in SAID.items())
    except OSError as error:
        raise SystemExit(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        fits = False
    if not fits:
        raise SystemExit(f"{path} is damaged: it describes no task; export the network again")
    return task


def load_model(folder: str | Path = HERE, int8: bool = False) -> torch.nn.Module:
    """The network with its trained weights, in inference mode; with ``int8`` large linear maps are on whole numbers."""
    folder = Path(folder).resolve()
    name = f"exported_model_{zlib.crc32(str(folder).encode())}"  # of its own, so that several can be loaded
    spec = importlib.util.spec_from_file_location(name, folder / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(folder))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
    model: torch.nn.Module = module.Model()
    weights = read_safetensors(folder / "weights.safetensors")
    try:
        model.load_state_dict(weights)
    except RuntimeError:
        raise SystemExit(f"the weights in {folder} are not those of its model.py; export the network again") from None
    if int8:
        on_whole_numbers(model)
    return model.eval()


def on_whole_numbers(model: Any) -> int:
    """Let large linear maps multiply whole numbers, where weights and what enters have 8 bits at most.

    Scores stay the same up to the rounding of float32.

    Returns: how many linear maps do.
    """
    changed = 0
    for layer in model.modules():
        if type(layer).__name__ == "Quantiser" and layer.bits <= 8 and layer.kind in ("int", "affine"):
            layer.register_forward_hook(_leave_grid)
        for key, quantiser in layer.weights.items() if type(layer).__name__.startswith("Quantised") else ():
            place, _, name = key.replace("/", ".").rpartition(".")
            linear = layer.layer.get_submodule(place)
            top = {"binary": 1, "ternary": 1, "int": 2 ** (quantiser.bits - 1) - 1}.get(quantiser.kind, 1000)
            plain = type(linear).__name__ == "Linear" and name == "weight" and not quantiser.learned
            if plain and top <= 127 and linear.weight.size(1) >= WHOLE[0] and linear.weight.size(0) >= WHOLE[1]:
                rows = linear.weight.detach().abs()
                step = (rows.amax(1) if quantiser.by_row else rows.amax()).clamp(min=1e-12) / top
                whole = torch.round(linear.weight.detach() / step.reshape(-1, 1)).to(torch.int8)
                linear.forward = partial(_whole, linear, whole, step)
                changed += 1
    return changed


def _leave_grid(quantiser: Any, inputs: Any, out: Any) -> None:
    """Note at rounded values how they become whole: the place of zero, and the step."""
    if quantiser.learned or not bool(quantiser.range.isnan().any()):
        _, zero, step = quantiser.coded(torch.zeros(1))
        out.grid = float(zero), float(step)


def _whole(linear: Any, weight: Tensor, step: Tensor, x: Any) -> Tensor:
    """``F.linear`` by one product of whole numbers; codes are moved by 128 to fit int8."""
    if not hasattr(x, "grid"):
        return torch.nn.functional.linear(x, linear.weight, linear.bias)
    zero, size = x.grid
    code = (x / size).add_(zero - 128).round_().to(torch.int8)
    out = torch._int_mm(code, weight.t()).float()
    out = out.add_((128 - zero) * weight.sum(1)).mul_(step * size)
    return out if linear.bias is None else out.add_(linear.bias)


def prepare(graph: Any, task: dict[str, Any], pairs: Tensor | None = None) -> tuple[Tensor, ...]:
    """The arguments of the network, with the graph treated as those that it was trained on.

    Args:
        graph: a torch_geometric ``Data`` or ``Batch``, or a dictionary of tensors.
        task: as ``architecture.json`` describes it.
        pairs: ``[2, links]``, the pairs of nodes to score, where links are predicted; else those of the graph.
    """
    nodes = getattr(graph, "num_nodes", None)
    parts = graph if isinstance(graph, dict) else graph.to_dict()
    if parts.get("edge_index") is None:
        raise SystemExit("the graph has no edge_index")
    edge_index, x = parts["edge_index"].long(), parts.get("x")
    if nodes is None:
        last = int(edge_index.max()) + 1 if edge_index.numel() else 0
        nodes = int(parts.get("num_nodes") or (last if x is None else len(x)))
    if "one-hot edge columns" in task["transforms"] and parts.get("edge_attr") is not None:
        columns = features().one_hot_columns(parts["edge_attr"], task["edge_categories"])
        parts = {**parts, "edge_attr": columns}
    of_edges = {name: _of_edges(name, parts, edge_index, task) for name in EDGES if name in task["inputs"]}
    if "undirected" in task["transforms"]:
        from torch_geometric.utils import to_undirected

        names = list(of_edges)
        edge_index, values = to_undirected(edge_index, [of_edges[k] for k in names], num_nodes=nodes, reduce="mean")
        of_edges = dict(zip(names, values, strict=True))
    if "edge_label_index" in task["inputs"]:  # as in training
        keep = edge_index[0] != edge_index[1]
        edge_index, of_edges = edge_index[:, keep], {name: value[keep] for name, value in of_edges.items()}
    x = _features(x, edge_index, nodes, task)
    batch, pairs = parts.get("batch"), parts.get("edge_label_index") if pairs is None else pairs
    if "edge_label_index" in task["inputs"]:
        if pairs is None:
            raise SystemExit("links are predicted: give the pairs of nodes as edge_label_index, or by --pairs")
        if (
            pairs.dim() != 2
            or pairs.size(0) != 2
            or (pairs.numel() and not 0 <= int(pairs.min()) <= int(pairs.max()) < nodes)
        ):
            raise SystemExit(f"the pairs to score have the shape [2, links] and name nodes 0 to {nodes - 1}")
    arguments = {
        "x": x,
        "edge_index": edge_index,
        **of_edges,
        "batch": torch.zeros(len(x), dtype=torch.long) if batch is None else batch,
        "edge_label_index": pairs,
    }
    return tuple(arguments[name] for name in task["inputs"])


def _of_edges(name: str, parts: dict[str, Any], edge_index: Tensor, task: dict[str, Any]) -> Tensor:
    """The weights or the features of the edges."""
    value = parts.get(name)
    if value is None or len(value) != edge_index.size(1):
        raise SystemExit(
            f"the network takes {name} for each of the {edge_index.size(1)} edges; the graph has {_came(value)}"
        )
    value = torch.as_tensor(value).float()
    value = value.flatten() if name == "edge_weight" else value.reshape(len(value), -1)
    if name == "edge_attr" and value.size(1) != task["edge_features"]:
        raise SystemExit(f"the network takes {task['edge_features']} features per edge; the graph has {_came(value)}")
    return value


def _features(x: Any, edge_index: Tensor, nodes: int, task: dict[str, Any]) -> Tensor:
    """``[nodes, features]``."""
    words = task["transforms"]
    made = [word for word in words if word == "own" or word.partition(":")[0] in ("degree", "laplacian", "random-walk")]
    if x is not None and "one-hot columns" in words:
        x = features().one_hot_columns(x, task["categories"])
    if x is not None and "row-normalise" in words:
        x = x.float()
        total = x.sum(dim=1, keepdim=True, dtype=torch.float64)
        x = x / total.where(total > 0, 1).float()
    if made and not (x is None and "own" in made):
        x = features().encoded(made, x, edge_index, nodes)
    if "one-hot degree" in words:
        degree = torch.bincount(edge_index[1], minlength=nodes).clamp(max=task["features"] - 1)
        x = torch.nn.functional.one_hot(degree, task["features"])
    if x is None or x.dim() != 2 or x.size(1) != task["features"]:
        came = "has no x" if x is None else f"has x of shape {list(x.shape)}"
        raise SystemExit(f"the network takes {task['features']} features per node; the graph {came}")
    out: Tensor = x.float()
    return out


@cache
def features() -> Any:
    """What makes features of categories and of edges: the file beside this one."""
    homes = (HERE / "features.py", HERE.parent / "data" / "encodings.py")
    spec = importlib.util.spec_from_file_location("exported_features", next(h for h in homes if h.exists()))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _came(value: Any) -> str:
    return "none" if value is None else f"some of shape {list(value.shape)}"


def read_graph(path: str | Path) -> Any:
    """A saved graph, or a list of them as one batch, read without running any code from the file."""
    from torch_geometric.data import Batch, Data
    from torch_geometric.data.data import DataEdgeAttr, DataTensorAttr
    from torch_geometric.data.storage import GlobalStorage

    torch.serialization.add_safe_globals([Data, DataEdgeAttr, DataTensorAttr, GlobalStorage])
    try:
        graph = torch.load(path, weights_only=True)
    except OSError as error:
        raise SystemExit(f"{path} cannot be read: {error.strerror or error}") from None
    except Exception:
        raise SystemExit(
            f"{path} holds something else than tensors and could run code, so it was not read; save a "
            "torch_geometric Data, a list of them, or a dictionary of tensors"
        ) from None
    if isinstance(graph, list) and graph and all(isinstance(one, Data) for one in graph):
        try:
            return Batch.from_data_list(graph)
        except Exception as error:  # one has what another lacks, or is half-made
            raise SystemExit(f"the graphs of {path} do not fit each other ({type(error).__name__}: {error})") from None
    if not isinstance(graph, dict | Data):
        raise SystemExit(
            f"{path} holds a {type(graph).__name__}; save a torch_geometric Data, a list of them, or a dictionary"
        )
    return graph


def read_pairs(path: str | Path, ids: Any = None) -> Tensor:
    """``[2, links]`` from a CSV file with the columns ``source`` and ``target``.

    Args:
        ids: of the nodes in their order, by which the file names them; else it has their numbers.
    """
    number: Any = int if ids is None else {str(one): place for place, one in enumerate(ids)}.__getitem__
    named = "numbers of nodes" if ids is None else "ids of nodes"
    rows, line = list[list[int]](), 1
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            if not {"source", "target"} <= {*(table.fieldnames or ())}:
                raise SystemExit(f"{path} must have the columns source and target with {named}")
            for row in table:
                line = table.line_num
                rows.append([number(row[end]) for end in ("source", "target")])
    except OSError as error:
        raise SystemExit(f"{path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise SystemExit(f"{path} is no text in UTF-8") from None
    except (KeyError, TypeError, ValueError):
        raise SystemExit(f"{path}, line {line}: source and target must be {named}") from None
    return torch.tensor(rows, dtype=torch.long).reshape(-1, 2).t().contiguous()


def table(scores: Tensor, task: dict[str, Any]) -> tuple[list[str], list[list[Any]]]:
    """The heading and the rows of the predictions: class and probabilities, or the values of a regression."""
    names = task.get("classes") or [str(k) for k in range(task["outputs"])]
    if task["target"] == "multiclass":
        called = task.get("classes") or list(range(task["outputs"]))
        rows = [[called[int(p.argmax())], *p.tolist()] for p in scores.softmax(dim=1)]
        return ["prediction", *(f"probability_{name}" for name in names)], rows
    kind = "probability" if task["target"] == "multilabel" else "value"
    shown = scores.sigmoid() if task["target"] == "multilabel" else scores
    alone = task["outputs"] == 1 and not task.get("classes")
    return [kind] if alone else [f"{kind}_{name}" for name in names], shown.tolist()


def lines(scores: Tensor, task: dict[str, Any], arguments: tuple[Tensor, ...], ids: Any = None) -> list[list[Any]]:
    """The table to write, heading first; each row begins with the number of the item, links with those of both nodes.

    Args:
        arguments: of the network, as ``prepare`` returns them.
        ids: of the items, or for links of the nodes, in place of numbers.
    """
    columns, rows = table(scores, task)
    shown = [[f"{v:.6g}" if isinstance(v, float) else v for v in row] for row in rows]
    called = (lambda number: number) if ids is None else ids.__getitem__
    if task["level"] == "link":
        items = arguments[task["inputs"].index("edge_label_index")].t().tolist()
    else:
        items = [[number] for number in range(len(rows))]
    begin = ["source", "target"] if task["level"] == "link" else [task["level"]]
    return [[*begin, *columns], *([*map(called, item), *row] for item, row in zip(items, shown, strict=True))]


def main() -> None:
    """Read the graph, predict, print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graph", help="a file written by torch.save")
    parser.add_argument("--out", help="CSV file for the predictions; without it they are printed")
    parser.add_argument("--pairs", help="CSV file with the columns source and target, where links are predicted")
    parser.add_argument("--int8", action="store_true", help="large linear maps of a quantised network on whole numbers")
    options = parser.parse_args()
    task = read_task()
    pairs = None if options.pairs is None else read_pairs(options.pairs)
    arguments = prepare(read_graph(options.graph), task, pairs)
    with torch.no_grad():
        made = lines(load_model(int8=options.int8)(*arguments), task, arguments)
    if options.out is None:
        csv.writer(sys.stdout).writerows(made)
        return
    try:
        with open(options.out, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(made)
    except OSError as error:
        raise SystemExit(f"{options.out} cannot be written: {error.strerror or error}") from None
    print(f"{len(made) - 1} predictions written to {options.out}")


if __name__ == "__main__":
    main()
