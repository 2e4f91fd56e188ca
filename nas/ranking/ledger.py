"""What is known of each architecture, and the file that keeps it: a line of JSON for each that is finished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nas.searchspace.errors import BadInput, NasError, RunError
from nas.searchspace.parsing import json_of
from nas.searchspace.space import Space
from nas.study.lines import append


@dataclass(frozen=True)
class Scored:
    """An architecture with its scores, and what its training measured if it was trained.

    Attributes:
        number: its place in the sample, or in the list that was given.
        architecture: of the space.
        scores: by proxy, larger is better; a proxy without a score for it is absent.
        seconds: wall-clock seconds of each score.
        tried: the proxies that were asked.
        trained: whether it was trained, or failed to.
        metrics: of the training; of an untrained network ``params`` and ``bytes``.
        reason: why the scoring or the training failed, or None.
    """

    number: int
    architecture: Any
    scores: Mapping[str, float] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    tried: tuple[str, ...] = ()
    trained: bool = False
    metrics: Mapping[str, float] = field(default_factory=dict)
    reason: str | None = None

    def score(self, proxy: str) -> float:
        """Of that proxy; NaN where there is none."""
        return self.scores.get(proxy, float("nan"))

    def joined(self, later: Scored) -> Scored:
        """With what was found later; what a training said is not changed by a scoring."""
        mine = self.trained and not later.trained
        return Scored(
            self.number,
            self.architecture,
            {**self.scores, **later.scores},
            {**self.seconds, **later.seconds},
            tuple(dict.fromkeys([*self.tried, *later.tried])),
            self.trained or later.trained,
            self.metrics if mine else later.metrics,
            self.reason if mine else later.reason,
        )


@dataclass(frozen=True)
class Ledger:
    """A file that grows by a line for each finished architecture, so that an interrupted command can go on.

    Attributes:
        file: it need not be there yet; nothing is written before the first architecture is finished.
        header: what all lines have in common, written into the first line. A file with another one is refused.
        instead: what the user can say to write elsewhere: ``--name``.
    """

    file: Path
    header: Mapping[str, Any]
    instead: str

    def read(self, space: Space[Any], architectures: Sequence[Any]) -> dict[int, Scored]:
        """What is known of these architectures, by number; a line that a killed process left half is no line.

        Raises:
            BadInput: if the file was made with other settings, or holds other architectures.
            RunError: if it cannot be read.
        """
        first, *lines = self._lines() or [None]
        if first is None:
            return {}
        self._check(first)
        known: dict[int, Scored] = {}
        for line in lines:
            try:
                read = Scored(
                    line["number"],
                    space.from_json(line["architecture"]),
                    line["scores"],
                    line["seconds"],
                    tuple(line["tried"]),
                    line["trained"],
                    line["metrics"],
                    line["reason"],
                )
            except (KeyError, TypeError, NasError) as error:
                raise self._damaged(error) from error
            if read.number >= len(architectures):
                continue
            if read.architecture != architectures[read.number]:
                raise BadInput(
                    f"{self.file} holds another architecture as number {read.number} than this command; {self._other}"
                )
            known[read.number] = known[read.number].joined(read) if read.number in known else read
        return known

    def add(self, scored: Scored, space: Space[Any]) -> None:
        """Write one line, and the header before the first one.

        Raises:
            RunError: if the file cannot be written; the lines before are safe.
        """
        line = {
            "number": scored.number,
            "architecture": space.to_json(scored.architecture),
            "scores": dict(scored.scores),
            "seconds": dict(scored.seconds),
            "tried": scored.tried,
            "trained": scored.trained,
            "metrics": dict(scored.metrics),
            "reason": scored.reason,
        }
        append(self.file, self.header, line)

    def ours(self) -> bool:
        """Whether the file is there and was made with this header."""
        try:
            lines = self._lines()
        except RunError:
            return False
        return bool(lines) and not self._differing(lines[0])

    def _lines(self) -> list[Any]:
        try:
            content = self.file.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunError(f"{self.file} cannot be read: {error.strerror or error}") from error
        try:
            return [json_of(line) for line in content[: content.rfind(b"\n") + 1].splitlines()]
        except ValueError as error:
            raise self._damaged(error) from error

    def _differing(self, first: Any) -> list[str]:
        if not isinstance(first, dict):
            raise self._damaged("its first line says nothing of its settings")
        compared = [key for key in self.header if key != "versions"]
        return [key for key in compared if key not in first or first[key] != self.header[key]]

    def _check(self, first: Any) -> None:
        differing = self._differing(first)
        if not differing:
            return
        key = differing[0]
        if key not in first:
            raise self._damaged(f"its first line does not name its {key}")
        raise BadInput(
            f"{self.file} was made with {key} {_said(first[key])} and this command has {_said(self.header[key])}; "
            f"{self._other}"
        )

    @property
    def _other(self) -> str:
        return f"give the same settings to go on with it, or choose another {self.instead}"

    def _damaged(self, error: object) -> RunError:
        return RunError(f"{self.file} is damaged ({error}); delete it to begin anew")


def _said(value: Any) -> str:
    return "none of its own" if value is None else repr(value)
