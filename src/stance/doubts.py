"""Labels that are likely wrong: where models that have not seen a row disagree most with what it carries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from stance.calibration import platt
from stance.design import assemble
from stance.features import Featurizer
from stance.model import calibrated
from stance.records import InputError
from stance.training import checked_folds, out_of_fold_scores

if TYPE_CHECKING:
    from stance.dataset import Dataset
    from stance.settings import Settings

_SMALLEST: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Doubt:
    """A stand-off row and how improbable its labels are.

    Attributes
    ----------
    row
        Number of the row in the stand-off folder.
    improbability
        Negative log-probability of its least probable label, present or absent.
    label
        That label.
    """

    row: int
    improbability: float
    label: str


def likely_errors(
    dataset: Dataset,
    settings: Settings | None = None,
    *,
    size: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[Doubt]:
    """Return the stand-off rows whose labels the out-of-fold models find least probable, the worst first.

    Parameters
    ----------
    dataset
        Its held-apart rows are judged like the others: every row by a model that has not seen its group.
    settings
        Those of the dataset where left out.
    size
        How many rows, at most.
    progress
        Called with the number of fits done and to be done.

    Raises
    ------
    DataError
        As `stance.train`.
    InputError
        If the dataset has no stand-off rows, or its label set is exclusive.
    """
    if dataset.standoff is None or dataset.labels.exclusive:
        raise InputError("only stand-off rows of a label set that is not exclusive can be checked; add some")
    settings = settings or dataset.settings
    rows = assemble(dataset, Featurizer(dataset.lexicon, settings.features))
    scores = out_of_fold_scores(dataset, rows, checked_folds(dataset, rows, settings), settings, progress)
    real = np.flatnonzero(~rows.own)
    scores, truth = scores[real], rows.truth[real]
    # The rows as they are, not as news is: a label is to be judged among those that were read with it.
    fits = [platt(scores[:, column], truth[:, column], np.ones(len(real))) for column in range(truth.shape[1])]
    chances = calibrated(
        scores, np.array([fit[0] for fit in fits]), np.array([fit[1] for fit in fits]), exclusive=False
    )
    surprise = -np.log(np.maximum(np.where(truth, chances, 1.0 - chances), _SMALLEST))
    worst = surprise.max(axis=1)
    names = dataset.labels.names
    return [
        Doubt(int(real[row]), float(worst[row]), names[int(surprise[row].argmax())])
        for row in np.argsort(-worst, kind="stable")[:size]
    ]
