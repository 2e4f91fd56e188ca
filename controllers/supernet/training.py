"""A supernet is trained: weights on the training items, the probabilities of options on the validation items, in turn.

Several sets of probabilities share the weights, one for each price of a bit: one training gives a front.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch_geometric.utils import subgraph

from nas.controllers.supernet import checkpoint
from nas.controllers.supernet.network import Supernet
from nas.controllers.supernet.sampling import Weights, gumbel
from nas.controllers.supernet.surroundings import CARRIED, smaller
from nas.searchspace.pairs import hiding_some
from nas.searchspace.task import Batch, Target, Task
from nas.zerocost.base import losses

NOTED = 40
"""Points of a history."""
SAVED = 20
"""Epochs between two checkpoints."""
VERSION = 3
"""Of what the supernet and its training compute; a checkpoint of another one is not gone on with."""
GRAPHS = 64
"""Graphs in a step on graph-level tasks."""
LARGE, NEIGHBOURS, SCORED = 30_000, 5, 256
"""Graphs with more edges are cut to so many of each node around so many of the scored ones."""
WIDE = 3
"""Every so many steps the weights learn with the widest widths, whose columns would else learn less than the others
(Yu and Huang, "Universally Slimmable Networks and Improved Training Techniques", ICCV 2019)."""
SAMPLES = 6
"""Paths in a step of the probabilities, where a pass computes one."""
HOPS = 2
"""The most hops around them."""
TIMED, DEARER = 3, 2.2
"""After so many epochs, of the first ones and of those with a step of the probabilities, it is told how many there is
time for; the latter take about so many times as long."""

Losses = Callable[[Tensor, Tensor, Target], Tensor]


@dataclass(frozen=True)
class Schedule:
    """How a supernet is trained.

    Attributes:
        epochs: steps of the weights; after ``warm_up`` of them each is followed by one of the probabilities.
        warm_up: share of the epochs.
        betas: prices of the logarithm of the expected bits of the weights, in nats of the loss; one set of
            probabilities each.
        gamma: of the logarithm of the expected bits of values between layers and along edges.
        lr, decay: of the weights (Adam).
        step: learning rate of the logits (Adam).
        hot, cold: temperature of the softmax at the beginning and at the end of the probabilities' training.
        noise: of the Gumbel noise at the beginning; it falls to zero.
        sampled: whether a pass computes one option of each knob in place of a weighted sum. Of knobs that say how wide
            something is it always does, straight through, which saves most of the work.
        clip: the largest norm of a gradient.
    """

    epochs: int = 150
    warm_up: float = 0.2
    betas: tuple[float, ...] = (0.03,)
    gamma: float = 0.0
    lr: float = 0.01
    decay: float = 5e-4
    step: float = 0.2
    hot: float = 1.0
    cold: float = 0.2
    noise: float = 1.0
    sampled: bool = False
    clip: float = 5.0


@dataclass
class History:
    """What happened on the way.

    Attributes:
        epochs: at which the rest was noted.
        entropies: for each of them and each knob the entropy of its probabilities in nats, mean over the prices.
        sizes: for each of them and each price the expected bits of the weights.
    """

    epochs: list[int] = field(default_factory=list)
    entropies: list[list[float]] = field(default_factory=list)
    sizes: list[list[float]] = field(default_factory=list)


class Training:
    """The training of a supernet; it goes on from its checkpoint, as if it had not been interrupted.

    Args:
        of: the class of the space.
        task: on the device that trains.
        seed: of everything random.
        file: of the checkpoint; None keeps none.
        key: what the checkpoint must belong to.
        seconds: for all epochs, over interruptions; where those of the schedule take longer it has fewer of them, and
            is annealed over these. None for no limit.

    Attributes:
        net: the supernet.
        logits: of the options of each knob, for each price.
        weights, options: the optimisers of the one and of the other.
        epoch: how many are behind.
        epochs: how many there will be.
        spent: seconds of those behind.
        history: what happened on the way.
    """

    def __init__(
        self,
        of: type[Any],
        task: Task,
        seed: int,
        schedule: Schedule,
        file: Path | None = None,
        key: str = "",
        seconds: float | None = None,
    ) -> None:
        self.task, self.seed, self.schedule, self.file, self.seconds = task, seed, schedule, file, seconds
        self.key = f"{VERSION} {key} {seed} {asdict(schedule)}"
        self.device = task.train[0].x.device
        with self._random(-1):
            self.net = Supernet(of, task).to(self.device)
        if task.level == "node" and max(b.edge_index.size(1) for b in task.train) > LARGE:
            self.task = smaller(task, min(HOPS, len(self.net.passing) // 2), NEIGHBOURS, SCORED, seed)
        self.logits = [
            [torch.zeros(len(k.options), requires_grad=True) for k in self.net.knobs] for _ in schedule.betas
        ]
        self.weights = torch.optim.Adam(self.net.parameters(), lr=schedule.lr, weight_decay=schedule.decay)
        self.options = [torch.optim.Adam(each, lr=schedule.step, betas=(0.5, 0.999)) for each in self.logits if each]
        self.epoch, self.epochs, self.spent, self.history = 0, schedule.epochs, 0.0, History()
        even = Weights(tuple(torch.full((len(k.options),), 1 / len(k.options)) for k in self.net.knobs))
        first = self.task.valid[0]
        self._shape = first.x.size(0), first.edge_index.size(1)
        self._even = float(self.net.size(even)), float(self.net.buffer(even, *self._shape))
        checkpoint.read(self)

    @property
    def finished(self) -> bool:
        """Where all is decided there is nothing to learn."""
        return not self.net.knobs or self.epoch >= self.epochs

    @property
    def _warm(self) -> int:
        """Epochs without a step of the probabilities."""
        return int(self.schedule.warm_up * self.epochs)

    def run(self, told: Callable[[int, int], None] = lambda done, total: None) -> None:
        """To the end; ``told`` hears of each epoch."""
        while not self.finished:
            begin = time.monotonic()
            with self._random(self.epoch):
                self._epoch()
            self.epoch += 1
            self._hurry(time.monotonic() - begin)
            self._note()
            if self.epoch % SAVED == 0 or self.finished:
                checkpoint.write(self)
            told(self.epoch, self.epochs)

    def _hurry(self, last: float) -> None:
        """See to it that the time will do.

        Args:
            last: seconds of the last epoch.
        """
        self.spent += last
        if self.seconds is None:
            return
        left, warm = self.seconds - self.spent, self.schedule.warm_up
        if left <= 0:
            self.epochs = self.epoch
        elif self.epoch == TIMED < self._warm:
            each = self.spent / TIMED
            self.epochs = min(self.epochs, max(TIMED + 1, int(self.seconds / each / (warm + (1 - warm) * DEARER))))
        elif self.epoch >= self._warm + TIMED:
            self.epochs = min(self.epochs, self.epoch + max(1, int(left / last)))

    def probabilities(self) -> list[list[list[float]]]:
        """Of the options of each knob, for each price."""
        return [[torch.softmax(logits.detach(), 0).tolist() for logits in each] for each in self.logits]

    def _epoch(self) -> None:
        schedule, which = self.schedule, self.epoch % len(self.schedule.betas)
        begin = self._warm
        done = max(0.0, (self.epoch - begin) / max(1, self.epochs - begin))
        temperature = schedule.hot * (schedule.cold / schedule.hot) ** done
        generator = torch.Generator().manual_seed(torch.initial_seed() % 2**63)

        def drawn() -> Weights:
            noise = schedule.noise * (1 - done)
            sampled = [schedule.sampled or knob.number in self.net.widths for knob in self.net.knobs]
            return gumbel(self.logits[which], temperature, noise, generator, sampled)

        self.net.train()
        self.weights.zero_grad(set_to_none=True)
        with torch.no_grad():
            weights = self._explored(generator) if schedule.sampled and self.epoch % 2 else drawn()
            weights = weights if self.epoch % WIDE else self._widest(weights)
        self._loss(self.task.train, weights, generator).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), schedule.clip)
        self.weights.step()
        if self.epoch < begin:
            return
        self.net.eval()
        for module in self.net.modules():
            if isinstance(module, torch.nn.BatchNorm1d):  # what ran through it is of many networks
                module.train()
        optimiser = self.options[which]
        optimiser.zero_grad(set_to_none=True)
        if schedule.sampled:
            self._by_score(which, [drawn() for _ in range(SAMPLES)], generator)
            optimiser.step()
            return
        weights = drawn()
        loss = self._loss(self.task.valid, weights, generator) + self._price(weights, which)
        if not math.isfinite(loss.item()):
            return
        inputs = [logits for logits in self.logits[which] if logits.requires_grad]
        found = torch.autograd.grad(loss, inputs, allow_unused=True)
        for logits, gradient in zip(inputs, found, strict=True):
            logits.grad = None if gradient is None else gradient.nan_to_num()
        optimiser.step()

    def _by_score(self, which: int, samples: Sequence[Weights], generator: torch.Generator) -> None:
        """Gradients of the logits from whole sampled paths: how much better each was than the others.

        REINFORCE with a leave-one-out baseline (Kool et al., 2019). What counts is the share of wrong answers, since
        the loss of a single path grows with its confidence. The gradient straight through would reach the sampled
        options alone, and say only whether more or less of them would be better.
        """
        with torch.no_grad():
            losses = [float(self._loss(self.task.valid, w, generator, wrong) + self._price(w, which)) for w in samples]
        values = torch.tensor(losses)
        if not values.isfinite().all():
            return
        advantages = values - (values.sum() - values) / (len(values) - 1)
        for knob, logits in enumerate(self.logits[which]):
            chosen = torch.stack([w.of[knob].detach().argmax() for w in samples])
            (advantages * torch.log_softmax(logits, 0)[chosen]).mean().backward()  # type: ignore[no-untyped-call]

    def _widest(self, weights: Weights) -> Weights:
        """The same weights but for those of widths: the widest alone counts."""
        of = list(weights.of)
        for knob in self.net.knobs:
            if knob.number in self.net.widths and all(isinstance(option, int) for option in knob.options):
                last = torch.tensor(knob.options.index(max(knob.options)))
                of[knob.number] = torch.nn.functional.one_hot(last, len(knob.options)).float()
        return Weights(tuple(of))

    def _explored(self, generator: torch.Generator) -> Weights:
        """A path of which every option is as likely as any other, so that what is improbable learns too."""
        even = [torch.zeros_like(logits) for logits in self.logits[0]]
        return gumbel(even, 1.0, 1.0, generator, [True] * len(even))

    def _price(self, weights: Weights, which: int) -> Tensor:
        """Of the expected bits, against those of even probabilities."""
        price = torch.zeros(())
        if self.schedule.betas[which] and self._even[0]:
            price = price + self.schedule.betas[which] * (self.net.size(weights) / self._even[0]).log()
        if self.schedule.gamma and self._even[1]:
            buffer = self.net.buffer(weights, *self._shape)
            price = price + self.schedule.gamma * (buffer / self._even[1]).log()
        return price.to(self.device)

    def _loss(
        self, batches: Sequence[Batch], weights: Weights, generator: torch.Generator, each: Losses = losses
    ) -> Tensor:
        batch = batches[int(torch.randint(len(batches), (), generator=generator))]
        if self.task.level == "graph":
            batch = portion(batch, GRAPHS, generator)
        elif self.task.level == "link" and batches is self.task.train:
            batch = hiding_some(batch, generator)
        out, y = self.net(batch, weights), batch.y
        if self.task.spread:
            out, y = out / out.new_tensor(self.task.spread), y / y.new_tensor(self.task.spread)
        return each(out, y, self.task.target).mean()

    def _note(self) -> None:
        every = max(1, self.epochs // NOTED)
        if self.epoch % every and not self.finished:
            return
        with torch.no_grad():
            soft = [Weights(tuple(torch.softmax(logits, 0) for logits in each)) for each in self.logits]
            entropies = [[float(torch.special.entr(p).sum()) for p in weights.of] for weights in soft]
            sizes = [float(self.net.size(weights)) for weights in soft]
        self.history.epochs.append(self.epoch)
        self.history.entropies.append([sum(column) / len(column) for column in zip(*entropies, strict=True)])
        self.history.sizes.append(sizes)

    def _random(self, epoch: int) -> Any:
        """Random numbers of an epoch, whatever was drawn before."""
        return _Seeded((self.seed * 1_000_003 + epoch + 2) % 2**63, self.device)


def wrong(logits: Tensor, y: Tensor, target: Target) -> Tensor:
    """``[items]``: whether each is answered wrongly, of several questions the share; of a regression the loss."""
    if target == "multiclass":
        return (logits.argmax(-1) != y).float()
    if target == "regression":
        return losses(logits, y, target)
    known = ~y.isnan()
    return (((logits > 0) != (y > 0.5)) & known).sum(-1) / known.sum(-1).clamp(min=1)


class _Seeded:
    """torch's random numbers from a seed while a block runs, and as they were after it."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self._seed, self._fork = seed, torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])

    def __enter__(self) -> None:
        self._fork.__enter__()
        torch.manual_seed(self._seed)

    def __exit__(self, *error: Any) -> None:
        self._fork.__exit__(*error)


def portion(batch: Batch, graphs: int, generator: torch.Generator) -> Batch:
    """Some of the graphs of a batch, drawn without replacement; all of them if there are no more."""
    assert batch.batch is not None
    if len(batch.y) <= graphs:
        return batch
    chosen = torch.randperm(len(batch.y), generator=generator)[:graphs].sort().values.to(batch.y.device)
    place = torch.full((len(batch.y),), -1, device=batch.y.device).index_copy_(
        0, chosen, torch.arange(graphs, device=batch.y.device)
    )
    nodes = (place[batch.batch] >= 0).nonzero().squeeze(1)
    plain = batch.edge_index.as_subclass(Tensor)
    edges, _, kept = subgraph(nodes, plain, relabel_nodes=True, num_nodes=len(batch.x), return_edge_mask=True)
    carried = {name: value[kept] for name in CARRIED if (value := getattr(batch, name)) is not None}
    return Batch(batch.x[nodes], edges, batch.y[chosen], batch=place[batch.batch[nodes]], **carried)
