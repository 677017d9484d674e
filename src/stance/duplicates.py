"""Near-identical articles in a stream: an index of those seen before, in one file on disk."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stance.inputs import without_surrogates
from stance.records import InputError
from stance.signatures import PERMUTATIONS, SHINGLE, signature, values_of

__all__ = ["DuplicateIndex", "signature"]

# Estimates scatter by 0.04 at a resemblance of 0.6: this asks for that much less that 99 in 100 such copies pass.
ALIKE: Final = 0.5

# Each band of two values is one row in the file. Twelve miss a resemblance of 0.6 five times in 1,000. Bands of three
# would need 24 rows for that, at twice the time and room, and strangers seldom meet in two values already.
_BANDS: Final = 12
_BAND_NUMBERS: Final = np.arange(_BANDS, dtype=np.int64) << 32
# What everybody prints under everything fills some bands; a copy is found by the others.
_SEEN_IN_BAND: Final = 8
_COMPARED: Final = 32

_FORMAT: Final = 1
_APPLICATION: Final = 0x53544E44  # tells an index from any other SQLite file
_SETTINGS: Final = {
    "format": _FORMAT,
    "permutations": PERMUTATIONS,
    "shingle": SHINGLE,
    "bands": _BANDS,
}

# Keys fall everywhere, so each part would rewrite most of a large table. Rows gather in a small one, which is moved
# into the large one, in order, once in about 30,000 articles: a third of the writing at 200,000, later far less.
_TABLES: Final = ("bands", "late_bands")
_LATE_ROWS: Final = 400_000
_SCHEMA: Final = (
    "CREATE TABLE settings (name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID",
    "CREATE TABLE runs (number INTEGER PRIMARY KEY, name TEXT UNIQUE)",
    "CREATE TABLE entries (number INTEGER PRIMARY KEY, run INTEGER, part INTEGER, article TEXT, signature BLOB)",
    "CREATE INDEX parts ON entries (run, part)",
    *(f"CREATE TABLE {name} (key INTEGER, entry INTEGER, PRIMARY KEY (key, entry)) WITHOUT ROWID" for name in _TABLES),
)
_FIRST: Final = f"ORDER BY entry LIMIT {_SEEN_IN_BAND}"
# One statement for all bands: the calls cost more than the looking up. The first entries of a band are those of both
# tables together, so that nothing depends on when rows were moved.
_FIND: Final = " UNION ALL ".join(
    f"SELECT entry FROM (SELECT entry FROM (SELECT entry FROM bands WHERE key = ?{n} {_FIRST})"  # noqa: S608
    f" UNION ALL SELECT entry FROM (SELECT entry FROM late_bands WHERE key = ?{n} {_FIRST}) {_FIRST})"
    for n in range(1, _BANDS + 1)
)
_REMEDIES: Final = {
    sqlite3.SQLITE_NOTADB: "choose another file",
    sqlite3.SQLITE_CORRUPT: "remove it and start again",
    sqlite3.SQLITE_ERROR: "remove it and start again",
    sqlite3.SQLITE_BUSY: "wait until the other run has ended",
    0: "open it anew",
}
_CACHE_KIB: Final = 64 << 10
_LOG_PAGES: Final = 1 << 14
_WAIT_SECONDS: Final = 2.0


class DuplicateIndex:
    """The articles seen so far, in a file: of each group of near-identical ones the first.

    An article is compared with the first ones only, so groups do not grow by chains of small differences.

    Parameters
    ----------
    path
        The file; made where there is none, with its folder. While it is open, ``<path>-wal`` stands beside it.
    run
        Runs of different names may share a file, one after the other. Each is compared with the articles of all, and
        takes back only its own.

    Raises
    ------
    InputError
        Here and in every method: if the file cannot be opened, read or written, is damaged, is in use, is no such
        index, or was made with other settings. What was not yet committed is forgotten then.
    """

    def __init__(self, path: Path, run: str = "") -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror}); choose another place") from error
        try:
            # An absolute path, since SQLite has special names such as ":memory:".
            self._connection = sqlite3.connect(path.absolute(), timeout=_WAIT_SECONDS)
        except sqlite3.Error as error:
            raise _failure(path, error) from error
        try:
            with self._reported():
                self._prepare()
                self._run = self._number_of(without_surrogates(run))
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        """Check the file before anything in it is changed: it may be another program's."""
        execute = self._connection.execute
        # Locked for one process, the file needs no memory that processes share, which network drives do not offer.
        execute("PRAGMA locking_mode = EXCLUSIVE")
        is_new = not execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not is_new and execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
            raise InputError(f"{self._path}: is a database, but no index of articles; choose another file")
        # A killed run leaves what it had committed; FULL, so that a part which the runner takes for done survives a
        # power cut as well. It costs one wait for the disk a commit.
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = FULL")
        execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        # Most pages change again in the next part: the log gathers several parts before they go into the file.
        execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        execute(f"PRAGMA journal_size_limit = {_CACHE_KIB << 10}")
        if is_new:
            execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA:
                execute(statement)
            self._connection.executemany("INSERT INTO settings VALUES (?, ?)", _SETTINGS.items())
            execute(f"PRAGMA application_id = {_APPLICATION}")
            self._connection.commit()
        found = dict(execute("SELECT name, value FROM settings"))
        if found != _SETTINGS:
            raise InputError(f"{self._path}: was made by another version of stance; remove it and start again")

    def _number_of(self, run: str) -> int:
        self._connection.execute("INSERT OR IGNORE INTO runs (name) VALUES (?)", (run,))
        self._connection.commit()
        number: int = self._connection.execute("SELECT number FROM runs WHERE name = ?", (run,)).fetchone()[0]
        return number

    def rewind(self, part: int) -> None:
        """Forget what this run added from part number `part` on, and commit."""
        with self._reported():
            while found := self._connection.execute(
                "SELECT number, signature FROM entries WHERE run = ? AND part >= ? LIMIT 1000", (self._run, part)
            ).fetchall():
                rows = [(key, number) for number, kept in found for key in _keys(values_of(kept))]
                for name in _TABLES:
                    self._connection.executemany(f"DELETE FROM {name} WHERE key = ? AND entry = ?", rows)  # noqa: S608
                self._connection.executemany("DELETE FROM entries WHERE number = ?", ((each,) for each, _ in found))
            self._connection.commit()

    def find_or_add(self, signature: bytes, article_id: str, part: int) -> str | None:
        """Find the article that another one repeats, or remember it as the first of its group.

        Parameters
        ----------
        signature
            What `signature` returned for its text. An article without a word (empty signature) repeats none and is
            not remembered.
        article_id
            Its id.
        part
            The number of the part that it belongs to, for `rewind`.

        Returns
        -------
        str or None
            The id of the most alike first article, the earliest of several; None where the article is new.
        """
        if not signature:
            return None
        if len(signature) != 2 * PERMUTATIONS:
            raise InputError(f"a signature of {len(signature)} bytes instead of {2 * PERMUTATIONS}; use signature()")
        values = values_of(signature)
        keys = _keys(values)
        with self._reported():
            if found := self._connection.execute(_FIND, keys).fetchall():
                first = self._most_alike(values, Counter(number for (number,) in found))
                if first is not None:
                    return first
            added = self._connection.execute(
                "INSERT INTO entries (run, part, article, signature) VALUES (?, ?, ?, ?)",
                (self._run, part, without_surrogates(article_id), signature),
            )
            number = added.lastrowid
            self._connection.executemany("INSERT INTO late_bands VALUES (?, ?)", [(key, number) for key in keys])
        return None

    def _most_alike(self, values: NDArray[np.uint16], shared_bands: Counter[int]) -> str | None:
        # Copies share more bands than strangers with the same boilerplate, so these come first under the cap.
        most_shared = sorted(shared_bands, key=lambda number: (-shared_bands[number], number))
        numbers = sorted(most_shared[:_COMPARED])
        marks = ", ".join("?" * len(numbers))
        found = self._connection.execute(
            f"SELECT article, signature FROM entries WHERE number IN ({marks}) ORDER BY number",  # noqa: S608
            numbers,
        ).fetchall()
        others = values_of(b"".join(kept for _, kept in found)).reshape(-1, PERMUTATIONS)
        alike = (others == values).mean(axis=1)
        best = int(alike.argmax())
        article: str = found[best][0]
        return article if alike[best] >= ALIKE else None

    def commit(self) -> None:
        """Write to disk what was added; what was not committed when the process ends, in whatever way, is forgotten."""
        with self._reported():
            if self._connection.execute("SELECT count(*) FROM late_bands").fetchone()[0] > _LATE_ROWS:
                self._connection.execute("INSERT INTO bands SELECT key, entry FROM late_bands ORDER BY key, entry")
                self._connection.execute("DELETE FROM late_bands")
            self._connection.commit()

    def count(self) -> int:
        """Return how many articles this run has added."""
        with self._reported():
            row = self._connection.execute("SELECT count(*) FROM entries WHERE run = ?", (self._run,)).fetchone()
        number: int = row[0]
        return number

    def close(self) -> None:
        """Close the file without a commit."""
        with self._reported():
            self._connection.close()

    def __enter__(self) -> DuplicateIndex:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            # Half of what belongs to an article must not be committed later.
            with suppress(sqlite3.Error):
                self._connection.rollback()
            raise _failure(self._path, error) from error


def _failure(path: Path, error: sqlite3.Error) -> InputError:
    # The low byte is the kind of error; those of Python's own module carry no code.
    remedy = _REMEDIES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "make room or choose another place")
    return InputError(f"{path}: cannot be used as an index ({error}); {remedy}")


def _keys(values: NDArray[np.uint16]) -> list[int]:
    """Return a key for each band, none of which can be one of another band."""
    pairs = values[: 2 * _BANDS].astype(np.int64)
    keys: list[int] = (_BAND_NUMBERS | pairs[::2] << 16 | pairs[1::2]).tolist()
    return keys
