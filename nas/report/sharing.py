"""What a report says of a search whose numbers are not those of trainings from scratch: shared weights, or scores."""

from __future__ import annotations

from nas.report.view import View, label, listed, number, plural
from nas.settings import WARM_UP
from nas.study.records import AGAIN, Record, finished


def standing(view: View) -> str:
    """What the winner is the best of."""
    count = len(finished(view.searched))
    of = f"{plural(count, 'network')} scored by {view.proxy}"
    if view.proxy is None:
        of = f"{plural(count, 'finished trial')} with shared weights"
    match len(view.retrained):
        case 0:
            return f"the best of {of}"
        case 1:
            return f"the only one that finished a training from scratch, out of {of}"
        case again:
            return f"the best of the {again:,} that were trained from scratch, out of {of}"


def counted(view: View) -> str:
    """What the trials of the search are, under their number."""
    kind = "trials finished with shared weights" if view.proxy is None else f"networks scored by {view.proxy}"
    return f"{kind}, {len(view.retrained):,} trained from scratch"


def selection(view: View, by: str) -> str:
    """How the winner was chosen, given what it is the best ``by``."""
    if view.proxy is None:
        searched = (
            f"Trials inherited weights from earlier ones, were trained for {plural(_warm_up(view), 'epoch')} at most "
            f"and were ranked by {by} with these shared weights. "
        )
        if not view.retrained:
            return searched + "No training from scratch has finished, so all numbers are provisional."
    else:
        searched = (
            f"The search trained nothing: its trials were ranked by the {label(view.compared[0])} of their untrained "
            "networks. "
        )
        if not view.retrained:
            return searched + "No network has been trained, so nothing is known yet of how good any of them is."
    again = sum(r.from_scratch for r in view.records)
    if again == 1:
        return (
            searched
            + "The best was then trained from scratch, and the numbers of the winner are those of that training."
        )
    best = f"The best {again:,}" if len(view.objectives) == 1 else f"The best and the Pareto front, {again:,} in all,"
    return searched + (
        f"{best} were then trained from scratch; of those the winner is the best by {by}, and its numbers are those of "
        "that training."
    )


def trained(view: View) -> str:
    """Who was trained for how long."""
    parts = []
    if view.proxy is None:
        parts.append(f"{plural(len(view.searched), 'trial')} with shared weights for {_epochs(view.searched)}")
    if view.retrained:
        parts.append(f"{len(view.retrained):,} from scratch for {_epochs(view.retrained)}")
    return f"Trained were {listed(parts)}. A training ends when its epochs or its patience do."


def how(view: View, record: Record) -> str:
    """What was done with the network of a trial: ``trained``, and with which weights, or ``scored``."""
    if record.looked_up:
        return "looked up"
    if record.evaluator == AGAIN:
        return f"trained with seed {record.seed}"
    if record.from_scratch:
        return "trained from scratch after the search" if view.provisional else "trained"
    return "trained with shared weights" if record.proxy is None else f"scored by {record.proxy}, not trained,"


def proposal(view: View, winner: Record) -> Record:
    """The trial in which the search found the architecture of the winner."""
    found = (r for r in view.searched if r.trial.architecture == winner.trial.architecture)
    return next(found, winner)


def _epochs(records: list[Record]) -> str:
    return f"{number('epochs', sum(r.trial.metrics.get('epochs', 0.0) for r in records))} epochs"


def _warm_up(view: View) -> int:
    return view.settings.warm_up or WARM_UP
