"""Scored rows and the arithmetic on them: weighted measures of many resamples at once, intervals, comparison."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from stance.records import InputError

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Integers: TypeAlias = NDArray[np.int64]
Groups: TypeAlias = "Sequence[Hashable] | NDArray[Any]"
Measurer: TypeAlias = Callable[[Floats], Floats]
"""Row weights (draws, n) to a measure (draws, L)."""

BINS: Final = 10
# Bounds the memory of one step (a matrix of draws by rows) and fixes how the random stream is cut up.
_DRAWS_AT_ONCE: Final = 50


@dataclass(frozen=True, eq=False)
class Scored:
    """Scored rows with their truth.

    Attributes
    ----------
    truth
        (n, L) bool: which labels are right.
    probabilities
        (n, L) float64, 0 to 1.
    given
        (n, L) bool: which labels the model gave.
    labels
        The L label names.
    groups
        (n,) numbers or strings: rows of one group are drawn together; None makes every row its own group.
    weights
        (n,) positive weights, such as 1 / inclusion probability; None means 1 for each row.

    Raises
    ------
    InputError
        If shapes or types do not fit together, or a number is out of range.
    """

    truth: Bools
    probabilities: Floats
    given: Bools
    labels: tuple[str, ...]
    groups: Groups | None = None
    weights: Floats | None = None

    def __post_init__(self) -> None:
        """Check that the arrays fit together."""
        shape = (len(self.truth), len(self.labels))
        if 0 in shape:
            raise InputError("evaluation: there are no rows or no labels; pass at least one of each")
        if len(set(self.labels)) < len(self.labels):
            raise InputError("evaluation: two labels have the same name; give each its own")
        for name in ("truth", "probabilities", "given"):
            array = getattr(self, name)
            if array.shape != shape:
                raise InputError(f"evaluation: {name} has shape {array.shape}, not (rows, labels) {shape}")
            if name != "probabilities" and array.dtype != np.bool_:
                raise InputError(f"evaluation: {name} holds {array.dtype}, not bool; convert it with astype(bool)")
        outside = ~((self.probabilities >= 0) & (self.probabilities <= 1)).all(axis=1)
        if outside.any():
            raise InputError(f"evaluation: row {int(outside.argmax())} has a probability that is not between 0 and 1")
        if self.groups is not None and len(self.groups) != shape[0]:
            raise InputError(f"evaluation: {len(self.groups)} groups for {shape[0]} rows; give one for each row")
        if self.weights is not None and self.weights.shape != shape[:1]:
            raise InputError(f"evaluation: weights have shape {self.weights.shape}, not {shape[:1]}")
        if self.weights is not None and not (np.isfinite(self.weights) & (self.weights > 0)).all():
            raise InputError("evaluation: a weight is not a positive number; leave such rows out")

    @property
    def exclusive(self) -> bool:
        """Whether every row has exactly one label, in truth and as given."""
        single = [bool((array.sum(axis=1) == 1).all()) for array in (self.truth, self.given)]
        return len(self.labels) > 1 and all(single)

    @property
    def row_weights(self) -> Floats:
        """(n,) weights, ones where none were passed in."""
        return np.ones(len(self.truth)) if self.weights is None else self.weights.astype(np.float64)

    def take(self, rows: Integers) -> Scored:
        """Return the given rows only."""
        groups = None if self.groups is None else [self.groups[row] for row in rows]
        weights = None if self.weights is None else self.weights[rows]
        return Scored(self.truth[rows], self.probabilities[rows], self.given[rows], self.labels, groups, weights)


class PairedDifference(NamedTuple):
    """Measure of B minus that of A, its 95% interval, and the share of resamples in which B is better."""

    difference: float
    interval: tuple[float, float]
    probability: float


def paired_bootstrap(
    truth: Bools,
    a: Bools | Floats,
    b: Bools | Floats,
    metric: Literal["macro_f1", "mean_average_precision"],
    groups: Groups | None = None,
    *,
    weights: Floats | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> PairedDifference:
    """Compare two models on the same rows and the same draws.

    Parameters
    ----------
    truth
        (n, L) bool.
    a, b
        (n, L): labels given (bool) for ``"macro_f1"``; scores or probabilities for ``"mean_average_precision"``.
    metric
        What is compared.
    groups, weights
        As in `Scored`.
    resamples, seed
        As in `stance.evaluation.evaluate`.

    Returns
    -------
    PairedDifference
        B minus A. A resample in which both are equal counts half; all numbers are NaN where no label has a true row.

    Raises
    ------
    InputError
        If shapes differ, there are no rows, `metric` is unknown, or the labels given are not bool.
    """
    if not (truth.shape == a.shape == b.shape and truth.ndim == 2 and truth.size):
        raise InputError(f"comparison: shapes {truth.shape}, {a.shape}, {b.shape} are not one shape (rows, labels)")
    sides = []
    for side in (a, b):
        if metric == "mean_average_precision":
            sides.append(average_precision_measurer(truth, side.astype(np.float64)))
        elif metric != "macro_f1":
            raise InputError(f"comparison: unknown metric {metric!r}; use macro_f1 or mean_average_precision")
        elif side.dtype != np.bool_:
            raise InputError("comparison: macro_f1 needs the labels given, as bool; apply the thresholds first")
        else:
            sides.append(f1_measurer(truth, side.astype(np.bool_)))

    def difference(drawn: Floats) -> Floats:
        first, second = (mean_defined(side(drawn)) for side in sides)
        return second - first

    numbers = group_numbers(groups, len(truth))
    plain = np.ones(len(truth)) if weights is None else weights
    draws = np.concatenate([difference(drawn) for drawn in draw_weights(numbers, plain, resamples, seed)])
    better = mean_defined(np.where(np.isnan(draws), np.nan, (np.sign(draws) + 1) / 2))
    return PairedDifference(float(difference(plain[None, :])[0]), interval(draws), float(better))


def precision_recall(truth: Bools, scores: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return precision and recall (k,) at each of the k distinct scores, highest score first; all arguments are (n,).

    Without a true row recall is NaN.
    """
    order, ends = _ranking(scores)
    true = np.cumsum((weights * truth)[order])[ends]
    return true / np.cumsum(weights[order])[ends], _ratio(true, np.full_like(true, true[-1]))


def group_numbers(groups: Groups | None, rows: int) -> Integers:
    """Return (rows,) group numbers from 0 in order of appearance; without groups each row is its own."""
    if groups is None:
        return np.arange(rows)
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(group, len(numbers)) for group in groups], dtype=np.int64)


def draw_weights(numbers: Integers, weights: Floats, resamples: int, seed: int) -> Iterator[Floats]:
    """Yield `resamples` rows in all of (draws, n) weights: a row's weight times how often its group was drawn.

    Raises
    ------
    InputError
        If `resamples` is below 1.
    """
    if resamples < 1:
        raise InputError(f"evaluation: {resamples} resamples cannot give an interval; ask for at least 1")
    random = np.random.default_rng(seed)
    groups = int(numbers.max()) + 1
    for start in range(0, resamples, _DRAWS_AT_ONCE):
        draws = min(_DRAWS_AT_ONCE, resamples - start)
        drawn = random.integers(groups, size=(draws, groups)) + np.arange(draws)[:, None] * groups
        counts = np.bincount(drawn.ravel(), minlength=draws * groups).reshape(draws, groups)
        yield counts[:, numbers] * weights


def interval(draws: Floats) -> tuple[float, float]:
    """Return the 2.5th and 97.5th percentile of the draws that are not NaN; NaN twice where none is."""
    defined = draws[~np.isnan(draws)]
    if not defined.size:
        return float("nan"), float("nan")
    low, high = np.percentile(defined, (2.5, 97.5))
    return float(low), float(high)


def mean_defined(values: Floats) -> Floats:
    """Mean over the last axis of what is not NaN; NaN where nothing is."""
    return _ratio(np.nansum(values, axis=-1), np.asarray((~np.isnan(values)).sum(axis=-1), dtype=np.float64))


def precision_measurer(truth: Bools, given: Bools) -> Measurer:
    """Undefined where the label was never given."""
    hits, called = (truth & given).astype(np.float64), given.astype(np.float64)
    return lambda weights: _ratio(weights @ hits, weights @ called)


def recall_measurer(truth: Bools, given: Bools) -> Measurer:
    """Undefined without a true row."""
    hits, real = (truth & given).astype(np.float64), truth.astype(np.float64)
    return lambda weights: _ratio(weights @ hits, weights @ real)


def f1_measurer(truth: Bools, given: Bools) -> Measurer:
    """Undefined without a true row; 0 where there are such rows and none was found."""
    hits, called, real = (array.astype(np.float64) for array in (truth & given, given, truth))

    def measure(weights: Floats) -> Floats:
        positive = weights @ real
        return np.where(positive > 0, _ratio(2 * (weights @ hits), weights @ called + positive), np.nan)

    return measure


def average_precision_measurer(truth: Bools, scores: Floats) -> Measurer:
    """Sum over falling scores of precision times gained recall, equal scores as one step; undefined without a true row.

    The scores are sorted here, once for all draws.
    """
    rankings = [_ranking(column) for column in scores.T]

    def measure(weights: Floats) -> Floats:
        found = []
        for column, (order, ends) in enumerate(rankings):
            ranked = weights[:, order]
            true = np.cumsum(ranked * truth[order, column], axis=1)[:, ends]
            precision = _ratio(true, np.cumsum(ranked, axis=1)[:, ends])
            gained = np.diff(true, axis=1, prepend=0.0)
            # Before the first row drawn precision is NaN, and nothing is gained there either.
            found.append(_ratio(np.nansum(gained * precision, axis=1), true[:, -1]))
        return np.stack(found, axis=1)

    return measure


def brier_measurer(truth: Bools, probabilities: Floats) -> Measurer:
    """Mean squared distance between probability and truth."""
    squared = (probabilities - truth) ** 2
    return lambda weights: np.asarray(weights @ squared / weights.sum(axis=1, keepdims=True))


def brier_skill_measurer(truth: Bools, probabilities: Floats) -> Measurer:
    """1 - Brier score / Brier score of always saying the base rate; undefined where all rows are alike."""
    brier, real = brier_measurer(truth, probabilities), truth.astype(np.float64)

    def measure(weights: Floats) -> Floats:
        # Summed like the positives, so that rows which are all alike give exactly 0 negatives.
        positive, negative = weights @ real, weights @ (1 - real)
        reference = positive * negative / weights.sum(axis=1, keepdims=True) ** 2
        return 1 - _ratio(brier(weights), reference)

    return measure


def calibration_measurer(truth: Bools, probabilities: Floats, weights: Floats) -> Measurer:
    """Mean distance between mean probability and share of true rows over `BINS` bins of equal mass under `weights`.

    Equal probabilities share a bin, so that there may be fewer bins; the draws keep the bins.
    """
    gaps = []
    for column in range(truth.shape[1]):
        _, run = np.unique(probabilities[:, column], return_inverse=True)
        mass = np.bincount(run, weights)
        middle = (np.cumsum(mass) - mass / 2) / mass.sum()
        bins = np.minimum(middle * BINS, BINS - 1).astype(np.int64)[run]
        gap = np.zeros((len(truth), BINS))
        gap[np.arange(len(truth)), bins] = probabilities[:, column] - truth[:, column]
        gaps.append(gap)

    def measure(drawn: Floats) -> Floats:
        return np.stack([np.abs(drawn @ gap).sum(axis=1) / drawn.sum(axis=1) for gap in gaps], axis=1)

    return measure


def _ranking(scores: Floats) -> tuple[Integers, Integers]:
    """Return the order of falling scores, and where in that order each run of equal scores ends."""
    order = np.argsort(-scores, kind="stable")
    return order, np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))


def _ratio(over: Floats, under: Floats) -> Floats:
    """Divide; NaN where `under` is not positive."""
    quotient: Floats = np.divide(over, under, out=np.full(np.shape(over), np.nan), where=under > 0)
    return quotient
