"""What only a process of its own shows: exit codes, signals, pipes, and what is imported."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
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
    """As in ``nas datasets | head -1``: no traceback, and the code that a shell expects."""
    process = subprocess.Popen(
        [sys.executable, "-m", "nas", "datasets", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait(timeout=60) == 128 + signal.SIGPIPE
    assert errors == ""


def test_messages_that_nobody_hears() -> None:
    """Neither a stderr whose reader is gone nor one that is closed from the start changes what a command returns."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "nas"]
    for where in (writer, None):
        closed = {"stderr": where} if where else {"preexec_fn": lambda: os.close(2)}
        done = subprocess.run([*command, "space", "agn"], check=False, stdout=subprocess.PIPE, **closed)  # type: ignore[call-overload]
        assert (done.returncode, done.stdout) == (2, b"")
    os.close(writer)


def test_results_that_find_no_room() -> None:
    """A full disk under stdout is an error, said once."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "nas", "datasets"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert done.stderr == b"Error: what is printed cannot be written: No space left on device\n"


def test_a_second_interrupt_ends_all_at_once() -> None:
    """While the first is answered, which here takes a minute: the process ends, and its workers with it."""
    program = """
import multiprocessing, os, signal, time
from nas.cli import main
worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
worker.start()
signal.signal(signal.SIGINT, main._interrupt)
signal.signal(signal.SIGTERM, main._interrupt)
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
except KeyboardInterrupt:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
"""
    begin = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "Stopped at once.\n")
    assert time.monotonic() - begin < 30  # the worker would have kept the pipes open for a minute


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


def flags(space_file: Path, runs: Path, trials: int, *more: str) -> list[str]:
    """A search whose trainings take some tenths of a second each."""
    slow = ["--epochs", "300", "--patience", "300", "--device", "cpu"]
    what = ["--space", f"{space_file}:Quick", "--controller", "random", "--trials", str(trials), "--name", "cut"]
    return [sys.executable, "-m", "nas", "search", *what, *slow, "--runs", str(runs), *more]


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["stdout", "stderr", "both"])
def test_a_reader_that_goes_away_in_mid_search(closed: str, space_file: Path, tmp_path: Path) -> None:
    """As in ``nas search 2>&1 | head -1``: the run comes to its end, with its report, and nothing is said of it."""
    process = subprocess.Popen(
        flags(space_file, tmp_path, 3), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("trial 0: "):
            break
    if closed != "stderr":
        process.stdout.close()
    if closed != "stdout":
        process.stderr.close()
    out = process.stdout.read() if closed == "stderr" else ""
    errors = process.stderr.read() if closed == "stdout" else ""
    process.stderr.close()
    process.stdout.close()
    assert process.wait(timeout=60) == (0 if closed == "stderr" else 128 + signal.SIGPIPE)
    if closed == "stderr":
        assert out.startswith("best architectures\n")
    if closed == "stdout":
        assert "report: " in errors
        assert "Error" not in errors
    assert (tmp_path / "cut" / "report.html").is_file()
    assert json.loads(nas("show", "cut", "--runs", tmp_path, "--json").stdout)["trials"] == 3


@pytest.mark.slow
@pytest.mark.parametrize("after", ["run cut: ", "trial 0: "])
def test_ctrl_c_twice_in_a_terminal(after: str, space_file: Path, tmp_path: Path) -> None:
    """Every process of the group hears both; no traceback, no process is left, and the run goes on to its end."""
    command = flags(space_file, tmp_path, 5, "--workers", "2")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as driver:
        assert driver.stderr is not None
        for line in driver.stderr:
            if line.startswith(after):
                break
        while len(started := psutil.Process(driver.pid).children(recursive=True)) < 3:
            time.sleep(0.02)
        time.sleep(0.3)
        begin = time.monotonic()
        while driver.poll() is None and time.monotonic() - begin < 10:  # two that come together are one
            os.killpg(driver.pid, signal.SIGINT)
            time.sleep(0.02)
        _, errors = driver.communicate(timeout=30)
    assert time.monotonic() - begin < 10
    assert driver.returncode == 130
    *before, last = errors.splitlines()
    assert last == "Stopped at once."
    assert all(line.startswith(("trial ", "Interrupted: ")) for line in before), errors  # the first may be answered
    _, alive = psutil.wait_procs(started, timeout=10)
    assert not alive
    resumed = nas("resume", "cut", "--runs", tmp_path, "--json")
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["trials"] == 5
    assert not [path for path in (tmp_path / "cut").rglob(".*") if path.name != ".lock"]


@pytest.mark.slow
def test_ctrl_c_while_workers_start(space_file: Path, tmp_path: Path) -> None:
    """They do not hear it, not even before they are told to ignore it."""
    command = flags(space_file, tmp_path, 5, "--workers", "2")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as driver:
        while len(started := psutil.Process(driver.pid).children(recursive=True)) < 3:
            time.sleep(0.02)
        time.sleep(0.3)
        os.killpg(driver.pid, signal.SIGINT)
        _, errors = driver.communicate(timeout=30)
    assert driver.returncode == 130
    assert errors.splitlines()[1:] == ["Interrupted: 0 trials are saved. Go on with: nas resume cut"]
    _, alive = psutil.wait_procs(started, timeout=10)
    assert not alive


@pytest.mark.slow
def test_a_run_that_two_resume_at_once(space_file: Path, tmp_path: Path) -> None:
    """One goes on; the other is told who does, and changes nothing."""
    assert subprocess.run(flags(space_file, tmp_path, 1), capture_output=True, check=False).returncode == 0
    command = [sys.executable, "-m", "nas", "resume", "cut", "--trials", "8", "--runs", str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = {process.pid: process.communicate(timeout=100) for process in both}
    first, second = sorted(both, key=lambda process: process.returncode or 0)
    assert (first.returncode, second.returncode) == (0, 1), said
    assert said[second.pid][0] == ""
    assert f"is being worked on by process {first.pid} on {platform.node()}; wait for it" in said[second.pid][1]
    shown = json.loads(nas("show", "cut", "--runs", tmp_path, "--json").stdout)
    assert (shown["trials"], shown["failed"]) == (8, 0)


def test_json_alone_on_stdout(space_file: Path, tmp_path: Path) -> None:
    search = ["search", "--space", f"{space_file}:Quick", "--controller", "random", "--trials", 1, "--json"]
    done = nas(*search, cwd=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["trials"] == 1
    lines = done.stderr.splitlines()
    assert [line.split(" ")[0] for line in lines] == ["run", "trial", "report:", "export"]
