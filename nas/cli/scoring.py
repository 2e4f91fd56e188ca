"""What commands that score many architectures share: their options, and how they tell of their progress."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas.cli.output import features_option, stderr, task_option
from nas.searchspace.errors import BadInput

if TYPE_CHECKING:
    from nas.ranking.ledger import Scored
    from nas.ranking.work import Work
    from nas.study.plan import Plan

INTERRUPTED = 130

Options = Callable[[Any], Any]


def data_options(command: Any) -> Any:
    """What is asked of data and machine, as nas search asks it."""
    for option in reversed(
        (
            click.option("--data", default="digits", show_default=True, help="Name or path, as in nas search."),
            click.option(
                "--space",
                default="design",
                show_default=True,
                help="Name of a search space (see nas spaces) or FILE.py:CLASS. A file is run as Python: name only "
                "files you trust.",
            ),
            click.option("--metric", help="What validation is measured by.  [default: by task]"),
            task_option,
            features_option,
            click.option(
                "--split",
                help="public, given, random, random:TRAIN,VALID (per class), fold:K, cv:K or scaffold.  "
                "[default: by data]",
            ),
            click.option("--split-seed", type=int, help="Seed of a random split.  [default: 0]"),
            click.option("--seed", type=int, help="Seed of the sample, the weights and the proxies.  [default: 0]"),
            click.option("--device", help="auto, cpu, cuda or cuda:N.  [default: auto]"),
            click.option(
                "--workers",
                type=int,
                help="Processes that work at the same time; 0: one for every GPU or core.  [default: 1]",
            ),
            click.option(
                "--data-root", type=click.Path(), help="Folder of the data sets.  [default: $NAS_DATA, else a cache]"
            ),
        )
    ):
        command = option(command)
    return command


def proxy_option(default: str) -> Options:
    """Names of proxies, several with commas or by several options."""
    return click.option(
        "--proxy", "named", multiple=True, metavar="NAMES", help=f"Proxies, see nas proxies.  [default: {default}]"
    )


def proxies_named(texts: Sequence[str]) -> tuple[str, ...]:
    """The names of ``--proxy a,b --proxy c``."""
    return tuple(name.strip() for text in texts for name in text.split(",") if name.strip())


def given_flags(flags: dict[str, Any]) -> dict[str, Any]:
    """Those that the user gave."""
    return {key: value for key, value in flags.items() if value is not None}


def check_folder(option: str, file: str | None) -> None:
    """Refuse now what could not be written in the end."""
    if file is None:
        return
    path = Path(file)
    if path.is_dir():
        raise BadInput(f"{option} names a file; {file} is a folder")
    if not path.absolute().parent.is_dir():
        raise BadInput(f"{option} {file} cannot be written: there is no folder {path.parent}")


def described(plan: Plan) -> str:
    """What is worked on, in one line."""
    task = plan.task
    return (
        f"{task.name} ({task.level} level, split {task.split}), space {plan.space.name}, seed {plan.settings.seed}, "
        f"on {plan.device}"
    )


def announce(work: Work, what: str) -> None:
    """Say what begins, and what the user should know of it."""
    already = len(work.architectures) - len(work.left())
    stderr().print(what + (f", {already:,} of them before" if already else ""), soft_wrap=True)
    tell_notes((*work.plan.task.notes, *work.notes))


def tell_notes(notes: Sequence[str]) -> None:
    """Print notes on stderr."""
    for note in notes:
        stderr().print(f"note: {note}", style="yellow", markup=False, soft_wrap=True)


def watched(
    work: Work, doing: str, due: Callable[[Scored, int], bool], line: Callable[[Scored, int, int], str]
) -> bool:
    """Do the work with a bar or, where there is no terminal, with lines; False if it was interrupted."""
    from nas.cli.progress import counter

    console, total = stderr(), len(work.architectures)
    done = total - len(work.left())
    failed = sum(row.reason is not None for row in work.finished())
    with counter("architectures", console) as progress:
        bar = progress.add_task(doing, total=total, completed=done)
        try:
            with closing(work.run()) as finished:
                for row in finished:
                    done, failed = done + 1, failed + (row.reason is not None)
                    progress.update(bar, advance=1, description=f"{doing} ({failed} failed)" if failed else doing)
                    if not console.is_terminal and due(row, done):
                        console.print(line(row, done, total), markup=False, soft_wrap=True)
        except KeyboardInterrupt:
            return False
    return True
