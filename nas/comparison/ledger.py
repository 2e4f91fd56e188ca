"""What is kept of a finished search, and the file that keeps it: a line of JSON for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from nas.searchspace.errors import BadInput, RunError
from nas.searchspace.parsing import json_of
from nas.settings import Settings
from nas.study.lines import append

FREE = (
    *("data", "data_root", "controller", "controller_options", "objectives", "trials", "seconds", "seed"),
    *("device", "workers", "executor", "ray_address", "gpus_per_trial", "storage", "keep", "choose"),
)
"""Settings that may differ from one search of a comparison to another, or change no number."""

Key = tuple[str, str, int]
"""Controller, data set, seed."""


@dataclass(frozen=True)
class Found:
    """What one search found.

    Attributes:
        controller, data, seed: which search it was; the controller by its label.
        task: fingerprint of the data with its split and metric, and of the space.
        trials: distinct architectures that were evaluated.
        exhausted: whether the controller or the space had no more.
        best: at each trial that became the best by validation: its place, counted from one, and its validation and
            test metric in their natural sign.
        seconds: that the search itself took for a trial: proposing, hearing and storing, without the evaluation.
        failed: how many trials failed.
    """

    controller: str
    data: str
    seed: int
    task: str
    trials: int
    exhausted: bool
    best: tuple[tuple[int, float, float], ...]
    seconds: float
    failed: int

    @property
    def key(self) -> Key:
        return self.controller, self.data, self.seed

    def enough(self, trials: int) -> bool:
        """Whether it holds what a search of so many trials would find."""
        return self.exhausted or self.trials >= trials


@dataclass(frozen=True)
class Ledger:
    """The file of a comparison. Its first line has the settings that all its searches share.

    Attributes:
        file: it need not be there yet.
        settings: of the searches; what is in ``FREE`` is of no concern.
    """

    file: Path
    settings: Settings

    def read(self) -> dict[Key, Found]:
        """The finished searches, of two of the same key the longer one; half a last line is no line.

        Raises:
            BadInput: if the file was made with other settings.
            RunError: if it cannot be read.
        """
        first, *lines = self._lines() or [None]
        if first is None:
            return {}
        known: dict[Key, Found] = {}
        try:
            self._check(first["settings"])
            for line in lines:
                found = Found(**{**line, "best": tuple((int(k), float(v), float(t)) for k, v, t in line["best"])})
                if found.key not in known or found.trials >= known[found.key].trials:
                    known[found.key] = found
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, BadInput):
                raise
            raise self._damaged(error) from error
        return known

    def add(self, found: Found) -> None:
        """Write a search down, and the settings before the first one.

        Raises:
            RunError: if the file cannot be written; the lines before are safe.
        """
        append(self.file, {"settings": self._shared()}, asdict(found))

    def _shared(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self.settings).items() if name not in FREE}

    def _check(self, theirs: Mapping[str, Any]) -> None:
        """Settings that are younger than the file had their default in it. The table decides others, so it is first."""
        default = {field.name: field.default for field in fields(Settings)}
        for name, ours in sorted(self._shared().items(), key=lambda item: item[0] != "table"):
            if (old := theirs.get(name, default[name])) != ours:
                raise BadInput(
                    f"{self.file} was made with {name} {_said(old)} and this command has {_said(ours)}; give the same "
                    "settings to go on with it, or choose another --name"
                )

    def _lines(self) -> list[Any]:
        try:
            content = self.file.read_bytes()
            return [json_of(line) for line in content[: content.rfind(b"\n") + 1].splitlines()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunError(f"{self.file} cannot be read: {error.strerror or error}") from error
        except ValueError as error:
            raise self._damaged(error) from error

    def _damaged(self, error: object) -> RunError:
        return RunError(f"{self.file} is damaged ({error}); delete it to begin anew")


def _said(value: Any) -> str:
    return "none of its own" if value in (None, "") else repr(value)
