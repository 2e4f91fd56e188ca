"""A search that is killed and taken up again: ``killed.py SEED KILLS SEEN EVALUATOR CONTROLLER`` in its own process.

It forks one process after the other, of which each goes on with the search and is killed at a random moment, and at
last one that is not. Every process first checks that the trials which an earlier one saw finished are there. How many
were killed in the middle of the search is printed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

torch.set_num_threads(1)

import nas  # noqa: E402
from nas.controllers.registry import CONTROLLERS  # noqa: E402
from nas.study.folder import RunFolder, runs_root  # noqa: E402
from nas.study.records import Record  # noqa: E402
from nas.study.search import Silent  # noqa: E402
from tests.controllers.spaces import QUICK, with_formats  # noqa: E402
from tests.nas.toys import Toy, Wide, graph  # noqa: E402

DATA = graph()
TRIALS = {"bo": 12, "diffusion": 12, "gp": 12, "darts": 8, "lpgnas": 6}
"""Where it is not 30: models are slow to make, and a supernet proposes what it derived."""
OPTIONS = {**QUICK, "evolution": {"population": 5, "sample": 2}, "agnn": {"initial": 4}}


def given(controller: str, evaluator: str) -> dict[str, Any]:
    """The search, but for its name and watcher."""
    space = {"lpgnas": with_formats("lpgnas", Toy), "darts": Toy}.get(controller, Wide)
    options = {"controller": controller, "controller_options": OPTIONS.get(controller, {})}
    return {"space": space, "trials": TRIALS.get(controller, 30), "device": "cpu", "evaluator": evaluator, **options}


def prepare(controller: str) -> dict[str, Any]:
    """Import what every child would import anew; ``diffusion`` has a generator that is trained in no time.

    Returns:
        the presets of generators that are to be replaced.
    """
    CONTROLLERS.load(controller)
    if controller not in ("bo", "diffusion"):
        return {}
    import nas.controllers.surrogate  # noqa: F401
    from nas.diffusion.generator import Preset
    from nas.diffusion.perceptron import Perceptron
    from nas.diffusion.training import Schedule

    return {"network": Preset(Perceptron(), Schedule(steps=10, batch=32))} if controller == "diffusion" else {}


class Checks(Silent):
    def __init__(self, seen: Path) -> None:
        self.seen = seen

    def started(self, records: Sequence[Record]) -> None:
        from safetensors.torch import load_file

        kept = {str(r.trial.number): r.trial.values for r in records}
        assert list(kept) == [str(i) for i in range(len(records))], "numbers are not consecutive"
        for line in self.seen.read_text().splitlines():
            number, value = json.loads(line)
            assert kept[str(number)] == (value,), f"trial {number} is lost"
        for file in RunFolder(runs_root(), "run").path.glob("*/*.safetensors"):
            if not file.name.startswith("."):
                load_file(file)

    def recorded(self, record: Record) -> None:
        assert record.trial.values is not None
        with self.seen.open("a") as file:
            file.write(json.dumps([record.trial.number, record.trial.values[0]]) + "\n")


def go_on(seen: Path, evaluator: str, controller: str) -> None:
    search = given(controller, evaluator)
    if RunFolder(runs_root(), "run").exists():
        nas.resume("run", data=DATA, space=search["space"], watcher=Checks(seen))
    else:
        nas.search(DATA, name="run", watcher=Checks(seen), **search)


def ended(child: int) -> int | None:
    """Its exit status; None while it runs."""
    done, status = os.waitpid(child, os.WNOHANG)
    return status if done else None


def kill_some_time(child: int, seen: Path, rng: random.Random, most: int) -> int:
    """Any time after the start, or after a few trials more, however long these take; its exit status.

    Few are ``most``, so that a quick machine is not done before all were killed.
    """
    more = rng.choice((0, 0, *range(1, most + 1)))
    begin, known = time.monotonic(), len(seen.read_text().splitlines())
    status = None

    def until(trials: int, seconds: float) -> None:
        nonlocal status
        end = time.monotonic() + seconds
        while status is None and time.monotonic() < end and len(seen.read_text().splitlines()) < known + trials:
            time.sleep(0.002)
            status = ended(child)

    until(more, 120)
    assert time.monotonic() - begin < 120
    until(most + 1, rng.uniform(0, 0.1 if more else 0.7))
    if status is None:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    return status


def main(seed: int, kills: int, seen: Path, evaluator: str, controller: str) -> int:
    """The search, killed at most so often; how often it was in the middle."""
    seen.touch()
    if short := prepare(controller):
        from nas.diffusion.generator import PRESETS

        PRESETS.update(short)
    rng, killed = random.Random(f"{seed}/{controller}"), 0
    most = max(1, TRIALS.get(controller, 30) // kills)
    for kill in range(kills + 1):
        child = os.fork()
        if child == 0:
            try:
                go_on(seen, evaluator, controller)
            except BaseException:
                import traceback

                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        status = kill_some_time(child, seen, rng, most) if kill < kills else os.waitpid(child, 0)[1]
        code = os.waitstatus_to_exitcode(status)
        assert code in (0, -signal.SIGKILL), code
        killed += code != 0
    return killed


if __name__ == "__main__":
    print(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4], sys.argv[5]))
