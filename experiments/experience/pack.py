"""Makes the files that come with the package of what ``measure.py`` recorded, and says how well they rank.

    python experiments/experience/pack.py [design agnn]

The quality of a network is the mean of its normal scores by validation and by test among those of the same data set, as
two measurements of the same; a training that failed is the worst, one that took too long is left out. How well the
others rank each data set is printed and stands in the file: the rank correlation with the quality of its networks of
what is expected of them by the knobs of those of all other data sets, weighed as for a new one. What it would be with
the cheap proxies too is printed beside it.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from measure import SETTINGS, table_of
from recording import rows

from nas.controllers.learned_ranking import ABSENT
from nas.data import load
from nas.predictors.agreement import spearman
from nas.predictors.elsewhere import HOME, resemblance
from nas.predictors.several_sources import SeveralSources
from nas.predictors.warped import scores as normal_scores
from nas.searchspace.encodings import one_hot
from nas.searchspace.spaces.registry import find
from nas.study.screening import CHEAP


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("space", nargs="*", default=sorted(SETTINGS["data"]))
    for name in parser.parse_args().space:
        pack(name)


def pack(name: str) -> None:
    space, by_data = find(name), dict[str, list[dict[str, str]]]()
    for row in rows(table_of(name)):
        if not row["reason"].startswith("time"):
            by_data.setdefault(row["data"], []).append(row)
    known = {data: [space.from_json(json.loads(row["architecture"])) for row in of] for data, of in by_data.items()}
    values = {data: quality(of) for data, of in by_data.items()}
    nodes = {data: load(data).train[0].x.size(0) for data in known}
    by_knobs, by_both = (
        {data: left_out(space, by_data, known, values, nodes, data, looks) for data in known} for looks in ((), CHEAP)
    )
    knobs = list(space.every_knob())
    held = {
        "space": name,
        "agreement": {data: round(value, 4) for data, value in by_knobs.items()},
        "nodes": nodes,
        "knobs": knobs,
        "trainings": {
            data: [
                [round(float(value), 4), *map(space.knobs(a).get, knobs)]
                for a, value in zip(known[data], values[data], strict=True)
            ]
            for data in known
        },
    }
    (HOME / f"{name}.json").write_text(written(held))
    print(f"{name}: data, networks, rank correlation by knobs, by knobs and proxies")
    for data, of in known.items():
        print(f"  {data:10s} {len(of):4d} {by_knobs[data]:5.2f} {by_both[data]:5.2f}")
    print(f"  {'mean':10s}      {np.mean(list(by_knobs.values())):5.2f} {np.mean(list(by_both.values())):5.2f}")


def written(held: dict[str, Any]) -> str:
    """JSON, a line for each training."""
    trainings = ",\n".join(
        f"{json.dumps(data)}: [\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in of) + "\n]"
        for data, of in held.pop("trainings").items()
    )
    return json.dumps(held)[:-1] + ', "trainings": {\n' + trainings + "\n}}\n"


def quality(of: list[dict[str, str]]) -> Any:
    splits = ([float(row[split] or "-inf") for row in of] for split in ("valid", "test"))
    return np.mean([normal_scores(np.array(values)) for values in splits], axis=0)


def left_out(space: Any, by_data: Any, known: Any, values: Any, nodes: Any, data: str, looks: tuple[str, ...]) -> float:
    def encoded(name: str) -> Any:
        logs = [[log(row[look]) for look in looks] for row in by_data[name]]
        return np.concatenate([np.stack([one_hot(space, a) for a in known[name]]), np.array(logs)], axis=1)

    others, learner = [name for name in known if name != data], SeveralSources()
    counts = [len(values[name]) for name in others]
    learner.fit(
        np.concatenate([encoded(name) for name in others]),
        np.concatenate([values[name] for name in others]),
        np.repeat(np.arange(len(others)), counts),
        np.repeat([resemblance(nodes[name], nodes[data]) for name in others], counts),
    )
    return spearman(learner.predict(encoded(data)), values[data])


def log(text: str) -> float:
    """As a screen has it; see ``nas.controllers.learned_ranking``."""
    return ABSENT if not text else math.copysign(math.log1p(abs(float(text))), float(text))


if __name__ == "__main__":
    main()
