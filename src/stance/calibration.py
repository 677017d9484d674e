"""Scores → probabilities → thresholds that fit the natural mix of news, though the rows were drawn to be rich."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]

FLATTEST: Final = 1e-6
_KNOTS = (0.5, 0.75, 0.9, 0.95, 0.98, 0.99)


def natural_weights(scores: Floats, at_random: Bools, known: Floats, rounds: Integers) -> Floats:
    """Return how many sentences of ordinary news each annotated row stands for.

    Rows that a model picked are richer in labels than news is. Where inclusion probabilities were recorded, they
    decide. Every round was drawn from what the rounds before had left, so what was annotated before a round stands for
    itself there, and its own rows for what was left; the mean of these estimates, one a round, is unbiased. Rows
    without a recorded probability are taken as drawn before the others.

    Where none was recorded, a logistic regression tells from the out-of-fold scores how probable it is that such a row
    came by the random draw rather than by a model's, and that share of the rows with such scores is what a natural
    sample would have had.

    Source of the mean over rounds: D. Raj, Some estimators in sampling with varying probabilities without
    replacement, 1956.

    Parameters
    ----------
    scores
        Out-of-fold scores, shape (n, labels).
    at_random
        Whether a row was drawn at random from everything, shape (n,).
    known
        Recorded inverse inclusion probabilities, NaN where there is none, shape (n,).
    rounds
        Number of the round in which each row was drawn, shape (n,).

    Returns
    -------
    ndarray of float64, shape (n,)
        Weights above 0 with mean 1; all 1 where nothing was drawn by a model or nothing at random.
    """
    weights = np.ones(len(scores))
    recorded = ~np.isnan(known)
    if recorded.any():
        drawn, place = np.unique(rounds[recorded], return_inverse=True)
        weights[recorded] = (known[recorded] + len(drawn) - 1 - place) / len(drawn)
    elif at_random.any() and not at_random.all():
        from sklearn.linear_model import LogisticRegression

        shape = _splines(scores)
        chosen = LogisticRegression(C=1.0, max_iter=3000).fit(shape, at_random)
        weights = np.maximum(chosen.predict_proba(shape)[:, 1], 1e-4)
    return np.asarray(weights / weights.mean())


def _splines(scores: Floats) -> Floats:
    """Return linear splines of each column; the knots lie close where the rare labels are."""
    standard = (scores - scores.mean(axis=0)) / np.maximum(scores.std(axis=0), 1e-9)
    knots = np.quantile(standard, _KNOTS, axis=0)
    return np.hstack([standard, *(np.maximum(standard - knot, 0.0) for knot in knots)])


def platt(scores: Floats, truth: Bools, weights: Floats) -> tuple[float, float]:
    """Return slope and offset of the sigmoid that fits weighted out-of-fold scores of one label best.

    Targets are softened as Platt (1999) proposes, so that a clean separation gives no certainty.

    Parameters
    ----------
    scores, truth, weights
        Shape (n,).
    """
    from scipy.optimize import minimize

    positives, negatives = float(weights[truth].sum()), float(weights[~truth].sum())
    targets = np.where(truth, (positives + 1.0) / (positives + 2.0), 1.0 / (negatives + 2.0))
    # Optimised on standardised scores, so that both parameters are of one size.
    centre, spread = float(scores.mean()), max(float(scores.std()), 1e-9)
    standard = (scores - centre) / spread
    total = weights.sum()

    def loss(parameters: Floats) -> tuple[float, Floats]:
        logits = parameters[0] * standard + parameters[1]
        probabilities = 1.0 / (1.0 + np.exp(-np.clip(logits, -500.0, 500.0)))
        value = float((weights * (np.logaddexp(0.0, logits) - targets * logits)).sum()) / total
        errors = weights * (probabilities - targets) / total
        return value, np.array([errors @ standard, errors.sum()])

    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS", options={"gtol": 1e-9}).x
    slope = float(found[0]) / spread
    if slope < FLATTEST:
        # Scores that say the opposite of the labels are worth nothing; every row gets the share of positives.
        share = float(np.average(targets, weights=weights))
        return FLATTEST, float(np.log(share / (1.0 - share))) - FLATTEST * centre
    return slope, float(found[1]) - float(found[0]) * centre / spread


def temperature(scores: Floats, truth: NDArray[np.intp], weights: Floats) -> float:
    """Return the one slope under which a softmax over out-of-fold scores fits best.

    Parameters
    ----------
    scores
        Shape (n, labels).
    truth
        Column of the right label, shape (n,).
    weights
        Shape (n,).
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    rows = np.arange(len(scores))

    def loss(log_slope: float) -> float:
        logits = scores * np.exp(log_slope)
        return float((weights * (logsumexp(logits, axis=1) - logits[rows, truth])).sum())

    return float(np.exp(minimize_scalar(loss, bounds=(-5.0, 5.0), method="bounded").x))


def best_threshold(probabilities: Floats, weights: Floats) -> float:
    """Return the probability from which a label is given so that its expected F1 in the natural mix is best.

    The expectation is taken under the calibrated probabilities themselves. Counting labels instead would put the
    threshold where one lucky row happens to lie, because after weighting few positives carry most of the weight.

    Parameters
    ----------
    probabilities, weights
        Out of fold, shape (n,).

    Returns
    -------
    float
        Above 0, at most 1.
    """
    order = np.argsort(-probabilities, kind="stable")
    chances, heavy = probabilities[order], weights[order]
    right = np.cumsum(heavy * chances)
    f1 = 2.0 * right / (np.cumsum(heavy) + right[-1])
    last_of_ties = np.append(chances[1:] != chances[:-1], True)
    best = int(np.argmax(np.where(last_of_ties, f1, -1.0)))
    below = chances[best + 1] if best + 1 < len(chances) else 0.0
    return float((chances[best] + below) / 2.0)


def precise_threshold(probabilities: Floats, weights: Floats, wanted: float) -> float:
    """Return the lowest probability from which a label is given so that its expected precision is as wanted.

    Like `best_threshold` it goes by the calibrated probabilities.

    Parameters
    ----------
    probabilities, weights
        Out of fold, shape (n,).
    wanted
        Precision in the natural mix, 0 to 1.

    Returns
    -------
    float
        1 where no threshold reaches it.
    """
    order = np.argsort(-probabilities, kind="stable")
    chances, heavy = probabilities[order], weights[order]
    precision = np.cumsum(heavy * chances) / np.cumsum(heavy)
    last_of_ties = np.append(chances[1:] != chances[:-1], True)
    reached = np.flatnonzero(last_of_ties & (precision >= wanted))
    return float(chances[reached[-1]]) if len(reached) else 1.0
