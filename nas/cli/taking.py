"""Commands that take something away from a run: full training, export, report, dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nas.cli.output import json_option, opened, print_json, print_table, runs_option, said, shown, stderr, working
from nas.searchspace.errors import MissingExtra, RunError

if TYPE_CHECKING:
    from nas.controllers.base import Trial
    from nas.evaluation.job import Outcome
    from nas.result import Result

WHAT_IT_IS = {
    "model.py": "the network as readable Python",
    "weights.safetensors": "its trained weights",
    "architecture.json": "its knobs, the task, what was measured, versions",
    "predict.py": "runs it on a saved graph",
    "features.py": "makes features of a new graph as those were made",
    "model.pt2": "the network as a torch.export program",
}

trial_option = click.option("--trial", type=int, metavar="K", help="Number of the trial.  [default: the best]")
within_option = click.option(
    "--within",
    type=float,
    metavar="X",
    help="In place of a number: the smallest that is at most X below the best by the first objective, 0.01 being one "
    "point of accuracy. By bytes, or by the first cost among the objectives.",
)


def _chosen(result: Result, number: int | None, within: float | None) -> Trial:
    """The trial that is asked for; of one that was not named it is said how it compares with the best."""
    if within is None:
        return result.trial(number)
    if number is not None:
        raise click.UsageError("--trial names a trial and --within looks for one; give one of the two")
    found, best = result.smallest(within), result.best
    measured = [result.plan.objectives[0].key, "bytes", "params"]
    said_of = [
        "; ".join(f"{said(n)} {shown(t.metrics[n], n)}" for n in measured if n in t.metrics) for t in (found, best)
    ]
    click.echo(f"trial {found.number}: {said_of[0]}. The best, trial {best.number}: {said_of[1]}", err=True)
    return found


@click.command()
@click.argument("run")
@trial_option
@within_option
@click.option("--seeds", type=click.IntRange(min=1), default=10, show_default=True, help="Train with seeds 0 to N - 1.")
@runs_option
@json_option
def train(run: str, trial: int | None, within: float | None, seeds: int, runs: str | None, as_json: bool) -> None:
    """Train one architecture from scratch over several seeds: mean and deviation.

    Seeds that are finished are kept: after Ctrl-C the same command goes on.
    """
    from nas.cli.progress import counter

    result = opened(run, runs)
    from nas.training import train_seeds

    chosen = _chosen(result, trial, within)
    console = stderr()
    with counter("seeds", console) as progress:
        bar = progress.add_task(f"training trial {chosen.number}", total=seeds)

        def told(seed: int, outcome: Outcome) -> None:
            progress.advance(bar)
            if not console.is_terminal:
                measured = outcome.metrics[f"valid_{result.plan.task.metric}"]
                console.print(f"seed {seed}: validation {result.plan.task.metric} {shown(measured)}")

        file = result.path / "training" / f"{chosen.number}.json"
        trained = train_seeds(result.plan, chosen.architecture, range(seeds), file, told)
    summary = trained.summary
    if as_json:
        rows: dict[str, Any] = {
            k: {"mean": s.mean, "deviation": s.deviation, "values": s.values} for k, s in summary.items()
        }
        print_json({"run": run, "trial": chosen.number, "seeds": seeds, "way": trained.way, "metrics": rows})
        return
    numbers = {name: (s.mean, s.deviation, min(s.values), max(s.values)) for name, s in summary.items()}
    print_table(
        ["measured", "mean", "deviation", "smallest", "largest"],
        [[said(name), *(shown(v, name) for v in values)] for name, values in numbers.items()],
        f"trial {chosen.number} of {run}, {seeds} {'seed' if seeds == 1 else 'seeds'}",
    )
    click.echo(f"way of training: {trained.way}", err=True)


@click.command()
@click.argument("run")
@trial_option
@within_option
@click.option(
    "--bits",
    metavar="WnAm|auto[:LOSS]",
    help="Round it first, without training: W4A8 is weights of 4 bits and all that passes between layers of 8; W4 "
    "rounds weights alone; auto gives each layer the fewest bits with which at most 0.005 of the validation metric is "
    "lost, auto:0.01 another loss.",
)
@click.option("--to", type=click.Path(), metavar="DIR", help="Folder to write.  [default: RUN-trial-K]")
@runs_option
@json_option
def export(
    run: str,
    trial: int | None,
    within: float | None,
    bits: str | None,
    to: str | None,
    runs: str | None,
    as_json: bool,
) -> None:
    """Write an architecture with its weights as files that need only torch and torch_geometric."""
    import json
    from pathlib import Path

    result = opened(run, runs)
    chosen = _chosen(result, trial, within)
    target = Path(to or f"{run}-trial-{chosen.number}")
    if result.records[chosen.number].proxy is not None:
        click.echo(f"trial {chosen.number} was scored, not trained; it is trained now", err=True)
    with working("exporting"):
        files = result.export(target, chosen.number, bits)
    described = json.loads((target / "architecture.json").read_text(encoding="utf-8"))
    program = described["program"]
    if as_json:
        found = {"run": run, "trial": chosen.number, "files": files, "program": program}
        print_json(found if bits is None else found | {"bits": bits, "metrics": described["metrics"]})
        return
    if bits is not None:
        metric = result.plan.task.metric
        changes = [
            f"{said(name)} {shown(described['metrics'][name], name)} for {shown(chosen.metrics[name], name)}"
            for name in (f"valid_{metric}", f"test_{metric}", "bytes")
            if name in chosen.metrics
        ]
        formats = described["architecture"]["formats"]
        each = f" (weights {', '.join(one['weights'] for one in formats)})" if isinstance(formats, list) else ""
        click.echo(f"rounded to {bits}{each}: {', '.join(changes)}", err=True)
    rows = [[file.name, file.stat().st_size, WHAT_IT_IS[file.name]] for file in files]
    print_table(["file", "bytes", "what it is"], rows, f"trial {chosen.number} of {run} in {target}")
    if program.startswith("none"):
        click.echo(f"no torch.export program: {program.removeprefix('none: ')}", err=True)


@click.command()
@click.argument("run")
@click.option("--to", type=click.Path(), metavar="FILE", help="HTML file.  [default: report.html in the run's folder]")
@runs_option
def report(run: str, to: str | None, runs: str | None) -> None:
    """Write the report of a run: one HTML file that opens offline."""
    result = opened(run, runs)
    with working("writing the report"):
        written = result.report(to)
    click.echo(written)


@click.command()
@click.argument("run")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=int, default=8080, show_default=True)
@runs_option
def dashboard(run: str, host: str, port: int, runs: str | None) -> None:
    """Open optuna-dashboard on a run (needs the extra gnn-nas[dashboard])."""
    try:
        from optuna_dashboard import run_server
    except ImportError as error:
        raise MissingExtra("the dashboard is not installed: pip install 'gnn-nas[dashboard]'") from error
    from nas.study.folder import RunFolder, runs_root
    from nas.study.storages import storage

    folder = RunFolder(runs_root(runs), run)
    where = folder.store(folder.settings())
    click.echo(f"http://{host}:{port}  (stop with Ctrl-C)", err=True)
    try:
        run_server(storage(where), host=host, port=port)
    except OSError as error:
        raise RunError(f"{host}:{port} cannot be served: {error.strerror or error}; choose another --port") from error


COMMANDS = (train, export, report, dashboard)
