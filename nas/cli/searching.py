"""``nas search`` and ``nas resume``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nas.cli.given import options_of, read_config, set_pretrained, text_of
from nas.cli.output import (
    features_option,
    headline,
    json_option,
    print_architecture,
    print_json,
    print_trials,
    result_json,
    runs_option,
    stderr,
    task_option,
    working,
)
from nas.searchspace.errors import RunError

if TYPE_CHECKING:
    from nas.result import Result
    from nas.settings import Settings
    from nas.study.folder import RunFolder
    from nas.study.plan import Plan

INTERRUPTED = 130
TOP = 10


def _where_options(command: Any) -> Any:
    """The flags that say where trainings run."""
    for flag in (
        click.option(
            "--gpus-per-trial",
            type=float,
            metavar="N",
            help="With --executor ray: GPUs that each training has, such as 1 or 0.25.  [default: none, CPUs]",
        ),
        click.option(
            "--ray-address",
            metavar="WHERE",
            help="With --executor ray: local starts a Ray on this machine, ray://HOST:10001 or HOST:6379 is one that "
            "runs.  [default: auto, the one that runs here, else local]",
        ),
        click.option(
            "--executor",
            metavar="NAME",
            help="Where trainings run: in this process, in local processes, or on a cluster of ray.  [default: auto, "
            "process for one worker, else local]",
        ),
        click.option(
            "--workers",
            type=int,
            help="Processes that train at the same time; 0: one for every GPU or core.  [default: 1, and with "
            "--executor ray what the cluster has room for]",
        ),
    ):
        command = flag(command)
    return command


@click.command()
@click.option(
    "--data",
    help="Name of a data set (see nas datasets), a .pt or .npz file, a folder with nodes.csv and edges.csv, or "
    "ogb:NAME; nas inspect says how it is understood.  [default: digits]",
)
@click.option(
    "--space",
    help="Name of a search space (see nas spaces) or FILE.py:CLASS; with quantised: in front its networks compute with "
    "few bits, which are searched too. A file is run as Python: name only files you trust.  [default: design, or that "
    "of --table]",
)
@click.option(
    "--table",
    metavar="NAME",
    help="Look architectures up in a table of finished trainings, such as nasbench-graph, in place of training them; "
    "or its npz file.",
)
@click.option(
    "--simulated-time",
    "simulated",
    is_flag=True,
    default=None,
    help="With --table: --seconds and all times are those that the trainings would have taken.",
)
@click.option("--controller", help="What proposes architectures; see nas controllers.  [default: tpe]")
@click.option("--trials", type=int, help="Distinct architectures to train.  [default: 50, without --seconds]")
@click.option("--seconds", type=float, help="Start no trial after this time.")
@click.option(
    "--objective",
    "objectives",
    multiple=True,
    metavar="NAME",
    help="A metric or a cost (params, bytes, buffer, seconds, latency); '-' in front means less is better. May be "
    "given several times: --objective accuracy --objective -params.  [default: the task's metric]",
)
@click.option("--metric", help="What validation selects by.  [default: by task]")
@task_option
@features_option
@click.option(
    "--split",
    help="public, given, random, random:TRAIN,VALID (per class), fold:K, cv:K or scaffold.  [default: by data]",
)
@click.option("--split-seed", type=int, help="Seed of a random split.  [default: 0]")
@click.option("--seed", type=int, help="Seed of everything else.  [default: 0]")
@click.option("--device", help="auto, cpu, cuda or cuda:N.  [default: auto]")
@_where_options
@click.option("--epochs", type=int, help="Most epochs of a training.  [default: by space]")
@click.option("--patience", type=int, help="Epochs without improvement that end a training.  [default: by space]")
@click.option(
    "--validate-every",
    type=int,
    metavar="EPOCHS",
    help="Epochs between looks at validation.  [default: 1 in short trainings, 5 in long ones]",
)
@click.option(
    "--fidelity",
    metavar="NAME",
    help="full trains every architecture to its end; halving and hyperband stop those that are behind "
    "others, of networks that cost no more where params, bytes or buffer is an objective too.  [default: full]",
)
@click.option(
    "--evaluator",
    metavar="NAME",
    help="train trains every architecture from scratch; shared lets it inherit weights from those before it, trains it "
    "for a few epochs, and trains the best from scratch in the end; proxy:NAME only scores it by a proxy (see nas "
    "proxies) and trains the best in the end.  [default: train]",
)
@click.option(
    "--screen",
    metavar="NAMES",
    help="Of every --pool proposals train the most promising alone, by the ranks of one proxy or several, such as "
    "ntk-krr,depth; auto learns which that is from finished trials, of design and agnn also from trainings on other "
    "data sets.  [default: none]",
)
@click.option("--pool", type=int, help="Proposals for a trial with --screen.  [default: 8]")
@click.option(
    "--sharing",
    metavar="WHO",
    help="What is inherited with --evaluator shared: homogeneous layers (same place, shapes, operator and activation) "
    "alone, or all weights of the same name and shape.  [default: homogeneous]",
)
@click.option(
    "--warm-up", type=int, metavar="EPOCHS", help="Epochs of a training with --evaluator shared.  [default: 15]"
)
@click.option(
    "--batches",
    metavar="WAY",
    help="How to train on a graph too large for memory: full, neighbours, clusters, random.  [default: auto]",
)
@click.option("--precision", metavar="NAME", help="float32; tf32 or bf16 on a GPU.  [default: float32]")
@click.option(
    "--quantisation",
    metavar="WAY",
    help="Networks with few bits are trained as such (aware), or with all bits and rounded then (post), which is "
    "faster.  [default: aware]",
)
@click.option(
    "--class-weights/--no-class-weights", default=None, help="Weigh classes by the inverse of their frequency."
)
@click.option(
    "--trial-seconds",
    type=float,
    help="Limit of one training, which is cooled down towards it and ends with its best epoch.",
)
@click.option("--max-params", type=float, metavar="N", help="What has more trainable parameters is not trained.")
@click.option("--max-latency", type=float, metavar="SECONDS", help="Nor what takes longer for the validation split.")
@click.option("--trial-memory", type=int, metavar="MIB", help="Limit of one training.  [default: most of what is free]")
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="KEY=VALUE",
    help="An option of the controller, such as population=50. May be given several times.",
)
@click.option(
    "--pretrained",
    is_flag=True,
    help="Begin with what the controller diffusion expects from other data sets, in the space nasbench-graph; both are "
    "the default with this flag.",
)
@click.option(
    "--choose",
    metavar="HOW",
    help="The architecture to take is the best as measured, or with posterior the one of which a predictor expects "
    "most, having learned from all trials: the best of many measurements was lucky, too.  [default: best]",
)
@click.option(
    "--known-first",
    is_flag=True,
    default=None,
    help="Train the networks first that the space calls known good, such as classic does.",
)
@click.option(
    "--confirm",
    type=int,
    metavar="N",
    help="Train the best N trials again with other seeds in the end, the better of them with more, and take the one "
    "with the best mean: the best of many measurements was lucky, too.  [default: 0]",
)
@click.option(
    "--confirm-seconds",
    type=float,
    help="End all such trainings after so many more seconds; a slow one may take all of them.",
)
@click.option(
    "--keep",
    type=int,
    help="How many of the best trials keep their weights; so many are trained from scratch in the end with --evaluator "
    "shared or proxy:NAME, with the latter 0 trains none.  [default: 5]",
)
@click.option(
    "--storage",
    metavar="URL",
    help="An Optuna storage, such as postgresql://HOST/NAME; processes that search under one name there share the "
    "work, on any machine.  [default: a journal file in the run's folder]",
)
@click.option("--data-root", type=click.Path(), help="Folder of the data sets.  [default: $NAS_DATA, else a cache]")
@click.option("--name", help="Name of the run.  [default: made of data, space and controller]")
@click.option("--config", type=click.Path(), metavar="FILE", help="TOML file with any of these settings; flags win.")
@runs_option
@json_option
def search(config: str | None, name: str | None, runs: str | None, as_json: bool, **flags: Any) -> int:
    """Search for the best architecture on your data.

    Every trial trains one architecture; validation chooses, test is only reported. Stop with Ctrl-C at any time:
    what is finished is saved, and nas resume goes on.
    """
    given = read_config(config) if config else {}
    name = text_of(name, given, "name")
    runs = text_of(runs, given, "runs")
    flags["controller_options"] = options_of(flags.pop("options")) or None
    if flags.pop("pretrained"):
        set_pretrained(flags, given)
    given |= {key: value for key, value in flags.items() if value not in (None, ())}

    from nas.data.naming import absolute
    from nas.settings import Settings

    if isinstance(given.get("data"), str) and given.get("table") is None:
        given["data"] = absolute(given["data"])
    settings = Settings.of(given)

    from nas.study.folder import RunFolder, runs_root

    if name is not None and (folder := RunFolder(runs_root(runs), name)).exists():
        folder.create(settings)  # says that it exists, before the data is read
    with working("reading the data"):
        from nas.api.searching import default_name, run_new
        from nas.study.plan import make_plan

        plan = make_plan(settings)
    folder = RunFolder(runs_root(runs), name or default_name(plan, runs_root(runs)))
    return watched(plan, folder, as_json, lambda watcher: run_new(plan, folder.name, folder.root, watcher))


@click.command()
@click.argument("run")
@click.option("--trials", type=int, help="A new budget of trials, those that are finished counted in.")
@click.option("--seconds", type=float, help="A new budget of seconds, those that are spent counted in.")
@_where_options
@runs_option
@json_option
def resume(run: str, runs: str | None, as_json: bool, **changed: Any) -> int:
    """Go on with an interrupted search, or with a finished one under a larger budget, here or elsewhere."""
    from nas.study.folder import RunFolder, runs_root

    folder = RunFolder(runs_root(runs), run)
    settings = folder.settings()
    settings = settings.changed(changed)
    with working("reading the data"):
        from nas.api.searching import run_on
        from nas.study.plan import plan_of_run

        plan = plan_of_run(run, settings)
    return watched(plan, folder, as_json, lambda watcher: run_on(plan, folder, watcher))


def _why_early(settings: Settings) -> str:
    why = [] if settings.fidelity == "full" else [f"behind, by {settings.fidelity}"]
    return ", or ".join([*why, *([] if settings.trial_seconds is None else ["at their time limit"])])


def watched(plan: Plan, folder: RunFolder, as_json: bool, run: Any) -> int:
    """Run with a progress bar, then print and report; interrupted, say how to go on."""
    from rich.markup import escape

    from nas.cli.progress import SearchProgress
    from nas.study.records import searched, stopped

    console = stderr()
    where = "" if plan.column else f", on {'Ray' if plan.settings.executor == 'ray' else plan.device}"
    console.print(f"run [bold]{folder.name}[/]: {escape(headline(plan) + where)}")
    for note in plan.task.notes:
        console.print(f"note: {note}", style="yellow", markup=False)
    try:
        _made_generator(plan)
        with SearchProgress(console, plan.settings, plan.objectives) as watcher:
            result: Result = run(watcher)
    except KeyboardInterrupt:
        return _interrupted(plan, folder, as_json)
    _say(result, as_json)
    if not result.succeeded():
        reasons = sorted({str(r.trial.reason) for r in result.records})
        raise RunError(f"all {len(result.records)} trials failed: {'; '.join(reasons[:3])}")
    settings = plan.settings
    if not result.complete and settings.trials is not None and settings.seconds is None:
        done = "looked up" if settings.table else "trained" if settings.proxy is None else "scored"
        console.print(f"the space is exhausted: all networks that {settings.controller} proposes were {done}")
    with working("writing the report"):
        report = result.report()
    if early := len(stopped(result.records)):
        console.print(f"{early} of {len(result.records)} trainings stopped early ({_why_early(settings)})")
    if anew := len(result.records) - len(searched(result.records)):
        others = "shared weights" if settings.proxy is None else f"were scored by {settings.proxy} alone"
        again = f"the best were trained again with other seeds ({anew} trainings), and their means decide"
        console.print(again if settings.confirm else f"the best {anew} were trained from scratch; the others {others}")
    failed = len(result.records) - len(result.succeeded())
    if failed:
        console.print(f"{failed} of {len(result.records)} trials failed; nas show {folder.name} says why")
    console.print(f"report: {report}", markup=False, soft_wrap=True)
    if plan.column is not None:
        console.print(f"its numbers are looked up in {plan.column.table}: {plan.column.about}", markup=False)
    elif result.records[result.best.number].proxy is None:
        console.print(f"export the best with: nas export {folder.name} --to DIR", soft_wrap=True)
    else:
        console.print(
            f"no network was trained: nas train {folder.name} trains the best over seeds, nas export {folder.name} "
            "--to DIR trains it once and writes it",
            soft_wrap=True,
        )
    return 0


def _made_generator(plan: Plan) -> None:
    """Train the generator of the space now, with a bar, where the search needs one and there is none."""
    options = plan.settings.controller_options
    if plan.settings.controller != "diffusion" and options.get("candidates") != "diffusion":
        return
    from nas.cli.progress import counter
    from nas.study.generating import generator_of

    with counter("steps", stderr()) as progress:
        bar = progress.add_task("training a generator of the space, once", total=None, visible=False)
        generator_of(
            plan.space, told=lambda done, total, _: progress.update(bar, completed=done, total=total, visible=True)
        )


def _interrupted(plan: Plan, folder: RunFolder, as_json: bool) -> int:
    from nas.result import Result

    console = stderr()
    if folder.exists() and (plan.settings.storage or folder.journal.is_file()):
        result = Result(plan, folder)
        _say(result, as_json)
        saved = f"{len(result.records)} {'trial is' if len(result.records) == 1 else 'trials are'} saved"
        console.print(f"Interrupted: {saved}. Go on with: nas resume {folder.name}", soft_wrap=True)
    return INTERRUPTED


def _say(result: Result, as_json: bool) -> None:
    from nas.study.choosing import by_posterior
    from nas.study.records import front

    several = len(result.plan.objectives) > 1
    top = front(result.records) if several else result.ranking[:TOP]
    if as_json:
        print_json(result_json(result, top))
    elif top:
        expected = "architectures, those of which a predictor expects most first"
        best = expected if by_posterior(result.plan.settings, result.records) else "best architectures"
        print_trials(result, top, "Pareto front" if several else best)
        click.echo()
        print_architecture(result, top[0].trial.number)


COMMANDS = (search, resume)
