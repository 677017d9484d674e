"""Text → tokens: folded words with their negation kept, their place, and whether they stand in quotation marks."""

from __future__ import annotations

import hashlib
import re
import sys
from array import array
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

_CODE_POINT: Final = 0x1FFFFF
_CAPITAL: Final = 1 << 24
_MARK: Final = "\x01"

# After folding, every code point from 0x80 up is a letter, so classes need no Unicode tables of Python's own.
# Written as what a letter is not: such a class compiles ten times faster than one that runs up to U+10FFFF.
_LETTER: Final = r"[^\x00\x02-`{-\x7f]"
_TOKEN: Final = re.compile(
    # The last stop of initials belongs to them, but not at the end, where it closes the sentence.
    rf"""(?P<initials>(?<!{_LETTER})[a-z](?:\.[a-z](?!{_LETTER}))+(?:\.(?!["') ]*\Z))?)"""
    rf"|(?P<word>{_LETTER}+(?:'{_LETTER}+)*)"
    r"|(?P<number>[0-9]+(?:[.,:][0-9]+)*)"
    r"|(?P<punctuation>[^ ])"
)
_CONTRACTIONS: Final = {
    "won't": ("will", "not"),
    "can't": ("can", "not"),
    "cannot": ("can", "not"),
    "shan't": ("shall", "not"),
    "ain't": ("is", "not"),
    "let's": ("let", "us"),
}
_SUFFIXES: Final = {"re": "are", "ve": "have", "ll": "will", "m": "am", "d": "would"}
_IS_AFTER: Final = frozenset(("he", "she", "it", "that", "there", "what", "who", "here", "where"))

WORD, NUMBER, PUNCTUATION = 0, 1, 2
PLAIN, CAPITALISED, CAPITALS = 0, 1, 2


@dataclass(slots=True)
class Token:
    """One word, number or punctuation mark.

    Attributes
    ----------
    text
        Folded spelling: lower case, no accents, straight quotes. ``"won't"`` becomes two tokens, *will* and *not*.
    kind
        ``WORD``, ``NUMBER`` or ``PUNCTUATION``.
    case
        ``PLAIN``, ``CAPITALISED`` or ``CAPITALS`` (two capitals or more and nothing else).
    start, end
        Code-point offsets in the text.
    quoted
        Whether it stands inside quotation marks.
    """

    text: str
    kind: int
    case: int
    start: int
    end: int
    quoted: bool = False


@cache
def _table() -> memoryview:
    raw = array("I")
    raw.frombytes(Path(__file__).with_name("_tables").joinpath("characters.bin").read_bytes())
    if sys.byteorder == "big":
        raw.byteswap()
    return memoryview(raw)


def table_bytes() -> bytes:
    """Return the committed character table, uint32 of this machine."""
    return _table().tobytes()


def table_digest() -> str:
    """SHA-256 of the committed character table."""
    return hashlib.sha256(_table().tobytes()).hexdigest()


class _Folding(dict[int, int]):
    """A `str.translate` table that reads the committed table once for each character it meets."""

    def __missing__(self, code: int) -> int:
        table = _table()
        folded = table[code] & _CODE_POINT if code < len(table) else code
        self[code] = folded
        return folded


_FOLDING: Final = _Folding()


def fold(text: str) -> str:
    """Return `text` in lower case, without accents, with ASCII punctuation; one code point for each one of `text`."""
    return text.translate(_FOLDING)


def tokenise(text: str) -> list[Token]:
    """Split `text` into tokens.

    Parameters
    ----------
    text
        Any string; lone surrogates and NUL bytes count as blanks.

    Returns
    -------
    list of Token
        In the order of the text; their offsets are code points of `text`.
    """
    folded = fold(text)
    tokens: list[Token] = []
    for match in _TOKEN.finditer(folded):
        start, end = match.span()
        kind = match.lastgroup
        found = match.group()
        if kind == "word":
            case = _case(text[start:end], found)
            pieces = _split(found.replace(_MARK, ""))
            tokens += [Token(piece, WORD, case, start, end) for piece in pieces if piece]
        elif kind == "initials":
            case = CAPITALS if _is_capital(text[start]) else PLAIN
            tokens.append(Token(found.replace(".", ""), WORD, case, start, end))
        elif kind == "number":
            tokens.append(Token(found, NUMBER, PLAIN, start, end))
        else:
            tokens.append(Token(found, PUNCTUATION, PLAIN, start, end))
    _mark_quotes(folded, tokens)
    return tokens


def _split(word: str) -> tuple[str, ...]:
    """Take a contraction apart: *won't* → will not, *didn't* → did not, *it's* → it is, *Iran's* → iran."""
    if "'" not in word and word != "cannot":
        return (word,)
    if word in _CONTRACTIONS:
        return _CONTRACTIONS[word]
    if word.endswith("n't"):
        return (word[:-3], "not")
    base, _, suffix = word.rpartition("'")
    if suffix == "s":
        return (base, "is") if base in _IS_AFTER else (base.replace("'", ""),)
    if suffix in _SUFFIXES:
        return (base.replace("'", ""), _SUFFIXES[suffix])
    return (word.replace("'", ""),)


def _is_capital(character: str) -> bool:
    code, table = ord(character), _table()
    return code < len(table) and bool(table[code] & _CAPITAL)


def _case(spelled: str, folded: str) -> int:
    """Tell the case of a word as it was spelled; marks do not count, nor does the ending of *NATO's*."""
    stem = folded.removesuffix("'s")
    letters = [spelled[place] for place, letter in enumerate(stem) if letter != _MARK]
    capitals = sum(map(_is_capital, letters))
    if not letters or not _is_capital(letters[0]):
        return PLAIN
    return CAPITALS if capitals == len(letters) > 1 else CAPITALISED


def _mark_quotes(folded: str, tokens: list[Token]) -> None:
    """Set `quoted`: a mark opens or closes by its neighbours, so that a statement may begin or end in a quotation."""
    double: dict[int, bool] = {}
    single: dict[int, bool] = {}
    single_open = False
    for number, token in enumerate(tokens):
        if token.kind != PUNCTUATION or token.text not in "\"'":
            continue
        before = folded[token.start - 1] if token.start else " "
        after = folded[token.end] if token.end < len(folded) else " "
        opens = before in " ([_-\"'\x01" and after not in " .,;:!?)"
        if token.text == '"':
            double[number] = opens
        elif opens and not single_open and after not in "0123456789":  # the '90s are no quotation
            single[number] = single_open = True
        elif single_open and not opens and before != " ":
            single[number] = single_open = False
    in_double = next((not opens for opens in double.values()), False)
    in_single = False
    for number, token in enumerate(tokens):
        # A closing mark still belongs to its quotation, so that a whole quotation is quoted throughout.
        was_inside = in_double or in_single
        in_double = double.get(number, in_double)
        in_single = single.get(number, in_single)
        token.quoted = in_double or in_single or (was_inside and token.kind == PUNCTUATION)
