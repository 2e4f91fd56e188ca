"""On a GPU; skipped where there is none."""

from __future__ import annotations

import random

import pytest
import torch
from safetensors.torch import load_file

import nas
from nas.evaluation.devices import spread
from nas.evaluation.evaluate import evaluate
from nas.evaluation.job import Inherited
from nas.evaluation.limits import default_memory, memory_limit
from nas.searchspace import Recipe
from nas.searchspace.errors import BadInput
from nas.searchspace.source import module
from nas.searchspace.spaces.registry import find
from tests.nas.toys import Toy, graph, job, numbers, search, task

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

ARCHITECTURE = Toy(conv="gcn", hidden=8, dropout=0.0)


def test_cpu_and_cuda_agree():
    data = task()
    cpu = evaluate(job("", data, ARCHITECTURE), data)
    cuda = evaluate(job("", data, ARCHITECTURE, device="cuda"), data.to("cuda"))
    assert cuda.reason is None
    for key in ("valid_loss", "test_loss"):
        assert cuda.metrics[key] == pytest.approx(cpu.metrics[key], rel=0.2)
    assert numbers(cuda)["params"] == numbers(cpu)["params"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_search(workers):
    result = search(device="cuda", trials=4, workers=workers)
    assert [r.trial.reason for r in result.records] == [None] * 4
    assert next(result.module().parameters()).device.type == "cpu"
    assert nas.resume("run", data=graph(), space=Toy, trials=5).records[:4] == result.records


def test_the_random_state_of_the_gpu_is_left_alone():
    data = task().to("cuda")
    before = torch.cuda.get_rng_state()
    evaluate(job("", data, ARCHITECTURE, device="cuda"), data)
    assert torch.equal(torch.cuda.get_rng_state(), before)


def test_memory():
    with pytest.raises(torch.cuda.OutOfMemoryError), memory_limit(64, "cuda"):
        torch.empty(2**30, device="cuda")
    torch.empty(2**28, device="cuda")
    assert default_memory("cuda", 1) >= default_memory("cuda", 2) >= 64


def test_what_a_training_took_is_free_for_others():
    data = task().to("cuda")
    torch.empty(2**28, device="cuda")  # 1 GiB, which torch would keep
    evaluate(job("", data, ARCHITECTURE, device="cuda"), data)
    assert torch.cuda.memory_reserved() < 2**29


@pytest.mark.parametrize("name", ["design", "agnn", "nasbench-graph", "lpgnas"])
def test_networks_of_a_space_compute_the_same(name):
    space, data = find(name).for_task(task()), task()
    for seed in range(6):
        torch.manual_seed(seed)
        model = module(space.sample(random.Random(seed)), data).eval()
        with torch.no_grad():
            wanted = model(*data.train[0].arguments(data.inputs))
            found = model.cuda()(*data.to("cuda").train[0].arguments(data.inputs)).cpu()
        close = torch.isclose(found, wanted, rtol=1e-3, atol=1e-3 * float(wanted.abs().max()))
        assert close.float().mean() > 0.95  # a rounding of few bits may fall to the other side


def test_a_gpu_there_is_not():
    with pytest.raises(BadInput, match=r"there is no device 'cuda:99'; torch finds \d+ GPU"):
        search(device="cuda:99")
    assert set(spread("cuda", 3)) <= {f"cuda:{i}" for i in range(torch.cuda.device_count())}


@pytest.mark.parametrize("workers", [1, 2])
def test_weights_are_inherited(workers):
    result = search(device="cuda", trials=6, workers=workers, evaluator="shared", warm_up=1, keep=2)
    assert [r.trial.reason for r in result.records] == [None] * 8
    assert any(r.trial.metrics["inherited"] > 0 for r in result.records[:6])
    assert nas.resume("run", data=graph(), space=Toy, trials=7).complete


def test_what_is_inherited_starts_on_the_gpu_as_it_was(tmp_path):
    data, files = task(), [tmp_path / "donor", tmp_path / "started"]
    evaluate(job("", data, ARCHITECTURE, weights=str(files[0])), data)
    names = tuple((name, name) for name in load_file(files[0]))
    still = job(
        "", data, ARCHITECTURE, device="cuda", weights=str(files[1]), recipe=Recipe(epochs=1, lr=1e-30),
        inherits=(Inherited(str(files[0]), names),),
    )  # fmt: skip
    assert evaluate(still, data.to("cuda")).metrics["inherited"] == 1
    for name, tensor in load_file(files[1]).items():
        assert torch.allclose(tensor, load_file(files[0])[name], rtol=0, atol=1e-20)
