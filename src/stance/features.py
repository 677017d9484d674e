"""Text → hashed features. The one place where text becomes figures, for training, extraction and inference alike.

A feature has a *family* and one or more *parts*: folded words, masks such as ``<name>``, class names such as
``@deny``. Its 64-bit hash is made of integers only, and the top bits pick a bucket in the family's own range.
This module is the specification, the oracle of the tests, and the fallback; `Featurizer.kernel` is the door to its
compiled twin, which gives equal results.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stance._kernel import twin
from stance.lexicon import MAX_PHRASE, Lexicon
from stance.tokens import CAPITALS, NUMBER, PLAIN, PUNCTUATION, WORD, Token, table_bytes, table_digest, tokenise

if TYPE_CHECKING:
    from stance._kernel.features import Kernel

compiled: Final = twin("features")

VERSION: Final = 2
FAMILIES: Final = ("word", "name", "prefix", "class", "pair", "context", "reach", "object", "triple", "form")
FUNCTION_CLASS: Final = "function"
FIRST_CLASS: Final = "first"
NEGATION_CLASS: Final = "negation"
NAME, DIGITS, START, END, GAP = "<name>", "<number>", "<start>", "<end>", "_"
NEAR, MIDDLE, FAR = 3, 8, 64
PREFIX: Final = 5
REACH: Final = 6
CHAIN: Final = 12
NEGATION_REACH: Final = 3
# A sentence is never that long; whatever is, counts with its beginning, so that no text can hold up a run.
LONGEST: Final = 8_192

MARK: Final = "[A-Za-z][A-Za-z0-9_-]{0,63}"

_KEPT_PUNCTUATION: Final = frozenset('"?:')
_MASK64: Final = 0xFFFFFFFFFFFFFFFF
_SEED: Final = 0x243F6A8885A308D3
_WORD_FACTOR: Final = 0x9E3779B97F4A7C15
_PART_FACTOR: Final = 0xD6E8FEB86659FD93
_CACHED_WORDS: Final = 1 << 18
_WORD, _NAME, _PREFIX, _CLASS, _PAIR, _CONTEXT, _REACH, _OBJECT, _TRIPLE, _FORM = range(len(FAMILIES))


class Feature(NamedTuple):
    """One feature of a text: its family, its parts, and the first and last token that it was made of."""

    family: int
    parts: tuple[str, ...]
    first: int
    last: int

    @property
    def name(self) -> str:
        """The feature as text, such as ``pair: @deny @claim near``."""
        return f"{FAMILIES[self.family]}: {' '.join(self.parts)}"


class Symbol(NamedTuple):
    """A token, or a run of tokens behind one mask, in the masked copy of a text."""

    part: str
    first: int
    last: int


class Event(NamedTuple):
    """A word or phrase of the lexicon in a text: its class and its first and last token."""

    category: int
    first: int
    last: int


@dataclass(frozen=True)
class FeatureSettings:
    """How text becomes features.

    Attributes
    ----------
    bits
        How many buckets each family owns, as powers of two; the ranges follow one another in the order of `FAMILIES`.
    marks
        Names of tags that mark spans of a text: with the mark ``s``, ``<s>Paris</s>`` counts as one word ``<s>``,
        whatever stands in it, and as a cue class of its own.
    """

    bits: Mapping[str, int] = field(
        default_factory=lambda: dict(zip(FAMILIES, (19, 17, 15, 11, 17, 18, 18, 17, 16, 8), strict=True))
    )
    marks: tuple[str, ...] = ()

    @property
    def offsets(self) -> tuple[int, ...]:
        """First bucket of each family."""
        sizes = [1 << self.bits[name] for name in FAMILIES]
        return tuple(sum(sizes[:number]) for number in range(len(sizes)))

    @property
    def buckets(self) -> int:
        """Number of buckets in all."""
        return sum(1 << self.bits[name] for name in FAMILIES)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as the model folder stores them."""
        return {"version": VERSION, "bits": {name: self.bits[name] for name in FAMILIES}, "marks": [*self.marks]}


def hash_word(word: str) -> int:
    """Return the 64-bit hash of a part: its UTF-8 bytes, eight at a time, little-endian."""
    data = word.encode("utf-8")
    value = _SEED ^ len(data)
    for start in range(0, len(data), 8):
        value = ((value ^ int.from_bytes(data[start : start + 8], "little")) * _WORD_FACTOR) & _MASK64
        value ^= value >> 32
    return value


class Featurizer:
    """Turns text into features under one lexicon and one set of settings.

    Parameters
    ----------
    lexicon
        The cue classes. Classes that are *frames* make no features with the words around them, and no pairs with one
        another. Words of a class called ``function`` are never masked and make no class features; words of
        ``function`` and ``first`` in capitals count as acronyms (*US*, *WHO*); a class called ``negation`` marks the
        classes that follow within three tokens.
    settings
        Bucket ranges; the default ones where left out.
    """

    def __init__(self, lexicon: Lexicon, settings: FeatureSettings | None = None) -> None:
        self.lexicon = lexicon
        self.settings = settings or FeatureSettings()
        spans = [f"<{mark}>" for mark in self.settings.marks]
        self._classes = tuple(f"@{name}" for name in (*lexicon.classes, *spans))
        self._marked = re.compile(rf"<({'|'.join(self.settings.marks)})>.*?</\1>", re.DOTALL) if spans else None
        self._function = _position(lexicon.classes, FUNCTION_CLASS)
        self._pronouns = (self._function, _position(lexicon.classes, FIRST_CLASS))
        self._negation = _position(lexicon.classes, NEGATION_CLASS)
        self._frames = frozenset(_position(lexicon.classes, name) for name in lexicon.frames)
        self._hashes: dict[str, int] = {}
        self._ranges = tuple(
            (offset, 64 - self.settings.bits[name], hash_word(name))
            for offset, name in zip(self.settings.offsets, FAMILIES, strict=True)
        )

    def __getstate__(self) -> dict[str, Any]:
        # The kernel is not sent to other processes; they make their own.
        return {name: value for name, value in self.__dict__.items() if name != "kernel"}

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides what a text's features are: settings, lexicon and character table."""
        content = {
            **self.settings.to_json(),
            "lexicon": self.lexicon.to_json(),
            "frames": sorted(self.lexicon.frames),
            "characters": table_digest(),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @cached_property
    def _entries(self) -> dict[str, tuple[int, ...]]:
        count = len(self.lexicon.classes)
        spans = {f"<{mark}>": (count + number,) for number, mark in enumerate(self.settings.marks)}
        return {**self.lexicon.entries, **spans}

    @cached_property
    def kernel(self) -> Kernel | None:
        """The compiled twin; None where there is none."""
        if compiled is None:
            return None
        first, classes = self._pronouns[1], len(self._classes)
        made: Kernel = compiled.Kernel(
            table_bytes(),
            list(FAMILIES),
            [self.settings.bits[name] for name in FAMILIES],
            list(self._classes),
            [number in self._frames for number in range(classes)],
            list(self.settings.marks),
            ["\n".join(words).encode("ascii") for words in self.lexicon.listed.values()],
            [self._function, first, self._negation],
        )
        return made

    def rows(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return the `indices` of each text one after the other, as CSR without values.

        Returns
        -------
        indptr : ndarray of int64, shape (n + 1,)
            Where the buckets of each text begin and end.
        indices : ndarray of int32
            Buckets; those of each text sorted, each once.
        """
        if self.kernel is not None and compiled is not None:
            return self.kernel.rows(compiled.texts_of(list(texts)))
        found = [self.indices(text) for text in texts]
        indptr = np.concatenate([[0], np.cumsum([len(row) for row in found])]).astype(np.int64)
        return indptr, np.array([bucket for row in found for bucket in row], dtype=np.int32)

    def indices(self, text: str) -> list[int]:
        """Return the buckets of a text's features, sorted, each once."""
        bucket = self.bucket
        return sorted({bucket(family, parts) for family, parts, _, _ in self.features(self.tokens(text))})

    def tokens(self, text: str) -> list[Token]:
        """Return the tokens that a text counts with: those of its first `LONGEST` characters."""
        text = text[:LONGEST]
        if self._marked is None:
            return tokenise(text)
        spans = [(match[1], *match.span()) for match in self._marked.finditer(text)]
        tokens = tokenise(self._marked.sub(lambda match: " " * len(match[0]), text))
        tokens += [Token(f"<{mark}>", WORD, PLAIN, start, end) for mark, start, end in spans]
        return sorted(tokens, key=lambda token: token.start)

    def bucket(self, family: int, parts: Iterable[str]) -> int:
        """Return the bucket of one feature; the order of the parts counts."""
        offset, shift, value = self._ranges[family]
        hashes = self._hashes
        for part in parts:
            hashed = hashes.get(part)
            if hashed is None:
                if len(hashes) >= _CACHED_WORDS:
                    hashes.clear()
                hashed = hashes[part] = hash_word(part)
            value = ((value ^ hashed) * _PART_FACTOR) & _MASK64
            value ^= value >> 29
        return offset + (((value * _WORD_FACTOR) & _MASK64) >> shift)

    def features(self, tokens: list[Token]) -> Iterator[tuple[int, tuple[str, ...], int, int]]:
        """Yield the features of a tokenised text as the fields of `Feature`; one may come more than once."""
        headline = is_headline(tokens)
        events = self._events(tokens, headline)
        symbols = self._mask(tokens, events, headline)
        shown = [event for event in events if event.category != self._function]
        yield from _word_ngrams(symbols)
        yield from _name_ngrams(tokens, symbols, headline)
        yield from _prefixes(symbols)
        cues = [event for event in shown if event.category not in self._frames]
        yield from self._class_features(tokens, shown)
        yield from self._pairs(tokens, shown)
        yield from self._contexts(symbols, cues)
        yield from self._reaches(symbols, cues)
        yield from self._objects(symbols, cues)
        yield from self._triples(cues)
        yield from _forms(tokens, headline)

    def _events(self, tokens: list[Token], headline: bool) -> list[Event]:
        entries, starts = self._entries, self.lexicon.starts
        events: list[Event] = []
        for first, token in enumerate(tokens):
            if token.kind != WORD:
                continue
            phrase = token.text
            # US is not us, nor is WHO who.
            barred = self._pronouns if token.case == CAPITALS and not headline else ()
            events += [Event(each, first, first) for each in entries.get(phrase, ()) if each not in barred]
            if phrase in starts:
                for last in range(first + 1, min(first + MAX_PHRASE, len(tokens))):
                    phrase = f"{phrase} {tokens[last].text}"
                    events += [Event(category, first, last) for category in entries.get(phrase, ())]
        return events

    def _mask(self, tokens: list[Token], events: list[Event], headline: bool) -> list[Symbol]:
        """Return the masked copy: runs of capitalised words and of numbers become one symbol, cue words never do."""
        kept = {number for event in events for number in range(event.first, event.last + 1)}
        symbols: list[Symbol] = []
        for number, token in enumerate(tokens):
            part = token.text
            if token.kind == PUNCTUATION:
                if part not in _KEPT_PUNCTUATION:
                    continue
            elif token.kind == NUMBER:
                part = DIGITS
            elif token.case != PLAIN and not headline and number not in kept:
                part = NAME
            if part in (NAME, DIGITS) and symbols and symbols[-1].part == part and symbols[-1].last == number - 1:
                symbols[-1] = Symbol(part, symbols[-1].first, number)
            else:
                symbols.append(Symbol(part, number, number))
        return symbols

    def _class_features(self, tokens: list[Token], events: list[Event]) -> Iterator[Feature]:
        negations = [event.last for event in events if event.category == self._negation]
        for category, first, last in events:
            name = self._classes[category]
            yield Feature(_CLASS, (name,), first, last)
            yield Feature(_CLASS, (name, _side(tokens[first])), first, last)
            if category != self._negation and any(0 < first - place <= NEGATION_REACH for place in negations):
                yield Feature(_CLASS, ("not", name), first, last)

    def _pairs(self, tokens: list[Token], events: list[Event]) -> Iterator[Feature]:
        for number, (left, first, end) in enumerate(events):
            for right, begin, last in events[number + 1 :]:
                gap = begin - end
                if gap > FAR:
                    break  # Keeps the work proportional to the length of the text.
                if gap <= 0 or (left in self._frames and right in self._frames):
                    continue
                names = self._classes[left], self._classes[right]
                if gap > MIDDLE:
                    yield Feature(_PAIR, (*names, "far"), first, last)
                    continue
                yield Feature(_PAIR, (*names, "near" if gap <= NEAR else "middle"), first, last)
                yield Feature(_PAIR, (*names, _side(tokens[first]), _side(tokens[begin])), first, last)

    def _contexts(self, symbols: list[Symbol], events: list[Event]) -> Iterator[Feature]:
        """Yield each class with the masked words around it: one and two before, one to three after."""
        place = {n: number for number, symbol in enumerate(symbols, 1) for n in range(symbol.first, symbol.last + 1)}
        padded = [Symbol(START, 0, 0), *symbols, Symbol(END, 0, 0)]
        for category, first, last in events:
            left, right, name = place[first], place[last], self._classes[category]
            yield Feature(_CONTEXT, (padded[left - 1].part, name), first, last)
            yield Feature(_CONTEXT, (name, padded[right + 1].part), first, last)
            if left > 2:
                yield Feature(_CONTEXT, (padded[left - 2].part, GAP, name), first, last)
            for symbol in symbols[right + 1 : right + 3]:
                yield Feature(_CONTEXT, (name, GAP, symbol.part), first, symbol.last)

    def _reaches(self, symbols: list[Symbol], events: list[Event]) -> Iterator[Feature]:
        """Yield each class with the beginnings of the longer words around it: *deny* with *entry* is no denial."""
        place = {n: number for number, symbol in enumerate(symbols) for n in range(symbol.first, symbol.last + 1)}
        for category, first, last in events:
            left, right, name = place[first], place[last], self._classes[category]
            for part, begin, _ in symbols[max(0, left - REACH) : left]:
                if _is_long(part):
                    yield Feature(_REACH, (part[:PREFIX], GAP, name), begin, last)
            for part, _, end in symbols[right + 1 : right + 1 + REACH]:
                if _is_long(part):
                    yield Feature(_REACH, (name, GAP, part[:PREFIX]), first, end)

    def _objects(self, symbols: list[Symbol], events: list[Event]) -> Iterator[Feature]:
        """Yield each class with the first word after it that says something: what is denied, called for or held."""
        place = {n: number for number, symbol in enumerate(symbols) for n in range(symbol.first, symbol.last + 1)}
        for category, first, last in events:
            right = place[last]
            for part, _, end in symbols[right + 1 : right + 1 + REACH]:
                if self._function not in self._entries.get(part, ()):
                    yield Feature(_OBJECT, (self._classes[category], part), first, end)
                    break

    def _triples(self, events: list[Event]) -> Iterator[Feature]:
        """Yield three classes in a row."""
        for one, two, three in zip(events, events[1:], events[2:], strict=False):
            if three.first - one.last <= CHAIN:
                parts = tuple(self._classes[event.category] for event in (one, two, three))
                yield Feature(_TRIPLE, parts, one.first, three.last)


def is_headline(tokens: list[Token]) -> bool:
    """Tell whether a text has Every Word Capitalised, so that capitals say nothing about names."""
    long = [token for token in tokens if token.kind == WORD and len(token.text) >= 4]
    return len(long) >= 4 and 4 * sum(token.case != PLAIN for token in long) >= 3 * len(long)


def _position(names: tuple[str, ...], name: str) -> int:
    return names.index(name) if name in names else -1


def _is_long(part: str) -> bool:
    return len(part) >= PREFIX and part[0] != "<"


def _side(token: Token) -> str:
    return "inside" if token.quoted else "outside"


def _word_ngrams(symbols: list[Symbol]) -> Iterator[Feature]:
    """Yield masked 1-3-grams."""
    padded = [Symbol(START, 0, 0), *symbols, Symbol(END, symbols[-1].last, symbols[-1].last)] if symbols else []
    for number, (part, first, last) in enumerate(padded):
        if 0 < number < len(padded) - 1:
            yield Feature(_WORD, (part,), first, last)
        following = padded[number + 1 : number + 3]
        if following:
            yield Feature(_WORD, (part, following[0].part), first, following[0].last)
        if len(following) > 1:
            yield Feature(_WORD, (part, following[0].part, following[1].part), first, following[1].last)


def _name_ngrams(tokens: list[Token], symbols: list[Symbol], headline: bool) -> Iterator[Feature]:
    """Yield unmasked 1- and 2-grams wherever the masked copy hides a word; acronyms keep their capitals here."""
    hidden = {n for symbol in symbols if symbol.part in (NAME, DIGITS) for n in range(symbol.first, symbol.last + 1)}
    spelled = [token.text.upper() if token.case == CAPITALS and not headline else token.text for token in tokens]
    for number, word in enumerate(spelled):
        if number in hidden:
            yield Feature(_NAME, (word,), number, number)
        if number and (number in hidden or number - 1 in hidden):
            yield Feature(_NAME, (spelled[number - 1], word), number - 1, number)


def _prefixes(symbols: list[Symbol]) -> Iterator[Feature]:
    for part, first, last in symbols:
        if len(part) > PREFIX and _is_long(part):
            yield Feature(_PREFIX, (part[:PREFIX],), first, last)


def _forms(tokens: list[Token], headline: bool) -> Iterator[Feature]:
    """Yield what kind of sentence it is; these features stand for the whole text."""
    if not tokens:
        return
    last = len(tokens) - 1
    inside = [token.quoted for token in tokens]
    holds = {
        "headline": headline,
        "question": tokens[-1].text == "?",
        "quotation": any(inside),
        "all-quoted": all(inside),
        "opens-quoted": inside[0],
        "no-stop": tokens[-1].text not in ".!?\"')",
        f"length-{min(len(tokens) // 6, 9)}": True,
    }
    for form, holding in holds.items():
        if holding:
            yield Feature(_FORM, (form,), 0, last)
