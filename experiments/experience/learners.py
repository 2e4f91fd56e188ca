"""Which learner ranks networks best on a data set of which it has seen none: why ``prior`` is what it is.

    python experiments/experience/learners.py [design agnn]

Needs what ``pack.py`` made, and no data. Each data set is left out in turn; learners.csv has the rank correlation with
the quality of its networks of what is expected of them: by one forest of all others, by the vote of a forest for each,
and by the mean of both, where all others weigh the same and where they weigh by size, which is ``prior``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from recording import append, origin

from nas.predictors.agreement import spearman
from nas.predictors.elsewhere import HOME, resemblance
from nas.predictors.several_sources import SeveralSources
from nas.searchspace.encodings import one_hot
from nas.searchspace.spaces.registry import find

TABLE = Path(__file__).parent / "learners.csv"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("space", nargs="*", default=["design", "agnn"])
    chosen = parser.parse_args().space
    TABLE.unlink(missing_ok=True)
    for name in chosen:
        held = json.loads((HOME / f"{name}.json").read_text())
        rows = []
        for data in held["nodes"]:
            found = {"networks": len(held["trainings"][data])} | left_out(name, held, data)
            rows.append(found)
            append(TABLE, {"space": name, "data": data} | found | origin())
            print(name, data, found, flush=True)
        print(name, "mean", {way: round(float(np.mean([row[way] for row in rows])), 3) for way in rows[0]}, flush=True)


def left_out(name: str, held: dict[str, Any], data: str) -> dict[str, Any]:
    others = [other for other in held["nodes"] if other != data]
    inputs, values = encoded(name, held, [data])
    sources: Any = np.repeat(np.arange(len(others)), [len(held["trainings"][other]) for other in others])
    sizes = np.array([resemblance(held["nodes"][other], held["nodes"][data]) for other in others])
    found: dict[str, Any] = {}
    for way, weights in (("", np.ones(len(others))), (" by size", sizes)):
        learner = SeveralSources()
        learner.fit(*encoded(name, held, others), sources, weights[sources])
        mean, vote = learner.predict(inputs), learner.voted(inputs)
        for kind, said in (("one forest", 2 * mean - vote), ("vote", vote), ("mean", mean)):
            found[kind + way] = round(spearman(said, values), 3)
    return found


def encoded(name: str, held: dict[str, Any], of: list[str]) -> tuple[Any, Any]:
    """The encodings and the qualities of the networks of some data sets."""
    space, rows = find(name), [row for data in of for row in held["trainings"][data]]
    known = [
        space.from_knobs({k: v for k, v in zip(held["knobs"], row[1:], strict=True) if v is not None}) for row in rows
    ]
    return np.stack([one_hot(space, a) for a in known]), np.array([row[0] for row in rows])


if __name__ == "__main__":
    main()
