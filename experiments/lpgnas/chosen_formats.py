"""How often each format was chosen for each component of a block, over the fronts of all data sets.

    python experiments/lpgnas/chosen_formats.py [--method lpgnas] [--seeds 1,2]

Reads fronts.csv, of which some seeds of the search (networks of seed 0 were trained with few bits, those of 1 and 2
with all and rounded then); writes chosen_formats.csv and a plot of one method, chosen_formats.svg. Of each front those
networks count whose validation accuracy is within ``near`` (settings.toml) of its best, since the smallest ones of a
front may have given up the task. Each search counts as much as another. Where the coefficients of a block are constant
it has no format of attention. ``declared`` is the share that a choice at random would have.

The claim to examine is that of Zhao et al. (arXiv 2009.09232): weights of four and activations of eight bits are where
quantisation of a finished network comes to its limits.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recording import append, origin, rows

from nas.searchspace.formats import ACTIVATIONS, ATTENTION, MESSAGES, WEIGHTS
from nas.searchspace.layers.quantised import described

HERE = Path(__file__).parent
TABLE, PLOT = HERE / "chosen_formats.csv", HERE / "chosen_formats.svg"
NEAR = tomllib.loads((HERE / "settings.toml").read_text())["confirm"]["near"]
OPTIONS = {"weights": WEIGHTS, "activations": ACTIVATIONS, "messages": MESSAGES, "attention": ATTENTION}
BLOCKS = (1, 2)


class Share(NamedTuple):
    """How often a format was chosen, of the blocks that have the component."""

    method: str
    component: str
    block: int
    format: str
    data: int
    networks: int
    share: float

    @property
    def declared(self) -> float:
        return 1 / len(OPTIONS[self.component])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="lpgnas", help="the one to draw")
    parser.add_argument("--seeds", default="1,2", help="of the searches")
    given = parser.parse_args()
    drawn = given.method
    fronts = [row for row in rows(HERE / "fronts.csv") if row["seed"] in given.seeds.split(",")]
    TABLE.unlink(missing_ok=True)
    found = [share for method in dict.fromkeys(r["method"] for r in fronts) for share in shares(method, fronts)]
    for share in found:
        row = (
            {"seeds": given.seeds}
            | share._asdict()
            | {"share": f"{share.share:.3f}", "declared": f"{share.declared:.3f}"}
        )
        append(TABLE, row | origin())
    PLOT.write_text(plot([share for share in found if share.method == drawn]))
    for component in OPTIONS:
        for block in BLOCKS:
            here = [s for s in found if (s.method, s.component, s.block) == (drawn, component, block)]
            print(f"{component:12s} block {block}:", "  ".join(f"{s.format} {100 * s.share:.0f}%" for s in here))


def shares(method: str, fronts: list[dict[str, str]]) -> Iterator[Share]:
    """Of one method; none if its networks have no formats."""
    searches = dict.fromkeys((r["data"], r["seed"]) for r in fronts)
    counted = {search: list(networks(search, method, fronts)) for search in searches}
    for component, options in OPTIONS.items():
        for block in BLOCKS:
            every = {search: Counter(formats(each, component, block)) for search, each in counted.items()}
            counts = {search: count for search, count in every.items() if count}
            for option in options if counts else ():
                mean = fmean(count[option] / count.total() for count in counts.values())
                total = sum(count[option] for count in counts.values())
                yield Share(method, component, block, option, len({data for data, _ in counts}), total, mean)


def networks(search: tuple[str, str], method: str, fronts: list[dict[str, str]]) -> Iterator[dict[str, str]]:
    """The knobs of the accurate ones of a front."""
    front = [r for r in fronts if ((r["data"], r["seed"]), r["method"]) == (search, method)]
    best = max((float(r["valid"]) for r in front), default=0.0)
    for row in front:
        if float(row["valid"]) >= best - NEAR:
            yield dict(knob.split("=", 1) for knob in row["architecture"].split())


def formats(found: list[dict[str, str]], component: str, block: int) -> Iterator[str]:
    """Those of one component in each network that has it."""
    at = f"blocks.{block - 1}."
    for knobs in found:
        if f"{at}formats.{component}" in knobs and (component, knobs[f"{at}attention"]) != ("attention", "constant"):
            yield knobs[f"{at}formats.{component}"]


# the plot

LEFT, WIDTH, BAR, GAP = 170, 560, 24, 14
STYLE = "text{font:13px system-ui,sans-serif;fill:#1c2430}.inside{text-anchor:middle}.name{text-anchor:end}"
FAINT = "text.declared{fill:#5b6675;font-size:11px}"


def plot(found: list[Share]) -> str:
    """A bar for each component of each block, divided into formats, and below it the same by declared shares."""
    parts, y = list[str](), 34.0
    for component in OPTIONS:
        for block in BLOCKS:
            here = [s for s in found if (s.component, s.block) == (component, block)]
            if here:
                parts.append(bar(f"{component}, block {block}", [(s.format, s.share) for s in here], y, BAR))
                y += BAR + 4
        options = [(option, 1 / len(OPTIONS[component])) for option in OPTIONS[component]]
        parts.append(bar("a random choice", options, y, 8))
        y += 8 + GAP
    method, data = (found[0].method, max(s.data for s in found)) if found else ("nothing", 0)
    title = f"Formats on the fronts of {method}, mean of {data} data sets"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 20} {y:.0f}" role="img" '
        f'aria-label="{title}"><style>{STYLE}{FAINT}</style><rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="{LEFT}" y="20">{title}</text>{"".join(parts)}</svg>\n'
    )


def bar(name: str, parts: list[tuple[str, float]], y: float, height: float) -> str:
    """The darker, the more bits."""
    kind = "name" if height == BAR else "name declared"
    drawn, x = [f'<text class="{kind}" x="{LEFT - 8}" y="{y + height / 2 + 4:.1f}">{name}</text>'], float(LEFT)
    for option, share in parts:
        width, bits = WIDTH * share, described(option)[1]
        light = 92 - 7 * bits
        said = f"{option}: {100 * share:.0f} %"
        drawn.append(
            f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{height}" fill="hsl(212,55%,{light}%)" '
            f'stroke="#fff"><title>{said}</title></rect>'
        )
        if width > 7 * len(option) + 34 and height == BAR:
            ink = "#fff" if light < 60 else "#1c2430"
            middle = x + width / 2
            drawn.append(
                f'<text class="inside" style="fill:{ink}" x="{middle:.1f}" y="{y + height / 2 + 4:.1f}">{option} '
                f"{100 * share:.0f} %</text>"
            )
        x += width
    return "".join(drawn)


if __name__ == "__main__":
    main()
