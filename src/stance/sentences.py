"""Text → statements: one sentence each, with exact code-point offsets, and the date of a leading date line."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from datetime import date
from statistics import median
from typing import Final, NamedTuple

from stance.records import Statement

# sentencex looks every boundary up in a list of all brackets of the text, so its time grows with the square of it.
_CHUNK: Final = 20_000
_TITLE_LENGTH, _SUBHEAD_LENGTH, _DATELINE_LENGTH = 200, 80, 120
_LEADING_LINES: Final = 3

_LINE: Final = re.compile(r"[^\n\r\v\f\x85\u2028\u2029]+")
_NEWLINE: Final = re.compile(r"\r\n|[\n\r\v\x85\u2028]")
_DOTS: Final = "•‣◦▪▫■□●○⁃⁌⁍◆◇★☆➤➢➣▶▸►"
_BULLET: Final = re.compile(rf"[-*+>{_DOTS}]\s")
_INLINE_BULLET: Final = re.compile(rf"(?<=\s)[{_DOTS}](?=\s)")
_HEADING: Final = re.compile(r"#{1,6} ")
_FINISHED: Final = re.compile(r"[.!?…:。！？؟۔।]\W*$")
_LOWER_START: Final = re.compile(r"[^\w<]*([^\W\d_])")
_TITLE_END: Final = re.compile(r"[^.…:;,。–—-]$")

_OPENING, _CLOSING, _NEUTRAL = "“‘„‚‟‛(" + _DOTS, "”’)", "\"'«»‹›`《》「」"
_MARKS: Final = frozenset(_OPENING + _CLOSING + _NEUTRAL)
_INNER: Final = frozenset("'’()")
# An apostrophe inside a word stays; so do brackets, but for those around a whole sentence: "(Applause.) Because ...".
_OUTER_APOSTROPHE: Final = re.compile(r"(?<!\w)['’]|['’](?!\w)")
_BRACKETED: Final = re.compile(r"(?:(?<=[.!?] )|^)\(([^()]{1,300}[.!?] ?)\)(?= |$)")
# sentencex keeps a list item whole, were it ten sentences, and everything between two brackets, were it a page: its
# marks of a list, "(1)" and "1)", are hidden from it, and so is a bracket that is not closed soon.
_LIST_MARK: Final = re.compile(r"(?<![^ ])\(?([0-9]{1,3}|[A-Za-z]|[ivxlcdmIVXLCDM]{1,7})\.?\)(?= )")
_OPEN_BRACKET: Final = re.compile(r"[(（<{\[](?![^()（）<>{}\[\]]{0,500}[)）>}\]])")
_ENUMERATOR: Final = re.compile(r"[(\[]?(?:[0-9]{1,3}|[A-Za-z]|[ivx]{1,5}|[IVX]{1,5})[.)\]]{1,2}")
_ADDRESS: Final = re.compile(r"(?:www\.|://|@)\S*$")
# "He left.He came" is two sentences; "D-N.J.", "example.com" and "report.PDF" are none of the kind.
_GLUED: Final = re.compile(r"(?:[^\W_]{2}[.!?]+|[^\s\w.!?])$")
_GLUED_NEXT: Final = re.compile(r"[A-Z][a-z'’]|[AI] |[^\x00-\x7f]|\W")
# Words that sentencex takes for abbreviations (Maine, number, Illinois, identity, ...) wherever they stand.
_NO_ABBREVIATION: Final = re.compile(r"(?<![\w.'’-])(?:[Mm]ay|me|no|ill|art|ore|id|ok|OK|con|miss)(?=\. +[^\W\d_])")
# A quotation of several sentences stays with the words of who said it, as in the annotated statements; 99 in 100 of
# the quotations there are shorter than this. A longer one, and one that is never closed, is split.
_QUOTATION: Final = re.compile(
    r"“[^“”]{1,500}”|„[^„“”]{1,500}[“”]|«[^«»]{1,500}»|(?<![\w\"])\"(?=\S)[^\"]{1,500}(?<=\S)\"(?!\w)"
    r"|(?<!\w)‘(?=\S)[^‘“”\"]{1,300}?[.,!?…]’(?!\w)|(?<!\w)'(?=\w)[^“”\"]{1,300}?[.,!?…]'(?!\w)"
)
# Missing from sentencex's list, and often followed by a capital letter.
_ABBREVIATION: Final = re.compile(
    r"(?:^|[\s(\"'“‘-])(?=[A-Z])(?i:amb|atty|cdr|cllr|cpt|dep|fmr|ft|gens|govs|ms|mx|profs|revs|sgts|spc|vol)\.\s*$"
)
_HALF_DAY: Final = re.compile(r"[ap]\.m\.$", re.IGNORECASE)
_ZONE: Final = re.compile(r"(?:GMT|UTC|BST|CES?T|[ECMP][SD]?T|Eastern|Central|Pacific|local)\b")

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH: Final = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_DATE: Final = re.compile(
    r"(?<![\w/.-])(?:([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})"
    rf"|([0-9]{{1,2}})(?:st|nd|rd|th)?(?: of)?[ -]{_MONTH}\.?,?[ -]([0-9]{{4}})"
    rf"|{_MONTH}\.? ([0-9]{{1,2}})(?:st|nd|rd|th)?,? ([0-9]{{4}})"
    r"|([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([0-9]{4}))(?![0-9/-])",
    re.IGNORECASE,
)
_DATE_WORDS: Final = frozenset(
    "date dated posted published publication updated modified created issued released last first on at of time local "
    "gmt utc est edt et cst cdt ct pst pdt pt cet cest bst msk ist jst t z a p m am pm h hrs "
    "monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun".split()
)


class _Line(NamedTuple):
    start: int
    end: int
    after_blank: bool


class _Mask(dict[int, int]):
    """A `str.translate` table, filled as characters are met: white space, quotes and surrogates become harmless."""

    def __missing__(self, code: int) -> int:
        character = chr(code)
        # White space beyond ASCII after an initial ("J.\u00a0Smith") makes sentencex panic; a surrogate cannot pass.
        # Quotation marks hide every boundary between them, and one that is never closed costs quadratic time.
        if character.isspace() or (character in _MARKS and character not in _INNER):
            masked = 0x20
        else:
            masked = 0xFFFD if 0xD800 <= code <= 0xDFFF else code
        self[code] = masked
        return masked


_MASK: Final = _Mask()


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
    lines = _read_lines(text)
    datelines = {line.start for line in _datelines(text, lines)}
    blocks = list(_blocks(text, lines, datelines))
    statements: list[Statement] = []
    titled = False
    for number, (start, end) in enumerate(blocks):
        if start in datelines:
            statements.append(Statement(text[start:end], start, end, "dateline"))
            continue
        pieces = _sentences(text, start, end)
        part = "body"
        followed = number + 1 < len(blocks)
        if followed and not titled and _is_title(text[start : min(end, start + _TITLE_LENGTH + 1)]):
            part = "title"
        elif followed and number and len(pieces) == 1 and _is_subhead(text[start : min(end, start + _TITLE_LENGTH)]):
            part = "subhead"
        titled = True
        statements += [Statement(text[first:last], first, last, part) for first, last in pieces]
    return tuple(statements)


def article_date(text: str) -> str:
    """Return the date of a leading date line as ``YYYY-MM-DD``; ``""`` where there is none or it is ambiguous."""
    head = text[: (_LEADING_LINES + 1) * 10 * _DATELINE_LENGTH]
    for line in _datelines(head, _read_lines(head)):
        for _, _, found in _dates(head[line.start : line.end]):
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
    pairs = [(a, b) for a, b in zip(lines, lines[1:], strict=False) if not b.after_blank]
    wrapped = {a.start for a, b in pairs if _goes_on(text, a, b)}
    lengths = [a.end - a.start for a, _ in pairs if a.start in wrapped]
    # In wrapped English prose about two lines in three go on in lower case; in one paragraph a line, hardly any does.
    width = median(lengths) if len(lengths) > 0.3 * len(pairs) else 0
    for a, b in pairs:
        if 0.75 * width <= a.end - a.start <= 1.5 * width and not _BULLET.match(text, b.start):
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


def _goes_on(text: str, line: _Line, following: _Line) -> bool:
    if _HEADING.match(text, line.start) or _BULLET.match(text, following.start):
        return False
    if _FINISHED.search(text, max(line.start, line.end - 20), line.end):
        return False
    first = _LOWER_START.match(text, following.start, min(following.end, following.start + 20))
    return first is not None and first.group(1).islower()


def _is_title(block: str) -> bool:
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


def _sentences(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Return the spans of the sentences between `start` and `end`, which cover everything but white space."""
    original = text[start:end]
    masked = original.translate(_MASK)
    masked = _OUTER_APOSTROPHE.sub(" ", masked)
    masked = _BRACKETED.sub(r" \1 ", masked)
    masked = _LIST_MARK.sub(lambda match: "X" * len(match.group()), masked)
    masked = _OPEN_BRACKET.sub("=", masked)
    masked = _NO_ABBREVIATION.sub(lambda match: "x" * len(match.group()), masked)
    cuts = _Cuts(original, masked)
    spans: list[tuple[int, int]] = []
    first = 0
    places = {cuts.place(boundary) for boundary in _boundaries(masked, _CHUNK)}
    places.update(match.start() for match in _INLINE_BULLET.finditer(original))
    for cut in sorted(places):
        if first < cut < len(original):
            spans.append((first, cut))
            first = cut
    spans.append((first, len(original)))
    return [(start + a, start + b) for a, b in _merge(original, spans)]


def _boundaries(masked: str, size: int) -> Iterator[int]:
    """Yield where sentencex begins a new sentence, reading `size` characters at a time."""
    from sentencex import segment

    position = 0
    while position < len(masked):
        chunk = masked[position : position + size]
        last = position + len(chunk) == len(masked)
        pieces = segment("en", chunk)
        # The last piece of a chunk may be cut short, so it is read again at the head of the next one.
        complete = pieces if last else pieces[:-1]
        advanced = 0
        for piece in complete:
            advanced += len(piece)
            yield position + advanced
        if last:
            return
        if not advanced:
            # No boundary in the whole chunk: go on behind a blank, so that no word is cut.
            blank = chunk.rfind(" ")
            advanced = blank + 1 if blank > 0 else len(chunk)
        position += advanced


class _Cuts:
    """Finds on which side of a boundary the quotation marks around it belong."""

    def __init__(self, original: str, masked: str) -> None:
        self._original = original
        self._masked = masked
        self._curly = [match.start() for match in re.finditer("[“”]", original)]
        self._straight = [match.start() for match in re.finditer('"', original)]
        quotations = [match.span() for match in _QUOTATION.finditer(original)]
        self._opened = [first for first, _ in quotations]
        self._closed = [last for _, last in quotations]

    def place(self, boundary: int) -> int:
        """Return the cut for a boundary of sentencex; 0 where there should be none."""
        low = high = boundary
        while low and self._masked[low - 1] == " ":
            low -= 1
        while high < len(self._masked) and self._masked[high] == " ":
            high += 1
        before = self._original[max(0, low - 20) : low]
        if _ABBREVIATION.search(before) or (low == high and not self._is_glued(before, low)):
            return 0
        if _HALF_DAY.search(before) and _ZONE.match(self._original, high):
            return 0
        quotation = bisect_left(self._opened, low) - 1
        if quotation >= 0 and high < self._closed[quotation]:
            return 0
        if self._original[high : high + 1].islower() and not self._original[low:high].isspace():
            return 0  # “Why?” he asked.
        cut, spaced = low, False
        for place in range(low, high):
            mark = self._original[place]
            if mark.isspace():
                spaced = True
            elif self._closes(place, high, spaced):
                cut = place + 1
        return cut

    def _is_glued(self, before: str, low: int) -> bool:
        """Whether two sentences meet at `low` without a blank between them."""
        address = _ADDRESS.search(self._original[max(0, low - 200) : low])
        return not address and bool(_GLUED.search(before)) and bool(_GLUED_NEXT.match(self._original, low))

    def _closes(self, place: int, high: int, spaced: bool) -> bool:
        """Whether the mark at `place` belongs to the sentence before it."""
        mark = self._original[place]
        if mark in _CLOSING:
            return True
        glued_right = not any(character.isspace() for character in self._original[place:high])
        if mark == "“" and spaced and self._is_stray(place):
            return True
        if not spaced and not glued_right:
            return True
        if mark in _OPENING or (spaced and glued_right):
            return False
        return bisect_left(self._straight, place) % 2 == 1

    def _is_stray(self, place: int) -> bool:
        """Whether an opening mark stands where an open quotation should have been closed, and none closes it."""
        number = bisect_left(self._curly, place)
        opened = number > 0 and self._original[self._curly[number - 1]] == "“"
        closed = number + 1 < len(self._curly) and self._original[self._curly[number + 1]] == "”"
        return opened and not closed


def _merge(original: str, spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Trim the spans; join "1." to what it numbers, and a span without a word to the one before it."""
    start, end = -1, -1
    for first, last in spans:
        piece = original[first:last]
        body = piece.strip()
        if not body:
            continue
        first += len(piece) - len(piece.lstrip())
        last = first + len(body)
        wordless = not any(character.isalnum() for character in body)
        if start >= 0 and (wordless or _ENUMERATOR.fullmatch(original[start:end][:12])):
            end = last
            continue
        if start >= 0:
            yield start, end
        start, end = first, last
    if start >= 0:
        yield start, end


def _datelines(text: str, lines: list[_Line]) -> list[_Line]:
    """Return the date lines among the first lines; prose ends the search."""
    found: list[_Line] = []
    for line in lines[:_LEADING_LINES]:
        if line.end - line.start <= _DATELINE_LENGTH and _is_dateline(text[line.start : line.end]):
            found.append(line)
        elif _FINISHED.search(text, max(line.start, line.end - 20), line.end):
            break
    return found


def _is_dateline(line: str) -> bool:
    dates = _dates(line)
    if not dates:
        return False
    first = dates[0][0]
    place = line[:first].rstrip()
    rest = _DATE.sub(" ", line[first:])
    # "MOSCOW, 23 Nov 2021": a few capitalised words, set off from the date by punctuation.
    names = [word for word in re.findall(r"[^\W_]+", place) if word.lower() not in _DATE_WORDS]
    named = len(names) <= 4 and all(word[0].isupper() for word in names) and (not names or place[-1] in ",|–—-:·(/")
    return named and all(
        word.lower() in _DATE_WORDS or (word.isdecimal() and len(word) <= 4) or re.fullmatch("[0-9]{1,2}[ap]m", word)
        for word in re.findall(r"[^\W_]+", rest)
    )


def _dates(line: str) -> list[tuple[int, int, str]]:
    """Return start, end and ISO form of the dates in a line; the ISO form of an ambiguous one is empty."""
    return [(*match.span(), found) for match in _DATE.finditer(line) if (found := _iso(match)) is not None]


def _iso(match: re.Match[str]) -> str | None:
    year, month, day, day_b, name_b, year_b, name_c, day_c, year_c, one, two, year_d = match.groups()
    if year_b or year_c:
        name = (name_b or name_c).lower()
        return _checked(year_b or year_c, _MONTHS.index(name[:3]) + 1, day_b or day_c)
    if year:
        return _checked(year, month, day)
    day_first, month_first = _checked(year_d, two, one), _checked(year_d, one, two)
    if day_first and month_first and day_first != month_first:
        return ""
    return day_first or month_first


def _checked(year: str, month: str | int, day: str) -> str | None:
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return None
