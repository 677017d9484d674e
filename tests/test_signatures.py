"""Signatures: the same everywhere, blind to case and white space, and an estimate of how alike two texts are."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tracemalloc
from itertools import pairwise
from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance import signatures
from stance.signatures import PERMUTATIONS, SHINGLE, signature, values_of

HARBOUR: Final = (
    "The harbour board of Velmar rejected the ferry company's offer on Tuesday, saying that it would not sell the "
    "northern quay “at any price”. Chairwoman Oda Renn accused the company of hiding its debts."
)
# Letters whose capitals fold back to them; a sharp s, for one, has two capitals.
LETTERS: Final = "abcxyzäéøłжщλω0189"
WORDS: Final = st.lists(st.text(LETTERS, min_size=1, max_size=8), min_size=1, max_size=60)
BLANKS: Final = st.sampled_from([" ", "  ", "\n\n", "\t", "\u00a0", " \r\n ", ", ", " – ", ". ", "… "])


def alike(one: str, two: str) -> float:
    return float((values_of(signature(one)) == values_of(signature(two))).mean())


def resemblance(one: list[str], two: list[str]) -> float:
    """The true resemblance of two texts of plain words."""
    first, second = (
        {tuple(words[place : place + SHINGLE]) for place in range(len(words) - SHINGLE + 1)} for words in (one, two)
    )
    return len(first & second) / len(first | second)


def test_a_signature_never_changes() -> None:
    assert signature(HARBOUR).hex()[:64] == "db3c27e190e1b71188953214493aaff6c9ee0cab6747951cebc74c33d58b5b8b"
    assert signature("Velmar").hex()[-64:] == "4c2706cc32e299a2291cc28b9ba9e393875691cf14ce81e201124c9469074ab5"
    long = " ".join(map(str, range(10_000)))
    assert hashlib.sha256(signature(long)).hexdigest()[:32] == "f143fc6b2eb8d1519c080298b0b62a84"


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_the_seed_of_hashing_makes_no_difference(seed: str) -> None:
    code = "import sys; from stance.signatures import signature; print(signature(sys.stdin.read()).hex())"
    run = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", code],
        input=HARBOUR, capture_output=True, encoding="utf-8", check=True, env={**os.environ, "PYTHONHASHSEED": seed},
    )  # fmt: skip
    assert run.stdout.strip() == signature(HARBOUR).hex()


@given(WORDS, st.data())
def test_case_white_space_and_punctuation_make_no_difference(words: list[str], data: st.DataObject) -> None:
    changed = data.draw(BLANKS).join(["", *words, ""])
    for text in (changed, changed.upper(), changed.title(), changed.swapcase()):
        assert signature(text) == signature(" ".join(words))


@pytest.mark.parametrize(
    "copy",
    [
        HARBOUR.upper(),
        HARBOUR.replace("“", '"').replace("”", "'").replace("'s", "’s"),
        HARBOUR.replace(" ", "\n\n "),
        HARBOUR.replace("rejected", "re\u00adjected"),
        HARBOUR.replace("Renn", "Rénn").replace("Oda", "O\u0308da"),
        f"\ufeff*** {HARBOUR} ***",
    ],
)
def test_how_a_text_is_set_makes_no_difference(copy: str) -> None:
    assert signature(copy) == signature(HARBOUR)


@pytest.mark.parametrize("text", ["", " \n", "...", "— “!”", "'", "\0", "\u0301", "\ud800"])
def test_a_text_without_a_word_has_no_signature(text: str) -> None:
    assert signature(text) == b""


def test_a_short_text_is_like_itself_alone() -> None:
    texts = ["No", "No comment", "No comment yet", "comment No", "No No", "No comment yet today", "Nocomment"]
    assert all(signature(text) == signature(text.lower() + "!") for text in texts)
    assert all(alike(one, two) < 0.05 for number, one in enumerate(texts) for two in texts[:number])


def test_scripts_without_blanks_are_compared_by_character() -> None:
    text = "".join(map(chr, np.random.default_rng(3).integers(0x4E00, 0x9F00, 400)))
    assert 0.85 < alike(text, text[:200] + "\u4e00" + text[200:]) < 1
    assert alike(text, text[::-1]) < 0.05
    assert signature("\U00020000 a") != signature("a")
    assert signature("a\u6f22b\u6f22\u3042 c") == signature("a \u6f22 b \u6f22 \u3042 c")


@pytest.mark.parametrize("length", [12, 60, 400, 3_000])
def test_the_estimate_is_near_the_resemblance(length: int) -> None:
    chance = np.random.default_rng(length)
    errors = []
    for _ in range(60):
        words = [f"w{chance.integers(10**9)}" for _ in range(length)]
        copy = [f"x{chance.integers(10**9)}" if chance.random() < 0.07 else word for word in words]
        errors.append(alike(" ".join(words), " ".join(copy)) - resemblance(words, copy))
    # 128 independent values would scatter by 0.044, and their mean by 0.006.
    assert abs(np.mean(errors)) < 0.024
    assert np.std(errors) < 0.055


def test_values_of_long_texts_are_spread() -> None:
    chance = np.random.default_rng(5)
    one, two = (" ".join(f"w{chance.integers(10**9)}" for _ in range(60_000)) for _ in range(2))
    assert alike(one, two) < 0.03
    assert values_of(signature(one)).mean() > 20_000


@given(
    st.lists(st.sampled_from(["so", "they", "said", "it's", "\u6f22", "so\u6f22", "x" * 70]), max_size=80), st.data()
)
def test_cutting_a_text_into_pieces_makes_no_difference(words: list[str], data: st.DataObject) -> None:
    text = data.draw(BLANKS).join(words)
    with pytest.MonkeyPatch.context() as patch:
        whole = signature(text)
        # Longer than each word here, so that a piece can always be cut between two.
        patch.setattr(signatures, "_PIECE", 150)
        assert signature(text) == whole


def test_words_in_a_piece_do_not_depend_on_their_place() -> None:
    texts = [HARBOUR, f"{'. ' * 9_000}{HARBOUR}", f"{HARBOUR}{'. ' * 90_000}", f"{'. ' * 16_380}{HARBOUR}"]
    assert all(signature(one) == signature(two) for one, two in pairwise(texts))


@pytest.mark.parametrize("part", ["a ", "a", "so they said, ", "\u6f22", "\u00e9'"])
def test_the_longest_article_takes_little_memory(part: str) -> None:
    text = part * ((4 << 20) // len(part))
    signature("warm")
    tracemalloc.start()
    try:
        made = signature(text)
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()
    assert len(made) == 2 * PERMUTATIONS


@given(st.text())
def test_any_text_has_a_signature_of_its_size(text: str) -> None:
    assert len(signature(text)) in (0, 2 * PERMUTATIONS)
    assert (signature(text) == b"") == (not re.search(r"[^\W_]", text)) or not text.isascii()
