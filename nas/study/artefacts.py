"""The files of weights that trainings of a search write: under a name of their own first, then under their trial's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from nas.study.folder import RunFolder
from nas.study.jobs import Proposal
from nas.study.peers import Company


class Artefacts:
    """Names, places and puts away the weights of one search.

    Args:
        folder: of the run; None where nothing is trained.
        peers: that may write into the same folder.
    """

    def __init__(self, folder: RunFolder | None, peers: Company) -> None:
        self._folder, self._token = folder, peers.token
        self._count = 0
        if folder is None:
            return
        for left in (folder.path / "weights").glob("*running-*"):  # by a killed process
            if not peers.alive(left.name):
                left.unlink(missing_ok=True)

    def named(self, proposal: Proposal) -> Proposal:
        """The same, to be evaluated by this process, with a file of its own for the weights."""
        self._count += 1
        home = self._home(proposal.evaluator, 0)
        name = f"running-{self._token}{self._count}.safetensors"
        return replace(proposal, weights=None if home is None else home.with_name(name), again=[])

    def keep(self, proposal: Proposal, number: int) -> None:
        """Put the weights, if there are any, where those of the trial belong."""
        home = self._home(proposal.evaluator, number)
        if home is not None and proposal.weights is not None and proposal.weights.is_file():
            proposal.weights = proposal.weights.replace(home)

    @staticmethod
    def drop(proposals: Iterable[Proposal]) -> None:
        """Put away what unfinished trainings wrote."""
        for proposal in proposals:
            if proposal.weights is not None:
                proposal.weights.unlink(missing_ok=True)

    def _home(self, evaluator: str, number: int) -> Path | None:
        if self._folder is None:
            return None
        return self._folder.shared(number) if evaluator == "shared" else self._folder.weights(number)
