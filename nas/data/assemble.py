"""From PyG graphs to a checked, divided task."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.utils import is_undirected, to_undirected

from nas.data import checks, splits
from nas.data.called import names_of
from nas.data.collate import collate, offsets, select
from nas.data.features import node_features, one_hot_categories, parse
from nas.data.links import divide_links
from nas.data.molecules import scaffolds
from nas.data.targets import interpret, labels_of, level_of, standard
from nas.metrics import resolve_metric
from nas.searchspace.errors import BadInput
from nas.searchspace.task import SPLITS, Batch, Level, Target, Task

SHARES = {"node": 0.2, "graph": 0.1}
Parts = dict[str, tuple[Batch, ...]]
Divided = tuple[list[Parts], str, tuple[str, ...]]  # the batches of every fold, the split in words, notes


@dataclass(frozen=True, eq=False)
class Checked:
    """Graphs whose parts fit each other, unscored as yet: one batch each, and all of them as one (``whole``)."""

    batches: list[Batch]
    whole: Batch
    level: Level
    target: Target
    transforms: tuple[str, ...]
    exact: int
    notes: tuple[str, ...]

    @property
    def strata(self) -> Tensor | None:
        """``[items]``, by which items are spread alike: classes, or the answers to a single yes/no question."""
        y = self.whole.y
        if self.target == "multiclass":
            return y
        return y[:, 0].long() if self.target == "multilabel" and y.size(1) == 1 and not y.isnan().any() else None


def assemble(
    data: Sequence[Data] | Mapping[str, Sequence[Data]],
    *,
    name: str,
    split: str | None = None,
    seed: int = 0,
    metric: str | None = None,
    task: str = "auto",
    features: str | None = None,
    notes: Sequence[str] = (),
    transforms: Sequence[str] = (),
) -> Task:
    """A task on one graph (its nodes or its links), on a list of graphs (the graphs), or on graphs for each split.

    Args:
        task: ``node``, ``graph`` or ``link``: what is predicted. ``auto`` is what the labels say, and links where
            there are none.
        features: what a node is described by, see ``nas.data.features.parse``.
        notes, transforms: what was done to the graphs before they came here, see ``Task``.

    Raises:
        BadInput: if anything is wrong with the data, the split or the metric.
    """
    wanted = parse(features)
    data, categories, edge_categories, words = one_hot_categories(data)
    transforms = (*transforms, *words)
    if task == "link" or (task == "auto" and _unlabelled(data)):
        return _links(data, name, split, seed, metric, task, wanted, notes, transforms)
    if isinstance(data, Mapping):
        checked, folds, word = _given_graphs(data, name, split, wanted)
        found: tuple[str, ...] = ()
    else:
        names = [name] if len(data) == 1 else [f"graph {i} of {name}" for i in range(len(data))]
        checked = check(list(data), names, wanted)
        divide = _graphs if checked.level == "graph" else _nodes if len(data) == 1 else _graphs_of_nodes
        folds, word, found = divide(data, checked, name, split, seed)
    if task not in ("auto", checked.level):
        raise BadInput(f"the labels of {name} are those of {checked.level}s, so the task cannot be {task}")
    for parts in folds:
        checks.learnable(torch.cat([batch.y for batch in parts["train"]]), name)
    first = folds[0]["train"][0]
    if checked.target == "multiclass":
        outputs = max(int(batch.y.max()) for batches in folds[0].values() for batch in batches) + 1
    else:
        outputs = first.y.size(1)
    centre, spread = standard(folds[0]["train"]) if checked.target == "regression" else ((), ())
    tasks = tuple(
        Task(
            name=name,
            level=checked.level,
            target=checked.target,
            features=first.x.size(1),
            outputs=outputs,
            metric=resolve_metric(metric, checked.target).name,
            split=word,
            identity=identity(parts, checked.exact),
            edge_features=0 if first.edge_attr is None else first.edge_attr.size(1),
            edge_weights=first.edge_weight is not None,
            classes=_named(data, outputs, name),
            feature_names=_called(data, "x"),
            edge_feature_names=_called(data, "edge_attr"),
            transforms=(*transforms, *checked.transforms),
            categories=categories,
            edge_categories=edge_categories,
            centre=centre,
            spread=spread,
            notes=(*notes, *checked.notes, *found),
            train=parts["train"],
            valid=parts["valid"],
            test=parts["test"],
        )
        for parts in folds
    )
    return tasks[0] if len(tasks) == 1 else replace(tasks[0], folds=tasks)


def _unlabelled(data: Sequence[Data] | Mapping[str, Sequence[Data]]) -> bool:
    """Whether this is one graph without any label."""
    return not isinstance(data, Mapping) and len(data) == 1 and isinstance(data[0], Data) and data[0].y is None


def _called(data: Sequence[Data] | Mapping[str, Sequence[Data]], key: str) -> tuple[str, ...]:
    """Names of the columns of the graphs' own ``x`` or ``edge_attr``, where the graphs bring them."""
    graphs = [graph for part in data.values() for graph in part] if isinstance(data, Mapping) else list(data)
    value = graphs[0].get(key)
    return names_of(graphs, key, value.size(1)) if isinstance(value, Tensor) and value.dim() == 2 else ()


def _named(data: Sequence[Data] | Mapping[str, Sequence[Data]], outputs: int, where: str) -> tuple[str, ...]:
    """Names of what is predicted, where the graphs bring them as ``class_names``."""
    graphs = [graph for part in data.values() for graph in part] if isinstance(data, Mapping) else data
    names = tuple(map(str, getattr(graphs[0], "class_names", None) or ()))
    if len(names) < outputs and names:
        raise BadInput(f"{where}: class_names names {len(names)} of {outputs} classes; name all of them")
    return names[:outputs]


def _links(
    data: Sequence[Data] | Mapping[str, Sequence[Data]],
    name: str,
    split: str | None,
    seed: int,
    metric: str | None,
    task: str,
    wanted: Sequence[str] | None,
    notes: Sequence[str],
    transforms: Sequence[str],
) -> Task:
    """The task of finding hidden links of one graph."""
    if isinstance(data, Mapping) or len(data) != 1 or not isinstance(data[0], Data):
        raise BadInput(f"links are predicted in one graph; {name} is not a single torch_geometric Data")
    said = [] if task == "link" else ["there are no labels, so hidden links are predicted"]
    graph, found = data[0], list[str]()
    nodes = checks.node_count(graph, 0)
    edges = checks.edges(graph.edge_index, nodes, name)
    more, ways = _edge_data(graph, edges, name), list[str]()
    if not is_undirected(edges, num_nodes=nodes):
        keys = list(more)
        edges, values = to_undirected(edges, [more[key] for key in keys], num_nodes=nodes, reduce="mean")
        more = dict(zip(keys, values, strict=True))
        ways.append("undirected")
        found.append("the graph is directed: its edges were made to go both ways, and links have no direction")
    if (loops := edges[0] == edges[1]).any():
        edges, more = edges[:, ~loops], {key: value[~loops] for key, value in more.items()}
        found.append(f"{int(loops.sum())} self-loops were left out")
    made = divide_links(edges, nodes, splits.parse(split or "random"), seed, name)
    # from visible edges alone, or degrees and positions would tell of hidden links
    features = node_features([graph], [nodes], [edges[:, made.visible]], [name], found, wanted)
    x = features.xs[0]
    seen, more = edges[:, made.visible], {key: value[made.visible] for key, value in more.items()}
    whole = Batch(x, seen, made.y["train"], **more)
    parts: Parts = {s: (replace(whole, y=made.y[s], edge_label_index=made.pairs[s]),) for s in SPLITS}
    return Task(
        name=name,
        level="link",
        target="multilabel",
        features=x.size(1),
        outputs=1,
        metric=resolve_metric(metric, "multilabel").name,
        split="random",
        identity=identity(parts, features.exact),
        edge_features=more["edge_attr"].size(1) if "edge_attr" in more else 0,
        edge_weights="edge_weight" in more,
        feature_names=_called(data, "x"),
        edge_feature_names=_called(data, "edge_attr"),
        transforms=(*transforms, *ways, *features.transforms),
        notes=(*notes, *said, *found),
        train=parts["train"],
        valid=parts["valid"],
        test=parts["test"],
    )


def check(graphs: list[Data], names: list[str], wanted: Sequence[str] | None = None) -> Checked:
    """Every graph as a batch, after its parts were checked against each other and against the other graphs.

    Args:
        wanted: features, see ``nas.data.features.node_features``.
    """
    if not graphs:
        raise BadInput("the list of graphs is empty")
    for graph, name in zip(graphs, names, strict=True):
        if not isinstance(graph, Data):
            raise BadInput(f"{name} must be a torch_geometric Data; got {type(graph).__name__}")
    notes: list[str] = []
    labels = [labels_of(graph, name) for graph, name in zip(graphs, names, strict=True)]
    sizes = [checks.node_count(graph, y.size(0)) for graph, y in zip(graphs, labels, strict=True)]
    edges = [checks.edges(g.edge_index, n, name) for g, n, name in zip(graphs, sizes, names, strict=True)]
    features = node_features(graphs, sizes, edges, names, notes, wanted)
    level = level_of(labels, sizes, names)
    if len({y.shape[1:] for y in labels}) > 1 or len({y.dtype for y in labels}) > 1:
        raise BadInput(
            f"the graphs have labels of different kinds: {sorted({str(list(y.shape[1:])) for y in labels})}, "
            f"{sorted({str(y.dtype) for y in labels})}; make them alike"
        )
    target, y = interpret(torch.cat(labels), names[0] if len(names) == 1 else "the graphs", notes)
    batches = [
        Batch(
            x, e, part, batch=torch.zeros(n, dtype=torch.long) if level == "graph" else None, **_edge_data(g, e, name)
        )
        for g, x, e, part, n, name in zip(
            graphs, features.xs, edges, torch.split(y, [len(v) for v in labels]), sizes, names, strict=True
        )
    ]
    whole = batches[0] if len(batches) == 1 else collate(batches)
    if whole.edge_index.size(1) == 0:
        notes.append("there are no edges: nothing is learned from neighbours")
    elif not is_undirected(whole.edge_index, num_nodes=whole.x.size(0)):
        notes.append(
            "edges go one way and so do messages; make them go both ways with PyG's ToUndirected if they should"
        )
    return Checked(batches, whole, level, target, features.transforms, features.exact, tuple(dict.fromkeys(notes)))


def _edge_data(data: Data, edge_index: Tensor, where: str) -> dict[str, Tensor]:
    out: dict[str, Tensor] = {}
    for key in ("edge_weight", "edge_attr"):
        if key not in data or data[key] is None:
            continue
        value = checks.tensor(data[key], key, where).float()
        if value.size(0) != edge_index.size(1):
            raise BadInput(f"{where}: {key} has {value.size(0)} rows; there are {edge_index.size(1)} edges")
        value = value.flatten() if key == "edge_weight" else value[:, None].flatten(1)
        if value.numel() or key == "edge_weight":
            checks.finite(key, value[:, None] if value.dim() == 1 else value, where)
        if value.dim() == 1 or value.size(1):
            out[key] = value
    return out


def _nodes(data: Sequence[Data], checked: Checked, name: str, split: str | None, seed: int) -> Divided:
    graph, y = checked.whole, checked.whole.y
    masks = checks.masks(data[0], graph.x.size(0), name)
    columns = 0 if masks is None else masks["train"].size(1)
    plan = splits.parse(split or ("random" if masks is None else "given" if columns == 1 else "fold:0"))
    if plan.kind == "scaffold":
        raise BadInput(f"split scaffold divides molecules, and {name} is one graph; use random")
    if plan.kind in ("public", "given") or (plan.kind == "fold" and columns > 1):
        indices = splits.from_masks(masks, plan, name)
        used = torch.unique(torch.cat(list(indices.parts().values())))
        made = [indices]
    else:
        labelled = getattr(data[0], "labelled", None)  # readers say so of graphs some of whose nodes have no label
        used, made = torch.arange(len(y)) if labelled is None else labelled.nonzero().flatten(), []
    if checked.target == "multiclass":
        checks.classes(y[used], name)
    if not made:
        strata = None if checked.strata is None else checked.strata[used]
        made = [indices.of(used) for indices in _divided(plan, len(used), strata, seed, SHARES["node"])]
    out: list[Parts] = []
    for indices in made:
        parts = indices.parts()
        checks.apart(parts, "nodes", name)
        out.append({s: (replace(graph, y=y[rows], index=rows),) for s, rows in parts.items()})
    return _shared(out), str(plan), (*made[0].notes, *_of_folds(plan))


def _graphs_of_nodes(data: Sequence[Data], checked: Checked, name: str, split: str | None, seed: int) -> Divided:
    """Whole graphs for training, others for validation and test, of which every labelled node is scored."""
    plan = splits.parse(split or "random")
    if plan.kind in ("public", "given", "scaffold") or (plan.kind == "random" and plan.numbers):
        raise BadInput(
            f"{name}: labels belong to the nodes of {len(data)} graphs, which are divided by random, fold:K or cv:K, "
            f'or come as a dict {{"train": [...], "valid": [...], "test": [...]}}; split {plan} does not fit them'
        )
    batches = []
    for graph, batch in zip(data, checked.batches, strict=True):
        labelled = getattr(graph, "labelled", None)
        rows = None if labelled is None else labelled.nonzero().flatten()
        batches.append(batch if rows is None else replace(batch, y=batch.y[rows], index=rows))
    if checked.target == "multiclass":
        checks.classes(torch.cat([batch.y for batch in batches]), name)
    made = _divided(plan, len(data), None, seed, SHARES["graph"])
    for indices in made:
        checks.apart(indices.parts(), "graphs", name)
    counts = ", ".join(f"{len(rows)} for {split}" for split, rows in made[0].parts().items())
    notes = (f"labels belong to nodes: whole graphs were divided at random, {counts}", *_of_folds(plan))
    out = [{s: tuple(batches[i] for i in rows.tolist()) for s, rows in indices.parts().items()} for indices in made]
    return out, str(plan), notes


def _graphs(data: Sequence[Data], checked: Checked, name: str, split: str | None, seed: int) -> Divided:
    plan = splits.parse(split or "random")
    if plan.kind in ("public", "given"):
        splits.from_masks(None, plan, name)
    if checked.target == "multiclass":
        checks.classes(checked.whole.y, name)
    if plan.kind == "scaffold":
        smiles = [graph.get("smiles") for graph in data]
        if None in smiles:
            raise BadInput(
                f"split scaffold needs molecules: graph {smiles.index(None)} of {name} has no smiles; use random"
            )
        made = [splits.by_groups(scaffolds(smiles, name), SHARES["graph"])]
    else:
        made = _divided(plan, len(data), checked.strata, seed, SHARES["graph"])
    at, out = offsets(checked.whole), list[Parts]()
    for indices in made:
        parts = indices.parts()
        checks.apart(parts, "graphs", name)
        out.append({s: (select(checked.whole, rows, at),) for s, rows in parts.items()})
    return _shared(out), str(plan), (*made[0].notes, *_of_folds(plan))


def _divided(plan: splits.Plan, items: int, strata: Tensor | None, seed: int, share: float) -> list[splits.Indices]:
    """The division, or that of every fold."""
    if plan.kind == "cv":
        return splits.cross_validation(plan, items, strata, seed)
    return [splits.divide(plan, items, strata, seed, share)]


def _shared(folds: list[Parts]) -> list[Parts]:
    """The same with one test set for all folds, which have the same."""
    return [{**parts, "test": folds[0]["test"]} for parts in folds]


def _of_folds(plan: splits.Plan) -> tuple[str, ...]:
    if plan.kind != "cv":
        return ()
    return (
        f"every architecture is trained {plan.numbers[0]} times, each time validated on another fold, and its numbers "
        "are means over the folds; seconds are of all of them. Weights that are kept and exported are those of fold 0: "
        "their own numbers are fold_0_valid_... and fold_0_test_...",
    )


def _given_graphs(
    data: Mapping[str, Sequence[Data]], name: str, split: str | None, wanted: Sequence[str] | None
) -> tuple[Checked, list[Parts], str]:
    if set(data) != set(SPLITS) or not all(data.values()):
        raise BadInput(
            f"graphs for each split are a dict with the keys {', '.join(SPLITS)}, none of them empty; got "
            + (", ".join(f"{key} ({len(graphs)} graphs)" for key, graphs in data.items()) or "an empty dict")
        )
    if split not in (None, "given"):
        raise BadInput(f"the graphs of {name} come divided, so split must be 'given' or left out; got {split!r}")
    homes = [(s, i) for s in SPLITS for i in range(len(data[s]))]
    checked = check([data[s][i] for s, i in homes], [f"{s} graph {i}" for s, i in homes], wanted)
    if checked.target == "multiclass":
        checks.classes(checked.whole.y, name)
    groups = {s: [b for b, (home, _) in zip(checked.batches, homes, strict=True) if home == s] for s in SPLITS}
    if checked.level == "graph":
        return checked, [{s: (collate(group),) for s, group in groups.items()}], "given"
    return checked, [{s: tuple(group) for s, group in groups.items()}], "given"


def identity(parts: Mapping[str, Sequence[Batch]], exact: int | None = None) -> str:
    """A sha256 of all tensors of the splits: names, shapes, types and bytes. A shared tensor is read once.

    Args:
        exact: the columns of ``x`` that count; those behind them follow from the edges, and not to the last bit. None
            means all.
    """
    seen: dict[int, str] = {}
    total = hashlib.sha256()
    for split in SPLITS:
        for position, batch in enumerate(parts[split]):
            for field in fields(batch):
                value = getattr(batch, field.name)
                if value is None:
                    continue
                if id(value) not in seen:
                    counted = value[:, :exact] if field.name == "x" else value
                    seen[id(value)] = hashlib.sha256(counted.contiguous().numpy()).hexdigest()
                row = f"{split} {position} {field.name} {tuple(value.shape)} {value.dtype} {seen[id(value)]}\n"
                total.update(row.encode())
    return total.hexdigest()
