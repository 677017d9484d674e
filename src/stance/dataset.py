"""Annotated statements, own and stand-off: read, grouped and split."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from stance.labels import LabelSet, read_labels
from stance.lexicon import Lexicon, read_lexicon
from stance.records import DataError
from stance.rows import checked_labels, checked_string, read_jsonl, statement_id
from stance.settings import Settings, stored_settings
from stance.standoff import Standoff, read_standoff

HELD_APART: Final = 0.15


@dataclass(frozen=True, slots=True)
class OwnStatement:
    """One statement of our own writing.

    `phenomenon` names what a challenge statement is about, such as ``refusal``; `path` and `line` tell where it stands.
    """

    id: str
    text: str
    labels: tuple[str, ...]
    topic: str = ""
    region: str = ""
    register: str = ""
    set: str = ""
    phenomenon: str = ""
    article: str = ""
    position: int | None = None
    speaker: str = ""
    cue: str = ""
    target: str = ""
    path: str = ""
    line: int = 0

    @property
    def group(self) -> str:
        """What may not be torn apart by a split: its article, its contrast set, or itself."""
        return self.article or self.set or self.id


OWN_FIELDS: Final = tuple(each.name for each in fields(OwnStatement) if each.name not in ("path", "line"))


@dataclass(frozen=True, slots=True)
class Annotated:
    """One annotated statement of any file: its text, its labels, and every other field as it stood there."""

    id: str
    text: str
    labels: tuple[str, ...]
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RowForm:
    """How a JSONL file of annotated statements is to be read.

    Attributes
    ----------
    label_field
        Field with a list of labels, or with one label as a string.
    text_field
        Field with the statement.
    marks
        Tags of which each statement has to hold one at least, such as ``("s", "t")``.
    """

    label_field: str = "labels"
    text_field: str = "text"
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Dataset:
    """All that a model learns from.

    Attributes
    ----------
    labels, lexicon
        The label set and the cue classes.
    own
        Statements with text.
    standoff
        Labels and features of statements whose text is elsewhere; None where there are none.
    settings
        How to train on it: ``settings.json`` of the folder, the defaults where it has none.
    """

    labels: LabelSet
    lexicon: Lexicon
    own: tuple[OwnStatement, ...]
    standoff: Standoff | None = None
    settings: Settings = field(default_factory=Settings)

    @property
    def groups(self) -> tuple[str, ...]:
        """Group of every row, stand-off rows first."""
        real = self.standoff.groups if self.standoff else ()
        return (*real, *(row.group for row in self.own))


def load_dataset(
    path: str | Path = "data", *, own_only: bool = False, files: Sequence[Path] = (), form: RowForm | None = None
) -> Dataset:
    """Read a data folder.

    Parameters
    ----------
    path
        Folder with ``labels.toml``, ``lexicon.toml`` and ``statements/``, and ``standoff/`` where there is one.
    own_only
        Leave ``standoff/`` out.
    files
        More annotated statements, in JSONL files of any form; they count as own ones.
    form
        How those files name what they hold.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If a file is missing or wrong; the message names file and line.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give the folder that holds labels.toml and statements/")
    labels = read_labels(folder / "labels.toml")
    lexicon = read_lexicon(folder / "lexicon.toml")
    own = read_own(folder / "statements", labels) if (folder / "statements").is_dir() else ()
    for file in files:
        own += tuple(
            OwnStatement(row.id, row.text, row.labels, article=_named(row, "article"), set=_named(row, "set"))
            for row in read_annotated(file, labels, form)
        )
    standoff = None
    if not own_only and (folder / "standoff" / "labels.jsonl").exists():
        standoff = read_standoff(folder / "standoff", labels)
    if not own and standoff is None:
        raise DataError(f"{folder}: holds no annotated statements; put JSONL files into {folder / 'statements'}")
    return Dataset(labels, lexicon, own, standoff, stored_settings(folder))


def _named(row: Annotated, name: str) -> str:
    return str(row.fields.get(name) or "")


def read_own(path: Path, labels: LabelSet) -> tuple[OwnStatement, ...]:
    """Read own statements from a file, or from all ``*.jsonl`` files of a folder in the order of their names.

    Raises
    ------
    DataError
        At the first row that `own_statement` refuses.
    """
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    return tuple(own_statement(record, labels, place) for file in files for place, record in read_jsonl(file))


def own_statement(record: Mapping[str, Any], labels: LabelSet, place: str) -> OwnStatement:
    """Return the statement that one line of an own file holds, found at `place` (``file:line``).

    Raises
    ------
    DataError
        If a field or label is unknown, or a field is missing or of the wrong type.
    """
    unknown = sorted(set(record) - set(OWN_FIELDS))
    if unknown:
        raise DataError(f"{place}: unknown field {unknown[0]!r}; use {', '.join(OWN_FIELDS)}")
    for name in ("id", "text", "labels"):
        if name not in record or record[name] == "":
            raise DataError(f"{place}: the field {name!r} is missing or empty; add it")
    given = checked_labels(record["labels"], labels, place)
    for name, value in record.items():
        if name == "position":
            if type(value) is not int:
                raise DataError(f"{place}: position is {type(value).__name__}, not a whole number; write it so")
        elif name != "labels":
            checked_string(value, name, place)
    path, _, line = place.rpartition(":")
    return OwnStatement(**{**record, "labels": given}, path=path, line=int(line))


def read_annotated(path: Path, labels: LabelSet, form: RowForm | None = None) -> list[Annotated]:
    """Read annotated statements from any JSONL file, also gzip; fields that it does not know are kept.

    Parameters
    ----------
    path
        The file.
    labels
        The label set; a label that it lacks is an error.
    form
        How the file names what it holds.

    Returns
    -------
    list of Annotated
        Rows without an id get `statement_id` of their text.

    Raises
    ------
    DataError
        At the first row that is wrong; the message names file and line.
    """
    form = form or RowForm()
    text_field, label_field = form.text_field, form.label_field
    rows = []
    for place, record in read_jsonl(path):
        text = record.get(text_field)
        if not isinstance(text, str) or not text.strip():
            raise DataError(f"{place}: {text_field} is missing, blank or not a string; give each row its statement")
        if form.marks and not any(f"<{mark}>" in text for mark in form.marks):
            wanted = " or ".join(f"<{mark}>" for mark in form.marks)
            raise DataError(f"{place}: {text_field} holds no {wanted}; name the marked field with --text-field")
        if label_field not in record:
            raise DataError(
                f"{place}: the field {label_field!r} is missing; add it, or name another with --label-field"
            )
        given = record[label_field]
        names = checked_labels([given] if isinstance(given, str) else given, labels, place)
        rest = {name: value for name, value in record.items() if name not in (text_field, label_field, "id")}
        rows.append(Annotated(str(record.get("id") or statement_id(text)), text, names, rest))
    if not rows:
        raise DataError(f"{path}: holds no rows; give a file with annotated statements")
    return rows


def is_held_apart(group: str) -> bool:
    """Tell whether a group belongs to the 15% that no shipped model learns from; fixed by its name alone."""
    return int(hashlib.sha256(group.encode("utf-8", "replace")).hexdigest()[:8], 16) < HELD_APART * 2**32


def data_hash(dataset: Dataset) -> str:
    """Return a SHA-256 over all that training reads: labels, lexicon, statements, stand-off labels and features."""
    digest = hashlib.sha256()
    content = [
        dataset.labels.to_json(),
        dataset.lexicon.to_json(),
        [[row.id, row.text, row.labels, row.group] for row in dataset.own],
    ]
    digest.update(json.dumps(content, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace"))
    if dataset.standoff:
        digest.update(dataset.standoff.digest().encode())
    return digest.hexdigest()
