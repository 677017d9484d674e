"""All checks of a data folder at once: each problem with its file and line, none hiding another."""

from __future__ import annotations

import json
import re
import tomllib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from stance.dataset import OwnStatement, is_held_apart, own_statement
from stance.features import Featurizer
from stance.labels import LabelSet, read_labels
from stance.lexicon import FORMS, entry_forms, read_lexicon
from stance.matrix import MATRIX_NAME, FeatureMatrix, read_matrix
from stance.neighbours import near_duplicates
from stance.records import DataError
from stance.rows import json_object, read_lines, statement_id
from stance.settings import stored_settings
from stance.standoff import LABELS_NAME, StandoffRow, joined_groups, standoff_row

SHINGLE: Final = 3
ALIKE: Final = 0.8
# Statements of one contrast set differ in a few words on purpose.
ALIKE_IN_SET: Final = 0.9
_MARKS: Final = ("speaker", "cue", "target")
_EXTRACT: Final = "run `stance extract --texts FILE...`"

T = TypeVar("T")
Row = TypeVar("Row", OwnStatement, StandoffRow)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong, and where; `line` is 0 where a whole file is meant."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        """Write it as ``path:line: message``."""
        return f"{self.path}:{self.line}: {self.message}"


def validate(folder: Path) -> list[Problem]:
    """Check a data folder: labels, lexicon, own statements, stand-off rows and their matrix.

    Parameters
    ----------
    folder
        As for `stance.dataset.load_dataset`.

    Returns
    -------
    list of Problem
        Sorted by file and line; empty where all is well.

    Raises
    ------
    DataError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give the folder that holds labels.toml and statements/")
    problems: list[Problem] = []
    labels = _attempt(read_labels, folder / "labels.toml", problems)
    lexicon = _attempt(read_lexicon, folder / "lexicon.toml", problems)
    settings = _attempt(lambda _: stored_settings(folder), folder / "settings.json", problems)
    if lexicon is not None:
        problems += _idle_entries(folder / "lexicon.toml")
    featurizer = Featurizer(lexicon, settings.features) if lexicon is not None and settings is not None else None
    if labels is None:
        return sorted(problems)  # Without a label set, nothing can be said of a row.
    own: list[OwnStatement] = []
    for path in sorted((folder / "statements").glob("*.jsonl")):
        own += [row for _, row in _rows(path, own_statement, labels, problems) if row is not None]
    real = _standoff(folder / "standoff", labels, featurizer, problems)
    if not own and not real and not problems:
        problems.append(Problem(str(folder), 0, "holds no annotated statements; put JSONL files into statements/"))
    for row in own:
        problems += [Problem(row.path, row.line, flaw) for flaw in _own_flaws(row)]
        if place := real.get(statement_id(row.text)):
            problems.append(Problem(row.path, row.line, f"has the text of a stand-off row, {place}; write another"))
    problems += _repeated_ids(own)
    problems += _exact_duplicates(own)
    problems += _near_duplicates(own)
    problems += _wrong_positions(own)
    for one, two in _torn(_own_links(own), [row.group for row in own]):
        place = f"{own[one].path}:{own[one].line}"
        problems.append(Problem(own[two].path, own[two].line, f"is split from {place}; keep each set in one article"))
    return sorted(problems)


def _attempt(reader: Callable[[Path], T], path: Path, problems: list[Problem]) -> T | None:
    try:
        return reader(path)
    except DataError as error:
        problems.append(_problem(error, path))
        return None


def _problem(error: DataError, path: Path) -> Problem:
    """Take the place out of an error's text again."""
    message = str(error).removeprefix(str(path))
    place = re.match(r"(?::([0-9]+))?: ", message)
    return Problem(str(path), int(place[1] or 0) if place else 0, message[place.end() if place else 0 :])


def _idle_entries(path: Path) -> Iterator[Problem]:
    """Yield a problem for each lexicon entry whose words all come from other entries of its class already."""
    text = path.read_text(encoding="utf-8")
    for name, table in tomllib.loads(text)["class"].items():
        entries = [(form, entry, set(entry_forms(form, entry))) for form in FORMS for entry in table.get(form, [])]
        given: dict[str, str] = {}
        # Of two entries, the one with fewer forms is the idle one, wherever it stands.
        for form, entry, words in sorted(entries, key=lambda each: -len(each[2])):
            if words <= set(given):
                message = f"class {name!r}: {entry!r} of {form} comes from {given[min(words)]} already; remove one"
                yield Problem(str(path), _toml_line(text, name, entry), message)
            given |= {word: f"{entry!r} of {form}" for word in words if word not in given}


def _toml_line(text: str, category: str, entry: str) -> int:
    """Return the last line of a lexicon class that holds an entry; 0 where the file is written in another way."""
    found = 0
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("["):
            inside = line.split("]")[0] == f"[class.{category}"
        if inside and f'"{entry}"' in line:
            found = number
    return found


def _rows(
    path: Path, parse: Callable[[dict[str, Any], LabelSet, str], Row], labels: LabelSet, problems: list[Problem]
) -> list[tuple[int, Row | None]]:
    """Return the rows of a file with their lines, None for those that cannot be read."""
    rows: list[tuple[int, Row | None]] = []
    try:
        for place, line in read_lines(path):
            number = int(place.rpartition(":")[2])
            try:
                record = json_object(line, place)
                row = parse(record, labels, place)
            except DataError as error:
                problems.append(_problem(error, path))
                rows.append((number, None))
                continue
            rows.append((number, row))
            ordered = list(row.labels)
            if record["labels"] != ordered:
                message = f"labels are not in the order of labels.toml; write {json.dumps(ordered)}"
                problems.append(Problem(str(path), number, message))
    except DataError as error:
        problems.append(_problem(error, path))
    return rows


def _own_flaws(row: OwnStatement) -> Iterator[str]:
    if row.text != row.text.strip():
        yield "text begins or ends with white space; trim it"
    if len(row.text.strip().splitlines()) > 1:
        yield "text has a line break; write a blank instead"
    if not unicodedata.is_normalized("NFC", row.text):
        yield "text is not in Unicode normalisation form C; compose its accents"
    for name in _MARKS:
        mark = getattr(row, name)
        if mark and mark not in row.text:
            yield f"{name} {mark!r} is not in the text; copy it word for word"
        if mark and not row.labels:
            yield f"{name} on a statement without labels; remove it, or add the label"
    if bool(row.article) != (row.position is not None):
        yield "has an article without a position, or the reverse; give both or none"


def _repeated_ids(rows: Iterable[OwnStatement]) -> Iterator[Problem]:
    first: dict[str, OwnStatement] = {}
    for row in rows:
        other = first.setdefault(row.id, row)
        if other is not row:
            message = f"id {row.id!r} is that of {other.path}:{other.line} too; give each statement its own"
            yield Problem(row.path, row.line, message)


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _exact_duplicates(rows: Iterable[OwnStatement]) -> Iterator[Problem]:
    first: dict[str, OwnStatement] = {}
    for row in rows:
        other = first.setdefault(_folded(row.text), row)
        if other is not row:
            yield Problem(row.path, row.line, f"repeats {other.path}:{other.line}; remove one")


def _near_duplicates(rows: Sequence[OwnStatement]) -> Iterator[Problem]:
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
    sizes: list[int] = []
    for number, row in enumerate(rows):
        words = re.findall(r"\w+", row.text.casefold())
        shingles = {tuple(words[place : place + SHINGLE]) for place in range(max(1, len(words) - SHINGLE + 1))}
        met = Counter(other for shingle in shingles for other in holders[shingle])
        for other, common in sorted(met.items()):
            alike = common / (len(shingles) + sizes[other] - common)
            twin = rows[other]
            allowed = ALIKE_IN_SET if row.set and row.set == twin.set else ALIKE
            if alike > allowed and _folded(row.text) != _folded(twin.text):
                message = f"is {alike:.0%} alike to {twin.path}:{twin.line}, at most {allowed:.0%} allowed; reword one"
                yield Problem(row.path, row.line, message)
        for shingle in shingles:
            holders[shingle].append(number)
        sizes.append(len(shingles))


def _wrong_positions(rows: Iterable[OwnStatement]) -> Iterator[Problem]:
    articles: dict[str, list[tuple[int, OwnStatement]]] = defaultdict(list)
    for row in rows:
        if row.article and row.position is not None:
            articles[row.article].append((row.position, row))
    for name, members in articles.items():
        for wanted, (position, row) in enumerate(sorted(members, key=lambda member: member[0])):
            if position != wanted:
                message = f"article {name!r} has position {position} where {wanted} should follow; number from 0"
                yield Problem(row.path, row.line, message)
                break


def _own_links(rows: Iterable[OwnStatement]) -> Iterator[tuple[int, int]]:
    first: dict[tuple[str, str], int] = {}
    for number, row in enumerate(rows):
        for kind, name in (("article", row.article), ("set", row.set)):
            if name:
                yield first.setdefault((kind, name), number), number


def _torn(links: Iterable[tuple[int, int]], groups: Sequence[str]) -> list[tuple[int, int]]:
    """Return those of the pairs of rows that belong together but lie on two sides of the split."""
    apart = [is_held_apart(group) for group in groups]
    return [(one, two) for one, two in links if apart[one] != apart[two]]


def _standoff(folder: Path, labels: LabelSet, featurizer: Featurizer | None, problems: list[Problem]) -> dict[str, str]:
    """Check stand-off rows and matrix; return the place of each id."""
    path, matrix_path = folder / LABELS_NAME, folder / MATRIX_NAME
    if not path.exists() and not matrix_path.exists():
        return {}

    def parse(record: dict[str, Any], labels: LabelSet, place: str) -> StandoffRow:
        return standoff_row(record, labels, place, whole=True)

    lines = _rows(path, parse, labels, problems)
    rows = [(line, row) for line, row in lines if row is not None]
    places: dict[str, str] = {}
    last = ""
    for line, row in rows:
        place = f"{path}:{line}"
        if places.setdefault(row.id, place) != place:
            problems.append(Problem(str(path), line, f"id {row.id!r} is that of {places[row.id]} too; remove one"))
        elif row.id < last:
            problems.append(
                Problem(str(path), line, f"rows are not sorted by id, so the matrix may not fit; {_EXTRACT}")
            )
        last = row.id
    matrix = _attempt(read_matrix, matrix_path, problems)
    if matrix is None:
        return places
    flaws = _matrix_flaws(matrix, len(lines), featurizer)
    problems += [Problem(str(matrix_path), 0, f"{flaw}; {_EXTRACT}") for flaw in flaws]
    if rows and matrix.rows == len(rows):
        keys = [row.group_key for _, row in rows]
        for one, two in _torn(_standoff_links(keys, matrix), joined_groups(keys, matrix.near)):
            message = f"is split from {path}:{rows[one][0]}, which it belongs to or nearly repeats; {_EXTRACT}"
            problems.append(Problem(str(path), rows[two][0], message))
    return places


def _matrix_flaws(matrix: FeatureMatrix, lines: int, featurizer: Featurizer | None) -> Iterator[str]:
    if matrix.rows != lines:
        yield f"has {matrix.rows} rows, {LABELS_NAME} has {lines}"
    if featurizer is not None:
        if matrix.fingerprint != featurizer.fingerprint:
            yield "made with other feature settings or another lexicon"
        elif matrix.indices.max(initial=0) >= featurizer.settings.buckets:
            yield f"has buckets from {featurizer.settings.buckets} up, which no feature falls into"


def _standoff_links(keys: Sequence[str], matrix: FeatureMatrix) -> Iterator[tuple[int, int]]:
    first: dict[str, int] = {}
    for number, key in enumerate(keys):
        yield first.setdefault(key, number), number
    found = near_duplicates(np.split(matrix.indices, matrix.indptr[1:-1]))
    for near in (matrix.near, found):
        yield from ((other, number) for number, other in enumerate(near.tolist()))
