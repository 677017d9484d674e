"""The label set: names, titles, definitions, event codes and colours, read from ``data/labels.toml``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stance.records import DataError

MOST_LABELS: Final = 256
_TEXTS: Final = ("name", "title", "definition", "colour")
_LISTS: Final = ("cameo", "plover")


@dataclass(frozen=True, slots=True)
class Label:
    """One label.

    Attributes
    ----------
    name
        What data files and columns say; letters, digits, ``_``, ``-``.
    title, definition
        For people.
    cameo, plover
        Event codes that come closest.
    colour
        ``#rrggbb``, or empty.
    """

    name: str
    title: str = ""
    definition: str = ""
    colour: str = ""
    cameo: tuple[str, ...] = ()
    plover: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelSet:
    """Labels in the order of all columns; with `exclusive` each statement carries exactly one."""

    labels: tuple[Label, ...]
    exclusive: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Label names in order."""
        return tuple(label.name for label in self.labels)

    def to_json(self) -> dict[str, Any]:
        """Return the label set as the model folder stores it; the inverse of `from_json`."""
        listed = [
            {name: getattr(label, name) for name in _TEXTS} | {name: list(getattr(label, name)) for name in _LISTS}
            for label in self.labels
        ]
        return {"exclusive": self.exclusive, "label": listed}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> LabelSet:
        """Build a label set from plain values.

        Raises
        ------
        DataError
            If a key is unknown, a value has the wrong form, a name comes twice, or there are no labels.
        """
        unknown = set(document) - {"exclusive", "label"}
        if unknown:
            raise DataError(f"unknown key {min(unknown)!r}; use exclusive and [[label]] tables")
        exclusive, tables = document.get("exclusive", False), document.get("label")
        if not isinstance(exclusive, bool):
            raise DataError("exclusive is neither true nor false; write one of them")
        if not isinstance(tables, list) or not 0 < len(tables) <= MOST_LABELS:
            raise DataError(f"needs 1 to {MOST_LABELS} [[label]] tables; list the labels")
        labels = tuple(_label(table) for table in tables)
        # Where a statement may carry no label, "none" is what is printed then.
        if not exclusive and any(label.name == "none" for label in labels):
            raise DataError("label 'none' stands in a set that is not exclusive; leave it out: a row may have no label")
        names = [label.name for label in labels]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise DataError(f"label {twice!r} is listed twice; remove one")
        if exclusive and len(labels) < 2:
            raise DataError("an exclusive label set needs two labels or more; add one, or set exclusive to false")
        return cls(labels, exclusive)


def read_labels(path: Path) -> LabelSet:
    """Read ``labels.toml``.

    Raises
    ------
    DataError
        If the file is missing, is not TOML, or its content is not a label set.
    """
    import tomllib

    try:
        return LabelSet.from_json(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); put the label set there") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"{path}: not valid TOML ({error}); mend that line") from error
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _label(table: object) -> Label:
    if not isinstance(table, Mapping):
        raise DataError(f"{table!r} is not a [[label]] table; give it a name")
    name = table.get("name")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", name):
        raise DataError(f"label name {name!r}: has to be a word of letters, digits, _ and -")
    unknown = set(table) - {*_TEXTS, *_LISTS}
    if unknown:
        raise DataError(f"label {name!r}: unknown key {min(unknown)!r}; use {', '.join((*_TEXTS, *_LISTS))}")
    texts = {key: table.get(key, "") for key in _TEXTS}
    lists = {key: table.get(key, []) for key in _LISTS}
    for key, text in texts.items():
        if not isinstance(text, str):
            raise DataError(f"label {name!r}: {key} is not a string")
    for key, codes in lists.items():
        if not isinstance(codes, list) or not all(isinstance(code, str) for code in codes):
            raise DataError(f"label {name!r}: {key} is not a list of strings")
    if texts["colour"] and not re.fullmatch(r"#[0-9A-Fa-f]{6}", texts["colour"]):
        raise DataError(f"label {name!r}: colour {texts['colour']!r} is not of the form #rrggbb")
    return Label(**texts, cameo=tuple(lists["cameo"]), plover=tuple(lists["plover"]))
