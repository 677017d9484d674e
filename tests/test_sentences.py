"""Text → statements: the cases in cases/sentences.jsonl, the article in seeds/, and what holds for any text."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import pytest
from conftest import read_cases
from hypothesis import example, given
from hypothesis import strategies as st

from stance import boundaries
from stance.records import Statement
from stance.sentences import article_date, split_statements

ROOT: Final = Path(__file__).resolve().parent.parent
CASES: Final = Path(__file__).parent / "cases" / "sentences.jsonl"
SEED: Final = ROOT / "seeds" / "000_da1ada9ae65b21ab.txt"
MOST_SECONDS: Final = 60.0
SEED_STARTS: Final = (
    "The Kremlin spokesman described",
    "Moscow is not drawing up",
    "“We have repeatedly stated",
    "It is totally wrong",
    "Referring to the US media reports",
    "On the other hand, he stressed",
    "On another occasion, Moscow denounced",
    "For his part, the President",
    "Urgent need for a",
    "“The lack of progress",
    "The spokesperson also noted",
)
PIECES: Final = (
    *"aAéß中א1.!?。…:;,-—()[]<>{}*#@“”‘’„«»\"'•\u0301\u200b\u200f\ufeff\0\x1c\ud800\udfff😀",
    *" \t\n\r\v\f\x85\xa0\u2003\u2028\u2029\u3000",
    *(
        "\r\n",
        "\n\n",
        "J.\u00a0",
        "U.S. ",
        "Mr. ",
        " The ",
        "He left. ",
        "1. ",
        "(a) ",
        " • ",
        "a@b.example",
        "23 Nov 2021",
    ),
)

any_text = st.text(st.characters(exclude_categories=())) | st.lists(st.sampled_from(PIECES)).map("".join)


def assert_covers(text: str, statements: tuple[Statement, ...]) -> None:
    end = 0
    for statement in statements:
        assert text[statement.start : statement.end] == statement.text
        assert statement.text == statement.text.strip() != ""
        assert statement.start >= end
        assert not text[end : statement.start].strip()
        assert statement.part in {"dateline", "title", "subhead", "body"}
        end = statement.end
    assert not text[end:].strip()


@pytest.mark.parametrize("case", read_cases(CASES))
def test_case(case: dict[str, Any]) -> None:
    statements = split_statements(case["text"])
    assert [statement.text for statement in statements] == case["statements"]
    if "parts" in case:
        assert [statement.part for statement in statements] == case["parts"]


@given(any_text)
@example("A.\u00a0B. \ud800 “C.\r\n\r\n\0")
def test_statements_cover_any_text(text: str) -> None:
    assert_covers(text, split_statements(text))


@given(any_text, st.integers(2, 40))
def test_statements_cover_any_text_in_small_chunks(text: str, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boundaries, "_CHUNK", size)
        assert_covers(text, split_statements(text))


def test_chunks_do_not_change_the_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    text = " ".join(SEED.read_text(encoding="utf-8").split()) + " Mr. Lind (see No. 4) denied it at 5 p.m. GMT. " * 30
    whole = split_statements(text)
    assert len(whole) > 40
    monkeypatch.setattr(boundaries, "_CHUNK", 700)
    assert split_statements(text) == whole


@pytest.mark.parametrize("text", ["", " ", "\n\r\n\t\u2003\f"])
def test_blank_text_has_no_statements(text: str) -> None:
    assert split_statements(text) == ()


@pytest.fixture(scope="module")
def seed() -> str:
    return SEED.read_bytes().decode("utf-8")


def test_the_seed_article_splits_where_its_sentences_begin(seed: str) -> None:
    statements = split_statements(seed)
    assert_covers(seed, statements)
    for start in SEED_STARTS:
        assert sum(statement.text.startswith(start) for statement in statements) == 1, start


def test_the_seed_article_has_its_parts(seed: str) -> None:
    parts = {statement.text: statement.part for statement in split_statements(seed) if statement.part != "body"}
    assert parts == {
        "date 2021-11-23 Posted: 23 Nov 2021 15:27 GMT": "dateline",
        "“Provocative actions”": "subhead",
        "Urgent need for a “direct dialogue”": "subhead",
    }
    assert article_date(seed) == "2021-11-23"


@pytest.mark.parametrize(
    ("line", "date"),
    [
        ("2021-11-23", "2021-11-23"),
        ("Published: 2021-11-23T15:27:00Z", "2021-11-23"),
        ("23 Nov 2021", "2021-11-23"),
        ("Tuesday, 23rd November 2021, 3:27 p.m. GMT", "2021-11-23"),
        ("November 23, 2021", "2021-11-23"),
        ("Nov. 3, 2021 at 9am", "2021-11-03"),
        ("1 Sept 2021", "2021-09-01"),
        ("23/11/2021", "2021-11-23"),
        ("11/23/2021", "2021-11-23"),
        ("05/05/2021", "2021-05-05"),
        ("MEREN CITY, November 23, 2021", "2021-11-23"),
        ("Updated: 03/04/2021, 4 March 2021", "2021-03-04"),
        ("03/04/2021", ""),
        ("31 February 2021", ""),
        ("23/13/2021", ""),
        ("0000-01-01", ""),
        ("23 Brumaire 2021", ""),
        ("In November 2021", ""),
        ("The truce of 23 November 2021 is over", ""),
        ("Meren denied it on 23 Nov 2021", ""),
    ],
)
def test_article_date(line: str, date: str) -> None:
    assert article_date(f"\n {line}\n\nMeren denied it.\n") == date


def test_a_date_line_may_follow_the_headline_but_not_the_prose() -> None:
    assert article_date("Meren denies it\n23 Nov 2021\nThe minister spoke.") == "2021-11-23"
    assert article_date("The minister spoke.\n23 Nov 2021\n") == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    [
        "The minister said that it was false, and Mr. Lee agreed with “that view.” It is 3.5 per cent (he said). ",
        "“",
        "(a. ",
        "a.\u00a0",
    ],
)  # fmt: skip
def test_ten_megabytes_in_one_line_take_seconds(unit: str) -> None:
    text = unit * (10_000_000 // len(unit))
    start = time.perf_counter()
    statements = split_statements(text)
    assert time.perf_counter() - start < MOST_SECONDS
    assert bool(statements) == bool(text.strip())


def test_time_grows_with_length_and_not_with_its_square() -> None:
    def seconds(unit: str, size: int) -> float:
        text = unit * (size // len(unit))
        start = time.perf_counter()
        split_statements(text)
        return time.perf_counter() - start

    for unit in ("“", "(a. ", "“Yes. ", "He left. "):
        assert seconds(unit, 400_000) < 10 * max(seconds(unit, 100_000), 0.05), unit
