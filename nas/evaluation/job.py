"""One training: what goes in, what comes out. Both cross process borders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nas.searchspace.recipe import Recipe

PRECISIONS = ("float32", "tf32", "bf16")
QUANTISATIONS = ("aware", "post")
BATCHES = ("auto", "full", "neighbours", "clusters", "random")


@dataclass(frozen=True)
class Rung:
    """A checkpoint of a training: whoever has not reached ``least`` by ``epoch`` is stopped there.

    Attributes:
        epoch: counted from one.
        least: worst value of the choosing metric on the validation split, best epoch so far, that goes on.
    """

    epoch: int
    least: float


@dataclass(frozen=True)
class Inherited:
    """Weights of a finished trial that a network starts with.

    Attributes:
        file: safetensors.
        names: pairs of the network's own name of a tensor and that in the file.
    """

    file: str
    names: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Job:
    """A network to train, or to look up.

    Attributes:
        source: generated Python source with a class ``Model``; empty where the network is looked up.
        recipe: how to train it.
        seed: of the initial weights, dropout and shuffling.
        metrics: names of the metrics to measure; the first one chooses the best epoch on the validation split.
        device: where to train.
        class_weights: whether the loss weighs classes by the inverse of their frequency.
        seconds: limit of the training; None means none.
        memory: limit in MiB beyond what the process holds already; None means none.
        weights: file to write the best weights to (safetensors); None keeps none.
        validate_every: epochs from one look at the validation split to the next; None takes ``train.pace``.
        rungs: where a training that does not keep up is stopped, in the order of their epochs.
        batches: how a large graph is trained on: ``auto``, ``full``, ``neighbours``, ``clusters`` or ``random``, see
            ``nas.evaluation.portions.sampling``.
        precision: of the arithmetic, see ``nas.evaluation.precision``.
        inherits: weights to start with in place of fresh ones; None where sharing is no question.
        proxies: names of the proxies that score the network before it is trained, see ``nas.evaluation.proxies``.
        trains: whether it is trained at all; without that the outcome has the scores, ``params`` and ``bytes`` alone.
        latency: whether the latency is searched for: else a long pass is not repeated to measure it, and of a network
            that is not trained, whose scores can take less time, it is not measured at all.
        known: what the network costs that its source does not say, to stand among the metrics: ``buffer``.
        architecture: that of a network to look up, or to score by what is known of others; else None.
        rounded: source of the same network with few bits: that is what the trained one is rounded to in the end, see
            ``nas.evaluation.post_training``, and what is measured. Empty where nothing is rounded.
    """

    source: str
    recipe: Recipe
    seed: int
    metrics: tuple[str, ...]
    device: str = "cpu"
    class_weights: bool = False
    seconds: float | None = None
    memory: int | None = None
    weights: str | None = None
    validate_every: int | None = None
    rungs: tuple[Rung, ...] = ()
    batches: str = "auto"
    precision: str = "float32"
    inherits: tuple[Inherited, ...] | None = None
    proxies: tuple[str, ...] = ()
    trains: bool = True
    latency: bool = True
    known: tuple[tuple[str, float], ...] = ()
    architecture: Any = None
    rounded: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a job measured.

    Attributes:
        metrics: ``valid_<metric>``, ``test_<metric>`` and the loss of both splits, at the best epoch; ``params``,
            ``bytes``, ``latency``, ``seconds``, ``epochs`` trained and ``best_epoch``; what the job knows; of a
            training in portions also ``parts``, ``approximate_evaluation`` and ``full_batch_mib``; where weights are
            shared ``inherited``, the share of the trainable weights that another trial lent; of proxies
            ``proxy_<name>`` and ``proxy_seconds_<name>``. Empty if the job failed.
        seconds: wall-clock time.
        reason: why it failed, or None.
        curve: ``(epoch, value)`` of the choosing metric at every look at the validation split.
        stopped: whether a rung or the time limit ended it.
        batches: how it was trained: ``full``, ``neighbours``, ``clusters`` or ``random``.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    reason: str | None = None
    curve: tuple[tuple[int, float], ...] = ()
    stopped: bool = False
    batches: str = "full"


class Failed(Exception):  # noqa: N818
    """This architecture cannot be trained; the message is the reason that the study keeps."""
