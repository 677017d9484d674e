"""Files → articles: txt, md, jsonl and csv, each also gzip, folders, globs and stdin. One bad record never ends a run."""

from __future__ import annotations

import csv
import glob
import gzip
import json
import re
import sys
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, Any, Final

from stance.records import Article, InputError
from stance.sentences import article_date

LARGEST_ARTICLE: Final = 16 << 20
LARGEST_LINE: Final = 64 << 20
SHOWN_RAW: Final = 2_000
FORMATS: Final = ("txt", "md", "jsonl", "csv")
DEFAULT_COLUMNS: Final = {
    "text": ("text", "content", "body", "article"),
    "id": ("id", "article_id", "url"),
    "date": ("date", "published", "published_at"),
    "source": ("source", "outlet", "publisher"),
}
# Our own CSV writer puts a quote mark before cells that a spreadsheet would take for a formula.
_GUARDED: Final = re.compile("'(?=[=+\\-@\t\r\0])")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_FRONT_MATTER: Final = re.compile(r"---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns or fields to read; where left out, the usual names are tried in order."""

    text: str | None = None
    id: str | None = None
    date: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that is no article.

    Attributes
    ----------
    source
        The file, or ``stdin``.
    line
        Line of the record, from 1; 0 where the whole file is meant.
    reason
        Why, in one line.
    raw
        The record, cut to 2,000 characters.
    """

    source: str
    line: int
    reason: str
    raw: str = ""


Record = Article | Reject


def read_articles(
    inputs: Iterable[str | Path], *, columns: Columns | None = None, input_format: str | None = None
) -> Iterator[Record]:
    """Read articles one at a time.

    Parameters
    ----------
    inputs
        Files, folders (read to the bottom, in order of names), globs, and ``-`` for stdin.
    columns
        Columns or fields of csv and jsonl.
    input_format
        ``txt``, ``md``, ``jsonl`` or ``csv``, whatever the ending says.

    Yields
    ------
    Article or Reject
        As many as there are records; a text file is one record.

    Raises
    ------
    InputError
        If a named input does not exist or has an unknown ending, or a CSV file lacks a named column.
    """
    columns = columns or Columns()
    # All names are checked before the first article, so that a slip of the pen does not end a run half way.
    for path, name in [found for each in inputs for found in _find(str(each), input_format)]:
        if path is None:
            yield from _read(sys.stdin.buffer, "stdin", "stdin", input_format or "", columns)
            continue
        kind = input_format or _kind(path)
        try:
            with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as stream:
                yield from _read(stream, str(path), name, kind, columns)  # type: ignore[arg-type]
        except OSError as error:
            yield Reject(str(path), 0, f"cannot be read: {error.strerror or error}")


def _find(name: str, input_format: str | None) -> Iterator[tuple[Path | None, str]]:
    """Yield paths with the names that their articles go by."""
    if name == "-":
        yield None, "stdin"
        return
    path = Path(name)
    if path.is_dir():
        files = sorted(each for each in path.rglob("*") if each.is_file() and (_kind(each) or input_format))
        if not files:
            raise InputError(f"{name}: holds no files ending in .{', .'.join(FORMATS)} (or these with .gz)")
        for each in files:
            if not any(part.startswith(".") for part in each.relative_to(path).parts):
                yield each, _stem(each.relative_to(path))
        return
    if not path.exists() and glob.has_magic(name):
        matches = sorted(Path(each) for each in glob.glob(name, recursive=True))
        if not matches:
            raise InputError(f"{name}: matches no file; check the pattern")
        for each in matches:
            if each.is_file() and (_kind(each) or input_format):
                yield each, _stem(each)
        return
    if not path.exists():
        raise InputError(f"{name}: no such file or folder; check the path")
    if not (_kind(path) or input_format):
        raise InputError(f"{name}: unknown ending; use .{', .'.join(FORMATS)} (or these with .gz), or say --format")
    yield path, _stem(Path(path.name))


def _kind(path: Path) -> str:
    suffixes = [suffix.lower().lstrip(".") for suffix in path.suffixes]
    if suffixes and suffixes[-1] == "gz":
        suffixes.pop()
    return suffixes[-1] if suffixes and suffixes[-1] in FORMATS else ""


def _stem(path: Path) -> str:
    name = path.name
    for suffix in (".gz", *(f".{kind}" for kind in FORMATS)):
        if name.lower().endswith(suffix) and name.lower() != suffix:
            name = name[: -len(suffix)]
    return path.with_name(name).as_posix()


def _read(stream: IO[bytes], place: str, name: str, kind: str, columns: Columns) -> Iterator[Record]:
    if not kind:
        # Only stdin comes without a format: a first character { tells JSON from text.
        first = stream.peek(1 << 16).lstrip()[:1] if hasattr(stream, "peek") else b""
        kind = "jsonl" if first == b"{" else "txt"
    if kind == "jsonl":
        yield from _read_jsonl(stream, place, columns)
    elif kind == "csv":
        yield from _read_csv(stream, place, columns)
    else:
        yield _read_text(stream, place, name, kind)


def _read_text(stream: IO[bytes], place: str, name: str, kind: str) -> Record:
    try:
        # One byte more than the largest article can have tells that it is larger.
        raw = stream.read(4 * LARGEST_ARTICLE + 1)
    except (OSError, EOFError, zlib.error) as error:
        return Reject(place, 0, f"damaged: {error}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        return Reject(place, line, f"not valid UTF-8 (byte {error.start})", _raw(raw))
    about: dict[str, str] = {}
    if kind == "md" and (front := _FRONT_MATTER.match(text)):
        pairs = (line.partition(":") for line in front[1].splitlines())
        about = {key.strip().lower(): value.strip().strip("\"'") for key, colon, value in pairs if colon}
        text = text[front.end() :]
    return _article(text, place, 0, about.get("id", name), about.get("date", ""), about.get("source", ""), _raw(raw))


def _read_jsonl(stream: IO[bytes], place: str, columns: Columns) -> Iterator[Record]:
    for number, line in _lines(stream, place):
        if isinstance(line, Reject):
            yield line
            continue
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except UnicodeDecodeError as error:
            yield Reject(place, number, f"not valid UTF-8 (byte {error.start})", _raw(line))
            continue
        except (ValueError, RecursionError) as error:
            yield Reject(place, number, f"not valid JSON ({error})", _raw(line))
            continue
        if not isinstance(record, dict):
            yield Reject(place, number, f"not a JSON object but {type(record).__name__}", _raw(line))
            continue
        names = {each.name: _choose(each.name, columns, record) for each in fields(Columns)}
        missing = next((name for name in names.values() if name is not None and name not in record), None)
        if missing is not None or names["text"] is None:
            wanted = missing or " or ".join(DEFAULT_COLUMNS["text"])
            yield Reject(place, number, f"has no field {wanted}", _raw(line))
            continue
        yield _from_record(record, names, place, number, _raw(line))


def _read_csv(stream: IO[bytes], place: str, columns: Columns) -> Iterator[Record]:
    csv.field_size_limit(LARGEST_LINE)
    ended: list[Reject] = []

    def decoded() -> Iterator[str]:
        for _, line in _lines(stream, place):
            if isinstance(line, Reject):
                ended.append(line)
                continue
            # What is no UTF-8 comes through as lone surrogates, so that only its own row is refused.
            yield line.decode("utf-8", "surrogateescape")

    reader = csv.reader(decoded(), strict=True)
    header: list[str] | None = None
    names: dict[str, str | None] = {}
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            yield Reject(place, line, f"not valid CSV ({error})")
            continue
        finally:
            yield from ended
            ended.clear()
        if header is None:
            header = [cell.lstrip("\ufeff").strip() for cell in row]
            names = {each.name: _choose(each.name, columns, header) for each in fields(Columns)}
            for name in names.values():
                if name is not None and name not in header:
                    raise InputError(f"{place}: has no column {name!r}; it has {', '.join(header)}")
            if names["text"] is None:
                wanted = ", ".join(DEFAULT_COLUMNS["text"])
                raise InputError(f"{place}: has no column {wanted}, but {', '.join(header)}; name one with --text-column")
            continue
        if not row:
            continue
        raw = ",".join(row)[:SHOWN_RAW]
        if len(row) != len(header):
            yield Reject(place, line, f"has {len(row)} cells, the header has {len(header)}", raw)
        elif _SURROGATE.search("".join(row)):
            yield Reject(place, line, "not valid UTF-8", _SURROGATE.sub("\ufffd", raw))
        else:
            cells = (_GUARDED.sub("", cell, count=1) if cell.startswith("'") else cell for cell in row)
            yield _from_record(dict(zip(header, cells, strict=True)), names, place, line, raw)
    if header is None and not ended:
        yield Reject(place, 0, "empty: a CSV file begins with a line of column names")


def _lines(stream: IO[bytes], place: str) -> Iterator[tuple[int, bytes | Reject]]:
    """Yield numbered lines; one that is too long is passed over, and what cannot be read ends the file."""
    number = 0
    while True:
        number += 1
        try:
            line = stream.readline(LARGEST_LINE + 1)
            if len(line) > LARGEST_LINE and not line.endswith(b"\n"):
                head = line[: 4 * SHOWN_RAW]
                while line and not line.endswith(b"\n"):
                    line = stream.readline(LARGEST_LINE + 1)
                yield number, Reject(place, number, f"longer than {LARGEST_LINE >> 20} MiB", _raw(head))
                continue
        except (OSError, EOFError, zlib.error) as error:
            yield number, Reject(place, number, f"damaged from here on: {error}")
            return
        if not line:
            return
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        yield number, line


def _choose(field: str, columns: Columns, present: Iterable[str]) -> str | None:
    wanted = getattr(columns, field)
    known = set(present)
    return wanted if wanted is not None else next((name for name in DEFAULT_COLUMNS[field] if name in known), None)


def _from_record(record: dict[str, Any], names: dict[str, str | None], place: str, line: int, raw: str) -> Record:
    values = {field: record[name] if name is not None else "" for field, name in names.items()}
    text = values.pop("text")
    if not isinstance(text, str):
        return Reject(place, line, f"{names['text']} is {type(text).__name__}, not a string", raw)
    plain = {}
    for field, value in values.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, str | int | float)):
            return Reject(place, line, f"{names[field]} is {type(value).__name__}, not a string or number", raw)
        plain[field] = "" if value is None else _SURROGATE.sub("\ufffd", str(value))
    return _article(text, place, line, plain["id"] or f"{Path(place).name}:{line}", plain["date"], plain["source"], raw)


def _article(text: str, place: str, line: int, name: str, date: str, source: str, raw: str) -> Record:
    if len(text) > LARGEST_ARTICLE:
        return Reject(place, line, f"longer than {LARGEST_ARTICLE >> 20} Mi characters", raw)
    text = _SURROGATE.sub("\ufffd", text)
    # NUL and white space alone hold no statement.
    if not text.replace("\0", " ").strip():
        return Reject(place, line, "blank", raw)
    return Article(text, name, source, date or article_date(text))


def _raw(raw: bytes) -> str:
    return raw[: 4 * SHOWN_RAW].decode("utf-8", "replace")[:SHOWN_RAW]
