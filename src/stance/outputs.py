"""Rows → bytes → files: jsonl, csv and parquet, and the file of rejects."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Protocol

from stance.delimited import guarded
from stance.files import whole_file
from stance.model import Model
from stance.records import InputError, Reject
from stance.scoring import PLAIN, Row, Scored, Shape, columns_of, json_lines, rows_of

if TYPE_CHECKING:
    import pyarrow as pa

OUTPUT_FORMATS: Final = ("jsonl", "csv", "parquet")
LABEL_SEPARATOR: Final = "|"
# Rows, and bytes, of a group of a parquet file.
_GROUP_ROWS: Final = 1 << 16
_GROUP_BYTES: Final = 64 << 20
_encode: Final = json.JSONEncoder(ensure_ascii=False).encode


def output_format(path: Path) -> str:
    """Return the format that a file's ending tells.

    Raises
    ------
    InputError
        If it tells none.
    """
    ending = path.suffix.lower().lstrip(".")
    if ending not in OUTPUT_FORMATS:
        raise InputError(f"{path}: the ending tells the format; use .{', .'.join(OUTPUT_FORMATS)}, or name a folder")
    return ending


def encoded(scored: Scored, model: Model, kind: str, shape: Shape = PLAIN) -> bytes:
    """Return the rows of an article as they stand in a file of jsonl or csv."""
    if kind == "csv":
        return csv_rows(rows_of(scored, model, shape), columns_of(model, shape))
    return json_lines(scored, model, shape)


def csv_rows(rows: Iterable[Row], columns: Sequence[str]) -> bytes:
    """Return rows as they stand in a file of csv."""
    return _csv_lines([_cell(row[column]) for column in columns] for row in rows)


def with_duplicate(piece: bytes, kind: str, name: str) -> bytes:
    """Return the rows of an article with the last column, ``duplicate_of``, filled in."""
    if kind == "csv":
        # The limit belongs to the whole process, so it is put back.
        limit = csv.field_size_limit(len(piece) + 1)
        try:
            rows = list(csv.reader(io.StringIO(piece.decode("utf-8"), newline="")))
        finally:
            csv.field_size_limit(limit)
        return _csv_lines([*row[:-1], _cell(name)] for row in rows)
    # A line ends in nothing but this, because quotation marks and newlines in a string are escaped.
    named = json.dumps(name, ensure_ascii=False).encode("utf-8")
    return piece.replace(b'"duplicate_of": null}\n', b'"duplicate_of": %s}\n' % named)


def _csv_lines(rows: Iterable[Sequence[Any]]) -> bytes:
    lines = io.StringIO(newline="")
    csv.writer(lines).writerows(rows)
    return lines.getvalue().encode("utf-8")


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        value = LABEL_SEPARATOR.join(value)
    return guarded(value) if isinstance(value, str) else value


class Stream(Protocol):
    """What rows are written to: an open binary file, or what counts for one."""

    def write(self, data: bytes, /) -> object:
        """Write bytes."""

    def flush(self) -> object:
        """Hand on what was written."""


class RowWriter:
    """Writes rows as jsonl or csv to an open stream.

    Parameters
    ----------
    stream
        A binary stream.
    kind
        ``jsonl`` or ``csv``.
    columns
        The header of a CSV file.
    """

    def __init__(self, stream: Stream, kind: str, columns: Sequence[str]) -> None:
        self._stream = stream
        if kind == "csv":
            stream.write(_csv_lines([columns]))

    def put(self, content: bytes) -> None:
        """Write rows that were encoded before."""
        self._stream.write(content)

    def close(self) -> None:
        """End the file; the stream stays open."""

    def drop(self) -> None:
        """Leave the file as it is."""


class TableWriter:
    """Writes record batches as parquet to an open stream.

    Parameters
    ----------
    stream
        A binary stream.
    schema
        The types of the rows.
    """

    def __init__(self, stream: Stream, schema: pa.Schema) -> None:
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter

        self._writer = ParquetWriter(pa.PythonFile(stream, "w"), schema)
        self._schema = schema
        self._waiting: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0

    def put(self, content: pa.RecordBatch) -> None:
        """Write rows; some are kept until there are enough for a group."""
        self._waiting.append(content)
        self._rows += content.num_rows
        self._bytes += content.nbytes
        if self._rows >= _GROUP_ROWS or self._bytes >= _GROUP_BYTES:
            self._write()

    def close(self) -> None:
        """Write what was kept, and the file's end; the stream stays open."""
        self._write()
        self._writer.close()

    def drop(self) -> None:
        """Leave the file as it is: without this, its end would be written when the writer is thrown away."""
        self._writer.is_open = False

    def _write(self) -> None:
        import pyarrow as pa

        if self._rows:
            self._writer.write_table(pa.Table.from_batches(self._waiting, self._schema), row_group_size=self._rows)
        self._waiting, self._rows, self._bytes = [], 0, 0


def rejects_beside(output: Path) -> Path:
    """Return where the rejects of an output file go if nobody says otherwise."""
    return output.with_name(f"{output.name}.rejects.jsonl")


class RejectWriter:
    """Writes rejects as JSONL to a file that appears whole, even where the run ends in an error.

    Parameters
    ----------
    path
        The file; made even where nothing is refused.
    beside
        Without `path`, the rejects of this output go to ``<output>.rejects.jsonl``, made only where there are any; one
        of an earlier run is taken away. Without both, nothing is written.

    Attributes
    ----------
    path
        The file.
    """

    def __init__(self, path: Path | None, *, beside: Path | None = None) -> None:
        self._optional = path is None
        self.path = rejects_beside(beside) if path is None and beside is not None else path
        self._stack = ExitStack()
        self._stream: IO[bytes] | None = None
        self._written = False

    def __enter__(self) -> RejectWriter:
        if not self._optional:
            self._open()
        return self

    def __exit__(self, kind: type[BaseException] | None, *raised: Any) -> None:
        if kind is None and self._stream is None and self.path is not None:
            self.path.unlink(missing_ok=True)
        # What was refused until then is worth keeping, whatever ended the run; older rejects give way to that alone.
        if self._written:
            self._stack.close()
        else:
            self._stack.__exit__(kind, *raised)

    def write(self, reject: Reject) -> None:
        """Write one reject."""
        if self._stream is None and self.path is not None:
            self._open()
        if self._stream is not None:
            self._stream.write(reject_line(reject))
            self._written = True

    def _open(self) -> None:
        if self.path is not None:
            self._stream = self._stack.enter_context(whole_file(self.path))


def reject_line(reject: Reject) -> bytes:
    """Return a reject as a JSON line."""
    # Spelt out, and with one encoder, a million of them take a third of the time.
    record = {"source": reject.source, "line": reject.line, "reason": reject.reason, "raw": reject.raw}
    return (_encode(record) + "\n").encode("utf-8", "replace")
