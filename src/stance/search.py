"""The search for better training settings, by grouped cross-validation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stance.design import assemble
from stance.features import FAMILIES, Featurizer
from stance.measures import paired_bootstrap
from stance.training import checked_folds, out_of_fold_scores

if TYPE_CHECKING:
    from stance.dataset import Dataset
    from stance.measures import Floats
    from stance.settings import Settings
    from stance.training import Progress

# A change is kept only where it helps that surely; the best of many trials is better than it deserves.
SURE: Final = 0.9


def search(dataset: Dataset, settings: Settings, *, progress: Progress | None = None) -> Settings:
    """Look for better settings, one at a time.

    The measure is the mean average precision over the labels, out of fold, on the stand-off rows (on own ones where
    there are no others). A change is kept where a paired bootstrap over the groups says with probability `SURE` that
    it is higher.

    Parameters
    ----------
    dataset
        As for `stance.train`; the held-apart rows take no part.
    settings
        Where the search begins.
    progress
        Called with the number of trials done and to be done.

    Returns
    -------
    Settings
        The best found.

    Raises
    ------
    DataError
        As `stance.train`.
    """
    rows = assemble(dataset, Featurizer(dataset.lexicon, settings.features))
    learned = rows[~rows.held_apart]
    folds = checked_folds(dataset, learned, settings)
    judged = ~learned.own if (~learned.own).any() else np.ones(len(folds), dtype=bool)

    def scores_of(trial: Settings) -> Floats:
        return out_of_fold_scores(dataset, learned, folds, trial)[judged]

    changes = _changes(settings)
    best, found = settings, scores_of(settings)
    for number, change in enumerate(changes, 1):
        scale = change.get("family_scale")
        trial = replace(best, **(change if scale is None else {"family_scale": {**best.family_scale, **scale}}))
        reached = scores_of(trial)
        groups = learned.groups[judged]
        gain = paired_bootstrap(learned.truth[judged], found, reached, "mean_average_precision", groups)
        if gain.probability >= SURE:
            best, found = trial, reached
        if progress:
            progress(number, len(changes))
    return best


def _changes(settings: Settings) -> list[dict[str, Any]]:
    """Return what is tried: each setting a step down and a step up."""
    return [
        *({"own_weight": factor * settings.own_weight} for factor in (0.5, 2.0)),
        *(
            {"family_scale": {family: factor * settings.family_scale.get(family, 1.0)}}
            for family in FAMILIES
            for factor in (0.7, 1.4)
        ),
        *({"regularisation": factor * settings.regularisation} for factor in (0.5, 2.0)),
    ]
