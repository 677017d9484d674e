"""Cue classes: which words and phrases do what in a statement, read from ``data/lexicon.toml``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from operator import lt
from pathlib import Path

from stance.records import DataError

MAX_PHRASE = 4
_VOWELS_OR_NOTHING = ("", *"aeiou")
_CLASS_NAME = re.compile("[A-Za-z][A-Za-z0-9_-]{0,63}")
_ENTRY = re.compile(rf"[a-z]+(?: [a-z]+){{0,{MAX_PHRASE - 1}}}")
_ENTRIES = re.compile(rf"{_ENTRY.pattern}(?:\n{_ENTRY.pattern})*")
FORMS = ("verbs", "nouns", "words", "phrases")


@dataclass(frozen=True)
class Lexicon:
    """Words and phrases by class.

    Attributes
    ----------
    listed
        Class names, in the order of the file, to their entries, sorted, each once: space-joined words, one to four.
    frames
        Names of the classes that tell how something is said, such as verbs of saying, and not what is done.
    """

    listed: Mapping[str, tuple[str, ...]]
    frames: frozenset[str] = frozenset()

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names; a class number is a position among them."""
        return tuple(self.listed)

    # Made when the readable reference asks for it; the compiled kernel makes its own.
    @cached_property
    def entries(self) -> Mapping[str, tuple[int, ...]]:
        """Entries to their class numbers, ascending."""
        found: dict[str, tuple[int, ...]] = {}
        for number, words in enumerate(self.listed.values()):
            alone = (number,)
            for word in words:
                others = found.get(word)
                found[word] = alone if others is None else (*others, number)
        return found

    @cached_property
    def starts(self) -> frozenset[str]:
        """First words of phrases, so that a scan can skip every other word."""
        return frozenset(entry.split(" ", 1)[0] for entry in self.entries if " " in entry)

    def to_json(self) -> dict[str, list[str]]:
        """Return ``{class: [entry, ...]}``, sorted, as the model folder stores it."""
        return {name: list(words) for name, words in self.listed.items()}

    @classmethod
    def from_classes(cls, listed: Mapping[str, Iterable[str]], frames: Iterable[str] = ()) -> Lexicon:
        """Build a lexicon from ``{class: entries}``; the inverse of `to_json`.

        Raises
        ------
        DataError
            If a class name is no plain word, an entry is not one to four lower-case words, or a frame is no class.
        """
        found: dict[str, tuple[str, ...]] = {}
        for name, given in listed.items():
            entries = list(given)
            if not _CLASS_NAME.fullmatch(name):
                raise DataError(f"class name {name!r} has to be a word of letters, digits, _ and -")
            # All at once is ten times as fast as one by one, and a model is loaded for every command.
            lines = "\n".join(entries)
            if entries and (lines.count("\n") >= len(entries) or not _ENTRIES.fullmatch(lines)):
                wrong = next(entry for entry in entries if not _ENTRY.fullmatch(entry))
                raise DataError(f"class {name!r}: {wrong!r} is not 1 to {MAX_PHRASE} lower-case ASCII words")
            # Lists that a model folder holds are in order, and then this costs next to nothing.
            ordered = all(map(lt, entries, islice(entries, 1, None)))
            found[name] = tuple(entries if ordered else sorted(set(entries)))
        framed = frozenset(frames)
        unknown = sorted(framed - set(found))
        if unknown:
            raise DataError(f"the frame {unknown[0]!r} is no class; name one of the classes")
        return cls(found, framed)


def inflect_verb(base: str) -> list[str]:
    """Return base, -s, -ed and -ing of a regular verb; a final ``+`` doubles the last consonant."""
    if base.endswith("+"):
        base = base[:-1]
        return [base, base + "s", base + base[-1] + "ed", base + base[-1] + "ing"]
    if base.endswith("e"):
        ing = base if base.endswith(("ee", "ye", "oe")) else base[:-1]
        return [base, base + "s", base + "d", ing + "ing"]
    if base.endswith("y") and base[-2:-1] not in _VOWELS_OR_NOTHING:
        return [base, base[:-1] + "ies", base[:-1] + "ied", base + "ing"]
    return [base, pluralise(base), base + "ed", base + "ing"]


def pluralise(base: str) -> str:
    """Return the regular plural (or third person) of a word or of a phrase's last word."""
    if base.endswith(("s", "x", "z", "ch", "sh")):
        return base + "es"
    if base.endswith("y") and base[-2:-1] not in _VOWELS_OR_NOTHING:
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
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"{path}: not valid TOML ({error}); mend that line") from error
    classes = document.get("class")
    if not isinstance(classes, dict) or not classes:
        raise DataError(f"{path}: has no [class.NAME] tables; add at least one")
    if len(document) > 1:
        raise DataError(f"{path}: has the unknown key {min(set(document) - {'class'})!r}; use [class.NAME] tables only")
    try:
        listed = {name: _expand(name, table) for name, table in classes.items()}
        return Lexicon.from_classes(listed, [name for name, table in classes.items() if table.get("frame", False)])
    except DataError as error:
        raise DataError(f"{path}: {error}; mend that entry") from error


def _expand(name: str, table: object) -> list[str]:
    if not isinstance(table, dict):
        raise DataError(f"class {name!r} is not a table; write [class.{name}]")
    unknown = sorted(set(table) - {"title", "frame", *FORMS})
    if unknown:
        raise DataError(f"class {name!r} has the unknown key {unknown[0]!r}; use title, frame, {', '.join(FORMS)}")
    if not isinstance(table.get("frame", False), bool):
        raise DataError(f"class {name!r}: frame is neither true nor false; write one of them")
    entries: list[str] = []
    for form in FORMS:
        listed = table.get(form, [])
        if not isinstance(listed, list):
            raise DataError(f"class {name!r}: {form} is not a list")
        for entry in listed:
            if not isinstance(entry, str) or not re.fullmatch(r"[a-z][a-z -]*[+~]?[a-z -]*\+?~?[a-z -]*", entry):
                raise DataError(f"class {name!r}: {entry!r} is not a lower-case word or phrase of ASCII letters")
            entries += entry_forms(form, entry)
    return sorted(set(entries))


def entry_forms(form: str, entry: str) -> list[str]:
    """Return what an entry stands for when it is listed under `form`, one of `FORMS`: words with their endings."""
    # Tokens are split at hyphens, so entries are too.
    return [" ".join(word.replace("-", " ").split()) for word in _inflected(form, entry)]


def _inflected(form: str, entry: str) -> list[str]:
    if form == "verbs":
        return inflect_verb(entry)
    if form == "nouns":
        return [entry, pluralise(entry)]
    first, tilde, rest = entry.partition("~")
    return [verb + rest for verb in inflect_verb(first)] if tilde else [entry]
