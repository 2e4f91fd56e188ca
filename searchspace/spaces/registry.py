"""How a space is named: built in, in another package, or in a file of the user's own."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

from nas.searchspace.errors import BadInput, NasError
from nas.searchspace.formats import PREFIX, quantised
from nas.searchspace.language import is_architecture
from nas.searchspace.registry import Registry, unknown
from nas.searchspace.space import Space

SPACES = Registry(
    "search space",
    {
        "agnn": "nas.searchspace.spaces.agnn:AGNN",
        "classic": "nas.searchspace.spaces.classic:Classic",
        "design": "nas.searchspace.spaces.design:Design",
        "lpgnas": "nas.searchspace.spaces.lpgnas:LPGNAS",
        "nasbench-graph": "nas.searchspace.spaces.nasbench_graph:NASBenchGraph",
        "nasbench-graph-proteins": "nas.searchspace.spaces.nasbench_graph_proteins:NASBenchGraphProteins",
    },
)


def find(space: Any) -> Space[Any]:
    """A space from its name, from ``file.py:Class``, from a class decorated with ``@architecture``, or itself.

    With ``quantised:`` in front of a name or a file it has knobs for the formats of its components.

    A file is Python and is run as such: name only files you trust.

    Raises:
        BadInput: if there is no such name, file or class, or the class declares no space.
    """
    if isinstance(space, Space):
        return space
    if not isinstance(space, str):
        return Space(space)
    if space.startswith(PREFIX):
        made: Space[Any] = quantised(find(space.removeprefix(PREFIX)))
        return made
    if space.endswith(".py"):
        raise BadInput(f"{space!r} names no class; write {space}:ClassName")
    if ":" not in space:
        return Space(SPACES.load(space), space)
    path, _, name = space.rpartition(":")
    found = _from_file(Path(path), name)
    return found if isinstance(found, Space) else Space(found, name)


def absolute(space: str) -> str:
    """The name of a space in a file with the whole path of that; any other name as it is."""
    before, inner = (PREFIX, space.removeprefix(PREFIX)) if space.startswith(PREFIX) else ("", space)
    if ":" not in inner:
        return space
    path, _, name = inner.rpartition(":")
    return f"{before}{Path(path).resolve()}:{name}"


def _from_file(path: Path, name: str) -> Any:
    if not path.is_file():
        raise BadInput(f"there is no file {str(path)!r}; a space of your own is named as path/to/file.py:ClassName")
    path = path.resolve()
    module_name = _module_name(path)
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise BadInput(f"{str(path)!r} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except NasError:
        raise
    except Exception as error:
        raise BadInput(f"{path} could not be run: {type(error).__name__}: {error}") from error
    if not hasattr(module, name):
        spaces = [k for k, v in vars(module).items() if is_architecture(v) or isinstance(v, Space)]
        raise unknown(f"class in {path}:", name, spaces or ["(no class decorated with @architecture)"])
    return getattr(module, name)


def _module_name(path: Path) -> str:
    """What the file is imported as: its own name, so that an exported module can import it, unless that is taken."""
    stem = re.sub(r"\W", "_", path.stem)
    for name in (stem, *(f"{stem}_{k}" for k in range(2, 1000))):
        if name in sys.modules:
            home = getattr(sys.modules[name], "__file__", None)
        else:
            spec = importlib.util.find_spec(name)
            home = str(path) if spec is None else spec.origin
        if home is not None and Path(home) == path:
            return name
    raise BadInput(f"too many files called {path.name} are loaded")
