"""Text → signature: MinHash values of its wording, by which near-identical articles are known."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from stance.tokens import table_bytes

# Four words in a row: with three, fixed phrases make strangers look alike; with five, one word in twenty changed
# already brings a copy near to where strangers of one form letter are.
SHINGLE: Final = 4
PERMUTATIONS: Final = 128

_PIECE: Final = 1 << 14  # characters handled at once, so that the arrays of a long text stay in the processor's cache
_CODE_POINT: Final = 0x1FFFFF
_BREAK, _DROPPED = 0, 1
_OWN_WORD: Final = 0x2E80  # from here on scripts without blanks between words: each character counts as a word
_BASE: Final = np.uint64(0xB5A3C91F6E27D84D)
_LARGEST: Final = np.uint64((1 << 64) - 1)

_MIXING: Final = ((np.uint64(31), np.uint64(0xC3D92B64F15A7E8B)), (np.uint64(29), np.uint64(0x8F6B41D7A92C5E35)))
_HALF: Final = np.uint64(32)
_BIN_SHIFT: Final = np.uint64(64 - (PERMUTATIONS - 1).bit_length())

Hashes = NDArray[np.uint64]


def signature(text: str) -> bytes:
    """Return what an index of articles needs to know of a text.

    Parameters
    ----------
    text
        Any text. Case, accents, punctuation and white space make no difference.

    Returns
    -------
    bytes
        128 MinHash values of its shingles (four words in a row) of two bytes each, low byte first: the share of
        values in which two texts agree estimates the resemblance (Jaccard) of their sets of shingles. The same
        everywhere: the committed character table decides what a word is. Empty where the text has no word.
    """
    # What a piece holds is kept for the second pass; a long text is read again instead, to keep memory bounded.
    short = list(_shingles(text)) if len(text) <= _PIECE else []
    least = np.full(PERMUTATIONS, _LARGEST, dtype=np.uint64)
    for hashes in short or _shingles(text):
        np.minimum.at(least, (hashes >> _BIN_SHIFT).astype(np.intp), hashes)
    # A value is the least hash among the shingles that fall to it; where none does, the first of all shingles in an
    # order of its own. Measured against 128 orders of all shingles: half the time, and estimates scatter less
    # (0.040 instead of 0.044 at a resemblance of 0.6).
    empty = np.flatnonzero(least == _LARGEST)
    if len(empty) == PERMUTATIONS:
        return b""
    if len(empty):
        factors, masks = _orders()[:, empty, None]
        for hashes in short or _shingles(text):
            ordered = (np.unique(hashes) ^ masks) * factors
            least[empty] = np.minimum(least[empty], ordered.min(axis=1))
    # The low bytes: the high ones of a least value are nearly always zeros.
    return least.astype("<u2").tobytes()


def values_of(signatures: bytes) -> NDArray[np.uint16]:
    """Return the values of one signature or of several in a row, shape (128 * n,)."""
    return np.frombuffer(signatures, dtype="<u2")


def _shingles(text: str) -> Iterator[Hashes]:
    """Yield hashes of all shingles, in pieces; a text of fewer words is one shingle."""
    carried = np.empty(0, dtype=np.uint64)
    is_short = True
    for words in _words(text):
        words = np.concatenate((carried, words))
        if len(words) >= SHINGLE:
            is_short = False
            yield _joined(words)
        carried = words[-(SHINGLE - 1) :]
    if is_short and len(carried):
        yield _joined(np.concatenate((carried, np.zeros(SHINGLE - len(carried), dtype=np.uint64))))


def _joined(words: Hashes) -> Hashes:
    count = len(words) - SHINGLE + 1
    joined = words[:count].copy()
    for place in range(1, SHINGLE):
        joined *= _BASE
        joined += words[place : place + count]
    return _mixed(joined)


def _words(text: str) -> Iterator[Hashes]:
    """Yield hashes of the words in order, in pieces that are cut between words."""
    table = _characters()
    powers, inverses = _powers()
    start = 0
    while start < len(text):
        codes = np.frombuffer(text[start : start + _PIECE].encode("utf-32-le", "surrogatepass"), dtype="<u4")
        folded = table.take(codes, mode="clip")
        if start + _PIECE < len(text):
            breaks = np.flatnonzero(folded == _BREAK)
            # A word that fills a whole piece is cut where the piece ends.
            folded = folded[: breaks[-1] + 1] if len(breaks) else folded
        start += len(folded)
        folded = folded[folded != _DROPPED]
        inside = folded != _BREAK
        begins = inside.copy()
        begins[1:] &= ~inside[:-1]
        alone = folded >= _OWN_WORD
        if alone.any():
            begins |= alone
            begins[1:] |= alone[:-1] & inside[1:]
        starts = np.flatnonzero(begins)
        if len(starts):
            # Sum of character * base**place, made independent of where the word stands by dividing by base**start.
            sums = np.add.reduceat(folded * powers[: len(folded)], starts)
            yield _mixed(sums * inverses[starts])


@cache
def _characters() -> NDArray[np.uint64]:
    """Folded code point of each character that is part of a word; numbers of their own for all others."""
    folded = np.frombuffer(table_bytes(), dtype=np.uint32) & _CODE_POINT
    code = np.arange(0x80)
    wordly = ((code >= ord("a")) & (code <= ord("z"))) | ((code >= ord("0")) & (code <= ord("9")))
    # The table's mark 1 joins its word unseen, and so does an apostrophe here: copies differ in both.
    as_is = np.where(wordly, code, np.where(np.isin(code, (1, ord("'"))), _DROPPED, _BREAK))
    return np.where(folded < 0x80, as_is[np.minimum(folded, 0x7F)], folded).astype(np.uint64)


@cache
def _powers() -> tuple[Hashes, Hashes]:
    """Powers of the base and of its inverse, modulo 2**64."""
    bases = (1, *[int(_BASE)] * (_PIECE - 1)), (1, *[pow(int(_BASE), -1, 1 << 64)] * (_PIECE - 1))
    powers, inverses = (np.cumprod(np.array(each, dtype=np.uint64), dtype=np.uint64) for each in bases)
    return powers, inverses


@cache
def _orders() -> Hashes:
    """Odd factors and masks of the orders, shape (2, PERMUTATIONS)."""
    numbers = np.arange(1, 2 * PERMUTATIONS + 1, dtype=np.uint64)
    orders: Hashes = _mixed(numbers * _BASE).reshape(2, PERMUTATIONS)
    orders[0] |= 1
    return orders


def _mixed(hashes: Hashes) -> Hashes:
    """Spread each bit over all others; arrays wrap around at 2**64 without a warning."""
    for shift, factor in _MIXING:
        hashes = (hashes ^ (hashes >> shift)) * factor
    return hashes ^ (hashes >> _HALF)
