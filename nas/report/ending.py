"""The end of the report: what was searched with which settings, and what to do next."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from html import escape

import tomli_w

from nas.report.view import View, better, listed, plural, table
from nas.searchspace.task import SPLITS
from nas.study.records import Record


def settings(view: View) -> str:
    """Data, versions and every setting."""
    task = view.task
    sizes = []
    for split in SPLITS:
        count = sum(int(b.y.shape[0] if b.index is None else b.index.shape[0]) for b in task.batches(split))
        sizes += [f"{split} {count:,}"] if count else []
    data = [
        ("data set", task.name),
        ("question", f"{task.level}-level {task.target}, {plural(task.outputs, 'output')}"),
        ("node features", f"{task.features:,}"),
        ("split", f"{task.split}, seed {view.settings.split_seed}" + (f" ({', '.join(sizes)})" if sizes else "")),
        ("metric", task.metric),
        ("space", f"{view.space.name}, up to {plural(len(view.space.every_knob()), 'knob')}"),
        *([("looked up in", view.settings.table)] if view.settings.table else []),
        ("controller", view.settings.controller),
        ("objectives", listed([better(o) for o in view.objectives])),
        ("seed", str(view.settings.seed)),
        ("data fingerprint", task.identity),
    ]
    notes = "".join(f"<p class='note'>{escape(note)}</p>" for note in task.notes)
    chosen = "".join(f"<li>{escape(one)}</li>" for one in view.why)
    automatic = f"<h3>Chosen automatically</h3><ul>{chosen}</ul>" if chosen else ""
    versions = table([(name, str(version)) for name, version in view.versions.items()])
    every = [(name, "–" if value in (None, {}) else str(value)) for name, value in asdict(view.settings).items()]
    return (
        f"{notes}{automatic}<div class='two'><div><h3>Data and search</h3>{table(data)}</div>"
        f"<div><h3>Versions</h3>{versions}</div></div>"
        f"<details><summary>All settings</summary>{table(every)}</details>"
    )


def going_on(view: View, best: list[Record]) -> str:
    """Commands for what comes next, and the settings as a file for ``--config``."""
    name = shlex.quote(view.name)
    lines = [("go on with the search, or look at it", [f"nas resume {name}", f"nas show {name}"])]
    if best and view.settings.table:
        command = f"nas search --data {view.task.name} --space {view.space.name}"
        lines.append(("train networks of this space on the data itself, to take one away", [command]))
    elif best:
        trial = best[0].trial.number
        again = "again " if best[0].proxy is None else ""
        lines.append((f"train the winner {again}with ten seeds", [f"nas train {name} --trial {trial} --seeds 10"]))
        lines.append(
            (
                "take it away: a PyTorch module that needs only torch and torch_geometric",
                [f"nas export {name} --to DIR", f"nas export {name} --trial K --to DIR"],
            )
        )
    lines.append(("repeat the search from the settings below", ["nas search --config search.toml --name NEW"]))
    text = "\n".join(f"# {what}\n" + "\n".join(commands) + "\n" for what, commands in lines).rstrip()
    chosen = tomli_w.dumps({name: value for name, value in asdict(view.settings).items() if value not in (None, {})})
    return (
        f"<pre><code>{escape(text)}</code></pre>"
        f"<details><summary>search.toml</summary><pre><code>{escape(chosen)}</code></pre></details>"
    )
