"""How long the threads of a training spin while they wait for each other, on a quiet machine and on a busy one.

    python experiments/fast_evaluation/waiting.py [--data cora] [--rounds 3]

GCN, SAGE, GIN and GAT of two layers (``fixed``) and four networks drawn from ``agnn`` (``sampled``) are trained in a
fresh process, with one thread and with one on each core, there with several settings of GOMP_SPINCOUNT (the library's
own is 300000; this package sets ``nas.SPINS``), alone and beside one process a core that computes without end. Wall
seconds of the training loops, all settings in turn in every round. Run it with nothing else on the machine.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

HERE = Path(__file__).parent
TABLE = HERE / "waiting.csv"
CORES = os.cpu_count() or 1
SPINS = (1_000, 3_000, 10_000, 300_000)
LIMIT = 600
EPOCHS = 20
SAMPLED = 4
BUSY = "while True: pass"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="cora")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--once", action="store_true", help="train in this process and print the seconds")
    options = parser.parse_args()
    if options.once:
        print(*trained(options.data))
        return
    from recording import append, origin

    for number in range(options.rounds):
        for busy in (0, CORES):
            others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(busy)]
            try:
                for threads, spins in [(1, 300_000), *((CORES, spins) for spins in SPINS)]:
                    row = {"data": options.data, "round": number, "busy": busy, "threads": threads, "spins": spins}
                    row |= measured(options.data, threads, spins)
                    print(row, flush=True)
                    append(TABLE, row | origin())
            finally:
                for other in others:
                    other.kill()


def measured(data: str, threads: int, spins: int) -> dict[str, str]:
    setting = {"OMP_NUM_THREADS": str(threads), "GOMP_SPINCOUNT": str(spins)}
    command = [sys.executable, __file__, "--data", data, "--once"]
    done = subprocess.run(
        command, env=os.environ | setting, capture_output=True, text=True, check=True, timeout=LIMIT
    )  # fmt: skip
    return dict(zip(("fixed_seconds", "sampled_seconds"), done.stdout.split(), strict=True))


def trained(data: str) -> list[str]:
    from cases import fixed, sampled, short
    from loops import engine

    from nas.data import load
    from nas.evaluation.engine.memory import keep_freed_memory
    from nas.evaluation.engine.prepare import prepare

    keep_freed_memory()
    prepared = prepare(load(data))
    took = []
    for cases in (list(fixed(prepared)), list(sampled("agnn", prepared, SAMPLED))):
        for case in cases:
            engine(prepared, short(case, 1), 0)
        begin = time.perf_counter()
        for case in cases:
            engine(prepared, short(case, EPOCHS), 0)
        took.append(f"{time.perf_counter() - begin:.2f}")
    return took


if __name__ == "__main__":
    main()
