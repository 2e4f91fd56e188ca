"""Nothing is left behind on the CPU when the rest goes to a GPU: on one that is pretended, see there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch_geometric.data import Data

from nas.api.ranking import start_ranking
from nas.evaluation.proxies import PRIOR, names
from nas.result import Result
from tests.nas.pretended import pretended, there
from tests.nas.toys import graph, graphs, search

pytestmark = pytest.mark.filterwarnings("ignore:PyTorch was compiled without cuDNN")

ONE_SHOT = {"controller_options": {"epochs": 2}, "trials": 1}
SMALL = ["accuracy", "-bytes"]


@pytest.fixture(autouse=True)
def _gpu() -> Iterator[None]:
    with pretended():
        yield


def trained(data: Any = None, **more: Any) -> Result:
    result = search(data, **{"device": "cuda", "controller": "random", "trials": 3, "epochs": 2} | more)
    reasons = [r.trial.reason for r in result.records if r.trial.reason and "not a number" not in r.trial.reason]
    assert reasons == []
    return result


def test_what_does_not_fit_together_is_refused():
    here, far = torch.ones(3), torch.ones(3, device="cuda", requires_grad=True)
    assert far.device.type == "cuda"
    assert there((far * 2 + torch.tensor(1.0)).cos())
    assert not there(far.cpu())
    (far * 2).sum().backward()
    assert there(far.grad)
    for together in (
        lambda: here + far,
        lambda: far.index_select(0, torch.arange(2)),
        lambda: torch.stack([far.sum(), here.sum()]),
    ):
        with pytest.raises(RuntimeError, match="same device"):
            together()
    assert far[torch.arange(2)].shape == (2,)
    with pytest.raises(TypeError, match="numpy"):
        far.detach().numpy()


@pytest.mark.parametrize("space", ["design", "agnn", "nasbench-graph", "lpgnas"])
def test_networks(space):
    trials = 2 if space == "lpgnas" else 3  # its layers are many operations, of which each is checked
    trained(graph(), space=space, trials=trials)
    if space != "nasbench-graph":
        trained(graphs(), name="graphs", space=space, trials=trials)


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
def test_low_precision(precision):
    trained(graph(), space="lpgnas", precision=precision, trials=1)


def test_rounding_after_training():
    trained(graph(), space="lpgnas", quantisation="post", trials=2)


@pytest.mark.parametrize("data", [graph(), pytest.param(graphs(), marks=pytest.mark.slow)], ids=["nodes", "graphs"])
def test_supernets(data):
    trained(data, name="mixed", space="lpgnas", controller="lpgnas", objectives=SMALL, **ONE_SHOT)
    trained(data, name="plain", space="agnn", controller="darts", **ONE_SHOT)


@pytest.mark.slow
def test_a_supernet_of_paths():
    options = {"epochs": 4, "path": "sampled"}
    trained(graph(), space="lpgnas", controller="lpgnas", controller_options=options, trials=1)


@pytest.mark.slow
def test_other_ways_to_train():
    trained(graph(), name="shared", space="agnn", evaluator="shared", keep=1)
    trained(graph(), name="parts", space="design", batches="random", trials=2)
    trained(graph(), name="links", space="design", task="link", trials=2)
    trained(graph(), name="supernet", space="agnn", task="link", controller="darts", **ONE_SHOT)
    trained(graphs(), name="folds", space="design", split="cv:3", trials=2)
    trained(graph(), name="screened", space="agnn", screen="ntk-error", pool=2, trials=2)


def test_latency_is_limited():
    result = trained(graph(), space="agnn", max_latency=60, objectives=["accuracy", "-latency"], trials=2)
    assert len(result.records) == 2


@pytest.mark.parametrize("data", [graph(), graphs()], ids=["nodes", "graphs"])
def test_proxies(data):
    proxies = [name for name in names() if name != PRIOR or isinstance(data, Data)]
    for scored in start_ranking(data, "agnn", proxies, 1, None, None, None, {"device": "cuda"}).run():
        assert scored.reason is None
        assert scored.scores.keys() >= {"gradsign", "ntk-error", "snip", "synflow"}
