"""Ctrl-C, which a terminal sends to every process: the driver alone answers it, and ends its workers."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

QUIET = "ignore:resource_tracker:UserWarning"
"""For the process of Python's that clears away what a killed driver leaves behind, which would tell the user."""


@contextmanager
def held_back() -> Iterator[None]:
    """Let no thread or process that is started meanwhile hear Ctrl-C; processes are to call ``ignore``.

    One that takes seconds to import what it needs would answer with a traceback.
    """
    if QUIET not in sys.warnoptions:
        sys.warnoptions.append(QUIET)
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing.resource_tracker import ensure_running

    ensure_running()  # where it is not, starting it would let Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignore() -> None:
    """Make this process, a worker, one that Ctrl-C does nothing to, and that holds nothing back."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
