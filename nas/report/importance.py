"""How much each knob mattered."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.trial import create_trial

from nas.controllers.optuna_knobs import distribution
from nas.searchspace.space import Space
from nas.study.records import Record, finished

LEAST = 8
"""With fewer finished trials nothing can be said about the knobs."""

ABOVE = 5
"""As many trials should count as good; the method's authors call fewer unstable."""


class NoImportanceError(Exception):
    """The importance cannot be computed; the message says why, as a sentence for the reader."""


def importance(space: Space[Any], records: Sequence[Record], objective: int = 0) -> dict[str, float]:
    """The share of each knob in being among the best tenth (or five) of the trials, largest first; shares add to 1.

    PED-ANOVA compares where the good trials lie along a knob with where all of them do: Watanabe, Bansal and Hutter,
    IJCAI 2023 (arXiv 2304.10255). Knobs that only some architectures have count in proportion to how often they are
    active (arXiv 2601.20800). Knobs with a single value are left out.

    Raises:
        NoImportanceError: if there are too few trials, or they do not differ.
    """
    done = finished(records)
    if len(done) < LEAST:
        raise NoImportanceError(
            f"It takes at least {LEAST} finished trials to say which knobs mattered; there are {len(done)}."
        )
    values = [-_values(r)[objective] for r in done]  # the method takes smaller values for better ones
    if min(values) == max(values):
        raise NoImportanceError(
            f"All {len(done)} finished trials have the same value, so no knob can be told from another."
        )
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances  # loads scikit-learn

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on knobs that few trials have: they get little weight anyway
            study = optuna.create_study(direction="minimize")
            for record, value in zip(done, values, strict=True):
                a = record.trial.architecture
                distributions = {path: distribution(domain) for path, domain in space.domains(a).items()}
                study.add_trial(create_trial(value=value, params=space.knobs(a), distributions=distributions))
            evaluator = PedAnovaImportanceEvaluator(target_quantile=min(0.5, max(0.1, ABOVE / len(done))))
            found = get_param_importances(study, evaluator=evaluator)
    finally:
        optuna.logging.set_verbosity(before)
    order = {path: i for i, path in enumerate(space.every_knob())}
    shares = {path: share for path, share in found.items() if share > 0}
    if len(set(shares.values())) < 2 and len(shares) > 1:
        raise NoImportanceError("The best trials lie where all the others do, so no knob can be told from another.")
    return dict(sorted(shares.items(), key=lambda item: (-item[1], order[item[0]])))


def _values(record: Record) -> tuple[float, ...]:
    assert record.trial.values is not None
    return record.trial.values
