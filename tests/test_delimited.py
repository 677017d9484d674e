"""CSV → rows: one that is no CSV costs itself, no file takes time by the square of its size, no cell runs."""

from __future__ import annotations

import csv
import io
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance import limits
from stance.delimited import guarded, rows_of_csv, unguarded
from stance.records import Reject
from stance.streams import lines_of


def rows(content: bytes) -> list[tuple[int, list[str] | str]]:
    """Numbered rows, a reject as its reason."""
    found = rows_of_csv(lines_of(io.BytesIO(content), "a"), "a")
    return [(number, row.reason if isinstance(row, Reject) else row) for number, row in found]


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8")), min_size=1), max_size=6))
def test_what_a_writer_writes_is_read(table: list[list[str]]) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows(table)
    content = stream.getvalue()
    if content.startswith("\ufeff"):
        return
    assert [row for _, row in rows(content.encode())] == table


def test_a_quotation_mark_that_is_not_closed_costs_its_line() -> None:
    (first, one), *others = rows(b'"a\nb,c\n\nd\n')
    assert (first, others) == (1, [(2, ["b", "c"]), (4, ["d"])])
    assert isinstance(one, str)


def test_blank_lines_are_no_rows_and_lines_of_cells_are() -> None:
    assert rows(b'\n\r\na\n\n"\n\n"\n') == [(3, ["a"]), (5, ["\n\n"])]


def test_a_row_longer_than_a_line_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LARGEST_LINE", 20)
    found = rows(b'a\n"bbbbbbbbb\nccccccccccc\nddddddddd"\ne\n')
    assert [number for number, _ in found] == [1, 2, 3, 4, 5]
    assert found[-1] == (5, ["e"])
    assert "longer than" in str(found[1])


def test_a_row_of_too_many_cells_or_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_VALUES", 10)
    found = rows(b"a\n" + b"b," * 10 + b"\nc\n")
    assert (found[0], found[2]) == ((1, ["a"]), (3, ["c"]))
    assert "more than 10 cells" in str(found[1])
    found = rows(b'"' + b"\n" * 20 + b'"\nc\n')
    assert "more than 10 cells and lines" in str(found[0])
    assert found[-1][1] == ["c"]


def test_lines_that_each_open_a_row_to_the_end_take_no_quadratic_time() -> None:
    def seconds(lines: int) -> float:
        began = time.process_time()
        assert all(isinstance(row, str) for _, row in rows(b'a","\n' * lines))
        return time.process_time() - began

    seconds(1_000)
    # Eight times the lines would take sixty-four times as long; rows that were swallowed are told with their last line.
    assert seconds(400_000) < 30 * seconds(50_000)
    assert "from here to line 400000" in str(rows(b'a","\n' * 400_000)[-1])


def test_the_limit_of_the_process_is_left_alone() -> None:
    before = csv.field_size_limit()
    reading = rows_of_csv(lines_of(io.BytesIO(b'a\n"b\n'), "a"), "a")
    for _ in reading:
        assert csv.field_size_limit() == before


@given(st.text(st.sampled_from("'=+-@\t\r\0 a1") | st.characters(), max_size=6))
def test_a_guarded_cell_begins_no_formula_and_comes_back_as_it_was(cell: str) -> None:
    assert guarded(cell)[:1] not in {"=", "+", "-", "@", "\t", "\r", "\0"}
    assert unguarded(guarded(cell)) == cell
