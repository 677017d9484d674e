"""The feature matrix of stand-off rows: figures taken from texts, in a file that is checked before it is believed."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stance.features import FAMILIES, Featurizer
from stance.files import write_whole
from stance.neighbours import near_duplicates
from stance.records import DataError

MIN_ROWS: Final = 5
# Runs of two and three words are what a sentence can be laid together from again, so they have to be commoner still,
# and more so where there are more rows: by chance alone, a run that gives its sentence away then is in more of them.
MIN_ROWS_OF_NGRAMS: Final = 15
ROWS_TO_AN_NGRAM_ROW: Final = 1_400
MATRIX_NAME: Final = "features.npz"
LARGEST_ARRAY: Final = 2 << 30
_ARRAYS: Final = {
    "indptr": np.int64,
    "indices": np.int32,
    "counts": np.int32,
    "near": np.int32,
    "fingerprint": np.uint8,
}
_WORDS: Final = FAMILIES.index("word")
# What reading a damaged archive can raise; RuntimeError stands for encryption and unknown compression.
_DAMAGE: Final = (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError, MemoryError, RuntimeError)
# The one form of header that `write_matrix` makes. It is not left to numpy, which evaluates it and knows objects.
_HEADER: Final = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '(<i8|<i4|\|u1)', 'fortran_order': False, 'shape': \(([0-9]+),\), \} *\n",
    re.DOTALL,
)


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

    def digest(self) -> str:
        """Return a SHA-256 over all of it."""
        digest = hashlib.sha256(self.fingerprint.encode())
        for array in (self.indptr, self.indices, self.counts, self.near):
            digest.update(array.tobytes())
        return digest.hexdigest()


def make_matrix(
    texts: Sequence[str], featurizer: Featurizer, progress: Callable[[int, int], None] | None = None
) -> tuple[FeatureMatrix, int, int]:
    """Return the matrix of texts, how many features it keeps, and how many there were.

    A feature is kept only where its string, counted before hashing, occurs in at least `MIN_ROWS` rows, and an n-gram
    of words in `MIN_ROWS_OF_NGRAMS` and in one of `ROWS_TO_AN_NGRAM_ROW`: what is rare would allow sentences to be put
    together again.
    """
    rows_of_ngrams = max(MIN_ROWS_OF_NGRAMS, -(-len(texts) // ROWS_TO_AN_NGRAM_ROW))
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
                needed.append(rows_of_ngrams if family == _WORDS and len(parts) > 1 else MIN_ROWS)
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
