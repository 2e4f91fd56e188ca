"""PyG's data set classes over folders that are only read.

PyG writes a ``processed`` folder beside ``raw``. Here both lie in the cache folder, ``raw`` being a link to where the
files are. A folder is prepared under another name, while a lock is held, and renamed when it is whole: a process
killed at any moment, or two at once, leave nothing half-made.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch_geometric
from filelock import FileLock
from torch_geometric import datasets
from torch_geometric.data import Data

from nas.data import molecules, planetoid
from nas.data.catalogue import Entry
from nas.data.digits import digits
from nas.data.places import cache_folder, data_folders
from nas.searchspace.errors import BadInput, NasError, RunError

_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EEXIST)


def read(entry: Entry, root: str | os.PathLike[str] | None = None, notes: list[str] | None = None) -> list[Data]:
    """The graphs of a data set, as its files hold them; downloaded if no folder has them.

    Args:
        notes: takes what the user should know of how they were read.

    Raises:
        MissingExtra: if it holds molecules and rdkit is not installed.
        RunError: if they are nowhere and cannot be downloaded, or the cache folder cannot be written.
        BadInput: if the files are damaged.
    """
    if not entry.loader:
        return [digits()]
    of_molecules = entry.loader == molecules.LOADER
    made_by = molecules.require_rdkit(entry.name) if of_molecules else ""
    raw = _raw(entry, root)
    dataset = _open(entry, raw, cache_folder() / "data" / "processed" / f"{entry.name}-{_stamp(raw, made_by)}")
    if notes is not None and of_molecules and (note := molecules.unread(raw, len(dataset))) is not None:
        notes.append(note)
    return [dataset[i] for i in range(len(dataset))]


def _raw(entry: Entry, root: str | os.PathLike[str] | None) -> Path:
    """The folder with the raw files, which are downloaded if need be."""
    folders = data_folders(root)
    for folder in folders:
        if (folder / entry.folder / "raw").is_dir():
            return (folder / entry.folder / "raw").resolve()
    target = folders[-1] / entry.folder
    with _built(target) as (temporary, done):
        if not done:
            try:
                _make(_class(entry), entry, temporary)
            except Exception as error:  # every loader fails in its own way without a network
                raise RunError(
                    f"{entry.name} is not in {' or '.join(str(f / entry.folder / 'raw') for f in folders)}, and "
                    f"downloading it failed ({type(error).__name__}: {error}); put its raw files there, or set "
                    "NAS_DATA (or --data-root) to a folder that holds them"
                ) from error
            os.replace(temporary / entry.folder, target)
    return target / "raw"


def _open(entry: Entry, raw: Path, home: Path) -> Any:
    """The PyG data set over ``raw``, prepared in ``home`` if it is not there yet."""

    def no_download(self: Any) -> None:
        names = self.raw_file_names
        lacking = [name for name in ([names] if isinstance(names, str) else names) if not (raw / name).exists()]
        raise BadInput(f"{raw} lacks {', '.join(lacking)}; add what is missing, or remove the folder to download")

    whole = _class(entry)
    local = type(whole.__name__, (whole,), {"download": no_download})
    try:
        if not home.is_dir():
            with _built(home) as (temporary, done):
                if not done:
                    (temporary / entry.folder).mkdir(parents=True)
                    (temporary / entry.folder / "raw").symlink_to(raw, target_is_directory=True)
                    _make(local, entry, temporary)
                    os.replace(temporary, home)
        return _make(local, entry, home)
    except NasError:
        raise
    except Exception as error:  # what a damaged file raises depends on the loader
        raise BadInput(
            f"{entry.name} could not be read from {raw} ({type(error).__name__}: {error}); if its files are damaged "
            f"get them again, and if {home} is, remove that folder"
        ) from error


@contextmanager
def _built(home: Path) -> Iterator[tuple[Path, bool]]:
    """Hold the lock of ``home`` and give an empty folder to build it in, with whether another process has done so."""
    temporary = home.with_name(home.name + ".partial")
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(home.with_name(home.name + ".lock")):
            shutil.rmtree(temporary, ignore_errors=True)
            if not home.exists():
                temporary.mkdir()
            try:
                yield temporary, home.exists()
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        if error.errno not in _NOT_WRITABLE:
            raise
        raise RunError(
            f"the cache folder {home.parent} cannot be written ({error}); set NAS_CACHE to a folder that can"
        ) from error


def _class(entry: Entry) -> type:
    found: type = planetoid.Planetoid if entry.loader == "Planetoid" else getattr(datasets, entry.loader)
    return found


def _make(loader: type, entry: Entry, root: Path) -> Any:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Skipping molecule")  # they are counted, see ``molecules.unread``
        return loader(str(root), entry.argument) if entry.argument else loader(str(root / entry.folder))


def _stamp(raw: Path, made_by: str) -> str:
    """Changes with the files (place, names, sizes, times), and with the PyG and what else makes graphs of them."""
    files = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in sorted(raw.iterdir())]
    return hashlib.sha256(repr((torch_geometric.__version__ + made_by, str(raw), files)).encode()).hexdigest()[:12]
