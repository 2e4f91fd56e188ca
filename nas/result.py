"""What came out of a search, while it is going on and for as long as its folder stands."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from nas.controllers.base import Trial
from nas.searchspace.errors import BadInput, RunError
from nas.searchspace.registry import unknown
from nas.study.choosing import cheapest, in_order, learned
from nas.study.confirming import Confirmed, confirmed, due, left_of
from nas.study.finals import untrained
from nas.study.folder import RunFolder
from nas.study.objectives import COSTS
from nas.study.plan import Plan, open_store, versions
from nas.study.records import AGAIN, Record, finished, front, searched

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from torch import Tensor

    from nas.predictors.base import Predictor
    from nas.report.page import View


class Result:
    """The trials of a run and what can be made of them.

    Attributes:
        name: the run's name.
        path: the run's folder.
        records: the finished trials in order.
    """

    def __init__(self, plan: Plan, folder: RunFolder, records: Sequence[Record] | None = None) -> None:
        self._plan, self._folder = plan, folder
        self.name, self.path = folder.name, folder.path
        self.records = list(open_store(plan, folder).records() if records is None else records)

    @property
    def plan(self) -> Plan:
        """What the search was made of: settings, task, space, objectives."""
        return self._plan

    @property
    def complete(self) -> bool:
        """Whether the budget of trials or seconds is spent, and the best trials are trained from scratch, or again."""
        settings = self._plan.settings
        enough = settings.trials is not None and len(searched(self.records)) >= settings.trials
        elapsed = self.records[-1].elapsed if self.records else 0.0
        enough = enough or (settings.seconds is not None and elapsed >= settings.seconds)
        return enough and not untrained(self.records, settings.keep, self._plan.space) and not self._unconfirmed()

    def _unconfirmed(self) -> bool:
        """Whether some of the best are still to be trained again, and there is time for it."""
        settings = self._plan.settings
        if not settings.confirm or not self.records:
            return False
        left = left_of(self.records, settings.confirm_seconds, self.records[-1].elapsed)
        return bool(due(self.records, settings.confirm, settings.seed, self._plan.space, left))

    @property
    def best(self) -> Trial:
        """The trial to take, of those trained from scratch if any was: the best by the first objective.

        With the setting ``choose="posterior"`` it is the one of which a predictor expects most; with ``confirm`` a
        training of the architecture with the best mean over other seeds.

        Raises:
            RunError: if no trial succeeded.
        """
        found = self.ranking
        if not found:
            reasons = {r.trial.reason for r in self.records}
            raise RunError(
                f"no trial of {self.name!r} succeeded"
                + (f"; the {len(self.records)} failed because: {'; '.join(map(str, reasons))}" if reasons else " yet")
            )
        return found[0].trial

    @cached_property
    def ranking(self) -> list[Record]:
        """The trials that did not fail, the one to take first; those that were not trained from scratch come last."""
        return in_order(self._plan, self.records)

    @cached_property
    def predictor(self) -> Predictor:
        """What the finished trials say of any architecture of the space: its first objective, with its uncertainty.

        ``result.predictor.predict([architecture])`` answers with mean and deviation. It learned from the trials whose
        numbers are those of trainings from scratch, or of all if there are none.

        Raises:
            RunError: if fewer than two trials succeeded.
        """
        done = [r for r in self.records if r.trial.stopped is None]
        return learned(self._plan, [r for r in done if r.from_scratch] or done)

    @cached_property
    def confirmed(self) -> list[Confirmed]:
        """The architectures that were trained again with other seeds, the one to take first; see ``confirm``."""
        settings = self._plan.settings
        return confirmed(self.records, settings.confirm, settings.seed, self._plan.space)

    def confirmed_as(self, number: int) -> Confirmed | None:
        """The trainings with other seeds of a trial's network; None if there is none."""
        key = self._plan.space.canonical(self.trial(number).architecture)
        of = self._plan.space.canonical
        return next((c for c in self.confirmed if of(c.original.trial.architecture) == key), None)

    @property
    def pareto(self) -> list[Trial]:
        """The Pareto front, best by the first objective first; the best alone where the means of trainings decide."""
        return [self.best] if self.confirmed else [record.trial for record in front(self.records)]

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row per trial: number, state, evaluator, metrics, knobs (``knob.<path>``), seconds, reason."""
        import pandas as pd

        rows = []
        for record in self.records:
            trial = record.trial
            knobs = {f"knob.{k}": v for k, v in self._plan.space.knobs(trial.architecture).items()}
            state = "failed" if trial.values is None else "complete" if trial.stopped is None else "stopped"
            row = {"number": trial.number, "state": state, "origin": record.origin, "evaluator": record.evaluator}
            rows.append(
                {
                    **row,
                    "elapsed": record.elapsed,
                    "seconds": trial.seconds,
                    "reason": trial.reason,
                    **trial.metrics,
                    **knobs,
                }
            )
        return pd.DataFrame(rows)

    def trial(self, number: int | None = None) -> Trial:
        """A trial by number; None is the best.

        Raises:
            BadInput: if there is no such trial.
        """
        if number is None:
            return self.best
        if not 0 <= number < len(self.records):
            last = f"0 to {len(self.records) - 1}" if self.records else "none yet"
            raise BadInput(f"{self.name!r} has no trial {number}; it has {last}")
        return self.records[number].trial

    def smallest(self, within: float, cost: str | None = None) -> Trial:
        """The cheapest trial whose first objective is at most ``within`` below that of the best.

        Where the best were trained again with other seeds, their means are compared and the others left out; else it
        is one training against another, and luck may decide: :func:`nas.train_seeds` tells.

        Args:
            within: in units of the objective; 0.01 is one point of accuracy.
            cost: ``bytes``, ``params``, ``latency``, ``buffer`` or ``seconds``; None is the first cost among the
                objectives, and ``bytes`` if there is none.

        Raises:
            BadInput: if ``within`` is not a number from 0 on, or the cost is unknown or was not measured.
            RunError: if no trial succeeded.
        """
        named = [o.name for o in self._plan.objectives if o.name in COSTS]
        cost = cost or next(iter(named), "bytes")
        if cost not in COSTS:
            raise unknown("cost", cost, COSTS)
        best = self.best
        means = {c.representative.trial.number: c.mean for c in self.confirmed}
        level = self.records[best.number].from_scratch
        for record in [] if means else self.ranking:
            if record.from_scratch == level and record.trial.values is not None:
                means[record.trial.number] = record.trial.values[0]
        return cheapest([(self.records[number].trial, mean) for number, mean in means.items()], within, cost)

    def module(self, number: int | None = None) -> torch.nn.Module:
        """The trained module of a trial, in inference mode on the CPU; None is the best trial.

        Trials whose weights were not kept are trained again, in full, from the same seed.
        """
        from nas.searchspace.source import module

        trial = self.trial(number)
        weights = self.weights(trial)
        model = module(trial.architecture, self._plan.task)
        model.load_state_dict(weights)
        return model.eval()

    def weights(self, trial: Trial) -> dict[str, Tensor]:
        """The weights of a trial's best epoch, kept or trained again."""
        from safetensors.torch import load_file

        from nas.training import retrain

        if trial.values is None:
            raise BadInput(f"trial {trial.number} failed ({trial.reason}) and has no weights; choose another")
        file = self._folder.weights(trial.number)
        if not file.is_file():
            retrain(self._plan, trial.architecture, self.records[trial.number].seed, file, self._limit(trial))
        try:
            return load_file(file)
        except Exception as error:
            raise RunError(f"the weights {file} are damaged ({error}); delete the file to train them again") from error

    def _limit(self, trial: Trial) -> float | None:
        """Seconds for training a trial once more: as many as it had, if it was one of the best, trained again."""
        settings = self._plan.settings
        if self.records[trial.number].evaluator != AGAIN or settings.confirm_seconds is None:
            return settings.trial_seconds
        return None if trial.stopped is None else trial.seconds / max(1, len(self._plan.task.folds))

    def export(self, to: str | Path, number: int | None = None, bits: str | None = None) -> list[Path]:
        """Write a trial as files that need only torch and torch_geometric; returns the files.

        Args:
            to: folder to make.
            number: of the trial; None is the best.
            bits: round it first, without training it again: ``W4A8`` is weights of four bits and all that passes
                between layers of eight, ``W4`` weights alone; ``auto`` gives each layer's weights the fewest bits with
                which at most .005 of the validation metric is lost, ``auto:0.01`` another loss.
                ``architecture.json`` has the metrics of what is written.

        Raises:
            BadInput: if there is no such trial, ``to`` has something else in it, or ``bits`` is not understood.
            RunError: if the folder cannot be written.
        """
        from nas.export.fewest import fewest, loss_of
        from nas.export.files import check_folder, export
        from nas.export.rounding import formats_of, rounded

        trial, plan = self.trial(number), self._plan
        check_folder(Path(to))
        facts = {"run": self.name, "trial": trial.number, "metrics": dict(trial.metrics), "versions": dict(versions())}
        if bits is None:
            return export(trial.architecture, plan.space, plan.task, self.weights(trial), Path(to), facts)
        loss = loss_of(bits)
        formats = formats_of(bits) if loss is None else {}  # before anything takes long
        what = trial.architecture, plan.space, plan.task, self.weights(trial)
        low = rounded(*what, formats) if loss is None else fewest(*what, loss)
        facts |= {"bits": bits, "metrics": low.metrics}
        return export(low.architecture, low.space, plan.task, low.state, Path(to), facts)

    def report(self, path: str | Path | None = None) -> Path:
        """Write the report, one HTML file that opens offline; by default into the run's folder."""
        from nas.report.page import write

        return write(self.view(), Path(path) if path is not None else self._folder.report)

    def view(self) -> View:
        """What the report is made from."""
        from nas.report.page import View
        from nas.report.traces import section

        plan = self._plan
        shown = section(plan, self.records, self._folder)
        return View(
            name=self.name,
            settings=plan.settings,
            objectives=plan.objectives,
            records=self.records,
            order=self.ranking,
            confirmed=self.confirmed,
            space=plan.space,
            task=plan.task,
            versions=versions(),
            state="finished" if self.complete else "interrupted",
            notes=plan.task.notes,
            why=self._folder.why(),
            sections=[shown] if shown else [],
        )

    def succeeded(self) -> list[Record]:
        """The trials that did not fail."""
        return finished(self.records)

    def __repr__(self) -> str:
        best = f", best {self.best.values}" if self.ranking else ""
        return f"Result({self.name!r}, {len(self.records)} trials{best})"
