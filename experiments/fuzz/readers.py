"""Coverage-guided fuzzing of everything that reads a file: only our errors come out, nothing runs, no file changes.

    pip install atheris
    python experiments/fuzz/readers.py [csv npz pt ...] [--seconds 120]

Each reader runs in a process of its own until the time is over or an input breaks it; that input is kept in the folder
``--found`` and fails again with ``--again FILE``. A row in ``readers.csv`` says what was run and what came of it. An
input may take 10 seconds and 4 GiB.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1]), str(HERE.parents[2])]

TABLE = HERE.with_name("readers.csv")
SECONDS, MEBIBYTES = 10, 4096
"""Limits of one input."""


def inside(name: str, arguments: list[str]) -> None:
    """Fuzz one reader in this process; does not come back."""
    import atheris

    home = Path(tempfile.mkdtemp(prefix="fuzz-"))
    with atheris.instrument_imports(include=["nas", "tomllib"]):
        import targets
        from guard import only_reads

        from nas.searchspace.errors import NasError

        target = targets.TARGETS[name]
        for number, seed in enumerate(target.seeds()):  # what a reader imports late is imported before it is watched
            (folder := home / str(number)).mkdir()
            try:
                target.run(seed, folder)()
            except NasError as error:
                print(f"an example is refused: {error}", file=sys.stderr)
    corpus = Path(arguments[-1])
    if corpus.is_dir():
        for number, seed in enumerate(target.seeds()):
            (corpus / f"seed-{number}").write_bytes(seed)
        words = "\n".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"' for word in target.words)
        (corpus.parent / "words").write_text(words + "\n")

    def one(data: bytes) -> None:
        folder = home / "given"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        reads = target.run(data, folder)
        try:
            with only_reads(folder):
                reads()
        except NasError as error:
            if not str(error):
                raise

    atheris.Setup([sys.argv[0], *arguments], one)
    atheris.Fuzz()


def fuzz(name: str, seconds: int, found: Path) -> dict[str, object]:
    """Run one reader in a process of its own; what came of it."""
    found.mkdir(parents=True, exist_ok=True)
    before = set(found.iterdir())
    with tempfile.TemporaryDirectory() as home:
        corpus, words = Path(home) / "corpus", Path(home) / "words"
        corpus.mkdir()
        words.write_text('"nas"\n')
        limits = [f"-max_total_time={seconds}", f"-timeout={SECONDS}", f"-rss_limit_mb={MEBIBYTES}", "-max_len=4096"]
        told = ["-print_final_stats=1", f"-artifact_prefix={found}/{name}-", f"-dict={words}", str(corpus)]
        ran = subprocess.run(
            [sys.executable, str(HERE), "--inside", name, *limits, *told], capture_output=True, text=True, check=False
        )
        kept = len(list(corpus.iterdir()))
    numbers = dict(re.findall(r"stat::(\w+):\s+(\d+)", ran.stderr))
    covered = re.findall(r"cov: (\d+)", ran.stderr)
    broke = sorted(path.name for path in set(found.iterdir()) - before)
    if ran.returncode or broke:
        print("\n".join((ran.stdout + ran.stderr).splitlines()[-40:]), file=sys.stderr)
    return {
        "reader": name,
        "seconds": seconds,
        "executions": numbers.get("number_of_executed_units", ""),
        "branches": covered[-1] if covered else "",
        "inputs_kept": kept,
        "findings": len(broke) or int(ran.returncode != 0),
        "atheris": version("atheris"),
    }


def main() -> None:
    if "--inside" in sys.argv:
        inside(sys.argv[2], sys.argv[3:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reader", nargs="*", help="csv, npz, pt, exported, json, toml, pickle, table; all without one")
    parser.add_argument("--seconds", type=int, default=120, help="for each reader")
    parser.add_argument("--found", type=Path, default=Path("found"), help="folder for inputs that break a reader")
    parser.add_argument("--again", type=Path, help="one such input, to see its error")
    options = parser.parse_args()
    if options.again is not None:
        sys.exit(subprocess.call([sys.executable, str(HERE), "--inside", options.reader[0], str(options.again)]))
    from recording import append, origin
    from targets import TARGETS

    failed = False
    for name in options.reader or TARGETS:
        row = fuzz(name, options.seconds, options.found.resolve())
        print(row, flush=True)
        append(TABLE, row | origin())
        failed = failed or bool(row["findings"])
    sys.exit(failed)


if __name__ == "__main__":
    main()
