"""Stand-off statements: our labels on sentences whose text stays elsewhere, and the figures taken from that text."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stance.features import FAMILIES, Featurizer
from stance.files import whole_file, write_whole
from stance.labels import LabelSet
from stance.neighbours import near_duplicates
from stance.records import DataError
from stance.rows import checked_labels, checked_string, read_jsonl, statement_id

MIN_ROWS: Final = 5
# Runs of two and three words are what a sentence can be laid together from again, so they have to be commoner still.
MIN_ROWS_OF_NGRAMS: Final = 15
LABELS_NAME: Final = "labels.jsonl"
MATRIX_NAME: Final = "features.npz"
LARGEST_ARRAY: Final = 2 << 30
LARGEST_WEIGHT: Final = 1e9
_ARRAYS: Final = {
    "indptr": np.int64,
    "indices": np.int32,
    "counts": np.int32,
    "near": np.int32,
    "fingerprint": np.uint8,
}
_WORDS: Final = FAMILIES.index("word")
_SHOWN_IDS: Final = 20
# What reading a damaged archive can raise; RuntimeError stands for encryption and unknown compression.
_DAMAGE: Final = (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError, MemoryError, RuntimeError)
# The one form of header that `write_matrix` makes. It is not left to numpy, which evaluates it and knows objects.
_HEADER: Final = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '(<i8|<i4|\|u1)', 'fortran_order': False, 'shape': \(([0-9]+),\), \} *\n",
    re.DOTALL,
)
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
        """The article or file that it comes from."""
        if _WHOLE_CORPUS.search(self.path):
            return f"{self.origin} {re.sub(r'^row [0-9]+ (?=.)', '', self.locator)}"
        return f"{self.origin} {self.path}"

    def to_json(self) -> dict[str, Any]:
        """Return the row as ``labels.jsonl`` holds it."""
        return {name: getattr(self, name) for name in ROW_FIELDS} | {"labels": list(self.labels)}


ROW_FIELDS: Final = tuple(each.name for each in fields(StandoffRow))


@dataclass(frozen=True, eq=False)
class FeatureMatrix:
    """Hashed features of n rows, as CSR without values.

    Attributes
    ----------
    indptr
        int64, shape (n + 1,).
    indices
        int32; each row a sorted set of buckets.
    counts
        int32, shape (n,): distinct buckets of each row before rare features were dropped; the row scaling needs it.
    near
        int32, shape (n,): number of the first row of its cluster of near-duplicates, or its own.
    fingerprint
        Of the featurizer that made it.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    counts: NDArray[np.int32]
    near: NDArray[np.int32]
    fingerprint: str

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.indptr) - 1


@dataclass(frozen=True, eq=False)
class Standoff:
    """The content of a stand-off folder; `groups` are final, with near-duplicates joined."""

    path: Path
    rows: tuple[StandoffRow, ...]
    matrix: FeatureMatrix
    groups: tuple[str, ...]

    def digest(self) -> str:
        """Return a SHA-256 over labels and features."""
        digest = hashlib.sha256(json.dumps([row.to_json() for row in self.rows], sort_keys=True).encode())
        for name in _ARRAYS:
            value = getattr(self.matrix, name)
            digest.update(value.encode() if isinstance(value, str) else value.tobytes())
        return digest.hexdigest()


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
    texts = _find_texts([row.id for row in rows], text_files)
    matrix, kept, met = make_matrix(texts, featurizer, progress)
    lines = "".join(json.dumps(row.to_json(), ensure_ascii=False) + "\n" for row in rows)
    # Both files are whole on disk before either takes its place.
    with whole_file(path) as stream:
        stream.write(lines.encode("utf-8"))
        stream.flush()
        write_matrix(folder / MATRIX_NAME, matrix)
    near = int((matrix.near != np.arange(matrix.rows)).sum())
    return ExtractSummary(len(known) - before, replaced, len(rows), kept, met, near)


def make_matrix(
    texts: Sequence[str], featurizer: Featurizer, progress: Callable[[int, int], None] | None = None
) -> tuple[FeatureMatrix, int, int]:
    """Return the matrix of texts, how many features it keeps, and how many there were.

    A feature is kept only where its string, counted before hashing, occurs in at least `MIN_ROWS` rows, and an n-gram
    of words in `MIN_ROWS_OF_NGRAMS`: what is rare would allow sentences to be put together again.
    """
    numbers: dict[tuple[int, tuple[str, ...]], int] = {}
    buckets: list[int] = []
    needed: list[int] = []
    found: list[NDArray[np.int32]] = []
    for done, text in enumerate(texts, 1):
        row: set[int] = set()
        for family, parts, _, _ in featurizer.features(featurizer.tokens(text)):
            number = numbers.setdefault((family, parts), len(buckets))
            if number == len(buckets):
                buckets.append(featurizer.bucket(family, parts))
                needed.append(MIN_ROWS_OF_NGRAMS if family == _WORDS and len(parts) > 1 else MIN_ROWS)
            row.add(number)
        found.append(np.fromiter(row, dtype=np.int32, count=len(row)))
        if progress and (done % 500 == 0 or done == len(texts)):
            progress(done, len(texts))
    bucket_of = np.array(buckets, dtype=np.int32)
    frequent = np.bincount(np.concatenate(found), minlength=len(buckets)) >= np.array(needed)
    full = [np.unique(bucket_of[row]) for row in found]
    kept = [np.unique(bucket_of[row[frequent[row]]]) for row in found]
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in kept])]).astype(np.int64)
    matrix = FeatureMatrix(
        indptr=indptr,
        indices=np.concatenate(kept).astype(np.int32),
        counts=np.array([len(row) for row in full], dtype=np.int32),
        # Alike by all their features, as the texts would be, or by those that a model gets to see.
        near=near_duplicates(kept, known=near_duplicates(full)),
        fingerprint=featurizer.fingerprint,
    )
    return matrix, int(frequent.sum()), len(buckets)


def write_matrix(path: Path, matrix: FeatureMatrix) -> None:
    """Write ``features.npz``; equal matrices give equal bytes."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, kind in _ARRAYS.items():
            value = getattr(matrix, name)
            plain = np.frombuffer(value.encode(), dtype=kind) if isinstance(value, str) else value
            array = plain.astype(np.dtype(kind).newbyteorder("<"))
            content = io.BytesIO()
            np.lib.format.write_array(content, array, allow_pickle=False)
            # Without a fixed date, each run would write other bytes.
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, content.getvalue(), zipfile.ZIP_DEFLATED, 9)
    write_whole(path, raw.getvalue())


def read_matrix(path: Path) -> FeatureMatrix:
    """Read ``features.npz``; sizes are checked before anything is unpacked.

    Raises
    ------
    DataError
        If the file is missing, damaged, or its arrays do not make a matrix.
    """
    remedy = "restore it, or run `stance extract --texts FILE...`"
    arrays: dict[str, NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
            if set(sizes) != {f"{name}.npy" for name in _ARRAYS} or max(sizes.values()) > LARGEST_ARRAY:
                raise DataError(f"{path}: does not hold the arrays {', '.join(_ARRAYS)} in a fair size; {remedy}")
            for name in _ARRAYS:
                arrays[name] = _array(archive.read(f"{name}.npy"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; {remedy}") from None
    except _DAMAGE as error:
        raise DataError(f"{path}: cannot be read ({error}); {remedy}") from error
    problem = _flaw(arrays)
    if problem:
        raise DataError(f"{path}: {problem}; {remedy}")
    fingerprint = arrays.pop("fingerprint").tobytes().decode("ascii", "replace")
    return FeatureMatrix(**arrays, fingerprint=fingerprint)


def _array(content: bytes) -> NDArray[Any]:
    """Return a plain row of integers; memory is taken by what is there, never by what the header promises."""
    header = _HEADER.match(content)
    if not header:
        raise ValueError("an array is not a plain row of integers")
    kind = np.dtype(header[1].decode("ascii"))
    array = np.frombuffer(content[header.end() :], dtype=kind)
    if len(array) != int(header[2]):
        raise ValueError(f"an array has {len(array)} values where its header says {int(header[2])}")
    return array.astype(kind.newbyteorder("="))


def _flaw(arrays: dict[str, NDArray[Any]]) -> str:
    """Say why the arrays make no matrix; empty where they do."""
    for name, kind in _ARRAYS.items():
        if arrays[name].dtype != kind or arrays[name].ndim != 1:
            return f"{name} is not a row of {np.dtype(kind).name}"
    indptr, indices, counts, near = (arrays[name] for name in ("indptr", "indices", "counts", "near"))
    rows = len(indptr) - 1
    # Bounds before differences: those of huge numbers would wrap around.
    if rows < 0 or (indptr < 0).any() or (indptr > len(indices)).any():
        return "row bounds do not fit the indices"
    if indptr[0] != 0 or indptr[-1] != len(indices) or (np.diff(indptr) < 0).any():
        return "row bounds do not fit the indices"
    if len(counts) != rows or len(near) != rows:
        return "counts or near-duplicates do not fit the rows"
    if (counts < np.diff(indptr)).any() or (near < 0).any() or (near > np.arange(rows)).any():
        return "counts or near-duplicates are out of bounds"
    if (near[near] != near).any():
        return "a near-duplicate is not named after the first row of its cluster"
    within = np.ones(len(indices), dtype=bool)
    within[indptr[:-1][np.diff(indptr) > 0]] = False
    if len(indices) and (indices.min() < 0 or (np.diff(indices, prepend=indices[0])[within] <= 0).any()):
        return "a row is not a sorted set of buckets"
    return ""


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
    if not isinstance(borderline, bool) or isinstance(number, bool) or not isinstance(number, int):
        raise DataError(f"{place}: borderline has to be true or false, and round a whole number")
    given = checked_labels(record.get("labels"), labels, place)
    return StandoffRow(**texts, weight=weight, borderline=borderline, round=number, labels=given)


def _find_texts(ids: Sequence[str], files: Sequence[Path]) -> list[str]:
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
            f"{len(missing)} of {len(ids)} texts are in none of the files: {listed}; name more with --texts"
        )
    return list(wanted.values())
