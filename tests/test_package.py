"""The package as a whole: what it holds, what it names, what its parts may import."""

from __future__ import annotations

import doctest
import importlib
import importlib.metadata
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nas

ROOT = Path(__file__).parents[1]
CHECKOUT = (ROOT / "nas").is_dir()
LINKED = ("searchspace", "controllers", "predictors", "diffusion", "zerocost")
MODULES = sorted(m.name for m in pkgutil.walk_packages(nas.__path__, "nas.") if m.name != "nas.__main__")


@pytest.mark.smoke
@pytest.mark.parametrize("name", LINKED)
def test_the_linked_folders_are_parts_of_the_package(name: str) -> None:
    module = importlib.import_module(f"nas.{name}")
    assert module.__doc__
    assert any(found.startswith(f"nas.{name}") for found in MODULES)


@pytest.mark.smoke
def test_it_is_typed_and_versioned() -> None:
    assert (Path(nas.__file__).parent / "py.typed").is_file()
    assert importlib.metadata.version("gnn-nas")


@pytest.mark.smoke
def test_public_names() -> None:
    assert nas.__all__ == sorted(nas.__all__)
    for name in nas.__all__:
        assert getattr(nas, name).__doc__
    with pytest.raises(AttributeError, match="module 'nas' has no attribute 'serach'"):
        nas.serach  # noqa: B018
    assert set(nas.__all__) <= set(dir(nas))


@pytest.mark.smoke
@pytest.mark.parametrize("name", MODULES)
def test_every_module_can_be_imported_and_says_what_it_is(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__ or name.count(".") == 1
    result = doctest.testmod(module)
    assert result.failed == 0


@pytest.mark.parametrize("name", LINKED)
def test_nothing_is_installed_under_bare_names(name: str, tmp_path: Path) -> None:
    """A user's own ``controllers.py`` is theirs."""
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({name!r}) is not None)"
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False).returncode == 0


@pytest.mark.skipif(not CHECKOUT or shutil.which("lint-imports", path=str(Path(sys.executable).parent)) is None,
                    reason="needs a checkout and import-linter")  # fmt: skip
def test_imports_point_one_way() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
