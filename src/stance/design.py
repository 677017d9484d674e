"""Annotated statements → figures: the rows of a dataset, its folds, and the design matrix that a fit sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from stance.dataset import Dataset, is_held_apart
from stance.features import FAMILIES, FeatureSettings, Featurizer
from stance.measures import Bools, Floats, Integers
from stance.records import DataError
from stance.settings import Settings

RANDOM_DRAW: Final = "random"


@dataclass(frozen=True, eq=False)
class Rows:
    """Annotated statements as figures; n rows, own ones last.

    Attributes
    ----------
    features
        Binary matrix of buckets, shape (n, buckets).
    counts
        Distinct buckets of each row before rare ones were dropped, shape (n,).
    truth
        Shape (n, labels).
    own, held_apart, borderline, at_random
        Shape (n,).
    known_weights
        Recorded inverse inclusion probabilities, NaN where there is none, shape (n,).
    rounds
        Rounds of drawing, shape (n,).
    groups
        Numbers of the groups, shape (n,).
    """

    features: sparse.csr_matrix
    counts: Integers
    truth: Bools
    own: Bools
    held_apart: Bools
    borderline: Bools
    at_random: Bools
    known_weights: Floats
    rounds: Integers
    groups: Integers

    def __getitem__(self, chosen: Bools) -> Rows:
        return Rows(
            self.features[chosen],
            *(
                getattr(self, name)[chosen]
                for name in (
                    "counts", "truth", "own", "held_apart", "borderline", "at_random", "known_weights", "rounds",
                    "groups",
                )
            ),
        )  # fmt: skip


def assemble(dataset: Dataset, featurizer: Featurizer) -> Rows:
    """Return all rows of a dataset as figures, held-apart ones among them."""
    names = dataset.labels.names
    standoff = dataset.standoff
    parts: list[sparse.csr_matrix] = []
    counts: list[Integers] = []
    if standoff is not None:
        if standoff.matrix.fingerprint != featurizer.fingerprint:
            raise DataError(
                f"{standoff.path / 'features.npz'}: made with other feature settings or another lexicon; run "
                "`stance extract --texts FILE...` with the texts at hand, or `stance train --own-only`"
            )
        matrix = standoff.matrix
        parts.append(_binary(matrix.indices, matrix.indptr, featurizer.settings.buckets))
        counts.append(matrix.counts.astype(np.int64))
    if dataset.own:
        indptr, indices = featurizer.rows([row.text for row in dataset.own])
        parts.append(_binary(indices, indptr, featurizer.settings.buckets))
        counts.append(np.diff(indptr))
    real = standoff.rows if standoff is not None else ()
    own = dataset.own
    given = [row.labels for row in real] + [row.labels for row in own]
    none = [np.nan] * len(own)
    if not real and not own:
        raise DataError("the dataset holds no annotated statements; add some")
    _, groups = np.unique(np.array(dataset.groups), return_inverse=True)
    return Rows(
        features=sparse.vstack(parts, format="csr"),
        counts=np.concatenate(counts),
        truth=np.array([[name in labels for name in names] for labels in given], dtype=np.bool_),
        own=np.array([False] * len(real) + [True] * len(own)),
        held_apart=np.array([is_held_apart(group) for group in dataset.groups]),
        borderline=np.array([row.borderline for row in real] + [False] * len(own)),
        at_random=np.array([row.draw == RANDOM_DRAW for row in real] + [False] * len(own)),
        known_weights=np.array([np.nan if row.weight is None else row.weight for row in real] + none, dtype=float),
        rounds=np.array([row.round for row in real] + [0] * len(own), dtype=np.int64),
        groups=groups.astype(np.int64),
    )


def used_columns(rows: Rows, settings: Settings) -> Integers:
    """Return the buckets that training looks at: those of stand-off rows, and those that several own rows have."""
    real = np.asarray(rows.features[~rows.own].sum(axis=0)).ravel() > 0
    own = np.asarray(rows.features[rows.own].sum(axis=0)).ravel() >= settings.own_rows
    columns = np.flatnonzero(real | own)
    if not len(columns):
        raise DataError("no feature occurs often enough to learn from; annotate more rows, or lower own_rows")
    return columns


def scales(columns: Integers, table: FeatureSettings, settings: Settings) -> Floats:
    """Return the factor on each column, by its feature family."""
    family = np.searchsorted(np.array(table.offsets), columns, side="right") - 1
    return np.array([settings.family_scale.get(name, 1.0) for name in FAMILIES])[family]


def scaled(rows: Rows, columns: Integers, table: FeatureSettings, settings: Settings) -> sparse.csr_matrix:
    """Return the design matrix: columns by family, rows by the square root of their number of features."""
    by_row = sparse.diags(1.0 / np.sqrt(np.maximum(rows.counts, 1)))
    return sparse.csr_matrix(by_row @ rows.features[:, columns] @ sparse.diags(scales(columns, table, settings)))


def fold_numbers(groups: Integers, folds: int) -> Integers:
    """Return the fold of each row; a group lies in one fold, and folds are of about the same size."""
    sizes = np.bincount(groups)
    filled = np.zeros(folds)
    fold_of = np.zeros(len(sizes), dtype=np.int64)
    for group in np.argsort(-sizes, kind="stable"):
        fold_of[group] = int(np.argmin(filled))
        filled[fold_of[group]] += sizes[group]
    return fold_of[groups]


def _binary(indices: NDArray[Any], indptr: NDArray[Any], buckets: int) -> sparse.csr_matrix:
    return sparse.csr_matrix((np.ones(len(indices)), indices, indptr), shape=(len(indptr) - 1, buckets))
