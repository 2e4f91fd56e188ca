"""Neural architecture search for graph neural networks.

    import nas

    result = nas.search("cora", space="agnn", controller="evolution", trials=50)
    result.best, result.module(), result.export("model"), result.report()
    nas.rank("cora", space="agnn", proxies=["ntk-krr"], n=500).architectures  # best first, none trained

Names load when they are used, so that importing this package is quick.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nas.api.auto_gnn import AutoGNN
    from nas.api.comparing import compare
    from nas.api.generating import generate, pretrain
    from nas.api.opening import open_run
    from nas.api.ranking import correlate, rank
    from nas.api.searching import resume, search
    from nas.controllers.base import Trial
    from nas.data import load
    from nas.result import Result
    from nas.searchspace import (
        BadInput,
        NasError,
        Network,
        Precision,
        Recipe,
        RunError,
        Space,
        Task,
        Value,
        architecture,
        choice,
        constant,
        earlier,
        formats,
        integer,
        nested,
        operator,
        quantised,
        real,
        repeat,
    )

SPINS = 3_000
"""So long threads of a computation spin while they wait for each other, in iterations: on a quiet machine about as fast
as the 300,000 of the GNU OpenMP library, and much faster where other processes want the cores
(``experiments/fast_evaluation/waiting.py``). It must be set before torch is loaded."""
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", str(SPINS))

_HOMES = {
    "nas.api.auto_gnn": ("AutoGNN",),
    "nas.api.comparing": ("compare",),
    "nas.api.generating": ("generate", "pretrain"),
    "nas.api.opening": ("open_run",),
    "nas.api.ranking": ("correlate", "rank"),
    "nas.api.searching": ("resume", "search"),
    "nas.controllers.base": ("Trial",),
    "nas.data": ("load",),
    "nas.result": ("Result",),
    "nas.searchspace": (
        "BadInput",
        "NasError",
        "Network",
        "Precision",
        "Recipe",
        "RunError",
        "Space",
        "Task",
        "Value",
        "architecture",
        "choice",
        "constant",
        "earlier",
        "formats",
        "integer",
        "nested",
        "operator",
        "quantised",
        "real",
        "repeat",
    ),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AutoGNN",
    "BadInput",
    "NasError",
    "Network",
    "Precision",
    "Recipe",
    "Result",
    "RunError",
    "Space",
    "Task",
    "Trial",
    "Value",
    "architecture",
    "choice",
    "compare",
    "constant",
    "correlate",
    "earlier",
    "formats",
    "generate",
    "integer",
    "load",
    "nested",
    "open_run",
    "operator",
    "pretrain",
    "quantised",
    "rank",
    "real",
    "repeat",
    "resume",
    "search",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'nas' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
