"""The folder of a run: resolved settings, store, weights, reports.

One process at a time works in it, or several whose trials are in a storage that they share.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nas.data import naming
from nas.searchspace.errors import BadInput, NasError, RunError
from nas.searchspace.parsing import toml_of
from nas.searchspace.spaces.registry import absolute
from nas.settings import Settings
from nas.study import places

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
SETTINGS = "search.toml"
REASON = "# automatic: "
"""Begins a line of the settings that says what was chosen automatically."""
LOCK, HOLDER = ".lock", ".holder"
"""The lock of the folder, and who holds it."""


def runs_root(root: str | os.PathLike[str] | None = None) -> Path:
    """Where runs are kept: the argument, else the environment variable ``NAS_RUNS``, else ``runs`` here."""
    return Path(root or os.environ.get("NAS_RUNS") or "runs")


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run; making the object touches no disk."""

    root: Path
    name: str

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise BadInput(
                f"a run's name is made of letters, digits, '.', '_' and '-', starts with a letter or digit and has at "
                f"most 100 of them; got {self.name!r}"
            )

    @property
    def path(self) -> Path:
        return self.root / self.name

    @property
    def journal(self) -> Path:
        return self.path / "journal.log"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    def weights(self, number: int) -> Path:
        return self.path / "weights" / f"{number}.safetensors"

    def shared(self, number: int) -> Path:
        return self.path / "shared" / f"{number}.safetensors"

    def exists(self) -> bool:
        return (self.path / SETTINGS).is_file()

    def create(self, settings: Settings, why: Sequence[str] = ()) -> bool:
        """Make the folder and write the settings into it; False if a search of this study made it before.

        Args:
            why: what was chosen automatically, in sentences.

        Raises:
            BadInput: if a run of that name exists that is no search of this study.
            RunError: if the folder cannot be written.
        """
        if not self.exists():
            try:
                self.path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise self._unwritable(error) from error
            if self._write(settings, why, first=True):
                return True
        if settings.storage is not None and self.settings().storage == places.absolute(settings.storage):
            return False
        raise BadInput(
            f"there is a run {self.name!r} already in {self.root}; continue it with nas resume {self.name}, or "
            "choose another --name"
        )

    def rewrite(self, settings: Settings) -> None:
        """Replace the settings, as resuming with a larger budget does.

        Raises:
            RunError: if the folder cannot be written.
        """
        self._write(settings, self.why())

    def undo(self) -> None:
        """Take back what ``create`` did, for a search that could not begin."""
        for made in (self.path / SETTINGS, self.path / LOCK, self.path / HOLDER):
            made.unlink(missing_ok=True)
        with suppress(OSError):  # something else is in it
            self.path.rmdir()

    def settings(self) -> Settings:
        """The settings the run was started with.

        Raises:
            BadInput: if there is no such run; the message lists those there are.
            RunError: if the file cannot be read.
        """
        if not self.path.is_dir():
            known = ", ".join(names(self.root)) or "none yet"
            raise BadInput(f"there is no run {self.name!r} in {self.root}; runs: {known}")
        file = self.path / SETTINGS
        try:
            return Settings.of(toml_of(file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise RunError(f"the run folder {self.path} is damaged: it has no {SETTINGS}") from None
        except (OSError, ValueError, NasError, TypeError) as error:
            raise RunError(f"the run folder {self.path} is damaged: {SETTINGS} cannot be read: {error}") from error

    def why(self) -> tuple[str, ...]:
        """What was chosen automatically, in sentences; nothing where the user chose, or the file cannot be read."""
        try:
            lines = (self.path / SETTINGS).read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            return ()
        return tuple(line.removeprefix(REASON) for line in lines if line.startswith(REASON))

    def store(self, settings: Settings) -> Path | str:
        """Where the trials are: the journal file of the folder, or the URL of the settings."""
        return settings.storage or self.journal

    @contextmanager
    def lock(self, shared: bool = False) -> Iterator[None]:
        """Hold the run; one that is shared is held by nobody, see ``nas.study.peers``.

        Raises:
            RunError: if another process holds it, or the folder cannot be written.
        """
        if shared:
            yield
            return
        from filelock import FileLock, Timeout

        lock = FileLock(self.path / LOCK, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise RunError(
                f"the run {self.name!r} is being worked on by {self._holder()}; wait for it or stop it. Several "
                "processes search together on a run that was started with --storage"
            ) from None
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            with suppress(OSError):  # it only makes the message better
                (self.path / HOLDER).write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")
            yield
        finally:
            with suppress(OSError):
                (self.path / HOLDER).unlink(missing_ok=True)
            lock.release()

    def _holder(self) -> str:
        """Who holds the lock, as far as is known."""
        try:
            return (self.path / HOLDER).read_text(encoding="utf-8")[:200] or "another process"
        except (OSError, ValueError):
            return "another process"

    def _write(self, settings: Settings, why: Sequence[str], first: bool = False) -> bool:
        """Write the settings; False if they have to be the first ones and another process was quicker."""
        import tomli_w

        values: dict[str, Any] = {k: v for k, v in asdict(settings).items() if v is not None and v != {}}
        if settings.space:
            values["space"] = absolute(settings.space)  # a file is found again from any directory
        if settings.table is None and naming.is_written(settings.data):
            values["data"] = naming.absolute(settings.data)
        if settings.storage is not None:
            values["storage"] = places.absolute(settings.storage)
        reasons = "".join(f"{REASON}{' '.join(one.split())}\n" for one in why)
        text = f"# The settings of this run; nas search --config repeats it.\n{reasons}{tomli_w.dumps(values)}"
        temporary = self.path / f".{SETTINGS}.{os.getpid()}"
        try:
            temporary.write_text(text, encoding="utf-8")
            if first:
                with suppress(OSError):  # where there are no links the last one wins
                    try:
                        os.link(temporary, self.path / SETTINGS)
                    except FileExistsError:
                        return False
            temporary.replace(self.path / SETTINGS)
        except OSError as error:
            raise self._unwritable(error) from error
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        return True

    def _unwritable(self, error: OSError) -> RunError:
        return RunError(f"the folder {self.path} cannot be written: {error.strerror or error}")


def names(root: Path) -> list[str]:
    """The runs in a folder, oldest first."""
    found = [p.parent for p in root.glob(f"*/{SETTINGS}") if NAME.fullmatch(p.parent.name)]
    return [p.name for p in sorted(found, key=lambda p: ((p / SETTINGS).stat().st_mtime, p.name))]


def free_name(root: Path, stem: str) -> str:
    """``stem-1``, or the next number that no run has."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).lstrip("-._")[:90].rstrip("-.") or "run"
    number = 1
    while (root / f"{stem}-{number}").exists():
        number += 1
    return f"{stem}-{number}"
