"""Names of proxies."""

from __future__ import annotations

from nas.searchspace.registry import Registry
from nas.zerocost.base import Proxy

PROXIES = Registry(
    "proxy",
    {
        "gradsign": "nas.zerocost.gradsign:GRADSIGN",
        "snip": "nas.zerocost.gradients:SNIP",
        "grad-norm": "nas.zerocost.gradients:GRAD_NORM",
        "grasp": "nas.zerocost.grasp:GRASP",
        "fisher": "nas.zerocost.activations:FISHER",
        "synflow": "nas.zerocost.synflow:SYNFLOW",
        "zico": "nas.zerocost.gradients:ZICO",
        "jacov": "nas.zerocost.jacobian:JACOV",
        "naswot": "nas.zerocost.activations:NASWOT",
        "meco": "nas.zerocost.activations:MECO",
        "probe": "nas.zerocost.readout:PROBE",
        "smooth": "nas.zerocost.readout:SMOOTH",
        "params": "nas.zerocost.sizes:PARAMS",
        "flops": "nas.zerocost.sizes:FLOPS",
        "depth": "nas.zerocost.sizes:DEPTH",
        "ntk-krr": "nas.zerocost.kernels:NTK_KRR",
        "ntk-error": "nas.zerocost.kernels:NTK_ERROR",
        "ntk-alignment": "nas.zerocost.kernels:NTK_ALIGNMENT",
        "ntk-condition": "nas.zerocost.kernels:NTK_CONDITION",
    },
)


def find(name: str) -> Proxy:
    """The proxy of that name.

    Raises:
        BadInput: if there is none; the message offers the nearest.
    """
    found: Proxy = PROXIES.load(name)
    return found


def rows() -> list[Proxy]:
    """Every registered proxy."""
    return [find(name) for name in PROXIES.names()]
