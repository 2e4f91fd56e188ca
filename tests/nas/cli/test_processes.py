"""What only a process of its own shows: exit codes, signals, pipes, and what is imported."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HEAVY = ("torch", "torch_geometric", "jax", "optuna", "sklearn", "pandas", "matplotlib", "scipy", "numpy", "ray")


def nas(*arguments: object, **more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nas", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **more)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "code",
    [
        "import nas",
        "import nas, nas.cli.main",
        "from nas.cli.main import run; assert run(['--help']) == 0",
        "from nas.cli.main import run; assert run(['search', '--help']) == 0",
        "from nas.cli.main import run; assert run(['datasets']) == 0",
        "from nas.cli.main import run; assert run(['controllers']) == 0",
        "from nas.cli.main import run; assert run(['space', 'agnn']) == 0",
        "from nas.cli.main import run; assert run(['runs']) == 0",
        "from nas.cli.main import run; assert run(['search', '--trials', '0']) == 2",
    ],
)
def test_nothing_heavy_is_imported(code: str) -> None:
    check = f"{code}\nimport sys\nprint(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "[]"


def test_exit_codes() -> None:
    assert nas("datasets").returncode == 0
    wrong = nas("space", "agn")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("Error: unknown search space 'agn'; did you mean 'agnn'?")
    assert nas("search", "--trials").returncode == 2


def test_debug_shows_the_traceback() -> None:
    done = nas("space", "agn", "--debug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "BadInput: unknown search space 'agn'" in done.stderr


def test_a_reader_that_goes_away() -> None:
    """As in ``nas datasets | head -1``: no traceback."""
    process = subprocess.Popen(
        [sys.executable, "-m", "nas", "datasets", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(timeout=60) == 1
    assert errors == ""


@pytest.mark.parametrize("sent", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_an_interrupted_search_goes_on(sent: signal.Signals, space_file: Path, tmp_path: Path) -> None:
    """What is finished is saved, the table is printed, the exit code is 130 and resume finishes the search."""
    search = [
        "search", "--space", f"{space_file}:Quick", "--controller", "random", "--trials", "12", "--name", "cut",
        "--epochs", "300", "--patience", "300", "--runs", str(tmp_path),
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "nas", *search], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    seen = ""
    for line in process.stderr:
        seen += line
        if line.startswith("trial 0: "):
            break
    time.sleep(0.1)
    process.send_signal(sent)
    out, rest = process.communicate(timeout=60)
    assert process.returncode == 130, seen + rest
    assert out.startswith("best architectures\n")
    assert "Traceback" not in rest
    saved = int(rest.split("Interrupted: ")[1].split(" ")[0])
    assert 1 <= saved < 12
    assert rest.endswith("saved. Go on with: nas resume cut\n")
    shown = nas("runs", "--runs", tmp_path)
    assert f"{saved} of 12" in shown.stdout


def test_json_alone_on_stdout(space_file: Path, tmp_path: Path) -> None:
    search = ["search", "--space", f"{space_file}:Quick", "--controller", "random", "--trials", 1, "--json"]
    done = nas(*search, cwd=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["trials"] == 1
    lines = done.stderr.splitlines()
    assert [line.split(" ")[0] for line in lines] == ["run", "trial", "report:", "export"]
