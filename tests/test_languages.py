"""The language of an article: the cases in cases/languages.jsonl, and what holds for any text."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any, Final

import pytest
from conftest import read_cases
from hypothesis import example, given
from hypothesis import strategies as st

from stance import languages
from stance.languages import EXCERPT, language_of

CASES: Final = Path(__file__).parent / "cases" / "languages.jsonl"
LONG: Final = 16 << 20
ENGLISH: Final = "The mayor said that the talks with the union had failed. "
FRENCH: Final = "Le maire a déclaré que les négociations avec le syndicat avaient échoué. "
GERMAN: Final = "Der Bürgermeister erklärte, die Gespräche mit der Gewerkschaft seien gescheitert. "
RUSSIAN: Final = "Мэр заявил, что переговоры с профсоюзом провалились. "
NUMBERS: Final = "12.4\t13.1\t9.8\n"
PIECES: Final = (
    ENGLISH,
    FRENCH,
    GERMAN,
    RUSSIAN,
    NUMBERS,
    "市长说谈判失败了。",
    "\u0301",
    "\ud800",
    "\0",
    " ",
    "😀",
    "ﬁ",
    "İ",
    "ß",
)

any_text = st.text(st.characters(exclude_categories=())) | st.lists(st.sampled_from(PIECES), max_size=60).map("".join)


@pytest.mark.parametrize("case", read_cases(CASES))
def test_case(case: dict[str, Any]) -> None:
    # Some languages are so near to each other that one sentence may pass for either.
    assert language_of(case["text"]) in {case["language"], *case.get("near", ())}


@given(any_text)
@example("")
@example("ꙮ" * 50)
@example("\ud800" * 50)
@example("\u0301" * 50)
def test_any_text_has_one_language(text: str) -> None:
    code = language_of(text)
    assert re.fullmatch("[a-z]{2}|und", code)
    assert language_of(text) == code


@pytest.mark.parametrize("text", ["", " \n\t", "\u3000\u2028", "\ufeff", "…", "?!"])
def test_blank_is_english(text: str) -> None:
    assert language_of(text) == "en"


@given(st.text(st.characters(max_codepoint=0x24F), max_size=24))
def test_little_text_is_english(text: str) -> None:
    assert language_of(text) == "en"


def test_letters_of_no_known_language_are_not_english() -> None:
    assert language_of("ᏣᎳᎩᎦᏬᏂᎯᏍᏗ" * 5) == "und"


def test_words_in_capitals_are_read() -> None:
    assert language_of((FRENCH * 3).upper()) == "fr"
    assert language_of((ENGLISH * 3).upper()) == "en"


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((FRENCH, 4000, ENGLISH, 8000), "en"),
        ((NUMBERS, 4000, ENGLISH, 8000), "en"),
        ((RUSSIAN, 4000, ENGLISH, 8000), "en"),
        ((FRENCH, 8000, ENGLISH, 4000), "fr"),
        ((NUMBERS, 4000, FRENCH, 8000), "fr"),
        ((RUSSIAN, 8000, ENGLISH, 4000), "ru"),
        # A short text with a long foreign sentence among lines that say little.
        (("Storm Batters Coast\n", 200, FRENCH, 146, "Port Reopens Today\n", 200), "en"),
        # The beginning, the middle and the end are each in another language: two of three are not English.
        ((FRENCH, 4000, ENGLISH, 4000, FRENCH, 4000), "fr"),
        # One says French, one English and one nothing: the benefit of the doubt.
        ((FRENCH, 4000, NUMBERS, 4000, ENGLISH, 4000), "en"),
        # A clearly English beginning is not looked behind.
        ((ENGLISH, 2000, FRENCH, 2000), "en"),
    ],
)
def test_the_larger_part_decides(parts: tuple[Any, ...], expected: str) -> None:
    pairs = zip(parts[::2], parts[1::2], strict=True)
    assert language_of("".join((sentence * length)[:length] for sentence, length in pairs)) == expected


class Watched(str):
    """A text that notes which slices of it are taken, and has nothing else to offer but its length."""

    __slots__ = ("taken",)

    def __getattribute__(self, name: str) -> Any:
        if name != "taken":
            raise AssertionError(f"the whole text was asked for {name}")
        return super().__getattribute__(name)

    def __getitem__(self, key: Any) -> str:
        piece = super().__getitem__(key)
        self.taken.append(len(piece))
        return piece


@pytest.mark.parametrize(("sentence", "expected"), [(ENGLISH, "en"), (FRENCH, "fr"), (RUSSIAN, "ru"), ("\n", "en")])
def test_a_bounded_part_of_a_long_text_is_looked_at(sentence: str, expected: str) -> None:
    text = Watched((sentence * (LONG // len(sentence) + 1))[:LONG])
    text.taken = []
    assert language_of(text) == expected
    assert text.taken
    assert sum(text.taken) <= 4 * EXCERPT


def test_threads_load_the_library_once() -> None:
    languages._identifier.cache_clear()
    barrier = Barrier(8)

    def ask(number: int) -> str:
        barrier.wait()
        return language_of((FRENCH, GERMAN, RUSSIAN, ENGLISH)[number % 4])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == ["fr", "de", "ru", "en"] * 2
    assert languages._identifier.cache_info().misses == 1


def loads_the_library(text: str) -> bool:
    code = f"import sys, stance.languages\nstance.languages.language_of({text!r})\nprint('py3langid' in sys.modules)"
    run = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout == "True\n"


def test_clear_english_does_not_load_the_library() -> None:
    assert not loads_the_library(ENGLISH * 3)
    assert not loads_the_library("Lima.")
    assert loads_the_library(FRENCH)


def test_the_librarys_own_state_is_left_alone() -> None:
    from py3langid import langid

    before = langid.IDENTIFIER
    assert language_of(FRENCH) == "fr"
    assert langid.IDENTIFIER is before
    # Whoever uses it beside us may restrict its own identifier; ours does not care.
    langid.set_languages(["en", "de"])
    try:
        assert language_of(FRENCH) == "fr"
    finally:
        langid.IDENTIFIER = before


def test_a_long_word_takes_no_quadratic_time() -> None:
    language_of("Sie sagten, dass sie davon nichts wissen.")
    began = time.process_time()
    for _ in range(20):
        language_of("x7" * 5_000)
    # Three excerpts of a thousand letters: looked at from each letter on, they took twenty times as long.
    assert time.process_time() - began < 0.5
