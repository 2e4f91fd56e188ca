"""Predict with the exported network on a graph of your own.

    python predict.py graph.pt [--out predictions.csv]

``graph.pt`` holds a torch_geometric ``Data`` object saved by ``torch.save`` (or a plain dictionary with the tensors
``x`` and ``edge_index``, and ``batch`` for several graphs). Needs torch and torch_geometric only.
"""

import argparse
import csv
import json
import struct
import sys
from pathlib import Path

import torch

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


def read_safetensors(path):
    """The tensors of a safetensors file: eight bytes of length, a JSON header, the raw numbers."""
    content = bytearray(Path(path).read_bytes())
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


def load_model(folder=HERE):
    """The network with its trained weights, in inference mode."""
    sys.path.insert(0, str(folder))
    try:
        from model import Model
    finally:
        sys.path.remove(str(folder))
    model = Model()
    model.load_state_dict(read_safetensors(Path(folder) / "weights.safetensors"))
    return model.eval()


def prepare(graph, task):
    """The arguments of the network, with the features treated as they were in training."""
    edge_index = graph["edge_index"].long()
    if "one-hot degree" in task["transforms"]:
        nodes = int(graph["num_nodes"]) if "num_nodes" in graph else int(edge_index.max()) + 1
        degree = torch.bincount(edge_index[1], minlength=nodes).clamp(max=task["features"] - 1)
        x = torch.nn.functional.one_hot(degree, task["features"]).float()
    else:
        x = graph["x"].float()
    if x.dim() != 2 or x.size(1) != task["features"]:
        raise SystemExit(f"the network takes {task['features']} features per node; the graph has shape {list(x.shape)}")
    if "row-normalise" in task["transforms"]:
        total = x.sum(dim=1, keepdim=True, dtype=torch.float64)
        x = x / total.where(total > 0, 1).float()
    if "undirected" in task["transforms"]:
        from torch_geometric.utils import to_undirected

        edge_index = to_undirected(edge_index, num_nodes=x.size(0))
    arguments = {"x": x, "edge_index": edge_index}
    if "batch" in task["inputs"]:
        batch = graph["batch"] if "batch" in graph else None
        arguments["batch"] = torch.zeros(x.size(0), dtype=torch.long) if batch is None else batch
    return tuple(arguments[name] for name in task["inputs"])


def read_graph(path):
    """A saved graph, read without running any code from the file."""
    import torch_geometric.data  # its classes are known to the safe loader

    return torch.load(path, weights_only=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graph", help="a file written by torch.save")
    parser.add_argument("--out", help="CSV file for the predictions; without it they are printed")
    options = parser.parse_args()
    task = json.loads((HERE / "architecture.json").read_text())["task"]
    with torch.no_grad():
        scores = load_model()(*prepare(read_graph(options.graph), task))
    if task["target"] == "multiclass":
        columns = ["prediction", *(f"probability_{k}" for k in range(task["outputs"]))]
        probabilities = scores.softmax(dim=1)
        rows = [[int(p.argmax()), *(round(v, 6) for v in p.tolist())] for p in probabilities]
    else:
        kind = "probability" if task["target"] == "multilabel" else "value"
        columns = [f"{kind}_{k}" for k in range(task["outputs"])]
        rows = (scores.sigmoid() if task["target"] == "multilabel" else scores).tolist()
    file = open(options.out, "w", newline="") if options.out else sys.stdout
    writer = csv.writer(file)
    writer.writerow(["item", *columns])
    writer.writerows([i, *row] for i, row in enumerate(rows))
    if options.out:
        file.close()
        print(f"{len(rows)} predictions written to {options.out}")


if __name__ == "__main__":
    main()
