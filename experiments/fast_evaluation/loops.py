"""The two ways of training that are compared: the plain loop of the tutorials, and the engine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import torch
import torch.nn.functional as F
from cases import Case, short
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from nas.data.collate import offsets, select
from nas.evaluation.engine.lowering import lowered
from nas.evaluation.engine.scoring import Scoring
from nas.evaluation.train import predict, train
from nas.searchspace.source import load
from nas.searchspace.task import Batch, Task


def model_of(case: Case, seed: int) -> torch.nn.Module:
    """Equal seeds, equal initial weights."""
    torch.manual_seed(seed)
    return load(case.text)()


class PlainLoop:
    """Dense features, ``edge_index``, ``DataLoader`` for graphs, validation on every epoch."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self.sets = {split: self._items(task.batches(split)) for split in ("train", "valid", "test")}

    def _items(self, batches: tuple[Batch, ...]) -> Any:
        if self._task.level != "graph":
            return batches
        taken = []
        for batch in batches:
            at = offsets(batch)
            for number in range(len(batch.y)):
                one = select(batch, torch.tensor([number]), at)
                taken.append(Data(x=one.x, edge_index=one.edge_index, y=one.y))
        return taken

    def _steps(self, split: str, case: Case) -> Iterator[tuple[tuple[Any, ...], Any, Any]]:
        if self._task.level == "graph":
            for b in DataLoader(self.sets[split], batch_size=case.recipe.batch_size, shuffle=split == "train"):
                yield (b.x, b.edge_index, b.batch), None, b.y
        else:
            for b in self.sets[split]:
                yield (b.x, b.edge_index), b.index, b.y

    def _accuracy(self, model: torch.nn.Module, split: str, case: Case) -> float:
        model.eval()
        right = total = 0
        with torch.no_grad():
            for arguments, index, y in self._steps(split, case):
                out = model(*arguments)
                out = out if index is None else out[index]
                right, total = right + int((out.argmax(1) == y).sum()), total + len(y)
        return right / total

    def run(self, case: Case, seed: int) -> tuple[float, float]:
        """CPU seconds, and accuracy on the test split at the best epoch on the validation split."""
        model, recipe = model_of(case, seed), case.recipe
        begin = time.process_time()
        decay: dict[str, Any] = {"lr": recipe.lr, "weight_decay": recipe.weight_decay}
        optimiser: torch.optim.Optimizer
        if recipe.optimiser == "sgd":
            optimiser = torch.optim.SGD(model.parameters(), momentum=0.9, **decay)
        else:
            optimiser = torch.optim.Adam(model.parameters(), **decay)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.epochs) if recipe.cosine else None
        best, state = -1.0, model.state_dict()
        for _ in range(recipe.epochs):
            model.train()
            for arguments, index, y in self._steps("train", case):
                optimiser.zero_grad()
                out = model(*arguments)
                F.cross_entropy(out if index is None else out[index], y).backward()  # type: ignore[no-untyped-call]
                optimiser.step()
            if schedule is not None:
                schedule.step()
            valid = self._accuracy(model, "valid", case)
            if valid > best:
                best, state = valid, {name: tensor.clone() for name, tensor in model.state_dict().items()}
        model.load_state_dict(state)
        test = self._accuracy(model, "test", case)
        return time.process_time() - begin, test


def engine(task: Task, case: Case, seed: int) -> tuple[float, float]:
    """The same of the engine, on a prepared task; validation as often as a search would look."""
    model = model_of(case, seed)
    begin = time.process_time()
    with lowered(model, seed):
        trained = train(model, task, case.recipe, ["accuracy"], seed=seed, validate_every=5, scores=Scoring(predict))
    return time.process_time() - begin, trained.metrics["test_accuracy"]


def alternating(
    task: Task, case: Case, before: Callable[[], AbstractContextManager[Any]], epochs: int, runs: int
) -> tuple[float, float, float]:
    """Milliseconds of an epoch of the engine as it was ``before`` and as it is, and the ratio; medians of some runs."""
    timed, pairs = short(case, epochs), []
    engine(task, short(case, 1), 0)
    for _ in range(runs):
        with before():
            slow, _ = engine(task, timed, 0)
        pairs.append((slow, engine(task, timed, 0)[0]))
    slow, fast = (1e3 * statistics.median(times) / epochs for times in zip(*pairs, strict=True))
    return slow, fast, statistics.median(a / b for a, b in pairs)
