"""Predict with the exported network on a graph of your own.

    python predict.py graph.pt [--out predictions.csv] [--int8]

``graph.pt`` holds a torch_geometric ``Data`` object saved by ``torch.save``, or a list of them, or a plain dictionary
with the tensors ``x`` and ``edge_index`` (and ``batch`` for several graphs). From Python:

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
from functools import partial
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

WHOLE = (1433, 256)
"""Inputs and outputs from which on a linear map was measured to be faster on whole numbers, on one thread of a CPU: 1.3
to 1.6 times. Smaller ones are slower, for the numbers must become whole and back."""


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file: eight bytes of length, a JSON header, the raw numbers."""
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
    model.load_state_dict(read_safetensors(folder / "weights.safetensors"))
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
        for key, quantiser in layer.weights.items() if type(layer).__name__ == "Quantised" else ():
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


def prepare(graph: Any, task: dict[str, Any]) -> tuple[Tensor, ...]:
    """The arguments of the network, with the graph treated as those that it was trained on."""
    nodes = getattr(graph, "num_nodes", None)
    parts = graph if isinstance(graph, dict) else graph.to_dict()
    if parts.get("edge_index") is None:
        raise SystemExit("the graph has no edge_index")
    edge_index, x = parts["edge_index"].long(), parts.get("x")
    if nodes is None:
        last = int(edge_index.max()) + 1 if edge_index.numel() else 0
        nodes = int(parts.get("num_nodes") or (last if x is None else len(x)))
    if "undirected" in task["transforms"]:
        from torch_geometric.utils import to_undirected

        edge_index = to_undirected(edge_index, num_nodes=nodes)
    if "one-hot degree" in task["transforms"]:
        degree = torch.bincount(edge_index[1], minlength=nodes).clamp(max=task["features"] - 1)
        x = torch.nn.functional.one_hot(degree, task["features"])
    if x is None or x.dim() != 2 or x.size(1) != task["features"]:
        came = "has no x" if x is None else f"has x of shape {list(x.shape)}"
        raise SystemExit(f"the network takes {task['features']} features per node; the graph {came}")
    x = x.float()
    if "row-normalise" in task["transforms"]:
        total = x.sum(dim=1, keepdim=True, dtype=torch.float64)
        x = x / total.where(total > 0, 1).float()
    batch = parts.get("batch")
    arguments = {
        "x": x,
        "edge_index": edge_index,
        "batch": torch.zeros(len(x), dtype=torch.long) if batch is None else batch,
    }
    return tuple(arguments[name] for name in task["inputs"])


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
        return Batch.from_data_list(graph)
    if not isinstance(graph, dict | Data):
        raise SystemExit(
            f"{path} holds a {type(graph).__name__}; save a torch_geometric Data, a list of them, or a dictionary"
        )
    return graph


def table(scores: Tensor, task: dict[str, Any]) -> tuple[list[str], list[list[float]]]:
    """The heading and the rows of the predictions: probabilities, or the values of a regression."""
    if task["target"] == "multiclass":
        rows = [[int(p.argmax()), *p.tolist()] for p in scores.softmax(dim=1)]
        return ["prediction", *(f"probability_{k}" for k in range(task["outputs"]))], rows
    kind = "probability" if task["target"] == "multilabel" else "value"
    shown = scores.sigmoid() if task["target"] == "multilabel" else scores
    return [f"{kind}_{k}" for k in range(task["outputs"])], shown.tolist()


def main() -> None:
    """Read the graph, predict, print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graph", help="a file written by torch.save")
    parser.add_argument("--out", help="CSV file for the predictions; without it they are printed")
    parser.add_argument("--int8", action="store_true", help="large linear maps of a quantised network on whole numbers")
    options = parser.parse_args()
    task = json.loads((HERE / "architecture.json").read_text(encoding="utf-8"))["task"]
    with torch.no_grad():
        columns, rows = table(load_model(int8=options.int8)(*prepare(read_graph(options.graph), task)), task)
    lines = [[task["level"], *columns], *([i, *(f"{v:.6g}" for v in row)] for i, row in enumerate(rows))]
    if options.out is None:
        csv.writer(sys.stdout).writerows(lines)
        return
    with open(options.out, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)
    print(f"{len(rows)} predictions written to {options.out}")


if __name__ == "__main__":
    main()
