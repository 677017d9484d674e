"""Write ``characters.bin``: one folded character and one capital flag for every code point below 0x20000.

The table is generated once and committed, because Python's own Unicode tables differ between versions and
platforms, and because a compiled kernel has to read the very same figures. Run it only to move to a newer Unicode::

    python -m stance._tables.make_characters

Each entry is a little-endian ``uint32``: bits 0-20 hold the folded code point, bit 24 is set for capitals.
Whatever is neither a letter, a digit nor a mark folds to ASCII punctuation or to a blank, so that after
folding every code point from 0x80 up is part of a word.
"""

from __future__ import annotations

import sys
import unicodedata
from array import array
from pathlib import Path

SIZE = 0x20000
CAPITAL = 1 << 24
MARK = 0x01  # joins its word, is dropped from its spelling

DOUBLE_QUOTES = '"“”„‟«»〝〞〟＂'
SINGLE_QUOTES = "'‘’‚‛ʼʹˈ`´′‹›＇"
LONG_DASHES = "‒–—―⸺⸻﹘"
NO_DECOMPOSITION = {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "ŧ": "t", "ƒ": "f"}
OTHER_PUNCTUATION = {"¿": "?", "؟": "?", "¡": "!", "،": ",", "、": ",", "。": ".", "…": ".", "؛": ";", "।": "."}


def fold(character: str) -> str:
    """Return the folded form of one character, always one code point long."""
    if character in DOUBLE_QUOTES:
        return '"'
    if character in SINGLE_QUOTES:
        return "'"
    if character in LONG_DASHES:
        return "_"
    if character in OTHER_PUNCTUATION:
        return OTHER_PUNCTUATION[character]
    category = unicodedata.category(character)
    if category in ("Mn", "Me", "Cf"):
        return chr(MARK)
    if category[0] in "ZC" and category not in ("Cn", "Co"):
        return " "
    if category == "Nd":
        return str(unicodedata.digit(character))
    compatible = unicodedata.normalize("NFKD", character)
    base = compatible[0]
    if category[0] in "LM" or category in ("Cn", "Co"):
        lowered = NO_DECOMPOSITION.get(character.lower())
        if lowered:
            return lowered
        # A ligature or a letter with an accent folds to a single base letter; anything longer stays as it is.
        rest = [c for c in compatible[1:] if unicodedata.category(c) != "Mn"]
        lower = (base if not rest else character).lower()
        return lower if len(lower) == 1 else character
    if base.isascii() and base.isprintable() and len(compatible) == 1:
        return "_" if base == "_" else base
    return {"Pd": "-", "Ps": "(", "Pe": ")", "Sc": "$"}.get(category, " ")


def main() -> None:
    """Write the table beside this file."""
    table = array("I")
    for code in range(SIZE):
        character = chr(code)
        folded = " " if 0xD800 <= code <= 0xDFFF else fold(character)
        if ord(folded) >= 0x80 and unicodedata.category(character)[0] not in "LMC":
            folded = " "
        table.append(ord(folded) | (CAPITAL if unicodedata.category(character) in ("Lu", "Lt") else 0))
    if sys.byteorder == "big":
        table.byteswap()
    Path(__file__).with_name("characters.bin").write_bytes(table.tobytes())


if __name__ == "__main__":
    main()
