"""Commands that take something away from a run: full training, export, report, dashboard."""

from __future__ import annotations

from typing import Any

import click

from nas.cli.output import json_option, print_json, print_table, runs_option, stderr
from nas.searchspace.errors import MissingExtra

trial_option = click.option("--trial", type=int, metavar="K", help="Number of the trial.  [default: the best]")


@click.command()
@click.argument("run")
@trial_option
@click.option("--seeds", type=click.IntRange(min=1), default=10, show_default=True, help="Train with seeds 0 to N - 1.")
@runs_option
@json_option
def train(run: str, trial: int | None, seeds: int, runs: str | None, as_json: bool) -> None:
    """Train one architecture from scratch over several seeds: mean and deviation.

    Seeds that are finished are kept: after Ctrl-C the same command goes on.
    """
    from rich.progress import Progress

    from nas.api import open_run
    from nas.training import train_seeds

    result = open_run(run, runs=runs)
    chosen = result.trial(trial)
    console = stderr()
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        bar = progress.add_task(f"training trial {chosen.number}", total=seeds)
        summary = train_seeds(
            result.plan,
            chosen.architecture,
            range(seeds),
            result.path / "training" / f"{chosen.number}.json",
            lambda seed, outcome: progress.advance(bar),
        )
    if as_json:
        rows: dict[str, Any] = {k: {"mean": s.mean, "deviation": s.deviation, "values": s.values} for k, s in summary.items()}
        print_json({"run": run, "trial": chosen.number, "seeds": seeds, "metrics": rows})
    else:
        print_table(
            ["measured", "mean", "deviation", "smallest", "largest"],
            [[k.replace("_", " "), s.mean, s.deviation, min(s.values), max(s.values)] for k, s in summary.items()],
            f"trial {chosen.number} of {run}, {seeds} seeds",
        )


@click.command()
@click.argument("run")
@trial_option
@click.option("--to", type=click.Path(), metavar="DIR", help="Folder to write.  [default: RUN-trial-K]")
@runs_option
@json_option
def export(run: str, trial: int | None, to: str | None, runs: str | None, as_json: bool) -> None:
    """Write an architecture with its weights as files that need only torch and torch_geometric."""
    import json
    from pathlib import Path

    from nas.api import open_run

    result = open_run(run, runs=runs)
    chosen = result.trial(trial)
    target = Path(to or f"{run}-trial-{chosen.number}")
    with stderr().status("exporting"):
        files = result.export(target, chosen.number)
    program = json.loads((target / "architecture.json").read_text())["program"]
    if as_json:
        print_json({"run": run, "trial": chosen.number, "files": files, "program": program})
        return
    print_table(["file", "bytes"], [[str(file), file.stat().st_size] for file in files], f"trial {chosen.number} of {run}")
    if program.startswith("none"):
        click.echo(f"no torch.export program: {program.removeprefix('none: ')}", err=True)


@click.command()
@click.argument("run")
@click.option("--to", type=click.Path(), metavar="FILE", help="HTML file.  [default: report.html in the run's folder]")
@runs_option
def report(run: str, to: str | None, runs: str | None) -> None:
    """Write the report of a run: one HTML file that opens offline."""
    from nas.api import open_run

    click.echo(open_run(run, runs=runs).report(to))


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
    from nas.study.store import storage

    folder = RunFolder(runs_root(runs), run)
    where = folder.store(folder.settings())
    click.echo(f"http://{host}:{port}  (stop with Ctrl-C)", err=True)
    run_server(storage(where), host=host, port=port)


COMMANDS = (train, export, report, dashboard)
