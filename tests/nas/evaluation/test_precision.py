"""Lower precision: near the same scores, refused where it does nothing good."""

from __future__ import annotations

import pytest
import torch

import nas
from nas.data import load
from nas.evaluation.job import PRECISIONS
from nas.evaluation.precision import products_in, scores_in
from nas.evaluation.train import predict
from nas.searchspace import BadInput
from nas.searchspace.source import load as load_source
from tests.nas.toys import Toy, graph, job


def test_bfloat16_scores_are_near_and_train():
    task = load(graph())
    model = load_source(job("gcn", task).source)()
    (batch,) = task.train
    exact, rough = (scores_in(p, "cpu", predict)(model.eval(), task, batch) for p in ("float32", "bf16"))
    assert rough.dtype == torch.float32
    assert not torch.equal(exact, rough)
    torch.testing.assert_close(exact, rough, rtol=0.05, atol=0.05)
    before, scores = torch.nn.functional.cross_entropy(exact, batch.y).item(), scores_in("bf16", "cpu", predict)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(30):
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(scores(model.train(), task, batch), batch.y)
        loss.backward()
        optimiser.step()
    assert loss.item() < before
    assert all(p.dtype == p.grad.dtype == torch.float32 for p in model.parameters())


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_setting_of_products_is_put_back(precision):
    before = torch.get_float32_matmul_precision()
    with products_in(precision):
        assert (torch.get_float32_matmul_precision() == before) == (precision != "tf32")
    assert torch.get_float32_matmul_precision() == before


def test_what_is_refused():
    with pytest.raises(BadInput, match="precision bf16 is for GPUs and the device is cpu; use precision float32"):
        nas.search(graph(), space=Toy, precision="bf16", device="cpu", trials=1)
    with pytest.raises(BadInput, match="unknown precision 'bf61'; did you mean 'bf16'"):
        nas.search(graph(), space=Toy, precision="bf61", trials=1)
