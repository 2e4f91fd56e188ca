"""How many unguided samples of a generator are architectures, canonical, different and new.

    python experiments/diffusion/quality.py [SPACE ...]

On ``nasbench-graph`` a network learns from half of the canonical architectures, on others from a random sample. On
``agnn`` none is needed: the exact generator, beside a trained one. ``valid`` is before anything is rejected,
``mended`` the share of draws that are so only once contradictions about which knobs are there are mended, ``unique``
of the valid ones, ``novel`` the share of the different ones that are not among the learned. Once as generators are
trained, and once without rows that are overwritten in training. A row that is there is skipped.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import tomllib
from itertools import product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recording import append, origin, rows

from nas.diffusion.generator import Preset, generator
from nas.diffusion.perceptron import Perceptron
from nas.diffusion.training import Schedule
from nas.searchspace.space import Space
from nas.searchspace.spaces.registry import find

HERE = Path(__file__).parent
FILE = Path(__file__).with_suffix(".csv")
SETTINGS = tomllib.loads((HERE / "settings.toml").read_text())["quality"]
SPACES = {
    "nasbench-graph": "nasbench-graph",
    "agnn": "agnn",
    "agnn, trained": "agnn",
    "constrained": f"{HERE / 'constrained.py'}:Constrained",
}
LEARNED = 20_000


def measure(name: str, steps: int, mistaken: float, seed: int) -> dict[str, Any]:
    """One generator, made and drawn from."""
    space = find(SPACES[name])
    learned = _half(space, seed) if name == "nasbench-graph" else _sample(space, seed)
    start = time.process_time()
    preset = None if name == "agnn" else Preset(Perceptron(), Schedule(steps, mistaken=mistaken))
    made = generator(space, architectures=None if name == "agnn" else learned, seed=seed, preset=preset)
    seconds = time.process_time() - start
    made.draw(1, seed=seed)
    start = time.process_time()
    drawn = made.draw(SETTINGS["draws"], seed=seed)
    drawing = time.process_time() - start
    known = set(learned)
    return {
        "denoiser": type(made.denoiser).__name__, "learned_from": len(learned), "draws": SETTINGS["draws"],
        "valid": round(drawn.valid, 4), "mended": round(drawn.mended, 4),
        "canonical": round(drawn.canonical, 4), "unique": round(drawn.unique, 4),
        "novel": round(sum(a not in known for a in drawn.architectures) / len(drawn.architectures), 4),
        "cpu_seconds_made": round(seconds, 1), "per_cpu_second": round(SETTINGS["draws"] / drawing),
    }  # fmt: skip


def _half(space: Space[Any], seed: int) -> list[Any]:
    every = sorted({space.canonical(a) for a in space.enumerate()}, key=str)
    random.Random(seed).shuffle(every)
    return every[: len(every) // 2]


def _sample(space: Space[Any], seed: int) -> list[Any]:
    rng = random.Random(f"{seed}/sample")
    return list(dict.fromkeys(space.canonical(space.sample(rng)) for _ in range(LEARNED)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spaces", nargs="*", help=", ".join(SPACES))
    done = {(row["space"], row["steps"], row["mistaken"], row["seed"]) for row in rows(FILE)}
    for name in parser.parse_args().spaces or SPACES:
        for (steps, mistaken), seed in product(SETTINGS["trained"][name], range(SETTINGS["seeds"])):
            if (name, str(steps), str(mistaken), str(seed)) not in done:
                found = {"space": name, "steps": steps, "mistaken": mistaken, "seed": seed}
                found |= measure(name, steps, mistaken, seed)
                print(found, flush=True)
                append(FILE, found | origin())


if __name__ == "__main__":
    main()
