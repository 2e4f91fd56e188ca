"""What a report says of a search with shared weights, whose numbers are not those of trainings from scratch."""

from __future__ import annotations

from nas.report.view import View, listed, number, plural
from nas.settings import WARM_UP
from nas.study.records import Record, finished


def standing(view: View) -> str:
    """What the winner is the best of."""
    of = f"{plural(len(finished(view.searched)), 'finished trial')} with shared weights"
    match len(view.retrained):
        case 0:
            return f"the best of {of}"
        case 1:
            return f"the only one that finished a training from scratch, out of {of}"
        case again:
            return f"the best of the {again:,} that were trained from scratch, out of {of}"


def selection(view: View, by: str) -> str:
    """How the winner was chosen, given what trials are ranked ``by``."""
    text = (
        f"Trials inherited weights from earlier ones, were trained for {plural(_warm_up(view), 'epoch')} at most and "
        f"were ranked by {by} with these shared weights. "
    )
    if not view.retrained:
        return text + "No training from scratch has finished, so all numbers are provisional."
    again = sum(r.from_scratch for r in view.records)
    if again == 1:
        return (
            text + "The best was then trained from scratch, and the numbers of the winner are those of that training."
        )
    best = f"The best {again:,}" if len(view.objectives) == 1 else f"The best and the Pareto front, {again:,} in all,"
    return text + (
        f"{best} were then trained from scratch; of those the winner is the best by {by}, and its numbers are those of "
        "that training."
    )


def trained(view: View) -> str:
    """Who was trained for how long."""
    parts = [f"{plural(len(view.searched), 'trial')} with shared weights for {_epochs(view.searched)}"]
    if view.retrained:
        parts.append(f"{len(view.retrained):,} from scratch for {_epochs(view.retrained)}")
    return f"Trained were {listed(parts)}. A training ends when its epochs or its patience do."


def proposal(view: View, winner: Record) -> Record:
    """The trial in which the search found the architecture of the winner."""
    found = (r for r in view.searched if r.trial.architecture == winner.trial.architecture)
    return next(found, winner)


def _epochs(records: list[Record]) -> str:
    return f"{number('epochs', sum(r.trial.metrics.get('epochs', 0.0) for r in records))} epochs"


def _warm_up(view: View) -> int:
    return view.settings.warm_up or WARM_UP
