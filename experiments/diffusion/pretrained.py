"""Builds the pair that ships with the package: a generator of NAS-Bench-Graph's space and the conditioned predictors.

    python experiments/diffusion/pretrained.py [--generator] [--predictors]

Needs the table and the graphs of its data sets that are at hand (NAS_DATA); about four minutes of CPU.
"""

from __future__ import annotations

import argparse

from nas.diffusion import files
from nas.diffusion.conditioned_files import save_family
from nas.diffusion.generator import generator
from nas.diffusion.rows import Rows
from nas.searchspace.spaces.registry import find
from nas.study.pretraining import GENERATOR, SHIPPED, pretrain

SPACE = "nasbench-graph"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for part in ("generator", "predictors"):
        parser.add_argument(f"--{part}", action="store_true", help="build this part alone")
    given = parser.parse_args()
    both = given.generator == given.predictors
    space, folder = find(SPACE), SHIPPED / SPACE
    if both or given.predictors:
        save_family(pretrain(SPACE, told=print), Rows(space), folder)
    if both or given.generator:
        made = generator(space, told=lambda done, steps, loss: print(f"generator: {done} of {steps} steps, {loss:.4f}"))
        files.save(made, folder / GENERATOR)


if __name__ == "__main__":
    main()
