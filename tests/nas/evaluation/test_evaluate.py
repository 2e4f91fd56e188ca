"""One job: what is measured, and what becomes a reason."""

from __future__ import annotations

import math
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from nas.evaluation import evaluate as evaluating
from nas.evaluation.evaluate import evaluate
from nas.evaluation.limits import default_memory, is_out_of_memory, memory_limit
from nas.searchspace.recipe import Recipe
from nas.searchspace.source import load
from tests.nas.toys import Toy, job, numbers, task

ARCHITECTURE = Toy(conv="gcn", hidden=4, dropout=0.3)


def test_what_is_measured(tmp_path):
    data, weights = task(), tmp_path / "sub" / "w.safetensors"
    outcome = evaluate(job("", data, ARCHITECTURE, weights=str(weights), metrics=("accuracy", "macro-f1")), data)
    assert outcome.reason is None
    assert set(outcome.metrics) == {
        *(f"{split}_{name}" for split in ("valid", "test") for name in ("accuracy", "macro-f1", "loss")),
        "epochs", "best_epoch", "params", "bytes", "latency", "seconds",
    }  # fmt: skip
    assert all(math.isfinite(value) for value in outcome.metrics.values())
    assert outcome.metrics["params"] == 5 * 4 + 4 + 4 * 3 + 3
    assert outcome.metrics["bytes"] == weights.stat().st_size  # as it is exported, without quantised layers
    assert sum(tensor.numel() for tensor in load_file(weights).values()) == outcome.metrics["params"]
    assert [file.name for file in weights.parent.iterdir()] == ["w.safetensors"]


def test_equal_jobs_have_equal_outcomes_whatever_the_state_of_the_world(tmp_path):
    data = task()
    files = [tmp_path / "a", tmp_path / "b"]
    outcomes = []
    for seed, file in enumerate(files):
        torch.manual_seed(seed)
        outcomes.append(evaluate(job("", data, ARCHITECTURE, weights=str(file)), data))
    assert numbers(outcomes[0]) == numbers(outcomes[1])
    assert files[0].read_bytes() == files[1].read_bytes()
    assert numbers(evaluate(replace(job("", data, ARCHITECTURE), seed=1), data)) != numbers(outcomes[0])


def test_the_random_state_is_left_alone():
    data = task()
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    evaluate(job("", data, ARCHITECTURE), data)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("raises", "LookupError: no such thing"),
        ("exits", "SystemExit: good bye"),
        ("shapeless", "the network returned [48, 4] where the task needs [48, 3]"),
        ("shorter", "the network returned [47, 3] where the task needs [48, 3]"),
        ("nan", "not a number: the validation loss of epoch 1 is nan"),
        ("weightless", "the network has no parameters to train"),
    ],
)
def test_whatever_goes_wrong_is_a_reason(name, reason, tmp_path):
    data = task()
    outcome = evaluate(job(name, data, weights=str(tmp_path / "w")), data)
    assert outcome.reason == reason
    assert outcome.metrics == {}
    assert outcome.seconds > 0
    assert not (tmp_path / "w").exists()


def test_source_that_does_not_run():
    data = task()
    assert evaluate(replace(job("fc", data), source="class Model: ("), data).reason.startswith("SyntaxError: ")
    assert evaluate(replace(job("fc", data), source="x = 1"), data).reason.startswith("AttributeError: ")


def test_time_limit():
    data = task()
    outcome = evaluate(job("", data, ARCHITECTURE, recipe=Recipe(epochs=10**6, patience=10**6), seconds=0.05), data)
    assert outcome.reason is None
    assert outcome.stopped
    assert outcome.curve[-1][0] == outcome.metrics["epochs"] < 10**6
    assert outcome.metrics["valid_accuracy"] == max(value for _, value in outcome.curve)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a block")
def test_out_of_memory_fails_alone():
    data = task()
    before = numbers(evaluate(job("", data, ARCHITECTURE, memory=500), data))
    outcome = evaluate(job("huge", data, memory=500), data)
    assert outcome.reason.startswith("out of memory (limit 500 MiB): ")
    torch.zeros(2**28)  # 1 GiB can be had again
    assert numbers(evaluate(job("", data, ARCHITECTURE, memory=500), data)) == before != {}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a block")
def test_the_limit_ends_with_the_block():
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    with pytest.raises(RuntimeError) as raised, memory_limit(100, "cpu"):
        torch.zeros(2**28)
    assert is_out_of_memory(raised.value)
    with pytest.raises(MemoryError), memory_limit(100, "cpu"):
        bytearray(2**30)
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    with memory_limit(None, "cpu"):
        assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_memory_is_shared_by_the_workers():
    one, four = default_memory("cpu", 1), default_memory("cpu", 4)
    assert one > 2 * four >= 128
    assert not is_out_of_memory(ValueError("something else"))


def test_the_model_of_the_weights_is_the_one_measured(tmp_path):
    data = task()
    outcome = evaluate(job("", data, ARCHITECTURE, weights=str(tmp_path / "w")), data)
    source = job("", data, ARCHITECTURE).source
    model = load(source)()
    model.load_state_dict(load_file(tmp_path / "w"))
    for split in ("valid", "test"):
        (batch,) = data.batches(split)
        right = model.eval()(batch.x, batch.edge_index)[batch.index].argmax(-1) == batch.y
        assert right.float().mean().item() == pytest.approx(outcome.metrics[f"{split}_accuracy"], abs=1e-6)


@pytest.mark.parametrize(("wanted", "long", "passes"), [(True, 0.0, 3), (False, 0.0, 1), (False, 1e9, 3)])
def test_a_long_pass_is_not_repeated_for_a_latency_that_nobody_asked_for(monkeypatch, wanted, long, passes):
    monkeypatch.setattr(evaluating, "LONG", long)
    ran = []

    class Counts(torch.nn.Module):
        def forward(self, x, *more):
            ran.append(x)
            return torch.zeros(len(x), 3)

    assert evaluating.latency_of(Counts(), task(), wanted) > 0
    assert len(ran) == passes
