"""Annotated statements → `Model`: scikit-learn's logistic regression on the hashed features, then calibrated."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from stance.calibration import natural_weights
from stance.dataset import Dataset, data_hash
from stance.design import Rows, assemble, fold_numbers, scaled, scales, used_columns
from stance.features import Featurizer
from stance.measures import Floats, Integers, Scored
from stance.model import Model, Weights
from stance.records import DataError
from stance.reliability import Calibration, calibrate
from stance.settings import Settings

Progress = Callable[[int, int], None]


def train(
    dataset: Dataset,
    settings: Settings | None = None,
    *,
    hold_apart: bool = True,
    progress: Progress | None = None,
) -> Model:
    """Train a model on the rows of a dataset that are not held apart.

    Parameters
    ----------
    dataset
        Own and stand-off statements, and the label set.
    settings
        Those of the dataset where left out.
    hold_apart
        Whether the 15% that evaluation uses stay out.
    progress
        Called with the number of fits done and to be done.

    Returns
    -------
    Model
        On one machine and with the same versions, the same dataset and settings give the same bytes.

    Raises
    ------
    DataError
        If a label has no positive or no negative row, there are too few groups to cross-validate, or the settings name
        a label that the dataset does not have.
    """
    return fit(dataset, settings or dataset.settings, hold_apart=hold_apart, progress=progress)[0]


def fit(
    dataset: Dataset, settings: Settings, *, hold_apart: bool = True, progress: Progress | None = None
) -> tuple[Model, Scored]:
    """Train as `train` does, and return beside the model the rows that its calibration was tried on, out of fold."""
    rows = assemble(dataset, Featurizer(dataset.lexicon, settings.features))
    return fit_rows(dataset, rows[~rows.held_apart] if hold_apart else rows, settings, progress)


def fit_rows(
    dataset: Dataset, learned: Rows, settings: Settings, progress: Progress | None = None
) -> tuple[Model, Scored]:
    """Train on some rows of a dataset, as `fit` does on all of them."""
    featurizer = Featurizer(dataset.lexicon, settings.features)
    folds = checked_folds(dataset, learned, settings)
    columns = used_columns(learned, settings)
    design = scaled(learned, columns, featurizer.settings, settings)
    jobs = [(None, settings)] + [(fold, settings) for fold in range(settings.folds)]
    fits = run_fits(dataset, design, learned, folds, jobs, progress)
    out_of_fold = scores_out_of_fold(design, folds, fits[1:])
    coefficients, intercepts = fits[0]

    weights = np.zeros((featurizer.settings.buckets, len(dataset.labels.names)), dtype=np.float32)
    weights[columns] = (coefficients * scales(columns, featurizer.settings, settings)).T
    calibration = calibrated_rows(dataset, learned, out_of_fold, folds, settings)
    about = {
        "data_sha256": data_hash(dataset),
        "settings": settings.to_json(),
        "rows": {
            "own": int(learned.own.sum()),
            "standoff": int((~learned.own).sum()),
            "held_apart": len(dataset.groups) - len(learned.truth),
        },
        "features": len(columns),
        "figures": {
            "calibrated_on": "stand-off rows" if (~learned.own).any() else "own rows",
            "labels": calibration.figures,
        },
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "scipy", "scikit-learn", "stance-news")},
        },
    }
    model = Model(
        dataset.labels, featurizer, Weights.of(weights), intercepts,
        calibration.slopes, calibration.offsets, calibration.thresholds, about,
    )  # fmt: skip
    return model, calibration.tried


def calibrated_rows(dataset: Dataset, rows: Rows, scores: Floats, folds: Integers, settings: Settings) -> Calibration:
    """Calibrate on the rows that speak for the news: own statements are no sample of anything.

    They calibrate only where there is nothing else.
    """
    judged = ~rows.own if (~rows.own).any() else np.ones(len(scores), dtype=bool)
    if len(np.unique(folds[judged])) < 2:
        raise DataError(
            "all stand-off rows lie in one group, so that none can calibrate for the others; annotate rows of several "
            "articles, or leave them out with --own-only"
        )
    scores = scores[judged]
    return calibrate(
        scores,
        rows.truth[judged],
        natural_weights(scores, rows.at_random[judged], rows.known_weights[judged], rows.rounds[judged]),
        dataset.labels,
        folds=folds[judged],
        groups=rows.groups[judged],
        precision=settings.precision_by_label,
    )


Fit = tuple[Floats, Floats]


def run_fits(
    dataset: Dataset,
    design: sparse.csr_matrix,
    rows: Rows,
    folds: Integers,
    jobs: Iterable[tuple[int | None, Settings]],
    progress: Progress | None,
) -> list[Fit]:
    """Fit once for each job on all rows but those of its fold, on all cores.

    Returns
    -------
    list of (coefficients of shape (labels, columns), intercepts of shape (labels,))
    """
    from joblib import Parallel, delayed

    exclusive = dataset.labels.exclusive
    names = dataset.labels.names
    tasks = []
    for fold, settings in jobs:
        chosen = np.flatnonzero(folds != fold) if fold is not None else np.arange(len(folds))
        weights = np.where(rows.own, settings.own_weight, 1.0) * np.where(
            rows.borderline, settings.borderline_weight, 1.0
        )
        if exclusive:
            classes = rows.truth.argmax(axis=1)
            tasks.append((chosen, classes, balanced(classes, weights, settings), settings.regularisation))
        else:
            for column, name in enumerate(names):
                truth = rows.truth[:, column]
                tasks.append((chosen, truth, balanced(truth, weights, settings), settings.strength(name)))
    done: list[Fit] = []
    # A generator hands results over in order as they come, so that the bar moves while later ones are still at work.
    for fit in Parallel(n_jobs=-1, return_as="generator")(delayed(_fit)(design, *task) for task in tasks):
        done.append(fit)
        if progress:
            progress(len(done), len(tasks))
    if exclusive:
        return done
    return [
        (np.vstack([fit[0] for fit in group]), np.concatenate([fit[1] for fit in group]))
        for group in (done[start : start + len(names)] for start in range(0, len(done), len(names)))
    ]


def balanced(classes: NDArray[Any], weights: Floats, settings: Settings) -> Floats:
    """Return the weights of rows after `Settings.balance`: those of seldom classes grow, their mean stays."""
    _, number, counts = np.unique(classes, return_inverse=True, return_counts=True)
    factor = (counts.mean() / counts) ** settings.balance
    return np.asarray(weights * factor[number] / np.average(factor[number], weights=weights))


def scores_out_of_fold(design: sparse.csr_matrix, folds: Integers, fits: list[Fit]) -> Floats:
    """Return the scores of each row under the fit that has not seen it, shape (n, labels)."""
    scores = np.empty((design.shape[0], len(fits[0][1])))
    for fold, (coefficients, intercepts) in enumerate(fits):
        scores[folds == fold] = design[folds == fold] @ coefficients.T + intercepts
    return scores


def out_of_fold_scores(
    dataset: Dataset, rows: Rows, folds: Integers, settings: Settings, progress: Progress | None = None
) -> Floats:
    """Return the scores of each row under a fit on the other folds, shape (n, labels)."""
    table = Featurizer(dataset.lexicon, settings.features).settings
    design = scaled(rows, used_columns(rows, settings), table, settings)
    fits = run_fits(dataset, design, rows, folds, [(fold, settings) for fold in range(settings.folds)], progress)
    return scores_out_of_fold(design, folds, fits)


def _fit(design: sparse.csr_matrix, chosen: Integers, truth: NDArray[Any], weights: Floats, strength: float) -> Fit:
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    # One thread a fit: sums split over threads would come out a little different from run to run.
    with threadpool_limits(1):
        found = LogisticRegression(C=strength, max_iter=2000, tol=1e-6)
        found.fit(design[chosen], truth[chosen], sample_weight=weights[chosen])
    coefficients, intercepts = np.asarray(found.coef_), np.asarray(found.intercept_)
    if truth.dtype != bool and len(intercepts) == 1:
        # Of two exclusive labels scikit-learn returns the difference; a softmax needs a row for each.
        coefficients, intercepts = np.vstack([-coefficients, coefficients]) / 2, np.append(-intercepts, intercepts) / 2
    return coefficients, intercepts


def checked_folds(dataset: Dataset, rows: Rows, settings: Settings) -> Integers:
    """Return the fold of each row, or say why there is too little to learn from."""
    names = dataset.labels.names
    for field in ("regularisation_by_label", "precision_by_label"):
        named = getattr(settings, field)
        unknown = sorted(set(named) - set(names))
        if unknown:
            raise DataError(f"settings: {field} names {unknown[0]!r}; the labels are {', '.join(names)}")
        if dataset.labels.exclusive and named:
            raise DataError(f"settings: {field} cannot be used with an exclusive label set; empty it")
    for column, name in enumerate(names):
        positives = int(rows.truth[:, column].sum())
        if not 0 < positives < len(rows.truth):
            raise DataError(
                f"label {name!r}: {positives} of {len(rows.truth)} training rows carry it; "
                "annotate rows with and without it"
            )
    if dataset.labels.exclusive and (rows.truth.sum(axis=1) != 1).any():
        raise DataError("the label set is exclusive, but some rows carry no label or several; give each exactly one")
    groups = len(np.unique(rows.groups))
    if groups < settings.folds:
        raise DataError(
            f"the training rows come from {groups} groups (articles or contrast sets), too few for {settings.folds} "
            "folds; annotate rows of more articles, or set fewer folds in settings.json"
        )
    folds = fold_numbers(rows.groups, settings.folds)
    for fold in range(settings.folds):
        others = rows.truth[folds != fold]
        shares = zip(names, others.mean(axis=0), strict=True)
        lacking = next((name for name, share in shares if not 0 < share < 1), None)
        if lacking is not None:
            raise DataError(
                f"label {lacking!r}: without fold {fold}, all rows carry it or none does; annotate it in more groups"
            )
    return folds
