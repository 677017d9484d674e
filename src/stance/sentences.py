"""Text → statements: one sentence each, with exact code-point offsets, and the date of a leading date line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from statistics import median
from typing import Final, NamedTuple

from stance._kernel import twin
from stance.boundaries import DOTS, reference_spans, splitter
from stance.datelines import dates_in, is_dateline
from stance.records import Span, Statement

_compiled: Final = twin("sentences")

_TITLE_LENGTH, _SUBHEAD_LENGTH, _DATELINE_LENGTH = 200, 80, 120
_LEADING_LINES: Final = 3

_LINE: Final = re.compile(r"[^\n\r\v\f\x85\u2028\u2029]+")
_NEWLINE: Final = re.compile(r"\r\n|[\n\r\v\x85\u2028]")
_BULLET: Final = re.compile(rf"[-*+>{DOTS}]\s")
_HEADING: Final = re.compile(r"#{1,6} ")
_FINISHED: Final = re.compile(r"[.!?…:。！？؟۔।]\W*$")
_LOWER_START: Final = re.compile(r"[^\w<]*([^\W\d_])")
_TITLE_END: Final = re.compile(r"[^.…:;,。–—-]$")


class _Line(NamedTuple):
    start: int
    end: int
    after_blank: bool


def split_statements(text: str) -> tuple[Statement, ...]:
    """Split an article's text into statements.

    A blank line, a form feed and a paragraph separator always end a statement. A single newline does so too, unless
    the line that it ends is visibly wrapped: either the next line goes on in lower case in the middle of a sentence,
    or most of the text does so and the line is about as long as those. Text that has one paragraph a line is thereby
    broken at each newline, and text wrapped at a fixed width is put together again, without being told which is which.

    Parameters
    ----------
    text
        Any string; it is never normalised.

    Returns
    -------
    tuple of Statement
        In the order of the text, none blank, none overlapping. ``text[s.start:s.end] == s.text`` for each of them,
        and everything between them is white space. ``part`` is ``"dateline"``, ``"title"``, ``"subhead"`` or
        ``"body"``. A quotation of several sentences stays in one statement unless it is long or never closed.
    """
    return tuple(Statement(text[start:end], start, end, part) for start, end, part in statement_spans(text))


def statement_spans(text: str) -> list[Span]:
    """Find the statements of an article's text without making a record of each.

    Parameters
    ----------
    text
        Any string; it is never normalised.

    Returns
    -------
    list of (int, int, str)
        ``start``, ``end`` and ``part`` of the statements that `split_statements` returns.
    """
    finder = splitter(text)
    if finder is None or _compiled is None:
        return reference_statement_spans(text)
    found: list[Span] = _compiled.statement_spans(finder, text, is_dateline)
    return found


def reference_statement_spans(text: str) -> list[Span]:
    """Find the statements without the compiled kernel: the same as `statement_spans`, readable."""
    lines = _read_lines(text)
    datelines = {line.start for line in _datelines(text, lines)}
    blocks = list(_blocks(text, lines, datelines))
    found: list[Span] = []
    titled = False
    for number, (start, end) in enumerate(blocks):
        if start in datelines:
            found.append((start, end, "dateline"))
            continue
        pieces = reference_spans(text, start, end)
        part = "body"
        followed = number + 1 < len(blocks)
        if followed and not titled and _is_title(text[start : min(end, start + _TITLE_LENGTH + 1)]):
            part = "title"
        elif followed and number and len(pieces) == 1 and _is_subhead(text[start : min(end, start + _TITLE_LENGTH)]):
            part = "subhead"
        titled = True
        found += [(first, last, part) for first, last in pieces]
    return found


def article_date(text: str) -> str:
    """Return the date of a leading date line as ``YYYY-MM-DD``; ``""`` where there is none or it is ambiguous."""
    head = text.lstrip()[: (_LEADING_LINES + 1) * 10 * _DATELINE_LENGTH]
    for line in _datelines(head, _read_lines(head)):
        for _, found in dates_in(head[line.start : line.end]):
            if found:
                return found
    return ""


def _read_lines(text: str) -> list[_Line]:
    """Return the lines that are not blank, without the white space around them."""
    lines: list[_Line] = []
    previous = 0
    for match in _LINE.finditer(text):
        found = match.group()
        body = found.strip()
        if not body:
            continue
        start = match.start() + len(found) - len(found.lstrip())
        between = text[previous:start]
        blank = "\f" in between or "\u2029" in between or len(_NEWLINE.findall(between)) > 1
        previous = start + len(body)
        lines.append(_Line(start, previous, blank))
    return lines


def _blocks(text: str, lines: list[_Line], datelines: set[int]) -> Iterator[tuple[int, int]]:
    """Yield the spans of text that no statement may reach across."""
    pairs = [(a, b) for a, b in pairwise(lines) if not b.after_blank]
    wrapped = {a.start for a, b in pairs if _goes_on(text, a, b)}
    lengths = [a.end - a.start for a, _ in pairs if a.start in wrapped]
    # In wrapped English prose about two lines in three go on in lower case; in one paragraph a line, hardly any does.
    width = median(lengths) if len(lengths) > 0.3 * len(pairs) else 0
    for a, b in pairs:
        if 0.75 * width <= a.end - a.start <= 1.5 * width and _may_go_on(text, a, b):
            wrapped.add(a.start)
    start = end = -1
    for line, previous in zip(lines, [None, *lines], strict=False):
        joined = previous and not line.after_blank and previous.start in wrapped
        if not joined or line.start in datelines or (previous and previous.start in datelines):
            if start >= 0:
                yield start, end
            start = line.start
        end = line.end
    if start >= 0:
        yield start, end


def _may_go_on(text: str, line: _Line, following: _Line) -> bool:
    """Whether neither line is by its own mark a paragraph: no heading before, no item of a list after."""
    marked = _HEADING.match(text, line.start) or _HEADING.match(text, following.start)
    return not (marked or _BULLET.match(text, following.start))


def _goes_on(text: str, line: _Line, following: _Line) -> bool:
    """Whether the first line stops in the middle of a sentence and the next goes on in lower case."""
    if not _may_go_on(text, line, following):
        return False
    if _FINISHED.search(text, max(line.start, line.end - 20), line.end):
        return False
    first = _LOWER_START.match(text, following.start, min(following.end, following.start + 20))
    return first is not None and first.group(1).islower()


def _is_title(block: str) -> bool:
    """Whether the first block is a headline; many of those end in a question or exclamation mark."""
    if _HEADING.match(block):
        return True
    return len(block) <= _TITLE_LENGTH and not _BULLET.match(block) and _has_no_full_stop(block)


def _is_subhead(block: str) -> bool:
    if _HEADING.match(block):
        return True
    return (
        len(block) <= _SUBHEAD_LENGTH
        and not _BULLET.match(block)
        and block.rstrip("\"'”’»)*_ ")[-1:] not in ("!", "?")
        and _has_no_full_stop(block)
    )


def _has_no_full_stop(block: str) -> bool:
    core = block.rstrip("\"'”’»)*_ ")
    return bool(_TITLE_END.search(core)) and any(character.isalpha() for character in core)


def _datelines(text: str, lines: list[_Line]) -> list[_Line]:
    """Return the date lines among the first lines; prose ends the search."""
    found: list[_Line] = []
    for line in lines[:_LEADING_LINES]:
        if line.end - line.start <= _DATELINE_LENGTH and is_dateline(text[line.start : line.end]):
            found.append(line)
        elif _FINISHED.search(text, max(line.start, line.end - 20), line.end):
            break
    return found
