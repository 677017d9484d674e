"""The compiled splitting against its readable reference: equal for any text, and in time that grows with its length."""

from __future__ import annotations

import gzip
import json
import re
import sys
import time
import unicodedata
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stance import boundaries, sentences
from stance.records import Statement

kernel = pytest.importorskip("stance._kernel.boundaries", reason="stance was installed without a compiler")

OUTSIDE: Final = Path(__file__).resolve().parent.parent.parent / "shared"
OUTSIDE_TEXTS: Final = (OUTSIDE / "articles" / "briefings.jsonl.gz", OUTSIDE / "pool" / "news.jsonl.gz")
SAMPLE: Final = 150
MOST_SECONDS: Final = 20.0

MARKS: Final = "".join(sorted(boundaries._MARKS)) + "()（）<>{}[].!?…:;,。！？؟۔।-–—*#_&@/"
SPACES: Final = " \t\n\r\v\f\x1c\x85\xa0\u2003\u2028\u2029\u202f\u3000"
LETTERS: Final = "abAIXivxZéßſKıÀÉ中א٣²½é\u0301\u200b\u200d\u200f\ufeff\0\ud800\udfff\ufffd😀🏽"
WORDS: Final = (
    *boundaries._NO_ABBREVIATIONS,
    *boundaries._ABBREVIATIONS,
    *"Gov. Genſ. Profſ. GOVS. U.S. D-N.J. Mr. St. No. e.g. a.m. P.M. A.M. EST EDT CEST GMT Pacific local etc.".split(),
    *"1. 2) (3) (a) b. iv. IV) (xii) 12.) [4] XIV. • * - > ## ### ####### “ ” ‘ ’ \" ' « » „ ( ) [ ] … --".split(),
    *"left.He came.“No press@meren.example www.meren.example https://meren.example/a.B report.PDF".split(),
    *"Meren denied it. The minister said no! “We did not,” he said. ‘Never.’ (Applause.) Why? 23 November 2021".split(),
)
SENTENCES: Final = (
    "The minister denied the report. ",
    "“We never signed it. Nobody did,” she said. ",
    '"We will wait," he said. "There is time." ',
    "‘It is over.’ The envoy left at 5 p.m. EST. ",
    "'He knew.' Nobody asked him why. ",
    "(Laughter.) Next question, please. ",
    "The harbour opens at 6 a.m. Local boats may. The rest wait. ",
    "He left.He came back. ",
    "1. The truce holds. 2) Talks go on. (c) Nothing is signed. ",
    "Gov. Lind and Sen. Aro met Gens. Hale and Moss. ",
    "- Grain\n- Fuel • Medicine\n",
    "the delegation of the northern province which had been waiting\nsince the early morning went home without\n",
    "Posted: 23 Nov 2021 15:27 GMT\n",
    "MEREN CITY, 4 March 2022\n",
    "Harbour closed again\n\n",
    "## What is next\n",
    "Who pays?\n",
    "The paper asked: «Who pays?» Nobody could say.\r\n\r\n",
    "„Das ist falsch“, said the envoy. ",
    "A bracket (that is never closed. So it goes on. ",
    "Write to press@meren.example or see www.meren.example. Thank you. ",
    "“An opening mark that was meant to close it.“ The end. ",
)

piece: Final = st.one_of(
    st.sampled_from(SENTENCES),
    st.sampled_from(WORDS),
    st.sampled_from(WORDS).map(lambda word: word + " "),
    st.sampled_from(MARKS),
    st.sampled_from(SPACES),
    st.sampled_from(LETTERS),
    st.sampled_from(("\r\n", "\n\n", ". ", ".\u00a0", "’s ", "n't ", ".” ", ",” ", "?' ", "!’")),
    st.characters(exclude_categories=()),
    # Lengths around those at which a pattern gives up.
    st.integers(0, 505).map(lambda length: "a" * length),
)
any_text: Final = st.lists(piece, max_size=40).map("".join) | st.text(st.characters(exclude_categories=()))
close_text: Final = st.text(st.sampled_from(sorted({*MARKS, *SPACES, *"aAIx1_é"})), max_size=60)


def assert_equal(text: str) -> None:
    expected = sentences.reference_statement_spans(text)
    assert sentences.statement_spans(text) == expected
    assert sentences.split_statements(text) == tuple(
        Statement(text[start:end], start, end, part) for start, end, part in expected
    )
    assert boundaries.sentence_spans(text, 0, len(text)) == boundaries.reference_spans(text, 0, len(text))


@given(any_text)
@example("")
@example("A.\u00a0B. \ud800 “C.\r\n\r\n\0")
@example("#\n#######\n# \n")
@example("He met Genſ. Hale. He met Govſ. Lind.")
def test_any_text(text: str) -> None:
    assert_equal(text)


@given(close_text)
def test_any_text_of_marks(text: str) -> None:
    assert_equal(text)


@given(any_text, st.integers(1, 40))
def test_any_text_in_small_chunks(text: str, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boundaries, "_CHUNK", size)
        assert_equal(text)


@given(any_text, st.data())
def test_any_part_of_a_text(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    assert boundaries.sentence_spans(text, start, end) == boundaries.reference_spans(text, start, end)


@pytest.mark.parametrize("length", [1, 2, 299, 300, 301, 302, 499, 500, 501, 502])
@pytest.mark.parametrize(
    "around", ["“{}” B.", "„{}“ B.", "«{}» B.", '"{}" B.', "‘{}.’ B.", "'{}.' B.", "({}.) B.", "[{}] B."]
)
def test_the_lengths_at_which_a_pattern_gives_up(around: str, length: int) -> None:
    for filling in ("a", "A. "):
        assert_equal("He left. " + around.format((filling * length)[:length]) + " He came.")


def every_character() -> str:
    """Return all characters but those without a meaning, and the letters of the large scripts, which are all alike."""
    rest = ("Cn", "Co", "Lo")
    codes = (code for code in range(sys.maxunicode + 1) if code < 0x1000 or unicodedata.category(chr(code)) not in rest)
    return "".join(map(chr, codes))


@pytest.mark.slow
def test_every_character() -> None:
    every = every_character()
    for first in range(0, len(every), 2000):
        part = every[first : first + 2000]
        text = "".join(f"He left{c} {c}o. “A{c}” Lind met {c}ov. Aro.{c}He " for c in part)
        assert boundaries.sentence_spans(text, 0, len(text)) == boundaries.reference_spans(text, 0, len(text))
        assert_equal("".join(f"he left{c}{c}\n{c}he came{c}\n{c} Aro {c}\n\nLind{c}\n\n" for c in part))


def test_words_are_folded_as_re_folds_them() -> None:
    every = every_character()
    folded = {character: character.casefold() for character in every}
    for letter in sorted(set("".join(boundaries._ABBREVIATIONS))):
        matched = re.findall(f"(?i:{letter})", every)
        assert matched == [character for character in every if folded[character] == letter], letter


def test_a_paragraph_has_to_lie_in_the_text() -> None:
    for start, end in ((-1, 2), (0, 5), (3, 2)):
        with pytest.raises(ValueError, match="no paragraph"):
            boundaries.sentence_spans("Meren"[:4], start, end)


def test_a_text_is_a_string_of_any_class() -> None:
    class Text(str):
        __slots__ = ()

    assert boundaries.sentence_spans(Text("He left. He came."), 0, 17) == [(0, 8), (9, 17)]
    for wrong in (None, b"He left.", 3):
        with pytest.raises(TypeError):
            sentences.statement_spans(wrong)  # type: ignore[arg-type]


def test_without_the_kernel_the_reference_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(SENTENCES)
    expected = sentences.split_statements(text), boundaries.sentence_spans(text, 0, len(text))
    monkeypatch.setattr(boundaries, "_compiled", None)
    monkeypatch.setattr(sentences, "_compiled", None)
    assert boundaries.splitter(text) is None
    assert (sentences.split_statements(text), boundaries.sentence_spans(text, 0, len(text))) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    [
        *("a", " ", "\n", ".", "“", "”", '"', "'", "‘", "„", "«", "(", ")", "[", "•", "#", "?", "😀", "\ud800"),
        *(
            "a\n",
            "(a. ",
            "a.\u00a0",
            "1) ",
            "“Yes. ",
            ' "a',
            " 'a",
            "‘a",
            "a.A",
            ".A ",
            "me. ",
            '" “ ',
            "\r\n",
            "a. ”\n",
        ),
    ],
)
def test_ten_megabytes_of_one_construction_take_seconds(unit: str) -> None:
    text = unit * (10_000_000 // len(unit))
    start = time.process_time()
    sentences.statement_spans(text)
    assert time.process_time() - start < MOST_SECONDS


def texts(path: Path) -> Iterator[str]:
    with gzip.open(path, "rb") as stream:
        for line in stream:
            yield json.loads(line)["text"]


@pytest.mark.slow
@pytest.mark.skipif(
    not all(path.exists() for path in OUTSIDE_TEXTS), reason="needs texts that are not part of the project"
)
@pytest.mark.parametrize(
    ("path", "step"), [*zip(OUTSIDE_TEXTS, (20, 200), strict=True)], ids=("articles", "statements")
)
def test_real_news(path: Path, step: int) -> None:
    for text in islice(texts(path), 0, SAMPLE * step, step):
        assert_equal(text)
