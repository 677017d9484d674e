"""Text → hashed features: the cases in cases/features.jsonl, the pinned figures, and what holds for any text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
from conftest import read_cases
from hypothesis import given
from hypothesis import strategies as st

from stance.features import FAMILIES, LONGEST, Feature, FeatureSettings, Featurizer, hash_word, is_headline
from stance.lexicon import Lexicon
from stance.tokens import tokenise

CASES: Final = Path(__file__).parent / "cases" / "features.jsonl"
FIELDS: Final = {"text", "has", "lacks", "alike", "count", "known_failure", "why"}
CLASSES: Final = {
    "deny": ["deny", "denies", "denied"],
    "claim": ["claim", "claims", "made that claim"],
    "access": ["entry"],
    "negation": ["not", "never"],
    "function": (
        "a all and by can did i in it now of on said that the then they this today us was we were what will"
    ).split(),
}
FEATURIZER: Final = Featurizer(Lexicon.from_classes(CLASSES))
SMALL: Final = Featurizer(Lexicon.from_classes(CLASSES), FeatureSettings(dict.fromkeys(FAMILIES, 4)))
MOST_SECONDS: Final = 5.0
PINNED_TEXT: Final = [
    47228, 62888, 118985, 130042, 194306, 229144, 246912, 248590, 258553, 264911, 274154, 290854, 308397, 330919,
    369868, 388660, 451594, 452045, 486795, 598394, 635170, 669491, 674808, 688347, 689254, 690057, 690109, 716532,
    795809, 889115, 933419, 936559, 938815, 969892, 1009308, 1009845, 1103865, 1278545, 1280000, 1365238, 1382699,
    1542327,
]  # fmt: skip

any_text = st.text(st.characters(exclude_categories=())) | st.lists(
    st.sampled_from(
        ["denied", "Denied", "not", "claim", "made that claim", "NATO", "Moscow", "1,2", '"', "’", "?", "\ud800"]
    )
).map(" ".join)


def names(text: str, featurizer: Featurizer = FEATURIZER) -> set[str]:
    return {Feature(*fields).name for fields in featurizer.features(featurizer.tokens(text))}


@pytest.mark.parametrize("case", read_cases(CASES))
def test_case(case: dict[str, Any]) -> None:
    found = names(case["text"])
    assert not set(case.get("has", ())) - found
    assert not set(case.get("lacks", ())) & found
    if "count" in case:
        assert len(found) == case["count"]
    for other in case.get("alike", ()):
        assert names(other) == found
        assert FEATURIZER.indices(other) == FEATURIZER.indices(case["text"])


def test_cases_have_known_fields_only() -> None:
    # A misspelt field would be a case that tests nothing.
    for line in CASES.read_text(encoding="utf-8").splitlines():
        case = set(json.loads(line))
        assert {"text", "why"} < case <= FIELDS, line
        assert case & {"has", "lacks", "alike", "count"}, line


@pytest.mark.parametrize(
    ("word", "hashed"),
    [
        ("", 0x243F6A8885A308D3),
        ("a", 0x30F344BA0FA72E15),
        ("deny", 0x4693F5D886294677),
        ("denied", 0xE5FBC2ED97DE7968),
        ("eightsix", 0x2DA73C7A0EC730EC),
        ("eightsixn", 0x4750C5E8757497C6),
        ("internationally", 0xA02BF3F123B9B1F4),
        ("<name>", 0x3AC26CE2A2E721FF),
        ("@deny", 0xB2D7E9ACF3EC79E2),
        ("отрицает", 0x1FF82433A1BFE865),
    ],
)
def test_pinned_hashes(word: str, hashed: int) -> None:
    # These figures are the specification; models and matrices are unreadable under others.
    assert hash_word(word) == hashed


@pytest.mark.parametrize(
    ("family", "parts", "bucket"),
    [
        ("word", ("deny",), 433475),
        ("word", ("<start>", "moscow", "denied"), 160593),
        ("name", ("US",), 561168),
        ("prefix", ("denia",), 665015),
        ("class", ("not", "@deny"), 690010),
        ("pair", ("@deny", "@claim", "near"), 793869),
        ("context", ("@deny", "_", "<name>"), 839434),
        ("reach", ("@deny", "_", "entry"), 1176026),
        ("object", ("@deny", "entry"), 1417933),
        ("triple", ("@deny", "@claim", "@access"), 1497792),
        ("form", ("question",), 1542338),
    ],
)
def test_pinned_buckets(family: str, parts: tuple[str, ...], bucket: int) -> None:
    assert FEATURIZER.bucket(FAMILIES.index(family), parts) == bucket


def test_pinned_ranges() -> None:
    offsets = (0, 524288, 655360, 688128, 690176, 821248, 1083392, 1345536, 1476608, 1542144)
    assert FEATURIZER.settings.offsets == offsets
    assert FEATURIZER.settings.buckets == 1542400


def test_pinned_text() -> None:
    lexicon = Lexicon.from_classes({"deny": ["denied"], "negation": ["not"], "function": ["the"]})
    featurizer = Featurizer(lexicon)
    assert featurizer.fingerprint == "c427f1984b1e2954854461e02032278d973be4aee5ba2e9df8a12737c8f72a2c"
    assert featurizer.indices("Moscow denied it did not attack.") == PINNED_TEXT


def test_the_order_of_parts_counts() -> None:
    family = FAMILIES.index("word")
    assert FEATURIZER.bucket(family, ("denied", "entry")) != FEATURIZER.bucket(family, ("entry", "denied"))
    assert FEATURIZER.bucket(family, ("ab", "c")) != FEATURIZER.bucket(family, ("a", "bc"))


@given(any_text)
def test_indices_are_sorted_unique_and_in_range(text: str) -> None:
    for featurizer in (FEATURIZER, SMALL):
        found = featurizer.indices(text)
        assert all(left < right for left, right in pairwise(found))
        assert all(0 <= index < featurizer.settings.buckets for index in found)


@given(any_text)
def test_features_lie_in_their_family_and_in_the_text(text: str) -> None:
    tokens = FEATURIZER.tokens(text)
    offsets = (*FEATURIZER.settings.offsets, FEATURIZER.settings.buckets)
    for fields in FEATURIZER.features(tokens):
        feature = Feature(*fields)
        assert 0 <= feature.first <= feature.last < len(tokens)
        bucket = FEATURIZER.bucket(feature.family, feature.parts)
        assert offsets[feature.family] <= bucket < offsets[feature.family + 1]


@given(any_text)
def test_a_used_featurizer_finds_what_a_new_one_finds(text: str) -> None:
    assert Featurizer(FEATURIZER.lexicon).indices(text) == FEATURIZER.indices(text)


@given(st.lists(st.sampled_from(["Moscow", "denied", "the", "claim", "1,000", "not"]), min_size=1))
def test_white_space_makes_no_difference(words: list[str]) -> None:
    assert FEATURIZER.indices(" ".join(words)) == FEATURIZER.indices("\n " + "\t\u00a0 ".join(words) + "\u3000")


def test_indices_do_not_depend_on_hash_seed_or_locale() -> None:
    text = "“Moscow won’t deny the claim”, said NATO’s café owner in the U.S. on 3 May: отрицает?"
    script = (
        "import sys, json\n"
        "from stance.features import Featurizer\n"
        "from stance.lexicon import read_lexicon\n"
        "from stance.resources import data_path\n"
        "featurizer = Featurizer(read_lexicon(data_path('lexicon.toml')))\n"
        "print(featurizer.fingerprint, featurizer.indices(json.loads(sys.argv[1])))\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script, json.dumps(text)],
            env=os.environ | {"PYTHONHASHSEED": seed, "LC_ALL": locale, "PYTHONUTF8": utf8},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, locale, utf8 in (("1", "C", "0"), ("2", "C.UTF-8", "1"))
    }
    assert len(outputs) == 1
    assert len(outputs.pop()) > 500


def test_the_fingerprint_tells_lexicons_and_settings_apart() -> None:
    other_word = Featurizer(Lexicon.from_classes(CLASSES | {"access": ["entry", "visa"]}))
    other_class = Featurizer(Lexicon.from_classes({**CLASSES, "more": []}))
    other_place = Featurizer(Lexicon.from_classes(CLASSES | {"access": [], "claim": [*CLASSES["claim"], "entry"]}))
    prints = {each.fingerprint for each in (FEATURIZER, SMALL, other_word, other_class, other_place)}
    assert len(prints) == 5
    assert Featurizer(FEATURIZER.lexicon).fingerprint == FEATURIZER.fingerprint


@pytest.mark.parametrize(
    ("gap", "distance"),
    [(1, "near"), (3, "near"), (4, "middle"), (8, "middle"), (9, "far"), (64, "far"), (65, None)],
)
def test_distances_of_pairs(gap: int, distance: str | None) -> None:
    found = names("they deny " + "x " * (gap - 1) + "claim")
    assert {name.split()[-1] for name in found if name.startswith("pair: @deny @claim")} - {"outside"} == (
        {distance} if distance else set()
    )
    assert ("pair: @deny @claim outside outside" in found) is (distance in {"near", "middle"})


@pytest.mark.parametrize(("between", "reached"), [(0, True), (5, True), (6, False)])
def test_how_far_a_class_reaches(between: int, reached: bool) -> None:
    assert ("reach: @deny _ speec" in names("they deny " + "x " * between + "speeches now")) is reached
    assert ("reach: speec _ @deny" in names("the speeches " + "x " * between + "deny it")) is reached


def test_a_lexicon_without_the_special_classes() -> None:
    featurizer = Featurizer(Lexicon.from_classes({"deny": ["denied"]}))
    found = names("The man has not denied it.", featurizer)
    assert "class: @deny" in found
    assert "class: not @deny" not in found
    assert "word: <name> man has" in found, "without function words the first word passes for a name"


def test_frames_have_no_neighbours_and_no_pairs_with_each_other() -> None:
    listed = {"deny": ["denied"], "say": ["said"], "actor": ["minister"], "function": ["the"]}
    text = "the minister said that London denied the payment"
    plain = names(text, Featurizer(Lexicon.from_classes(listed)))
    framed = names(text, Featurizer(Lexicon.from_classes(listed, ["say", "actor"])))
    assert framed < plain
    assert {name for name in plain - framed if name.split(":")[0] not in {"context", "reach", "object", "triple"}} == {
        "pair: @actor @say near",
        "pair: @actor @say outside outside",
    }
    assert {"class: @say", "pair: @say @deny near", "context: <name> @deny"} <= framed


def test_an_object_is_the_next_word_that_is_no_function_word() -> None:
    listed = {"deny": ["denied"], "function": ["the", "an", "of"]}
    found = names("Oslo denied the, an entry of goods", Featurizer(Lexicon.from_classes(listed)))
    assert {name for name in found if name.startswith("object")} == {"object: @deny entry"}


def test_triples_are_of_cues_close_to_each_other() -> None:
    near = "they deny the claim on entry"
    assert "triple: @deny @claim @access" in names(near)
    assert "triple: @deny @claim @access" not in names(near.replace("on", "x " * 10))


MARKED: Final = Featurizer(FEATURIZER.lexicon, FeatureSettings(marks=("s", "t")))


def test_a_marked_span_is_one_word_whoever_stands_in_it() -> None:
    one = names("<s>The Kremlin</s> denied that <t>Kyiv, not Oslo,</t> made that claim", MARKED)
    other = names("<s>Paris</s> denied that <t>Berlin</t> made that claim", MARKED)
    assert one == other
    assert {"word: <s>", "word: <s> denied", "class: @<s>", "pair: @<s> @deny near", "pair: @deny @<t> near"} <= one
    assert not any("paris" in name.lower() for name in other)


def test_marks_keep_their_place_in_the_text() -> None:
    text = "Now <s>Paris</s> denied it"
    token = next(token for token in MARKED.tokens(text) if token.text == "<s>")
    assert text[token.start : token.end] == "<s>Paris</s>"
    assert [token.start for token in MARKED.tokens(text)] == sorted(token.start for token in MARKED.tokens(text))


@pytest.mark.parametrize("text", ["<s>Paris denied it", "Paris</s> denied it", "<u>Paris</u> denied it"])
def test_tags_that_are_no_whole_mark_are_plain_text(text: str) -> None:
    assert names(text, MARKED) == names(text)


def test_marks_belong_to_the_fingerprint() -> None:
    assert MARKED.fingerprint != FEATURIZER.fingerprint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Kremlin Denies Plot Against Kyiv", True),
        ("KREMLIN DENIES PLOT AGAINST KYIV", True),
        ("Kremlin denies plot against Kyiv", False),
        ("Kremlin Denies it", False),
        ("Kremlin Denies Plot against Kyiv", True),
        ("", False),
    ],
)
def test_headlines(text: str, expected: bool) -> None:
    assert is_headline(tokenise(text)) is expected


def test_what_comes_after_the_limit_does_not_count() -> None:
    text = "Moscow denied it. " * (LONGEST // 18)
    beginning = text.ljust(LONGEST)
    assert FEATURIZER.indices(beginning + "Kyiv will not deny the claim") == FEATURIZER.indices(beginning)
    assert FEATURIZER.indices(beginning) != FEATURIZER.indices(beginning[: LONGEST - 20] + "not deny the claim")


@pytest.mark.parametrize(
    "text",
    [
        "Moscow denied it. " * 555_556,
        '"' * 100_000,
        "not deny " * 100_000,
        "made that claim " * 100_000,
        "A " * 100_000,
    ],
    ids=["10 MB", "quotation marks", "cues", "phrases", "names"],
)
def test_no_text_holds_up_a_run(text: str) -> None:
    begin = time.perf_counter()
    assert FEATURIZER.indices(text)
    assert time.perf_counter() - begin < MOST_SECONDS
