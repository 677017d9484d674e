"""Scores of a whole label set → calibration and thresholds, and how far the probabilities can be believed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from stance.calibration import best_threshold, platt, precise_threshold, temperature
from stance.labels import LabelSet
from stance.measures import Bools, Floats, Integers, Scored, brier_skill_measurer, draw_weights, interval
from stance.model import calibrated

# Under so few weighted positives, calibration and threshold of a label are rough; the model card says so.
FEW_POSITIVES: Final = 100
RESAMPLES: Final = 400


@dataclass(frozen=True, eq=False)
class Calibration:
    """What turns scores into probabilities and labels.

    Attributes
    ----------
    slopes, offsets, thresholds
        As in `stance.model.Model`, shape (labels,).
    figures
        For each label what this rests on, and how well probabilities held on rows that were not calibrated on.
    tried
        Those rows: truth, probabilities, and weights that make them a sample of ordinary news.
    """

    slopes: Floats
    offsets: Floats
    thresholds: Floats
    figures: dict[str, Any]
    tried: Scored


def calibrate(
    scores: Floats,
    truth: Bools,
    weights: Floats,
    labels: LabelSet,
    *,
    folds: Integers,
    groups: Integers,
    precision: Mapping[str, float],
) -> Calibration:
    """Calibrate out-of-fold scores, choose thresholds, and measure both on folds that calibration has not seen.

    Parameters
    ----------
    scores, truth
        Shape (n, labels).
    weights
        How many sentences of ordinary news each row stands for, shape (n,).
    labels
        The label set.
    folds, groups
        Fold and group of each row, shape (n,).
    precision
        Label to the precision that its threshold has to reach; the others' thresholds go by F1.
    """
    slopes, offsets = _fitted(scores, truth, weights, labels)
    probabilities = calibrated(scores, slopes, offsets, exclusive=labels.exclusive)
    thresholds = np.zeros(len(labels.names))
    if not labels.exclusive:
        for column, name in enumerate(labels.names):
            chances = probabilities[:, column]
            wanted = precision.get(name)
            thresholds[column] = (
                best_threshold(chances, weights) if wanted is None else precise_threshold(chances, weights, wanted)
            )
    unseen = np.empty_like(scores)
    for fold in np.unique(folds):
        apart = folds == fold
        unseen[apart] = calibrated(
            scores[apart], *_fitted(scores[~apart], truth[~apart], weights[~apart], labels), exclusive=labels.exclusive
        )
    given = unseen >= thresholds
    if labels.exclusive:
        given = np.arange(len(labels.names)) == unseen.argmax(axis=1)[:, None]
    tried = Scored(truth, unseen, given, labels.names, groups.tolist(), weights)
    return Calibration(slopes, offsets, thresholds, _figures(tried, groups), tried)


def _fitted(scores: Floats, truth: Bools, weights: Floats, labels: LabelSet) -> tuple[Floats, Floats]:
    """Return slopes and offsets."""
    count = len(labels.names)
    if labels.exclusive:
        return np.full(count, temperature(scores, truth.argmax(axis=1), weights)), np.zeros(count)
    fits = [platt(scores[:, column], truth[:, column], weights) for column in range(count)]
    return np.array([slope for slope, _ in fits]), np.array([offset for _, offset in fits])


def _figures(tried: Scored, groups: Integers) -> dict[str, Any]:
    weights = tried.row_weights
    measure = brier_skill_measurer(tried.truth, tried.probabilities)
    skill = measure(weights[None])[0]
    _, numbers = np.unique(groups, return_inverse=True)
    draws = np.concatenate([measure(drawn) for drawn in draw_weights(numbers, weights, RESAMPLES, 0)])
    figures = {}
    for column, name in enumerate(tried.labels):
        right, chances = tried.truth[:, column], tried.probabilities[:, column]
        effective = float(weights[right].sum() ** 2 / max((weights[right] ** 2).sum(), 1e-12))
        logits = np.log(np.clip(chances, 1e-12, 1 - 1e-12) / np.clip(1 - chances, 1e-12, 1 - 1e-12))
        figures[name] = {
            "positives": int(right.sum()),
            "share_of_news": float(np.average(right, weights=weights)),
            "effective_positives": effective,
            "few": effective < FEW_POSITIVES,
            "mean_probability": float(np.average(chances, weights=weights)),
            "calibration_slope": platt(logits, right, weights)[0],
            # Without a row that has the label there is nothing to be better than.
            "brier_skill": _plain(skill[column]),
            "brier_skill_interval": [_plain(end) for end in interval(draws[:, column])],
        }
    return figures


def _plain(number: float) -> float | None:
    """Return a number as JSON knows it."""
    return None if math.isnan(number) else float(number)
