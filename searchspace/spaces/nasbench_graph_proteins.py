"""The space of NAS-Bench-Graph on its data set ``proteins``, with five of the nine operations.

Qin et al., "NAS-Bench-Graph: Benchmarking Graph Neural Architecture Search", NeurIPS 2022 (arXiv 2206.09166): the
other operations took too much memory there. 14,976 descriptions of 2,021 distinct networks.
"""

from __future__ import annotations

from nas.searchspace.language import architecture, choice, earlier, repeat
from nas.searchspace.spaces.nasbench_graph import NODES, NASBenchGraph


@architecture
class Node:
    """A computing node: which earlier value it reads (0 is the cell's input) and what it does with it."""

    input: int = earlier()
    op: str = choice("gcn", "sage", "arma", "fc", "skip")


@architecture
class NASBenchGraphProteins(NASBenchGraph):
    """A cell of four nodes; the nodes that nobody reads are concatenated into its output."""

    nodes: tuple[Node, ...] = repeat(Node, NODES, NODES)  # type: ignore[assignment]
