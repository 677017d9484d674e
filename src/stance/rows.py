"""Lines of annotated JSONL files: objects with their place, their labels checked, and the id of a text."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from stance.files import write_whole
from stance.labels import LabelSet
from stance.records import DataError

LARGEST_LINE: Final = 16 << 20
LAST_ROUND: Final = 1_000_000


def read_jsonl(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield ``(file:line, object)`` for every line of a JSONL file, also gzip; blank lines are passed over.

    Raises
    ------
    DataError
        If the file cannot be read, or a line is not a JSON object in UTF-8.
    """
    for place, line in read_lines(path):
        yield place, json_object(line, place)


def read_lines(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield ``(file:line, bytes)`` for every line of a file that is not blank, also gzip.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    number = 0
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
            # A line is read up to a limit, so that a packed bomb ends here and not with the memory.
            while line := stream.readline(LARGEST_LINE + 1):
                number += 1
                if len(line) > LARGEST_LINE:
                    raise DataError(f"{path}:{number}: longer than {LARGEST_LINE >> 20} MiB; write one row a line")
                if line.strip():
                    yield f"{path}:{number}", line
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check the path") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}:{number + 1}: cannot be read ({error}); get the file again") from error


def write_jsonl(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object a line; the file appears whole or not at all."""
    write_whole(path, "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))


def json_object(line: bytes, place: str) -> dict[str, Any]:
    """Return the JSON object of one line, or say what is wrong with it."""
    try:
        record = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: not valid JSON ({error}); mend the line") from error
    if not isinstance(record, dict):
        raise DataError(f"{place}: not a JSON object; write one object a line")
    return record


def checked_labels(given: object, labels: LabelSet, place: str) -> tuple[str, ...]:
    """Return labels in the order of the label set, or say what is wrong with them."""
    names = labels.names
    if not isinstance(given, list):
        raise DataError(f"{place}: labels is {type(given).__name__}, not a list; write [] where there is none")
    for name in given:
        if name not in names:
            raise DataError(f"{place}: unknown label {name!r}; labels.toml has {', '.join(names)}")
    if len(set(given)) != len(given):
        raise DataError(f"{place}: a label is listed twice; list each once")
    if labels.exclusive and len(given) != 1:
        raise DataError(f"{place}: {len(given)} labels, but the label set is exclusive; give exactly one")
    return tuple(name for name in names if name in given)


def checked_string(value: object, name: str, place: str) -> str:
    """Return a string that can be written as UTF-8, or say why the value is none."""
    if not isinstance(value, str):
        raise DataError(f"{place}: {name} is {type(value).__name__}, not a string; write it so")
    # Most strings of a file are ASCII, and asking for that costs next to nothing.
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise DataError(f"{place}: {name} holds half a character (a lone surrogate); write the whole one")
    return value


def statement_id(text: str) -> str:
    """Return the first 12 hex digits of the SHA-1 of a text with its white space folded."""
    return hashlib.sha1(" ".join(text.split()).encode("utf-8", "replace"), usedforsecurity=False).hexdigest()[:12]
