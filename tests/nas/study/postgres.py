"""A PostgreSQL server in a folder, on a socket there, run by the user ``postgres`` where root runs the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

PROGRAMS = ("initdb", "pg_ctl")
PASSWORD = "se/cr:et"


def missing() -> str | None:
    """Why there can be no server; None if there can."""
    for program in PROGRAMS:
        if _found(program) is None:
            return f"PostgreSQL is not installed: there is no {program}"
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        return f"the driver of PostgreSQL is not installed: {error}"
    if os.geteuid() == 0 and not _users():
        return "PostgreSQL refuses to run as root, and there is no user postgres or nobody"
    return None


@contextmanager
def server() -> Iterator[str]:
    """The URL of a new, empty database, whose user has a password; for as long as the context lasts."""
    with tempfile.TemporaryDirectory(prefix="pg-") as temporary:
        folder = Path(temporary)  # not in pytest's, which other users cannot enter
        folder.chmod(0o755)
        data, secret = folder / "data", folder / "secret"
        secret.write_text(PASSWORD)
        if (user := _user()) is not None:
            for path in (folder, secret):
                shutil.chown(path, user)
        _run("initdb", "-D", f"{data}", "-U", "me", "--pwfile", f"{secret}", "-A", "scram-sha-256", "-N")
        url = f"postgresql://me:{quote(PASSWORD, safe='')}@/postgres?host={folder}"
        start(url)
        try:
            yield url
        finally:
            stop(url)


def start(url: str) -> None:
    """Begin to answer at the URL of ``server``, again."""
    folder = url.split("host=")[1]
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    _run("pg_ctl", "-D", f"{folder}/data", "-l", f"{folder}/log", "-o", options, "-w", "start")


def stop(url: str) -> None:
    """End at once, as if somebody had pulled the plug."""
    _run("pg_ctl", "-D", f"{url.split('host=')[1]}/data", "-m", "immediate", "stop")


def let_go() -> None:
    """Close the connections of this process."""
    from nas.study.storages import _open

    for backend in _open.values():
        backend.engine.dispose()  # type: ignore[attr-defined]
    _open.clear()


def _user() -> str | None:
    """Who runs it, where root may not."""
    return _users()[0] if os.geteuid() == 0 else None


def _run(program: str, *arguments: str) -> None:
    command = [_program(program), *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, user=_user(), cwd="/", timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def _program(name: str) -> str:
    found = _found(name)
    assert found is not None
    return found


def _found(name: str) -> str | None:
    """On the path, or where Debian keeps it."""
    newest = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return shutil.which(name) or next(map(str, newest), None)


def _users() -> list[str]:
    names = {user.pw_name for user in pwd.getpwall()}
    return [name for name in ("postgres", "nobody") if name in names]
