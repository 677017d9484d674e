"""Stand-off statements: our labels on sentences whose text stays elsewhere, and the figures taken from that text."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stance.features import Featurizer
from stance.files import whole_file
from stance.labels import LabelSet
from stance.matrix import MATRIX_NAME, FeatureMatrix, make_matrix, read_matrix, write_matrix
from stance.records import DataError
from stance.rows import LAST_ROUND, checked_labels, checked_string, read_jsonl, statement_id

LABELS_NAME: Final = "labels.jsonl"
LARGEST_WEIGHT: Final = 1e9
_SHOWN_IDS: Final = 20
# Corpora kept in one file: there the path says nothing about which sentences belong together, the locator does.
_WHOLE_CORPUS: Final = re.compile(r"\.[ct]sv$|(^|/)index\.md$")


@dataclass(frozen=True, slots=True)
class StandoffRow:
    """Labels of one sentence, and where it is to be found.

    Attributes
    ----------
    id
        First 12 hex digits of the SHA-1 of the text with its white space folded.
    origin, commit, path, locator
        Repository, version, file, and place in the file.
    date, source
        Of the article.
    draw, round
        How and when it was chosen for annotation; ``random`` is a draw from everything.
    weight
        1 / inclusion probability; None where that was not recorded.
    borderline
        Whether the annotators found it so.
    labels
        In the order of the label set.
    """

    id: str
    origin: str
    commit: str
    path: str
    locator: str
    date: str
    source: str
    draw: str
    round: int
    weight: float | None
    borderline: bool
    labels: tuple[str, ...]

    @property
    def group_key(self) -> str:
        """The article or file that it comes from; a row of which neither is known stands alone."""
        if not self.origin and not self.path:
            return self.id
        if _WHOLE_CORPUS.search(self.path):
            return f"{self.origin} {re.sub(r'^row [0-9]+ (?=.)', '', self.locator)}"
        return f"{self.origin} {self.path}"

    def to_json(self) -> dict[str, Any]:
        """Return the row as ``labels.jsonl`` holds it."""
        return {name: getattr(self, name) for name in ROW_FIELDS} | {"labels": list(self.labels)}


ROW_FIELDS: Final = tuple(each.name for each in fields(StandoffRow))


@dataclass(frozen=True, eq=False)
class Standoff:
    """The content of a stand-off folder; `groups` are final, with near-duplicates joined."""

    path: Path
    rows: tuple[StandoffRow, ...]
    matrix: FeatureMatrix
    groups: tuple[str, ...]

    def digest(self) -> str:
        """Return a SHA-256 over labels and features."""
        labels = json.dumps([row.to_json() for row in self.rows], sort_keys=True)
        return hashlib.sha256(f"{labels}\n{self.matrix.digest()}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ExtractSummary:
    """What `extract` did: rows added and replaced, rows in all, features kept and met, near-duplicate rows."""

    added: int
    replaced: int
    rows: int
    kept: int
    met: int
    near: int


def read_standoff(folder: Path, labels: LabelSet) -> Standoff:
    """Read labels and matrix of a stand-off folder.

    Raises
    ------
    DataError
        If a file is missing or wrong, or the two do not have the same number of rows.
    """
    rows = read_rows(folder / LABELS_NAME, labels)
    matrix = read_matrix(folder / MATRIX_NAME)
    if len(rows) != matrix.rows:
        raise DataError(
            f"{folder / MATRIX_NAME}: has {matrix.rows} rows, {LABELS_NAME} has {len(rows)}; "
            "run `stance extract --texts FILE...`"
        )
    return Standoff(folder, tuple(rows), matrix, joined_groups([row.group_key for row in rows], matrix.near))


def read_rows(path: Path, labels: LabelSet) -> list[StandoffRow]:
    """Read ``labels.jsonl``; strict."""
    return [standoff_row(record, labels, place, whole=True) for place, record in read_jsonl(path)]


def joined_groups(keys: Sequence[str], near: NDArray[np.int32]) -> tuple[str, ...]:
    """Return a group for each row: rows of one key and near-duplicates of each other share it.

    Parameters
    ----------
    keys
        Group key of each row.
    near
        First row of the cluster of near-duplicates that each row is in, or its own number.

    Returns
    -------
    tuple of str
        The smallest key of all that hang together.
    """
    parent = {key: key for key in keys}

    def root(key: str) -> str:
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for row, other in enumerate(near.tolist()):
        one, two = sorted((root(keys[row]), root(keys[other])))
        parent[two] = one
    return tuple(root(key) for key in keys)


def extract(
    folder: Path,
    featurizer: Featurizer,
    labels: LabelSet,
    *,
    label_files: Iterable[Path] = (),
    text_files: Sequence[Path] = (),
    progress: Callable[[int, int], None] | None = None,
) -> ExtractSummary:
    """Add labels to a stand-off folder and make its matrix anew from the texts.

    Parameters
    ----------
    folder
        The stand-off folder; made where it is missing.
    featurizer, labels
        Of the data folder.
    label_files
        JSONL files whose rows are added; a row with a known id replaces the old one.
    text_files
        JSONL files of ``id, text``; all rows, old and new, have to be found in them.
    progress
        Called with the number of rows done and to be done.

    Raises
    ------
    DataError
        If a row is wrong, no texts are given, or a text is missing; both files are left as they were.
    """
    path = folder / LABELS_NAME
    known = {row.id: row for row in read_rows(path, labels)} if path.exists() else {}
    before = len(known)
    new: set[str] = set()
    replaced = 0
    for file in label_files:
        for place, record in read_jsonl(file):
            if "text" in record and statement_id(str(record["text"])) != record.get("id"):
                raise DataError(f"{place}: id {record.get('id')!r} is not that of the text; make it anew")
            row = standoff_row(record, labels, place)
            replaced += row.id in known and row.id not in new
            new.add(row.id)
            known[row.id] = row
    if not known:
        raise DataError(f"{path}: no rows to extract features for; add some with `stance extract --labels FILE`")
    if not text_files:
        raise DataError(f"{folder}: labels without texts give no features; name files with `--texts FILE`")
    rows = [known[name] for name in sorted(known)]
    texts = find_texts([row.id for row in rows], text_files)
    matrix, kept, met = make_matrix(texts, featurizer, progress)
    lines = "".join(json.dumps(row.to_json(), ensure_ascii=False) + "\n" for row in rows)
    # Both files are whole on disk before either takes its place.
    with whole_file(path) as stream:
        stream.write(lines.encode("utf-8"))
        stream.flush()
        write_matrix(folder / MATRIX_NAME, matrix)
    near = int((matrix.near != np.arange(matrix.rows)).sum())
    return ExtractSummary(len(known) - before, replaced, len(rows), kept, met, near)


def standoff_row(record: Mapping[str, Any], labels: LabelSet, place: str, *, whole: bool = False) -> StandoffRow:
    """Return the row that one JSON object holds, found at `place` (``file:line``).

    With `whole` it has to have the fields of ``labels.jsonl`` and no others; else what is missing is left empty.

    Raises
    ------
    DataError
        If the fields, their types or the labels are wrong.
    """
    unknown = sorted(set(record) ^ set(ROW_FIELDS)) if whole else []
    if unknown:
        raise DataError(f"{place}: the field {unknown[0]!r} is missing or unknown; a row has {', '.join(ROW_FIELDS)}")
    texts = {}
    for name in ("id", "origin", "commit", "path", "locator", "date", "source", "draw"):
        texts[name] = checked_string(record.get(name, ""), name, place)
    if not re.fullmatch("[0-9a-f]{12}", texts["id"]):
        raise DataError(f"{place}: id {texts['id']!r} is not 12 hex digits; take them from the SHA-1 of the text")
    weight, borderline, number = record.get("weight"), record.get("borderline", False), record.get("round", 0)
    if weight is not None and (type(weight) not in (int, float) or not 1 <= weight <= LARGEST_WEIGHT):
        raise DataError(f"{place}: weight {weight!r} is not 1 / probability; give a number from 1 up, or null")
    if not isinstance(borderline, bool):
        raise DataError(f"{place}: borderline has to be true or false")
    if type(number) is not int or not 0 <= number <= LAST_ROUND:
        raise DataError(f"{place}: round is {number!r}; give a whole number from 0 to {LAST_ROUND:,}")
    given = checked_labels(record.get("labels"), labels, place)
    return StandoffRow(**texts, weight=weight, borderline=borderline, round=number, labels=given)


def find_texts(ids: Sequence[str], files: Sequence[Path]) -> list[str]:
    """Return the texts of ids, in their order, from JSONL files of ``id, text``.

    Raises
    ------
    DataError
        If a text is missing, or is not that of its id.
    """
    wanted = dict.fromkeys(ids, "")
    for file in files:
        for place, record in read_jsonl(file):
            name, text = record.get("id"), record.get("text")
            if isinstance(name, str) and isinstance(text, str) and name in wanted:
                if statement_id(text) != name:
                    raise DataError(f"{place}: id {name!r} is not that of the text; get the text again")
                wanted[name] = text
    missing = [name for name, text in wanted.items() if not text]
    if missing:
        listed = ", ".join(missing[:_SHOWN_IDS]) + (", …" if len(missing) > _SHOWN_IDS else "")
        raise DataError(
            f"{len(missing)} of {len(ids)} texts are in none of the files: {listed}; name more with --texts, or use a "
            "data folder that holds no rows yet"
        )
    return list(wanted.values())
