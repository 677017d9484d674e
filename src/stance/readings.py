"""Batches for annotators: numbered for reading, a tenth twice and blind, the answers taken back and settled.

A batch is a folder outside the project, for it holds text. ``rows.jsonl`` says what each number is, ``part-NN.txt`` is
read, and its answers are written to ``part-NN.answers``: a line for each statement that carries a label, ``17 denial``
or ``17 den acc``, with ``?`` where it is borderline, ``17 ?`` where a borderline one carries none, and ``end`` when the
part is read to its end. What is not listed, or listed as ``17 none``, carries no label.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from stance.files import write_whole
from stance.labels import LabelSet
from stance.records import DataError, InputError
from stance.rows import checked_labels, checked_string, read_jsonl, read_lines, write_jsonl

TWICE: Final = 0.1
PART_ROWS: Final = 900
ROWS_NAME: Final = "rows.jsonl"
BORDERLINE: Final = "?"
NONE: Final = "none"
# What a row of a batch has beside what its row in ``labels.jsonl`` will say.
BATCH_FIELDS: Final = ("first", "second", "before", "text")
_END: Final = "end"
_LONGEST_NUMBER: Final = 12


@dataclass(frozen=True, slots=True)
class Reading:
    """What one annotator said of one statement."""

    labels: frozenset[str]
    borderline: bool


@dataclass(frozen=True, slots=True)
class Collected:
    """What the answers of a batch come to.

    Attributes
    ----------
    rows
        Rows for ``stance extract --labels``, without text; those that wait for a third reading are left out.
    open
        Numbers of the rows that wait for it.
    twice, settled, borderline
        Rows read twice, settled by a third reading, and marked as borderline.
    changed
        Rows that came with labels and now have others.
    readings
        For each pass (first, second, third) what it said: id to `Reading`.
    """

    rows: list[dict[str, Any]]
    open: list[int]
    twice: int
    settled: int
    borderline: int
    changed: int
    readings: tuple[dict[str, Reading], ...]


def write_batch(
    folder: Path, rows: Sequence[Mapping[str, Any]], *, seed: int, part_rows: int = PART_ROWS, twice: float = TWICE
) -> tuple[list[Path], list[Path]]:
    """Give rows numbers and write the parts of a batch.

    Parameters
    ----------
    folder
        A new folder.
    rows
        Each with ``id`` and ``text``, and what its row in ``labels.jsonl`` will say.
    seed
        Decides which rows are read twice. They come in parts of their own that look like the others.
    part_rows, twice
        Rows a part, and share of rows that are read twice.

    Returns
    -------
    (list of Path, list of Path)
        The parts, and those that repeat rows of the others and need another reader.

    Raises
    ------
    DataError
        If the folder exists.
    """
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise DataError(f"{folder}: exists; answers may be in it, so give the batch another folder") from None
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror}); choose another place") from error
    random = np.random.default_rng(seed)
    again = random.permutation(len(rows))[: round(twice * len(rows))].tolist()
    second = {row: len(rows) + place for place, row in enumerate(again, 1)}
    try:
        numbered = [{**row, "first": number + 1, "second": second.get(number)} for number, row in enumerate(rows)]
        write_jsonl(folder / ROWS_NAME, numbered)
        first = [(number + 1, str(row["text"])) for number, row in enumerate(rows)]
        repeated = [(number, str(rows[row]["text"])) for row, number in second.items()]
        parts = _write_parts(folder, "part", first, part_rows)
        return parts, _write_parts(folder, "part", repeated, part_rows, begin=1 + len(parts))
    except BaseException:
        # A batch is there whole or not at all, so that the same command can be given again.
        shutil.rmtree(folder)
        raise


def collect(folder: Path, labels: LabelSet, *, part_rows: int = PART_ROWS) -> Collected:
    """Take the answers of a batch back, and settle what was read more than once.

    Where two readings differ, or one is borderline, a third decides: by majority of three, else alone. Statements that
    still wait for it are written to ``third-NN.txt``. Labels that a row had before it came into the batch (``before``)
    count as a reading.

    Parameters
    ----------
    folder
        Of `write_batch`, with the answers beside the parts.
    labels
        The label set.
    part_rows
        Rows a part of the third reading.

    Raises
    ------
    DataError
        If an answers file is missing, does not end with ``end``, or says something unknown.
    """
    if labels.exclusive:
        raise InputError("answers can only be taken back for a label set that is not exclusive; edit its rows by hand")
    said = _answers(sorted(folder.glob("part-*.txt")), labels)
    third_parts = sorted(folder.glob("third-*.txt"))
    last = _answers(third_parts, labels)
    passes: tuple[dict[str, Reading], ...] = ({}, {}, {})
    settled_rows, waiting = [], []
    changed = 0
    for row in _batch_rows(folder, labels, set(said)):
        number, again, before = row["first"], row["second"], row.get("before")
        given = [said[number]] + ([said[again]] if again else [])
        # A row that is read once more brings the labels that it had.
        if before is not None:
            given.append(Reading(frozenset(before), borderline=False))
        # A row that was borderline is so no more where another reader, blind and without doubt, says the same of it.
        doubtful = any(reading.borderline for reading in given) or len({reading.labels for reading in given}) > 1
        if doubtful and number in last:
            given.append(last[number])
            passes[2][row["id"]] = last[number]
        for place, reading in zip(passes, given[: 2 if again else 1], strict=False):
            place[row["id"]] = reading
        if doubtful and number not in last:
            waiting.append((number, row["text"]))
            continue
        final = given[-1].labels if len(given) < 3 else _majority(given, labels.names)
        changed += before is not None and final != frozenset(before)
        kept = {name: value for name, value in row.items() if name not in BATCH_FIELDS}
        settled_rows.append(
            {**kept, "borderline": doubtful, "labels": [name for name in labels.names if name in final]}
        )
    if waiting:
        _write_parts(folder, "third", waiting, part_rows, begin=1 + len(third_parts))
    return Collected(
        rows=settled_rows,
        open=[number for number, _ in waiting],
        twice=len(passes[1]),
        settled=len(passes[2]),
        borderline=sum(bool(row["borderline"]) for row in settled_rows),
        changed=changed,
        readings=passes,
    )


def write_readings(folder: Path, collected: Collected, labels: LabelSet) -> list[Path]:
    """Write ``first.jsonl``, ``second.jsonl`` and ``third.jsonl``, as `stance agreement` takes them; empty ones not."""
    written = []
    for name, readings in zip(("first", "second", "third"), collected.readings, strict=True):
        if readings:
            rows = (
                {"id": key, "labels": [label for label in labels.names if label in reading.labels]}
                for key, reading in readings.items()
            )
            write_jsonl(folder / f"{name}.jsonl", rows)
            written.append(folder / f"{name}.jsonl")
    return written


def _write_parts(
    folder: Path, name: str, texts: Sequence[tuple[int, str]], part_rows: int, begin: int = 1
) -> list[Path]:
    paths = []
    for number, start in enumerate(range(0, len(texts), part_rows), begin):
        path = folder / f"{name}-{number:02}.txt"
        write_whole(
            path, "".join(f"{key}\t{' '.join(text.split())}\n" for key, text in texts[start : start + part_rows])
        )
        paths.append(path)
    return paths


def _batch_rows(folder: Path, labels: LabelSet, numbers: set[int]) -> list[dict[str, Any]]:
    """Return the rows of a batch, each of which has to stand in its parts."""
    rows = []
    for place, record in read_jsonl(folder / ROWS_NAME):
        for name in ("id", "text"):
            if not checked_string(record.get(name), name, place).strip():
                raise DataError(f"{place}: {name} is blank; restore the file")
        for name, optional in (("first", False), ("second", True)):
            number = record.get(name)
            if type(number) is not int and not (optional and number is None):
                raise DataError(f"{place}: {name} is {number!r}, not a number of a part; restore the file")
            if number is not None and number not in numbers:
                raise DataError(f"{place}: number {number} stands in no part-NN.txt; restore the missing part")
        if record.get("before") is not None:
            checked_labels(record["before"], labels, place)
        rows.append(record)
    if not rows:
        raise DataError(f"{folder / ROWS_NAME}: holds no rows; draw the batch again")
    return rows


def _answers(parts: Iterable[Path], labels: LabelSet) -> dict[int, Reading]:
    """Return what the answers say of every number of the parts."""
    found: dict[int, Reading] = {}
    for part in parts:
        numbers = _numbers(part)
        listed: dict[str, Reading] = {}
        ended = False
        place = ""
        for place, line in read_lines(part.with_suffix(".answers")):
            # Notepad puts a byte-order mark first, and a hasty hand forgets the blank before a question mark.
            text = line.decode("utf-8-sig", "replace").casefold()
            key, *words = text.replace(",", " ").replace(BORDERLINE, f" {BORDERLINE} ").split() or [""]
            if not key:
                continue
            if ended:
                raise DataError(f"{place}: comes after `{_END}`; put `{_END}` last")
            if key == _END and not words:
                ended = True
                continue
            if key not in numbers:
                raise DataError(f"{place}: {key!r} is not a number of {part.name}; begin each line with one")
            if key in listed:
                raise DataError(f"{place}: {key} is answered twice; leave one line")
            if not words:
                raise DataError(f"{place}: {key} has no answer; add labels, {NONE} or {BORDERLINE}")
            names = frozenset(_label(word, labels, place) for word in words if word not in (BORDERLINE, NONE))
            listed[key] = Reading(names, BORDERLINE in words)
        if not ended:
            raise DataError(
                f"{place or part.with_suffix('.answers')}: no `{_END}`; read the part to its end, then add it"
            )
        nothing = Reading(frozenset(), borderline=False)
        found |= {number: listed.get(key, nothing) for key, number in numbers.items()}
    return found


def _numbers(part: Path) -> dict[str, int]:
    """Return the numbers of a part as they are written there."""
    numbers = {}
    for place, line in read_lines(part):
        key = line.split(b"\t")[0].decode("utf-8", "replace")
        if not (key.isascii() and key.isdigit() and len(key) < _LONGEST_NUMBER):
            raise DataError(f"{place}: begins with no number; restore the part")
        numbers[key] = int(key)
    return numbers


def _label(word: str, labels: LabelSet, place: str) -> str:
    """Return the label that a name or the beginning of one stands for."""
    meant = [name for name in labels.names if name.casefold() == word]
    meant = meant or [name for name in labels.names if name.casefold().startswith(word)]
    if len(meant) != 1:
        raise DataError(f"{place}: {word!r} is not one label; write {', '.join(labels.names)} or a clear beginning")
    return meant[0]


def _majority(given: Sequence[Reading], names: Sequence[str]) -> frozenset[str]:
    return frozenset(name for name in names if 2 * sum(name in reading.labels for reading in given) > len(given))
