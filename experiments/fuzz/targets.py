"""The readers that a stranger's file reaches: how bytes become files, who reads them, and examples to begin with."""

from __future__ import annotations

import io
import json
import pickle
import random
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch_geometric.data import Data

from nas.cli.given import read_config
from nas.data import planetoid
from nas.data.readers import read
from nas.evaluation.tables.nasbench_graph import Arrays
from nas.evaluation.tables.nasbench_graph_package import OPS, _bench
from nas.export import predict
from nas.generation.known import of_file
from nas.searchspace.spaces.registry import SPACES, find
from nas.settings import Settings
from nas.study.folder import RunFolder

CUT = b"\x1e"
"""Between the files of one input."""
_SPACES = [find(name) for name in SPACES.names()]


@dataclass(frozen=True)
class Target:
    """A reader.

    Attributes:
        run: writes files made from the bytes into the folder and returns what reads them.
        seeds: examples that are read without complaint, or nearly.
        words: pieces that the fuzzer puts in.
    """

    run: Callable[[bytes, Path], Callable[[], object]]
    seeds: Callable[[], list[bytes]]
    words: tuple[bytes, ...] = ()


def _csv(data: bytes, folder: Path) -> Callable[[], object]:
    for name, part in zip(("nodes.csv", "edges.csv", "graphs.csv"), data.split(CUT, 2), strict=False):
        (folder / name).write_bytes(part)
    return lambda: read(folder)


def _csv_seeds() -> list[bytes]:
    nodes, edges = b"id,age,label,split\na,1,x,train\nb,2,y,valid\nc,3,x,test\n", b"source,target\na,b\nb,c\n"
    many = b"id,graph,hue\na,1,r\nb,1,g\nc,2,r\n", b"source,target,weight\na,b,0.5\n", b"id,label:t\n1,0.5\n2,\n"
    directed = b"id,f,label:one,label:two\na,1,true,\nb,2,,false\n", b"source,target,directed,kind\na,b,true,t\n"
    return [CUT.join([nodes, edges]), CUT.join(many), CUT.join(directed)]


def _graph() -> dict[str, torch.Tensor]:
    x = torch.arange(8, dtype=torch.float32).reshape(4, 2)
    return {"x": x, "edge_index": torch.tensor([[0, 1, 2], [1, 2, 3]]), "y": torch.tensor([0, 1, 0, 1])}


def _archive(data: bytes, folder: Path, name: str, ending: str) -> Path:
    """The bytes as they are, or, after a ``+``, as the members of an archive whose check sums are right."""
    if not data.startswith(b"+"):
        (folder / name).write_bytes(data)
        return folder / name
    with warnings.catch_warnings(), zipfile.ZipFile(folder / name, "w") as archive:
        warnings.simplefilter("ignore")  # of two members of one name
        for part in data[1:].split(CUT * 4):
            member, _, held = part.partition(CUT * 2)
            archive.writestr((member.decode("latin1").strip("/\0") or "unnamed") + ending, held)
    return folder / name


def _taken_apart(archive: bytes, ending: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        parts = [n.removesuffix(ending).encode() + CUT * 2 + opened.read(n) for n in opened.namelist()]
    return b"+" + (CUT * 4).join(parts)


def _npz(data: bytes, folder: Path) -> Callable[[], object]:
    path = _archive(data, folder, "graph.npz", ".npy")
    return lambda: read(path)


def _npz_seeds() -> list[bytes]:
    dense = {key: value.numpy() for key, value in _graph().items()}
    one, none = np.ones(3), np.array([0, 1, 2, 3, 3])
    sparse = {
        **{"adj_data": one, "adj_indices": np.array([1, 2, 3]), "adj_indptr": none, "adj_shape": np.array([4, 4])},
        **{"attr_data": one, "attr_indices": np.array([0, 1, 0]), "attr_indptr": none, "attr_shape": np.array([4, 2])},
        **{"labels": np.array([0, 1, 0, 1]), "class_names": np.array(["a", "b"]), "idx_train": np.array([0, 1])},
    }
    out = []
    for held in (dense, sparse):
        buffer = io.BytesIO()
        np.savez(buffer, **held)  # type: ignore[arg-type]
        out += [buffer.getvalue(), _taken_apart(buffer.getvalue(), ".npy")]
    return out


def _pt(data: bytes, folder: Path) -> Callable[[], object]:
    path = _archive(data, folder, "graph.pt", "")
    return lambda: read(path)


def _pt_seeds() -> list[bytes]:
    out = []
    for held in (_graph(), Data(**_graph()), [Data(**_graph())], {"train": [_graph()], "val": [_graph()]}):
        for new in (True, False):
            buffer = io.BytesIO()
            torch.save(held, buffer, _use_new_zipfile_serialization=new)
            out.append(_taken_apart(buffer.getvalue(), "") if new else buffer.getvalue())
    return out


def _exported(data: bytes, folder: Path) -> Callable[[], object]:
    pairs, _, graph = data.partition(CUT * 3)
    (folder / "pairs.csv").write_bytes(pairs)
    path = _archive(graph, folder, "graph.pt", "")

    def reads() -> None:
        for reader, file in ((predict.read_pairs, folder / "pairs.csv"), (predict.read_graph, path)):
            try:
                reader(file)
            except SystemExit as error:  # how the exported script says what is wrong
                if not isinstance(error.code, str):
                    raise

    return reads


def _json(data: bytes, folder: Path) -> Callable[[], object]:
    space = _SPACES[data[0] % len(_SPACES)] if data else _SPACES[0]
    (folder / "known.json").write_bytes(data[1:])
    return lambda: of_file(folder / "known.json", space)


def _json_seeds() -> list[bytes]:
    rng, out = random.Random(0), []
    for number, space in enumerate(_SPACES):
        a = space.to_json(space.sample(rng))
        out.append(bytes([number]) + json.dumps([{"architecture": a, "metrics": {"valid_accuracy": 0.5}}]).encode())
        out.append(bytes([number]) + json.dumps({"trials": [{"architecture": a, "metrics": {}}]}).encode())
    return out


def _toml(data: bytes, folder: Path) -> Callable[[], object]:
    (folder / "search.toml").write_bytes(data)
    (folder / "runs" / "mine").mkdir(parents=True, exist_ok=True)
    (folder / "runs" / "mine" / "search.toml").write_bytes(data)

    def reads() -> None:
        from contextlib import suppress

        from nas.searchspace.errors import NasError

        with suppress(NasError):
            Settings.of(read_config(str(folder / "search.toml")))
        RunFolder(folder / "runs", "mine").settings()

    return reads


def _toml_seeds() -> list[bytes]:
    return [
        b'data = "digits"\ncontroller = "tpe"\ntrials = 3\nobjectives = ["accuracy", "-params"]\nseed = 1\n',
        b'table = "nasbench-graph"\nsimulated = true\nseconds = 3.5\n[controller_options]\npopulation = 10\n',
        b'evaluator = "shared"\nsharing = "all"\nwarm-up = 3\nmax_params = 1e5\nfidelity = "full"\nworkers = 0\n',
        b'executor = "ray"\ngpus_per_trial = 0.5\nray_address = "local"\nstorage = "sqlite:///x.db"\n',
    ]


def _pickles(data: bytes, folder: Path) -> Callable[[], object]:
    (folder / "cora.bench").write_bytes(data)

    def reads() -> None:
        from contextlib import suppress

        from nas.searchspace.errors import NasError

        with suppress(NasError):
            _bench(folder / "cora.bench")
        planetoid.unpickle(folder / "cora.bench")

    return reads


def _pickle_seeds() -> list[bytes]:
    from scipy.sparse import csr_matrix

    number = {"valid_perf": np.float64(0.5), "perf": 0.4, "latency": np.float32(0.1), "para": 3}
    held = [{10000: number}, np.eye(3), csr_matrix(np.eye(3)), {0: [1, 2], 1: [0]}]
    return [pickle.dumps(one, protocol) for one in held for protocol in (0, 2, 4)]


def _rows() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((2, 3, 4, *(len(OPS),) * 4), np.int8))
    return buffer.getvalue()


_ROWS = _rows()
"""The row of every network, which is too long for an input."""


def _tables(data: bytes, folder: Path) -> Callable[[], object]:
    path = _archive(data, folder, "table.npz", ".npy")
    if data.startswith(b"+"):
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("raw_to_row.npy", _ROWS)

    def reads() -> None:
        table = Arrays(path)
        for name in table.datasets:
            table.column(name)

    return reads


def _table_seeds() -> list[bytes]:
    buffer = io.BytesIO()
    numbers = {name: np.ones((2, 1), np.float32) for name in ("valid", "test", "latency", "params")}
    np.savez(buffer, datasets=np.array(["cora"]), op_names=np.array(OPS), **numbers)  # type: ignore[arg-type]
    return [_taken_apart(buffer.getvalue(), ".npy")]


_COLUMNS = tuple(f"{n},".encode() for n in ("id", "graph", "label", "label:", "split", "source", "target", "directed"))
TARGETS: dict[str, Target] = {
    "csv": Target(_csv, _csv_seeds, (*_COLUMNS, CUT, b"nan", b"1e400", b'"', b"\r", b"true", b"train", b"weight")),
    "npz": Target(_npz, _npz_seeds, (b"'descr'", b"'shape': (", b"<i8", b"|O", b"<f4", b"<U1", b"edges", CUT * 2)),
    "pt": Target(_pt, _pt_seeds, (b"ctorch._utils\n_rebuild_tensor_v2\n", b"cposix\nsystem\n", b"R", b"b.", CUT * 2)),
    "exported": Target(_exported, lambda: [b"source,target\n0,1\n" + CUT * 3 + seed for seed in _pt_seeds()]),
    "json": Target(_json, _json_seeds, (b'"architecture"', b'"metrics"', b"null", b"NaN", b"[[", b"1e999")),
    "toml": Target(_toml, _toml_seeds, (*(f"{n} = ".encode() for n in Settings.__dataclass_fields__), b"inf", b"[[")),
    "pickle": Target(_pickles, _pickle_seeds, (b"cposix\nsystem\n", b"cbuiltins\neval\n", b"R", b"cnumpy\ndtype\n")),
    "table": Target(_tables, _table_seeds, (b"'descr'", b"'shape': (", b"|O", CUT * 2)),
}
