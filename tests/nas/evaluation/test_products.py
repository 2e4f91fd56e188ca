"""Sparse products by a kernel for embeddings: the same numbers as of the dense matrix."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nas.evaluation.engine.products import NARROW, product


@given(
    rows=st.integers(1, 9),
    columns=st.integers(1, 9),
    width=st.sampled_from([1, 7, NARROW, NARROW + 1, 17, 64, 101]),
    density=st.sampled_from([0.0, 0.3, 1.0]),
    index=st.sampled_from([torch.int32, torch.int64]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 999),
)
def test_as_of_the_dense_matrix(
    rows: int, columns: int, width: int, density: float, index: torch.dtype, dtype: torch.dtype, seed: int
) -> None:
    """Rows without an entry are zero; what is multiplied may be a transposed one."""
    rng = torch.Generator().manual_seed(seed)
    dense = torch.randn(rows, columns, generator=rng, dtype=dtype)
    dense *= torch.rand(rows, columns, generator=rng) < density
    x = torch.randn(width, columns, generator=rng, dtype=dtype).t()
    csr = dense.to_sparse_csr()
    parts = csr.crow_indices().to(index), csr.col_indices().to(index), csr.values()
    got = product(torch.sparse_csr_tensor(*parts, (rows, columns), check_invariants=False), x)
    torch.testing.assert_close(got, dense @ x)


@pytest.mark.parametrize("width", [NARROW, 64])
def test_entries_of_the_same_place_are_summed(width: int) -> None:
    """Repeated edges are entries of their own."""
    parts = torch.tensor([0, 3, 3]), torch.tensor([1, 1, 0]), torch.tensor([1.0, 2.0, 4.0])
    x = torch.randn(2, width)
    got = product(torch.sparse_csr_tensor(*parts, (2, 2), check_invariants=False), x)
    torch.testing.assert_close(got, torch.stack([3 * x[1] + 4 * x[0], torch.zeros(width)]))


@pytest.mark.parametrize("width", [NARROW, 64])
def test_what_is_no_number_stays_none(width: int) -> None:
    csr = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).to_sparse_csr()
    x = torch.tensor([[float("nan")], [1.0]]).expand(2, width)
    got = product(csr, x)
    assert got[0].isnan().all()
    assert torch.equal(got[1], torch.ones(width))
