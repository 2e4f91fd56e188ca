"""Guided architectures per CPU second: the trained network in 20 steps, and DiffusionNAG as published in 1,000.

    python experiments/diffusion/speed.py

On one thread (pin it to a core), batches of 64, 8 rows of 7 categories. Both samplers are our own and compiled, and
take turns. Weights are those of a network that learned little, or nothing: they do not change what is computed. Times
are without compiling. ``steps_timed`` says of how many steps; ``per_cpu_second`` is for all ``steps``.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false"

import random
import statistics
import sys
import time
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recording import append, origin

from nas.diffusion.generator import Generator, Sampling, generator
from nas.diffusion.learned_guide import RowPredictor, guide
from nas.diffusion.published import ScoreNetwork, noisy_guide
from nas.predictors.jax_setup import jax
from nas.searchspace import Space, architecture, choice, repeat

FILE = Path(__file__).with_suffix(".csv")
SETTINGS = tomllib.loads((FILE.parent / "settings.toml").read_text())["speed"]


@architecture
class Position:
    operation: str = choice(*"abcdefg")


@architecture
class Eight:
    positions: tuple[Position, ...] = repeat(Position, 8, 8)


def cpu_seconds(draw: Callable[[], Any]) -> float:
    start = time.process_time()
    draw()
    return time.process_time() - start


def main() -> None:
    draws, steps, published_steps = (SETTINGS[key] for key in ("draws", "steps", "published_steps"))
    space = Space(Eight)
    own = generator(space, preset="network", steps=100)
    network = ScoreNetwork()
    start = network.start(jax.random.key(0), *own.prior.shape)
    published = Generator(own.rows, network, start, own.prior)
    rng = random.Random(0)
    known = [space.sample(rng) for _ in range(200)]
    values = np.array([[sum(p.operation == "a" for p in a.positions)] for a in known], float)
    learned = RowPredictor(own.rows)
    learned.fit(known, values[:, 0])
    towards = guide([learned])
    noisy = noisy_guide(own.rows, known, values)
    timed = min(published_steps, SETTINGS["published_timed"])
    rivals: dict[str, tuple[int, int, int, Callable[[], Any]]] = {
        "network": (steps, steps, _weights(own.weights),
                    lambda: own.draw(draws, guide=towards, how=Sampling(steps=steps))),
        "exact": (steps, steps, 0,
                  lambda: generator_exact.draw(draws, guide=towards, how=Sampling(steps=steps))),
        "published": (published_steps, timed, _weights(start),
                      lambda: published.draw(draws, guide=noisy, how=replace(Sampling.published(), steps=timed))),
    }  # fmt: skip
    generator_exact = generator(space)
    for _, _, _, draw in rivals.values():
        draw()
    taken: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(SETTINGS["repetitions"]):
        for name, (_, _, _, draw) in rivals.items():
            repeats = 1 if name == "published" else 20
            taken[name].append(cpu_seconds(lambda: [draw() for _ in range(repeats)]) / repeats)  # noqa: B023
    slowest = 0.0
    for name in ("published", "network", "exact"):
        asked, ran, weights, _ = rivals[name]
        rate = draws / (statistics.median(taken[name]) * asked / ran)
        slowest = slowest or rate
        row = {
            "generator": name, "weights": weights, "steps": asked, "steps_timed": ran, "draws": draws,
            "per_cpu_second": round(rate, 3), "slowest": round(draws / (max(taken[name]) * asked / ran), 3),
            "times_published": round(rate / slowest, 1),
        }  # fmt: skip
        print(row, flush=True)
        append(FILE, row | origin())


def _weights(tree: Any) -> int:
    return sum(np.size(array) for array in jax.tree.leaves(tree))


if __name__ == "__main__":
    main()
