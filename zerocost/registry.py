"""Names of proxies."""

from __future__ import annotations

from nas.searchspace.registry import Registry
from nas.zerocost.base import Proxy

PROXIES = Registry(
    "proxy",
    {
        "gradsign": "nas.zerocost.gradsign:GRADSIGN",
        "ntk-krr": "nas.zerocost.kernels:NTK_KRR",
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
