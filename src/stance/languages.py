"""Text → the language it is written in: English quickly, every other by py3langid, English where it is in doubt."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections import Counter
from functools import cache
from typing import Any, Final

# At most three excerpts of this many characters are looked at, however long the text is.
EXCERPT: Final = 1_000
# A text up to that length is looked at whole; the parts of a longer one may differ in language.
_SHORT: Final = 300
ENGLISH: Final = "en"
# ISO 639's code for what cannot be told: letters that no language known here is written in.
UNKNOWN: Final = "und"
# Words of English that hardly occur in other languages: no "in", "was", "for", "on", "is" or "a".
_FUNCTION_WORDS: Final = frozenset(
    "the of and to that with from it its not has have had been were which this these would should could said says who "
    "he his she they their about after before than when where while because between other into under against".split()
)
# English news has every fifth word from that list, Dutch or Polish at most every twenty-fifth.
_CLEAR_HITS: Final = 2
_CLEAR_SHARE: Final = 0.1
# Below that py3langid guesses. A Han character, a syllable of kana or Hangul stands for about three letters.
_FEWEST_LETTERS: Final = 25
_FEWEST_OTHER_LETTERS: Final = 10
_LETTERS_A_SYLLABLE: Final = 3
# What an English text may have for its probability, and a foreign one must have, before it is taken for foreign.
_MOST_ENGLISH: Final = 0.002
_LEAST_FOREIGN: Final = 0.3
# Text with more bytes a character than that may be in another script; English with typographic quotes has 1.05 at most.
_BYTES_A_CHARACTER: Final = 1.2
# Without the look behind, it would start anew at each letter of a long word.
_LINK: Final = re.compile(r"(?<!\S)\S*(?:://|www\.|[@#])\S*")
_LATIN: Final = re.compile("[A-Za-z\u00aa-\u036f\u1d00-\u1eff\u2c60-\u2c7f\ua720-\ua7ff\uab30-\uab6f]")
_SYLLABLE: Final = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7ff\U00020000-\U0003ffff]")
# Kept to the two-letter codes, Nigerian Pidgin (pcm) falls to English and Cantonese to Chinese; these three are hardly
# printed in newspapers, and take probability away from Spanish and French.
_LEFT_OUT: Final = frozenset(("an", "vo", "wa"))
_loading: Final = threading.Lock()


def language_of(text: str) -> str:
    """Tell which language an article is written in.

    Where it is in doubt, the answer is English: for texts with fewer than 25 letters in words that are written small
    (10 letters in other scripts), for lists of names, numbers or links, and wherever py3langid is not sure. Nigerian
    Pidgin is mostly taken for English too.

    Many English function words among the first thousand characters settle it, in some twenty microseconds. Otherwise
    the beginning, the middle and the end, of a thousand characters at most, have one vote, and the majority decides: an
    article in two languages has that of the larger part of what was looked at, English where it is even. The first
    article that is not clearly English loads py3langid, once for all threads: a second and 130 MB.

    Parameters
    ----------
    text
        The whole text of an article, or any other string.

    Returns
    -------
    str
        The ISO 639-1 code, such as ``"en"`` or ``"fr"``; ``"und"`` for letters that no known language is written in.
    """
    if _clearly_english(text[:EXCERPT]):
        return ENGLISH
    told = [code for excerpt in _excerpts(text) if (code := _language_of_excerpt(excerpt))]
    others = [code for code in told if code != ENGLISH]
    if 2 * len(others) <= len(told):
        return ENGLISH
    return Counter(others).most_common(1)[0][0]


def _excerpts(text: str) -> list[str]:
    """Return the beginning, the middle and the end of a long text, a short one whole."""
    if len(text) <= _SHORT:
        return [text]
    width = min(EXCERPT, len(text) // 3)
    middle = (len(text) - width) // 2
    return [text[:width], text[middle : middle + width], text[-width:]]


def _clearly_english(excerpt: str) -> bool:
    # Chinese with one English sentence in it would have more English words than others, for want of spaces.
    if not excerpt.isascii() and len(excerpt.encode("utf-8", "replace")) > _BYTES_A_CHARACTER * len(excerpt):
        return False
    return _are_english(excerpt.split())


def _are_english(words: list[str]) -> bool:
    hits = sum(map(_FUNCTION_WORDS.__contains__, words))
    return hits >= _CLEAR_HITS and hits >= _CLEAR_SHARE * len(words)


def _language_of_excerpt(excerpt: str) -> str:
    """Return a code, or ``""`` where there is too little to tell by."""
    # Bold or wide letters of Unicode become plain ones; links look like no language.
    excerpt = _LINK.sub(" ", unicodedata.normalize("NFKC", excerpt))
    letters = "".join(filter(str.isalpha, excerpt))
    other = _LATIN.sub("", letters)
    weight = len(other) + (_LETTERS_A_SYLLABLE - 1) * len(_SYLLABLE.findall(other))
    if weight > len(letters) - len(other):
        return _other_script(excerpt) if weight >= _FEWEST_OTHER_LETTERS else ""
    words = [word for word in excerpt.split() if _LATIN.search(word)]
    folded = [word.lower() for word in words]
    if _are_english(folded):
        return ENGLISH
    # Names are foreign in English news too, and a list of them is no language at all.
    kept = " ".join(folded if excerpt.isupper() else filter(str.islower, words))
    if sum(map(str.isalpha, kept)) < _FEWEST_LETTERS:
        # Numbers say nothing; titles and names count as English, so that no quotation beside them decides alone.
        return "" if len(letters) < _FEWEST_LETTERS else ENGLISH
    code, probability, english = _identify(kept)
    return code if english <= _MOST_ENGLISH and probability >= _LEAST_FOREIGN else ENGLISH


def _other_script(excerpt: str) -> str:
    code, probability, _ = _identify(excerpt)
    return code if probability >= _LEAST_FOREIGN else UNKNOWN


def _identify(excerpt: str) -> tuple[str, float, float]:
    """Return the likeliest language but English, its probability, and that of English."""
    with _loading:
        identifier = _identifier()
    ranked = dict(identifier.rank(excerpt))
    english = ranked.pop(ENGLISH)
    return next(iter(ranked)), next(iter(ranked.values())), english


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    # An identifier of our own: the module's own one is shared with everybody, and its scores are no probabilities.
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages([code for code in identifier.labels if len(code) == 2 and code not in _LEFT_OUT])
    return identifier
