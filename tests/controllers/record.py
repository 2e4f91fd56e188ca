"""The first proposals of every controller, in a text file, so that a change of behaviour is seen and meant.

After such a change, write the file anew and read its difference before handing it in:

    python -m tests.controllers.record
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from nas.controllers import CONTROLLERS, create
from tests.controllers.spaces import QUICK, SUPERNETS, judge, problem, space_for

FILE = Path(__file__).with_name("recorded.csv")
SEEDS = (0, 1)
PROPOSALS = 5


def recorded(name: str, seed: int) -> str:
    """The first proposals in a finite space, as JSON. Gaussian processes and supernets stay random: floats differ by
    machine, and what is learned with them."""
    space = space_for(name, "Flat")
    options = {} if name in ("gp", "bo", "diffusion") else QUICK.get(name, {})
    options = options | ({"step": 1e-9} if name in SUPERNETS else {})
    controller = create(name, problem(name, space, seed), **options)
    knobs = []
    for number in range(PROPOSALS):
        (proposal,) = controller.ask(1)
        controller.tell(judge(number, [proposal]))
        knobs.append(space.knobs(proposal))
    return json.dumps(knobs)


def table() -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["controller", "seed", "proposals"])
    writer.writerows((name, seed, recorded(name, seed)) for name in CONTROLLERS.names() for seed in SEEDS)
    return text.getvalue()


if __name__ == "__main__":
    FILE.write_text(table())
    print(f"wrote {FILE}")
