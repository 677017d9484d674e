"""A model against annotated rows: which rows, and what `stance.evaluation` is given of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from stance.dataset import Annotated, Dataset, RowForm, is_held_apart, read_annotated
from stance.evaluation import ErrorRow, Scored, Signature
from stance.model import Model
from stance.records import DataError
from stance.standoff import StandoffRow

SHOWN_FEATURES: Final = 6


@dataclass(frozen=True, eq=False)
class Trial:
    """Rows that a model was tried on.

    Attributes
    ----------
    scored
        Truth and probabilities, in the order of `rows`.
    rows
        Annotated rows with text, or stand-off rows without.
    split, data
        Names for the signature.
    """

    scored: Scored
    rows: tuple[Annotated | StandoffRow, ...]
    split: str
    data: str

    def signature(self, model: Model, seed: int, version: str) -> Signature:
        """Return what tells this measurement from others."""
        return Signature(self.data, model.id, self.split, len(self.rows), seed, version)

    def field_values(self, name: str) -> list[str | None]:
        """Return one field of every row, None where a row lacks it.

        Raises
        ------
        DataError
            If no row has it.
        """
        values = [row.fields.get(name) if isinstance(row, Annotated) else row.to_json().get(name) for row in self.rows]
        if all(value is None for value in values):
            raise DataError(f"--by {name}: no row has that field; choose one that the data has")
        return [None if value is None else str(value) for value in values]


def file_trial(model: Model, path: Path, form: RowForm | None = None) -> Trial:
    """Try a model on an annotated JSONL file."""
    import hashlib

    rows = read_annotated(path, model.labels, form)
    probabilities = model.probabilities([row.text for row in rows])
    content = "\n".join(f"{row.text}\t{'|'.join(row.labels)}" for row in rows)
    data = hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()
    groups = [str(row.fields.get("article") or row.fields.get("set") or row.id) for row in rows]
    return Trial(_scored(model, rows, probabilities, groups), tuple(rows), path.name.split(".")[0], data)


def held_apart_trial(model: Model, dataset: Dataset, data: str) -> Trial:
    """Try a model on the rows of a dataset that training leaves out.

    Raises
    ------
    DataError
        If the stand-off matrix was made with other features than the model's, or no row is held apart.
    """
    standoff = dataset.standoff
    rows: list[Annotated | StandoffRow] = []
    parts = [np.empty((0, len(model.labels.names)))]
    groups: list[str] = []
    if standoff is not None:
        if standoff.matrix.fingerprint != model.featurizer.fingerprint:
            raise DataError(f"{standoff.path}: the matrix was made with other features than the model; train again")
        chosen = [number for number, group in enumerate(standoff.groups) if is_held_apart(group)]
        matrix = standoff.matrix
        sums = np.array(
            [
                model.weights[matrix.indices[matrix.indptr[n] : matrix.indptr[n + 1]]].sum(axis=0, dtype=np.float64)
                / np.sqrt(max(int(matrix.counts[n]), 1))
                for n in chosen
            ]
        ).reshape(len(chosen), len(model.labels.names))
        parts.append(model.calibrate(sums + model.intercepts))
        rows += [standoff.rows[number] for number in chosen]
        groups += [standoff.groups[number] for number in chosen]
    own = [row for row in dataset.own if is_held_apart(row.group)]
    if own:
        parts.append(model.probabilities([row.text for row in own]))
        rows += [
            Annotated(
                row.id,
                row.text,
                row.labels,
                {name: getattr(row, name) for name in ("register", "region", "topic", "phenomenon")},
            )
            for row in own
        ]
        groups += [row.group for row in own]
    if not rows:
        raise DataError("no row of the dataset is held apart; annotate more groups, or give a file with --data")
    return Trial(_scored(model, rows, np.concatenate(parts), groups), tuple(rows), "held-apart", data)


def error_place(row: Annotated | StandoffRow) -> str:
    """Say where a row is to be found."""
    return row.id if isinstance(row, Annotated) else f"{row.id} {row.origin} {row.path} {row.locator}"


def error_reasons(model: Model, row: Annotated | StandoffRow, error: ErrorRow) -> list[tuple[str, float]]:
    """Return the features that count most for or against the label; none where the text is elsewhere."""
    if isinstance(row, StandoffRow):
        return []
    found = model.explain(row.text).top(error.label, SHOWN_FEATURES)
    return [(" = ".join(each.features), each.weights[error.label]) for each in found]


def _scored(model: Model, rows: Sequence[Annotated | StandoffRow], probabilities: Any, groups: list[str]) -> Scored:
    truth = np.array([[name in row.labels for name in model.labels.names] for row in rows], dtype=bool)
    return Scored(
        truth=truth,
        probabilities=probabilities,
        given=model.decide(probabilities),
        labels=model.labels.names,
        groups=groups,
    )
