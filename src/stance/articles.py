"""Files → articles: txt, md, jsonl and csv, each also gzip, and stdin. One bad record never ends a run."""

from __future__ import annotations

import csv
import gzip
import json
import re
import sys
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

from stance.inputs import find_inputs, format_of, without_surrogates
from stance.records import Article, InputError
from stance.sentences import article_date

LARGEST_ARTICLE: Final = 16 << 20
LARGEST_LINE: Final = 64 << 20
SHOWN_RAW: Final = 2_000
DEFAULT_COLUMNS: Final = {
    "text": ("text", "content", "body", "article"),
    "id": ("id", "article_id", "url"),
    "date": ("date", "published", "published_at"),
    "source": ("source", "outlet", "publisher"),
}
# Our own CSV writer puts a quote mark before cells that a spreadsheet would take for a formula.
_GUARDED: Final = re.compile("'(?='*[=+\\-@\t\r\0])")
_FRONT_MATTER: Final = re.compile(r"---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
# Prose between two rules is no front matter; taking it for such would lose it.
_FRONT_LINE: Final = re.compile(r"[\w.-]+[ \t]*:(?:[ \t].*)?|[ \t#-].*|")
_BOM: Final = b"\xef\xbb\xbf"


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

    @property
    def place(self) -> str:
        """File and, where there is one, line."""
        return f"{self.source}:{self.line}" if self.line else self.source


Record = Article | Reject
Line = tuple[int, bytes | Reject]


def read_articles(
    inputs: Iterable[str | Path],
    *,
    columns: Columns | None = None,
    input_format: str | None = None,
    leave_out: Iterable[Path] = (),
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
    leave_out
        Files that folders and globs pass over: what the run itself writes.

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
    # All names and headers are checked before the first article, so that a slip of the pen does not end a run half way.
    found = find_inputs(inputs, input_format, leave_out=leave_out)
    for path, _ in found:
        if path is not None and path.is_file() and (input_format or format_of(path)) == "csv":
            # The second item may be what shows that the first, a reject, was the header.
            deque(islice(_open_and_read(path, "", "csv", columns), 2), maxlen=0)
    for path, name in found:
        if path is None:
            yield from _read(sys.stdin.buffer, "stdin", "stdin", input_format or "", columns)
        else:
            yield from _open_and_read(path, name, input_format or format_of(path), columns)


def _open_and_read(path: Path, name: str, kind: str, columns: Columns) -> Iterator[Record]:
    place = without_surrogates(str(path))
    try:
        with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as stream:
            yield from _read(stream, place, name, kind, columns)  # type: ignore[arg-type]
    except OSError as error:
        yield Reject(place, 0, f"cannot be read: {error.strerror or error}")


def _read(stream: IO[bytes], place: str, name: str, kind: str, columns: Columns) -> Iterator[Record]:
    head = b""
    if not kind:
        # Only stdin comes without a format: a first character { tells JSON from text. It may not be able to peek.
        while (byte := stream.read(1)) and (byte.isspace() or _BOM.startswith(head + byte)):
            head += byte
        head += byte
        kind = "jsonl" if byte == b"{" else "txt"
    if kind == "jsonl":
        yield from _read_jsonl(_lines(stream, place, head), place, name, columns)
    elif kind == "csv":
        yield from _read_csv(_lines(stream, place, head), place, name, columns)
    else:
        yield _read_text(stream, place, name, kind, head)


def _read_text(stream: IO[bytes], place: str, name: str, kind: str, head: bytes) -> Record:
    try:
        # One byte more than the largest article can have tells that it is larger.
        raw = head + stream.read(4 * LARGEST_ARTICLE + 1)
    except (OSError, EOFError, zlib.error) as error:
        return Reject(place, 0, f"damaged: {error}")
    if len(raw) > 4 * LARGEST_ARTICLE:
        return Reject(place, 0, f"longer than {LARGEST_ARTICLE >> 20} Mi characters", _raw(raw))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        return Reject(place, line, f"not valid UTF-8 (byte {error.start})", _raw(raw))
    about: dict[str, str] = {}
    front = _FRONT_MATTER.match(text) if kind == "md" else None
    if front and all(_FRONT_LINE.fullmatch(line) for line in front[1].splitlines()):
        pairs = (line.partition(":") for line in front[1].splitlines())
        about = {key.rstrip().lower(): value.strip().strip("\"'") for key, colon, value in pairs if colon}
        text = text[front.end() :]
    return _article(text, place, 0, about.get("id") or name, about.get("date", ""), about.get("source", ""), _raw(raw))


def _read_jsonl(lines: Iterator[Line], place: str, name: str, columns: Columns) -> Iterator[Record]:
    for number, line in lines:
        if isinstance(line, Reject):
            yield line
            continue
        if not line.strip():
            continue
        try:
            record = json.loads(line.decode("utf-8"))
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
        missing = next((field for field in names.values() if field is not None and field not in record), None)
        if missing is not None or names["text"] is None:
            wanted = missing or " or ".join(DEFAULT_COLUMNS["text"])
            yield Reject(place, number, f"has no field {wanted}", _raw(line))
            continue
        yield _from_record(record, names, place, name, number, _raw(line))


def _read_csv(lines: Iterator[Line], place: str, name: str, columns: Columns) -> Iterator[Record]:
    header: list[str] | None = None
    names: dict[str, str | None] = {}
    guarded = rejected = False
    for line, row in _rows(lines, place):
        if isinstance(row, Reject):
            rejected = True
            yield row
        elif header is None and rejected:
            raise InputError(f"{place}: its first line cannot be read as column names; mend that line")
        elif header is None:
            header = [without_surrogates(cell.strip()) for cell in row]
            names = {each.name: _choose(each.name, columns, header) for each in fields(Columns)}
            guarded = "statement_no" in header
            if len(header) == 1 and re.search("[;\t]", header[0]):
                raise InputError(f"{place}: its columns are not separated by commas; save it with commas")
            for wanted in names.values():
                if wanted is not None and wanted not in header:
                    raise InputError(f"{place}: has no column {wanted!r}; it has {', '.join(header)}")
            if names["text"] is None:
                usual = ", ".join(DEFAULT_COLUMNS["text"])
                raise InputError(
                    f"{place}: has no column {usual}, but {', '.join(header)}; name one with --text-column"
                )
        elif row:
            raw = without_surrogates(",".join(row)[:SHOWN_RAW])
            if len(row) != len(header):
                yield Reject(place, line, f"has {len(row)} cells, the header has {len(header)}", raw)
            elif without_surrogates(joined := "".join(row)) != joined:
                yield Reject(place, line, "not valid UTF-8", raw)
            else:
                # Only in our own files is the quote mark ours; elsewhere it belongs to the text.
                cells = [_GUARDED.sub("", c, count=1) if guarded and c.startswith("'") else c for c in row]
                yield _from_record(dict(zip(header, cells, strict=True)), names, place, name, line, raw)
    if header is None and not rejected:
        yield Reject(place, 0, "empty: a CSV file begins with a line of column names")


def _rows(lines: Iterator[Line], place: str) -> Iterator[tuple[int, list[str] | Reject]]:
    """Yield numbered rows.

    After a row that is no CSV, reading goes on with the line after that row's first line: one quotation mark that is
    never closed would otherwise swallow the rest of the file.
    """
    ahead: deque[Line] = deque()
    taken: list[tuple[int, bytes]] = []

    def take() -> Iterator[str]:
        while (numbered := ahead.popleft() if ahead else next(lines, None)) is not None:
            number, line = numbered
            if isinstance(line, Reject):
                ahead.appendleft(numbered)
                return
            taken.append((number, line))
            # What is no UTF-8 comes through as lone surrogates, so that only its own row is refused.
            yield line.decode("utf-8", "surrogateescape")

    while True:
        taken.clear()
        # The limit belongs to the whole process, so it is put back before anybody else's code runs.
        limit = csv.field_size_limit(LARGEST_ARTICLE)
        try:
            row = next(csv.reader(take(), strict=True), None)
        except csv.Error as error:
            number, line = taken[0]
            ahead.extendleft(reversed(taken[1:]))
            yield number, Reject(place, number, f"not valid CSV ({error})", _raw(line))
            continue
        finally:
            csv.field_size_limit(limit)
        if row is not None:
            yield taken[0][0], row
        elif ahead:
            yield ahead.popleft()  # type: ignore[misc] # what ends the lines of a row early is a reject
        else:
            return


def _lines(stream: IO[bytes], place: str, head: bytes) -> Iterator[Line]:
    """Yield numbered lines; one that is too long is passed over, and what cannot be read ends the file."""
    number = 0
    while True:
        number += 1
        try:
            line, newline, head = head.partition(b"\n")
            line += newline or stream.readline(LARGEST_LINE + 1)
            if len(line) > LARGEST_LINE and not line.endswith(b"\n"):
                shown = _raw(line)
                while line and not line.endswith(b"\n"):
                    line = stream.readline(LARGEST_LINE + 1)
                yield number, Reject(place, number, f"longer than {LARGEST_LINE >> 20} MiB", shown)
                continue
        except (OSError, EOFError, zlib.error) as error:
            yield number, Reject(place, number, f"damaged from here on: {error}")
            return
        if not line:
            return
        if number == 1:
            line = line.removeprefix(_BOM)
        yield number, line


def _choose(field: str, columns: Columns, present: Iterable[str]) -> str | None:
    wanted = getattr(columns, field)
    known = set(present)
    return wanted if wanted is not None else next((name for name in DEFAULT_COLUMNS[field] if name in known), None)


def _from_record(
    record: dict[str, Any], names: dict[str, str | None], place: str, name: str, line: int, raw: str
) -> Record:
    values = {field: record[column] if column is not None else "" for field, column in names.items()}
    text = values.pop("text")
    if not isinstance(text, str):
        return Reject(place, line, f"{names['text']} is {type(text).__name__}, not a string", raw)
    plain = {}
    for field, value in values.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, str | int | float)):
            return Reject(place, line, f"{names[field]} is {type(value).__name__}, not a string or number", raw)
        plain[field] = "" if value is None else without_surrogates(str(value))
    return _article(text, place, line, plain["id"] or f"{name}:{line}", plain["date"], plain["source"], raw)


def _article(text: str, place: str, line: int, name: str, date: str, source: str, raw: str) -> Record:
    if len(text) > LARGEST_ARTICLE:
        return Reject(place, line, f"longer than {LARGEST_ARTICLE >> 20} Mi characters", raw)
    text = without_surrogates(text)
    # NUL and white space alone hold no statement.
    if not text.replace("\0", " ").strip():
        return Reject(place, line, "blank", raw)
    return Article(text, name, source, date or article_date(text))


def _raw(raw: bytes) -> str:
    return raw[: 4 * SHOWN_RAW].decode("utf-8", "replace")[:SHOWN_RAW]
