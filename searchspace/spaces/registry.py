"""How a space is named: built in, in another package, or in a file of the user's own."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from nas.searchspace.errors import BadInput, NasError
from nas.searchspace.registry import Registry, unknown
from nas.searchspace.space import Space

SPACES = Registry(
    "search space",
    {
        "agnn": "nas.searchspace.spaces.agnn:AGNN",
        "design": "nas.searchspace.spaces.design:Design",
        "nasbench-graph": "nas.searchspace.spaces.nasbench_graph:NASBenchGraph",
    },
)


def find(space: Any) -> Space[Any]:
    """A space from its name, from ``file.py:Class``, from a class decorated with ``@architecture``, or itself.

    A file is Python and is run as such: name only files you trust.

    Raises:
        BadInput: if there is no such name, file or class, or the class declares no space.
    """
    if isinstance(space, Space):
        return space
    if not isinstance(space, str):
        return Space(space)
    if ":" not in space:
        return Space(SPACES.load(space), space)
    path, _, name = space.rpartition(":")
    return Space(_from_file(Path(path), name), name)


def _from_file(path: Path, name: str) -> type[Any]:
    if not path.is_file():
        raise BadInput(f"there is no file {str(path)!r}; a space of your own is named as path/to/file.py:ClassName")
    module_name = f"nas_space_{path.stem}"
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
        classes = [k for k, v in vars(module).items() if hasattr(v, "__dataclass_fields__") or isinstance(v, Space)]
        raise unknown(f"class in {path}:", name, classes or ["(no class decorated with @architecture)"])
    found = getattr(module, name)
    return found.of if isinstance(found, Space) else found  # type: ignore[no-any-return]
