from __future__ import annotations

import dataclasses
import itertools

import numpy as np
from sklearn.metrics import average_precision_score

from stance.dataset import Dataset
from stance.design import assemble, fold_numbers, scaled, used_columns
from stance.features import Featurizer
from stance.search import search
from stance.settings import Settings
from stance.training import run_fits, scores_out_of_fold


def mean_precision(dataset: Dataset, settings: Settings) -> float:
    featurizer = Featurizer(dataset.lexicon)
    rows = assemble(dataset, featurizer)
    rows = rows[~rows.held_apart]
    folds = fold_numbers(rows.groups, settings.folds)
    design = scaled(rows, used_columns(rows, settings), featurizer.settings, settings)
    jobs = [(fold, settings) for fold in range(settings.folds)]
    scores = scores_out_of_fold(design, folds, run_fits(dataset, design, rows, folds, jobs, None))
    return float(np.mean([average_precision_score(rows.truth[:, k], scores[:, k]) for k in range(scores.shape[1])]))


def test_search_finds_settings_that_are_at_least_as_good(small_dataset: Dataset) -> None:
    tiny = dataclasses.replace(small_dataset, own=small_dataset.own[::2])
    # Without much weight on the cue classes there is a lot to be found.
    start = Settings(folds=2, regularisation=1.0, own_weight=1.0, family_scale={"class": 0.1, "pair": 0.1})
    seen: list[tuple[int, int]] = []
    found = search(tiny, start, progress=lambda *done: seen.append(done))
    assert found != start
    assert found.folds == start.folds
    assert mean_precision(tiny, found) > mean_precision(tiny, start)
    assert seen[-1][0] == seen[-1][1] == len(seen)
    assert all(later[0] == earlier[0] + 1 for earlier, later in itertools.pairwise(seen))
