"""What the user gave: a TOML file, flags, and flags that stand for several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nas.searchspace.errors import BadInput
from nas.searchspace.parsing import toml_of


def set_pretrained(flags: dict[str, Any], given: dict[str, Any]) -> None:
    """What the flag stands for."""
    flags["controller_options"] = {**(flags["controller_options"] or {}), "pretrained": True}
    for name, value in {"controller": "diffusion", "space": "nasbench-graph"}.items():
        if flags.get(name) is None and name not in given:
            flags[name] = value


def read_config(file: str) -> dict[str, Any]:
    """The settings in a file.

    Raises:
        BadInput: if it cannot be read or is not TOML.
    """
    try:
        values = toml_of(Path(file).read_text(encoding="utf-8"))
        return {key.replace("-", "_"): value for key, value in values.items()}
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the file {file} cannot be read: {error}") from error
    except ValueError as error:
        raise BadInput(f"{file} is not TOML: {error}") from error


def text_of(flag: str | None, given: dict[str, Any], key: str) -> str | None:
    """What a flag that is no setting says, or else the file."""
    value = given.pop(key, None)
    if value is not None and not isinstance(value, str):
        raise BadInput(f"{key} must be text; got {value!r}")
    return flag or value


def options_of(texts: tuple[str, ...]) -> dict[str, Any]:
    """What several ``KEY=VALUE`` say."""
    from nas.settings import option

    options = {}
    for text in texts:
        if (said := option(text)) is None:
            raise BadInput(f"--option takes KEY=VALUE, such as population=50; got {text!r}")
        options[said[0]] = said[1]
    return options
