"""Cue classes: which words and phrases do what in a statement, read from ``data/lexicon.toml``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stance.records import DataError

MAX_PHRASE = 4
_VOWELS = "aeiou"
_FORMS = ("verbs", "nouns", "words", "phrases")


@dataclass(frozen=True)
class Lexicon:
    """Words and phrases with the numbers of their classes.

    Attributes
    ----------
    classes
        Class names in the order of the file; a class number is a position in it.
    entries
        Space-joined words (one to four) to a sorted tuple of class numbers.
    starts
        First words of phrases, so that a scan can skip every other word.
    """

    classes: tuple[str, ...]
    entries: Mapping[str, tuple[int, ...]]
    starts: frozenset[str] = field(default=frozenset(), compare=False)

    def to_json(self) -> dict[str, list[str]]:
        """Return ``{class: [entry, ...]}``, sorted, as the model folder stores it."""
        listed: dict[str, list[str]] = {name: [] for name in self.classes}
        for entry, numbers in sorted(self.entries.items()):
            for number in numbers:
                listed[self.classes[number]].append(entry)
        return listed

    @classmethod
    def from_classes(cls, listed: Mapping[str, Iterable[str]]) -> Lexicon:
        """Build a lexicon from ``{class: entries}``; the inverse of `to_json`."""
        numbers: dict[str, list[int]] = {}
        for number, entries in enumerate(listed.values()):
            for entry in entries:
                numbers.setdefault(entry, []).append(number)
        entries_ = {entry: tuple(sorted(set(found))) for entry, found in numbers.items()}
        starts = frozenset(entry.split(" ", 1)[0] for entry in entries_ if " " in entry)
        return cls(tuple(listed), entries_, starts)


def inflect_verb(base: str) -> list[str]:
    """Return base, -s, -ed and -ing of a regular verb; a final ``+`` doubles the last consonant."""
    if base.endswith("+"):
        base = base[:-1]
        return [base, base + "s", base + base[-1] + "ed", base + base[-1] + "ing"]
    if base.endswith("e"):
        ing = base if base.endswith(("ee", "ye", "oe")) else base[:-1]
        return [base, base + "s", base + "d", ing + "ing"]
    if base.endswith("y") and base[-2] not in _VOWELS:
        return [base, base[:-1] + "ies", base[:-1] + "ied", base + "ing"]
    return [base, pluralise(base), base + "ed", base + "ing"]


def pluralise(base: str) -> str:
    """Return the regular plural (or third person) of a word or of a phrase's last word."""
    if base.endswith(("s", "x", "z", "ch", "sh")):
        return base + "es"
    if base.endswith("y") and base[-2] not in _VOWELS:
        return base[:-1] + "ies"
    return base + "s"


def read_lexicon(path: Path) -> Lexicon:
    """Read ``lexicon.toml``.

    Raises
    ------
    DataError
        If the file is missing, is not TOML, or has an unknown key or an entry of the wrong form.
    """
    import tomllib

    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); put a lexicon there") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not valid TOML ({error}); mend that line") from error
    classes = document.get("class")
    if not isinstance(classes, dict) or not classes:
        raise DataError(f"{path}: has no [class.NAME] tables; add at least one")
    return Lexicon.from_classes({name: _expand(path, name, table) for name, table in classes.items()})


def _expand(path: Path, name: str, table: Mapping[str, object]) -> list[str]:
    unknown = sorted(set(table) - {"title", *_FORMS})
    if unknown:
        raise DataError(f"{path}: class {name!r} has the unknown key {unknown[0]!r}; use title, {', '.join(_FORMS)}")
    entries: list[str] = []
    for form in _FORMS:
        listed = table.get(form, [])
        if not isinstance(listed, list):
            raise DataError(f"{path}: class {name!r}: {form} is not a list")
        for entry in listed:
            if not isinstance(entry, str) or not re.fullmatch(r"[a-z][a-z -]*[+~]?[a-z -]*\+?~?[a-z -]*", entry):
                raise DataError(f"{path}: class {name!r}: {entry!r} is not a lower-case word or phrase of ASCII letters")
            entries += _forms(form, entry)
    # Tokens are split at hyphens, so entries are too.
    words = [" ".join(entry.replace("-", " ").split()) for entry in entries]
    for word in words:
        if word.count(" ") >= MAX_PHRASE:
            raise DataError(f"{path}: class {name!r}: {word!r} has more than {MAX_PHRASE} words")
    return sorted(set(words))


def _forms(form: str, entry: str) -> list[str]:
    if form == "verbs":
        return inflect_verb(entry)
    if form == "nouns":
        return [entry, pluralise(entry)]
    first, tilde, rest = entry.partition("~")
    return [verb + rest for verb in inflect_verb(first)] if tilde else [entry]
