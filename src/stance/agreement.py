"""How far annotators agree: raw agreement, Cohen's kappa and Krippendorff's alpha, with bootstrap intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stance.evaluation import Estimate
from stance.labels import LabelSet
from stance.measures import Floats, draw_weights, group_numbers, interval
from stance.records import DataError, InputError
from stance.rows import checked_labels, read_jsonl

MISSING: Final = -1
Ratings = NDArray[np.int64]
"""(annotators, units): number of the category that each annotator gave each unit, `MISSING` where none."""


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Two annotators on the units that both judged.

    Attributes
    ----------
    first, second
        Their names.
    units
        How many both judged.
    table
        Rows are the first's categories, columns the second's: how many units.
    raw
        Share of units on which they agree.
    kappa
        Cohen's, unweighted; NaN where both always give the same one category.
    """

    first: str
    second: str
    units: int
    table: tuple[tuple[int, ...], ...]
    raw: Estimate
    kappa: Estimate


@dataclass(frozen=True, slots=True)
class LabelAgreement:
    """All annotators on one label, each statement with it or without.

    Attributes
    ----------
    label
        Its name.
    units
        Units that at least two annotators judged.
    alpha
        Krippendorff's, nominal.
    pairs
        Every two annotators.
    """

    label: str
    units: int
    alpha: Estimate
    pairs: tuple[PairAgreement, ...]


def cohen_kappa(table: NDArray[Any]) -> float:
    """Return Cohen's kappa of a square table of counts; NaN where chance alone agrees always.

    Source: J. Cohen, A coefficient of agreement for nominal scales, 1960.
    """
    counts = np.asarray(table, dtype=np.float64)
    return float(_kappa(counts.reshape(1, -1), len(counts))[0])


def krippendorff_alpha(ratings: Ratings) -> float:
    """Return Krippendorff's alpha for nominal categories; NaN where the pairable values do not vary.

    Source: K. Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011.

    Parameters
    ----------
    ratings
        Missing values are allowed; a unit that fewer than two annotators judged does not count.
    """
    return float(_alpha(np.ones((1, ratings.shape[1])), *_coincidences(ratings))[0])


def agreement(
    names: Sequence[str], ratings: Mapping[str, Ratings], *, resamples: int = 1000, seed: int = 0
) -> tuple[LabelAgreement, ...]:
    """Compare annotators label by label; intervals are 95% percentile bootstraps over the units.

    Parameters
    ----------
    names
        Of the annotators.
    ratings
        Label to ratings, all of one shape.
    resamples, seed
        As in `stance.evaluation.evaluate`.

    Raises
    ------
    InputError
        If there are fewer than two annotators, or two of them share no unit.
    """
    if len(names) < 2:
        raise InputError("agreement: there is one annotator; give the labels of at least two")
    return tuple(_label_agreement(label, names, table, resamples, seed) for label, table in ratings.items())


def read_ratings(paths: Sequence[Path], labels: LabelSet, label_field: str = "labels") -> dict[str, Ratings]:
    """Read one JSONL file an annotator, rows of ``id`` and labels; a row that a file lacks is missing there.

    Returns
    -------
    dict
        Label to ratings: 1 with the label, 0 without; units in the order of their first appearance.

    Raises
    ------
    DataError
        If a row has no id, an unknown label, or an id twice in a file.
    """
    read: list[dict[str, tuple[str, ...]]] = []
    for path in paths:
        rows: dict[str, tuple[str, ...]] = {}
        for place, record in read_jsonl(path):
            key, given = record.get("id"), record.get(label_field)
            if not isinstance(key, str) or not key:
                raise DataError(f"{place}: id is missing or not a string; every row needs one to be compared by")
            if key in rows:
                raise DataError(f"{place}: id {key!r} stands in the file twice; leave one row")
            rows[key] = checked_labels([given] if isinstance(given, str) else given, labels, place)
        read.append(rows)
    units = {key: number for number, key in enumerate(dict.fromkeys(key for rows in read for key in rows))}
    ratings = {name: np.full((len(paths), len(units)), MISSING, dtype=np.int64) for name in labels.names}
    for annotator, rows in enumerate(read):
        for key, given in rows.items():
            for name, table in ratings.items():
                table[annotator, units[key]] = name in given
    return ratings


def to_json(found: Sequence[LabelAgreement]) -> dict[str, Any]:
    """Return plain dicts and numbers; None for what is undefined."""
    document: dict[str, Any] = {}
    for entry in found:
        pairs = [asdict(pair) | {"raw": pair.raw.to_json(), "kappa": pair.kappa.to_json()} for pair in entry.pairs]
        document[entry.label] = {"units": entry.units, "alpha": entry.alpha.to_json(), "pairs": pairs}
    return document


def format_agreement(found: Sequence[LabelAgreement], resamples: int) -> str:
    """Return agreement as plain text: a block a label, with the confusion table of each pair."""
    lines: list[str] = []
    for entry in found:
        lines.append(f"{entry.label}: Krippendorff's alpha {entry.alpha}, {entry.units:,} units")
        for pair in entry.pairs:
            neither, second_only, first_only, both = (count for row in pair.table for count in row)
            split = f"both {both:,}   only {pair.first} {first_only:,}   only {pair.second} {second_only:,}"
            lines += [
                f"  {pair.first} and {pair.second}: {pair.units:,} units",
                f"    raw agreement {pair.raw}   Cohen's kappa {pair.kappa}",
                f"    {split}   neither {neither:,}",
            ]
    lines += ["", f"Intervals: 95%, percentile bootstrap of units, {resamples} resamples."]
    return "\n".join(lines)


def _label_agreement(label: str, names: Sequence[str], ratings: Ratings, resamples: int, seed: int) -> LabelAgreement:
    judged = (ratings != MISSING).sum(axis=0) > 1
    if not judged.any():
        raise InputError("agreement: no two annotators judged the same row; their ids have to be the same")
    within, counts = _coincidences(ratings[:, judged])
    units = int(judged.sum())
    alpha = _estimate(units, resamples, seed, lambda weights: _alpha(weights, within, counts))
    pairs = []
    for one, two in combinations(range(len(names)), 2):
        both = (ratings[[one, two]] != MISSING).all(axis=0)
        if not both.any():
            raise InputError(f"agreement: {names[one]} and {names[two]} share no row; leave one of them out")
        first, second = ratings[one, both], ratings[two, both]
        cells = np.eye(4)[2 * first + second]
        total = cells.sum(axis=0).astype(int).tolist()
        agreeing = (first == second).astype(np.float64)
        shared = int(both.sum())
        pairs.append(
            PairAgreement(
                names[one],
                names[two],
                shared,
                (tuple(total[:2]), tuple(total[2:])),
                _estimate(shared, resamples, seed, lambda weights, a=agreeing: weights @ a / weights.sum(axis=1)),
                _estimate(shared, resamples, seed, lambda weights, c=cells: _kappa(weights @ c, 2)),
            )
        )
    return LabelAgreement(label, units, alpha, tuple(pairs))


def _estimate(units: int, resamples: int, seed: int, measure: Any) -> Estimate:
    point = float(measure(np.ones((1, units)))[0])
    if math.isnan(point):
        return Estimate(math.nan, math.nan, math.nan)
    numbers = group_numbers(None, units)
    draws = np.concatenate([measure(weights) for weights in draw_weights(numbers, np.ones(units), resamples, seed)])
    return Estimate(point, *interval(draws))


def _kappa(flat: Floats, categories: int) -> Floats:
    """Return kappa of (draws, categories * categories) tables."""
    tables = flat.reshape(-1, categories, categories)
    total = tables.sum(axis=(1, 2))
    observed = np.trace(tables, axis1=1, axis2=2) / total
    expected = (tables.sum(axis=1) * tables.sum(axis=2)).sum(axis=1) / total**2
    kappa: Floats = np.divide(observed - expected, 1 - expected, out=np.full(len(total), np.nan), where=expected < 1)
    return kappa


def _coincidences(ratings: Ratings) -> tuple[Floats, Floats]:
    """Return for each unit its coincidences of equal values (units,), and its pairable values (units, categories)."""
    counts = (ratings[None] == np.unique(ratings[ratings != MISSING])[:, None, None]).sum(axis=1).T.astype(np.float64)
    judged = counts.sum(axis=1)
    counts[judged < 2] = 0.0
    return (counts * (counts - 1)).sum(axis=1) / np.maximum(judged - 1, 1), counts


def _alpha(weights: Floats, within: Floats, counts: Floats) -> Floats:
    values = weights @ counts
    total = values.sum(axis=1)
    # Without a pair of values nothing is expected, and alpha is undefined.
    expected = np.where(
        total > 1, 1.0 - (values * (values - 1)).sum(axis=1) / np.maximum(total * (total - 1), 1.0), 0.0
    )
    disagreed = 1.0 - weights @ within / np.maximum(total, 1.0)
    alpha: Floats = np.divide(expected - disagreed, expected, out=np.full(len(total), np.nan), where=expected > 1e-12)
    return alpha
