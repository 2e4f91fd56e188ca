"""Passwords of storages. They are no part of the settings, so that no file, report or message of a run holds them."""

from __future__ import annotations

import os
import re
from urllib.parse import quote, unquote

from nas.searchspace.errors import BadInput

VARIABLE = "NAS_STORAGE_PASSWORD"
"""The environment variable that holds the password of whoever does not write it into the URL."""
_URL = re.compile(r"^(?P<before>[^:/?#]+://[^:/@?#]+)(?P<password>:[^@]*)?@")
_IN_QUERY = re.compile(r"[?&;](password|passwd|sslpassword)=", re.IGNORECASE)
_given: dict[str, str] = {}


def hidden(url: str) -> str:
    """The URL without its password, which this process remembers.

    Raises:
        BadInput: if the password stands behind the ``?``.
    """
    if _IN_QUERY.search(url):
        raise BadInput(
            f"the storage {_IN_QUERY.split(url)[0]!r}... has its password behind the '?', where it would be written "
            f"into files; write it as in postgresql://USER:PASSWORD@HOST/NAME, or set {VARIABLE}"
        )
    found = _URL.match(url)
    if found is None or found["password"] is None:
        return url
    bare = found["before"] + url[found.end("password") :]
    _given[bare] = found["password"][1:]
    return bare


def revealed(url: str) -> str:
    """The URL with the password that was hidden, or that the environment holds."""
    found = _URL.match(url)
    if found is None or found["password"] is not None:
        return url
    password = _given.get(url)
    if password is None and (in_environment := os.environ.get(VARIABLE)):
        password = quote(in_environment, safe="")
    return url if password is None else f"{found['before']}:{password}{url[found.end('before') :]}"


def without(text: str, url: str) -> str:
    """A message about a storage without the password of its URL."""
    found = _URL.match(url)
    if found is None or not (found["password"] or "")[1:]:
        return text
    password = found["password"][1:]
    return text.replace(password, "***").replace(unquote(password), "***")
