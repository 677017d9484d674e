"""Files → articles: txt, md, html, jsonl, csv, parquet and warc, each also packed, and stdin.

It goes in two steps: what finds the records of a file is quick and goes from its beginning to its end; what reads a
record may take its time, and another process may do it. One bad record never ends a run.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from stance import limits
from stance.delimited import rows_of_csv, unguarded
from stance.inputs import Input, find_inputs, has_surrogates, packing_of, without_surrogates
from stance.reading import Columns, Found, Reading, Record, from_values, read_text
from stance.records import InputError, Pending, Reject
from stance.streams import BOM, Line, Meter, lines_of, opened, require_zstd, shown_raw


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
        Columns or fields of csv, parquet and jsonl.
    input_format
        One of `stance.inputs.FORMATS`, whatever the ending says.
    leave_out
        Files and folders that folders and globs pass over: what the run itself writes.

    Yields
    ------
    Article or Reject
        As many as there are records; a text file is one record.

    Raises
    ------
    InputError
        If a named input does not exist or has an unknown ending, a table lacks a named column, or a format needs a
        library that is not there.
    """
    columns = columns or Columns()
    found = find_inputs(inputs, input_format, leave_out=leave_out)
    check_inputs(found, columns)
    with Reading(columns) as reading:
        for each in found:
            for record in find_records(each, columns):
                yield reading.read(record)


def check_inputs(found: Iterable[Input], columns: Columns) -> None:
    """Check headers and libraries before the first article, so that a slip of the pen does not end a run half way.

    Raises
    ------
    InputError
        As `read_articles` does.
    """
    for each in found:
        if each.path is not None and packing_of(each.path) == "zst":
            require_zstd()
        if each.kind == "html":
            from stance.extraction import require_html

            require_html()
        elif each.kind == "warc":
            from stance.extraction import require_html
            from stance.warc import require_warc

            require_warc()
            require_html()
        elif each.kind in ("csv", "parquet") and each.path is not None and each.path.is_file():
            # The second item may be what shows that the first, a reject, was the header.
            deque(islice(find_records(each, columns), 2), maxlen=0)


def find_records(each: Input, columns: Columns, meter: Meter | None = None) -> Iterator[Found]:
    """Find the records of one input, in their order.

    Parameters
    ----------
    each
        The input.
    columns
        Columns or fields of csv, parquet and jsonl.
    meter
        Counts what is read.

    Yields
    ------
    Article, Reject or Pending
        The last for `Reading.read` to make one of the others of.
    """
    if each.path is None:
        yield from _find(sys.stdin.buffer, each, columns)
        return
    try:
        with opened(each.path, meter) as stream:
            yield from _find(stream, each, columns)
    except OSError as error:
        yield Reject(each.place, 0, f"cannot be read: {error.strerror or error}")


def _find(stream: BinaryIO, each: Input, columns: Columns) -> Iterator[Found]:
    head, kind = b"", each.kind
    if not kind:
        # Only stdin comes without a format: a first character { tells JSON from text. It may not be able to peek.
        while (byte := stream.read(1)) and (byte.isspace() or BOM.startswith(head + byte)):
            head += byte
        head += byte
        kind = "jsonl" if byte == b"{" else "txt"
    if kind == "jsonl":
        yield from _find_json(lines_of(stream, each.place, head), each)
    elif kind == "csv":
        yield from _find_rows(lines_of(stream, each.place, head), each, columns)
    elif kind == "parquet":
        from stance.columnar import read_parquet

        for number, values in read_parquet(stream, each, columns):
            yield values if isinstance(values, Reject) else from_values(values, {}, each, number, "")
    elif kind == "warc":
        yield from _find_pages(stream, each)
    else:
        yield _find_text(stream, each, kind, head)


def _find_text(stream: BinaryIO, each: Input, kind: str, head: bytes) -> Found:
    try:
        # One byte more than the largest article can have tells that it is larger.
        raw = head + stream.read(4 * limits.LARGEST_ARTICLE + 1)
    except OSError as error:
        return Reject(each.place, 0, f"damaged: {error.strerror or error}")
    if kind == "html":
        return Pending("html", raw, each.place, 0, each.name)
    return read_text(raw, each.place, each.name, 0, with_front_matter=kind == "md")


def _find_json(lines: Iterator[Line], each: Input) -> Iterator[Found]:
    place, name = each.place, each.name
    for number, line in lines:
        if isinstance(line, Reject):
            yield line
        elif line.strip():
            yield Pending("jsonl", line, place, number, name)


def _find_rows(lines: Iterator[Line], each: Input, columns: Columns) -> Iterator[Record]:
    place = each.place
    header: list[str] | None = None
    names: dict[str, str | None] = {}
    ours = rejected = False
    for line, row in rows_of_csv(lines, place):
        if isinstance(row, Reject):
            rejected = True
            yield row
        elif header is None and rejected:
            raise InputError(f"{place}: its first line cannot be read as column names; mend that line")
        elif header is None:
            header = [without_surrogates(cell.strip()) for cell in row]
            if len(header) == 1 and re.search("[;\t]", header[0]):
                raise InputError(f"{place}: its columns are not separated by commas; save it with commas")
            names = columns.chosen_of_table(header, place)
            # Of columns with one name, the last counts.
            places = {
                field: len(header) - 1 - header[::-1].index(name) for field, name in names.items() if name is not None
            }
            ours = "statement_no" in header
        elif row:
            raw = without_surrogates(
                ",".join(cell[: limits.SHOWN_RAW] for cell in row[: limits.SHOWN_RAW])[: limits.SHOWN_RAW]
            )
            if len(row) != len(header):
                yield Reject(place, line, f"has {len(row)} cells, the header has {len(header)}", raw)
            elif any(map(has_surrogates, row)):
                yield Reject(place, line, "not valid UTF-8", raw)
            else:
                values = {field: row[places[field]] if field in places else "" for field in names}
                if ours:
                    # Only in our own files is the quote mark ours; elsewhere it belongs to the text.
                    values = {field: unguarded(value) for field, value in values.items()}
                yield from_values(values, names, each, line, raw)
    if header is None and not rejected:
        yield Reject(place, 0, "empty: a CSV file begins with a line of column names")


def _find_pages(stream: BinaryIO, each: Input) -> Iterator[Found]:
    from stance.warc import read_warc

    for page in read_warc(stream):
        name = without_surrogates(page.url) or f"{each.name}:{page.number}"
        if page.problem:
            yield Reject(each.place, page.number, page.problem, shown_raw(page.body))
        elif page.kind == "html":
            yield Pending("html", page.body, each.place, page.number, name, page.date, page.url)
        else:
            yield read_text(page.body, each.place, name, page.number, date=page.date)
