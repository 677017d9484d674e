"""Where sentences begin and end within a paragraph: the door to sentencex, and what it gets wrong in news text."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from stance._kernel import twin

if TYPE_CHECKING:
    from stance._kernel.boundaries import Splitter

_compiled: Final = twin("boundaries")

DOTS: Final = "•‣◦▪▫■□●○⁃⁌⁍◆◇★☆➤➢➣▶▸►"

# sentencex looks every boundary up in a list of all brackets of the text, so its time grows with the square of it.
_CHUNK: Final = 8_000
_INLINE_BULLET: Final = re.compile(rf"(?<=\s)[{DOTS}](?=\s)")
_OPENING, _CLOSING, _NEUTRAL = "“‘„‚‟‛(" + DOTS, "”’)", "\"'«»‹›`《》「」"
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
_NO_ABBREVIATIONS: Final = frozenset("May may me no ill art ore id ok OK con miss".split())
_NO_ABBREVIATION: Final = re.compile(rf"(?<![\w.'’-])(?:{'|'.join(sorted(_NO_ABBREVIATIONS))})(?=\. +[^\W\d_])")
# A quotation of several sentences stays with the words of who said it, as in the annotated statements; 99 in 100 of
# the quotations there are shorter than this. A longer one, and one that is never closed, is split.
_QUOTATION: Final = re.compile(
    r"“[^“”]{1,500}”|„[^„“”]{1,500}[“”]|«[^«»]{1,500}»|(?<![\w\"])\"(?=\S)[^\"]{1,500}(?<=\S)\"(?!\w)"
    r"|(?<!\w)‘(?=\S)[^‘“”\"]{1,300}?[.,!?…]’(?!\w)|(?<!\w)'(?=\w)[^“”\"]{1,300}?[.,!?…]'(?!\w)"
)
# Missing from sentencex's list, and often followed by a capital letter.
_ABBREVIATIONS: Final = frozenset("amb atty cdr cllr cpt dep fmr ft gens govs ms mx profs revs sgts spc vol".split())
_ABBREVIATION: Final = re.compile(rf"(?:^|[\s(\"'“‘-])(?=[A-Z])(?i:{'|'.join(sorted(_ABBREVIATIONS))})\.\s*$")
_HALF_DAY: Final = re.compile(r"[ap]\.m\.$", re.IGNORECASE)
_ZONE: Final = re.compile(r"(?:GMT|UTC|BST|CES?T|[ECMP][SD]?T|Eastern|Central|Pacific|local)\b")


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


def sentence_spans(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Find the sentences of one paragraph.

    Parameters
    ----------
    text
        Any string.
    start, end
        Where the paragraph stands in `text`.

    Returns
    -------
    list of (int, int)
        Code-point offsets in `text`, in order, without white space at either end; only white space lies between them.
    """
    compiled = splitter(text)
    return reference_spans(text, start, end) if compiled is None else compiled.spans(start, end)


def splitter(text: str) -> Splitter | None:
    """Return the compiled twin of `sentence_spans`, made ready for one text; None where it was not built."""
    if _compiled is None:
        return None
    made: Splitter = _compiled.Splitter(text, _CHUNK, _NO_ABBREVIATIONS, _ABBREVIATIONS, _ZONE)
    return made


def reference_spans(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Find the sentences of one paragraph without the compiled kernel: the same as `sentence_spans`, readable."""
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
    from sentencex import segment  # type: ignore[import-untyped]

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
        self._gap, self._cut = (-1, -1), 0

    def place(self, boundary: int) -> int:
        """Return the cut for a boundary of sentencex; 0 where there should be none."""
        low, high = self._gap
        if not low <= boundary <= high:
            low = high = boundary
            while low and self._masked[low - 1] == " ":
                low -= 1
            while high < len(self._masked) and self._masked[high] == " ":
                high += 1
            self._gap = low, high
            self._cut = self._place(low, high)
        return self._cut

    def _place(self, low: int, high: int) -> int:
        gap = self._original[low:high]
        before = self._original[max(0, low - 20) : low]
        if _ABBREVIATION.search(before) or (not gap and not self._is_glued(before, low)):
            return 0
        if _HALF_DAY.search(before) and _ZONE.match(self._original, high):
            return 0
        quotation = bisect_left(self._opened, low) - 1
        if quotation >= 0 and high < self._closed[quotation]:
            return 0
        if self._original[high : high + 1].islower() and not gap.isspace():
            return 0  # “Why?” he asked.
        blanks = [place for place, character in enumerate(gap) if character.isspace()]
        first_blank, last_blank = (blanks[0], blanks[-1]) if blanks else (len(gap), -1)
        cut = 0
        for place, mark in enumerate(gap):
            if not mark.isspace() and self._closes(low + place, place > first_blank, place > last_blank):
                cut = place + 1
        return low + cut

    def _is_glued(self, before: str, low: int) -> bool:
        """Whether two sentences meet at `low` without a blank between them."""
        address = _ADDRESS.search(self._original[max(0, low - 200) : low])
        return not address and bool(_GLUED.search(before)) and bool(_GLUED_NEXT.match(self._original, low))

    def _closes(self, place: int, blank_before: bool, glued_after: bool) -> bool:
        """Whether the mark at `place` belongs to the sentence before it."""
        mark = self._original[place]
        if mark in _CLOSING or (mark == "“" and blank_before and self._is_stray(place)):
            return True
        if not blank_before and not glued_after:
            return True
        if mark in _OPENING or (blank_before and glued_after):
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
