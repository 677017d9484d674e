"""Text → tokens: the cases in cases/tokens.jsonl, and what holds for any text."""

from __future__ import annotations

import json
import time
import unicodedata
from pathlib import Path
from typing import Any, Final

import pytest
from conftest import read_cases
from hypothesis import given
from hypothesis import strategies as st

from stance.tokens import CAPITALISED, CAPITALS, NUMBER, PLAIN, PUNCTUATION, WORD, fold, table_digest, tokenise

CASES: Final = Path(__file__).parent / "cases" / "tokens.jsonl"
CASE_NAMES: Final = {PLAIN: "plain", CAPITALISED: "capitalised", CAPITALS: "capitals"}
FIELDS: Final = {"text", "tokens", "cases", "quoted", "known_failure", "why"}
MOST_SECONDS: Final = 10.0

any_text = st.text(st.characters(exclude_categories=())) | st.text("aAé\u0301'’\"“”«»„-.,1 \u200b\ud800\U000e0100nt")


@pytest.mark.parametrize("case", read_cases(CASES))
def test_case(case: dict[str, Any]) -> None:
    tokens = tokenise(case["text"])
    assert [token.text for token in tokens] == case["tokens"]
    if "cases" in case:
        assert [CASE_NAMES[token.case] for token in tokens] == case["cases"]
    if "quoted" in case:
        assert [token.text for token in tokens if token.quoted and token.kind != PUNCTUATION] == case["quoted"]


def test_cases_have_known_fields_only() -> None:
    # A misspelt field would be a case that tests nothing.
    for line in CASES.read_text(encoding="utf-8").splitlines():
        assert {"text", "tokens", "why"} <= set(json.loads(line)) <= FIELDS, line


@given(any_text)
def test_offsets_lie_in_the_text_and_are_in_order(text: str) -> None:
    tokens = tokenise(text)
    end = 0
    previous = (0, 0)
    for token in tokens:
        assert 0 <= token.start < token.end <= len(text)
        # The two words of a contraction share their place; nothing else overlaps.
        assert token.start >= end or (token.start, token.end) == previous
        previous, end = (token.start, token.end), token.end
        assert token.text
        assert token.kind in {WORD, NUMBER, PUNCTUATION}


@given(any_text)
def test_folding_keeps_the_length_and_is_final(text: str) -> None:
    folded = fold(text)
    assert len(folded) == len(text)
    assert fold(folded.replace("\x01", "")) == folded.replace("\x01", "")


@given(any_text)
def test_every_visible_character_belongs_to_a_token(text: str) -> None:
    covered = {place for token in tokenise(text) for place in range(token.start, token.end)}
    left_out = {character for place, character in enumerate(fold(text)) if place not in covered}
    assert left_out <= {" ", "\x01"}


@given(st.text(st.characters(exclude_categories=()), max_size=30))
def test_accents_do_not_depend_on_how_they_are_composed(text: str) -> None:
    latin = "".join(character for character in text if ord(character) < 0x250)
    composed, apart = unicodedata.normalize("NFC", latin), unicodedata.normalize("NFD", latin)
    assert [token.text for token in tokenise(composed)] == [token.text for token in tokenise(apart)]


def test_offsets_count_code_points() -> None:
    text = "😀 Café—“won’t”"
    found = [(token.text, text[token.start : token.end]) for token in tokenise(text)]
    assert found == [
        ("cafe", "Café"), ("_", "—"), ('"', "“"), ("will", "won’t"), ("not", "won’t"), ('"', "”")
    ]  # fmt: skip


def test_kinds() -> None:
    kinds = [token.kind for token in tokenise("U.S. paid $1,200!")]
    assert kinds == [WORD, WORD, PUNCTUATION, NUMBER, PUNCTUATION]


def test_the_character_table_is_the_committed_one() -> None:
    # The table decides what features are; a new one makes models and matrices unreadable, and that has to be meant.
    assert table_digest() == "6b6ba3fd10550b07f2482abe97bae8cf6c768735a407c41557e922886874820e"


@pytest.mark.parametrize(
    "text",
    ["Moscow denied it. " * 50_000, '"' * 100_000, "'" * 100_000, "“’" * 50_000, "a." * 500_000, "a'" * 500_000,
     "\u200b" * 1_000_000, "1." * 500_000],
    ids=["sentences", "double marks", "single marks", "mixed marks", "initials", "apostrophes", "invisible", "figures"],
)  # fmt: skip
def test_long_texts_take_no_more_than_seconds(text: str) -> None:
    begin = time.perf_counter()
    tokenise(text)
    assert time.perf_counter() - begin < MOST_SECONDS
