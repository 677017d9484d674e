"""The compiled features and scores against their readable reference: equal for any text, however it is handed over."""

from __future__ import annotations

import copy
import dataclasses
import gc
import gzip
import json
import os
import subprocess
import sys
import threading
import time
import unicodedata
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
import pyarrow as pa
import pytest
from arrow_column import Column, OneArray, OneStream
from awkward import CONTRACTIONS, CUES, INITIALS, NAMES, NUMBERS, PIECES, SENTENCES, TAGS, made_featurizers
from hypothesis import example, given
from hypothesis import strategies as st

import stance
from stance import features
from stance.dataset import Dataset
from stance.design import assemble
from stance.features import FAMILIES, LONGEST, FeatureSettings, Featurizer, hash_word
from stance.labels import Label, LabelSet
from stance.lexicon import Lexicon
from stance.model import Model, Weights
from stance.records import InputError
from stance.sentences import split_statements, statement_spans
from stance.texts import Utf8
from stance.tokens import fold, tokenise

kernel = pytest.importorskip("stance._kernel.features", reason="stance was installed without a compiler")
if features.compiled is None:
    pytest.skip("everything is to run on the reference", allow_module_level=True)

ROOT: Final = Path(__file__).resolve().parent.parent
OUTSIDE: Final = ROOT.parent / "shared"
OUTSIDE_TEXTS: Final = (
    (OUTSIDE / "gold" / "dev.jsonl", 1),
    (OUTSIDE / "pool" / "news.jsonl.gz", 200),
    (OUTSIDE / "articles" / "briefings.jsonl.gz", 40),
)
SAMPLE: Final = 250
TOLERANCE: Final = 1e-9
MOST_SECONDS: Final = 10.0
MEGABYTE: Final = 1 << 20
IS_SANITIZED: Final = "asan" in os.environ.get("LD_PRELOAD", "")

SHIPPED: Final = stance.load()
MADE: Final = made_featurizers()
FEATURIZERS: Final = {"shipped": SHIPPED.featurizer, **MADE}
ENTRIES: Final = sorted(SHIPPED.featurizer.lexicon.entries)
PHRASES: Final = [entry for entry in ENTRIES if " " in entry]
BESIDE: Final = {1: "", 2: "中", 4: "😀"}
FINE: Final = ["The harbour board denied it.", "Nobody was hurt, the mayor’s café owner said.", "отрицает"]

entry: Final = st.sampled_from(ENTRIES) | st.sampled_from(PHRASES)
piece: Final = st.one_of(
    st.sampled_from(PIECES),
    st.sampled_from(CUES),
    entry,
    entry.map(str.title),
    entry.map(str.upper),
    st.sampled_from(SENTENCES),
    st.characters(exclude_categories=()),
)
words: Final = st.lists(piece, max_size=30).map(" ".join)
glued: Final = st.lists(piece, max_size=20).map("".join)
headline: Final = st.lists(entry | st.sampled_from(NAMES), min_size=3, max_size=12).map(" ".join).map(str.title)
tagged: Final = st.lists(st.sampled_from(TAGS) | piece, max_size=16).map("".join)
any_text: Final = st.one_of(words, glued, headline, tagged, st.text(st.characters(exclude_categories=()), max_size=80))


def by_hand(model: Model) -> Model:
    """Return the same model without its kernel."""
    featurizer = Featurizer(model.featurizer.lexicon, model.featurizer.settings)
    featurizer.__dict__["kernel"] = None
    return dataclasses.replace(model, featurizer=featurizer)


def made_model(featurizer: Featurizer, labels: int, *, used: float = 0.7) -> Model:
    """Return a model with weights by chance in so many of its buckets."""
    chance = np.random.default_rng(labels)
    dense = chance.normal(size=(featurizer.settings.buckets, labels)).astype(np.float32)
    dense[chance.random(len(dense)) >= used] = 0
    given_labels = LabelSet(tuple(Label(f"label{number}") for number in range(labels)), False)
    return Model(given_labels, featurizer, Weights.of(dense), *chance.normal(size=(4, labels)))


def stored(text: str) -> Iterator[Any]:
    """Yield the text as the kernel can get it: by one, two or four bytes a character, and as UTF-8."""
    yield kernel.texts_of([text])
    for other in BESIDE.values():
        yield kernel.texts_of_spans(text + other, [(0, len(text), "body")])
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        return
    yield kernel.texts_of_utf8(raw, np.array([0, len(raw)]))


def rows(featurizer: Featurizer, texts: Sequence[str]) -> list[list[int]]:
    indptr, indices = featurizer.rows(texts)
    assert indptr.dtype == np.int64
    assert indices.dtype == np.int32
    return [indices[start:end].tolist() for start, end in pairwise(indptr)]


def utf8(texts: Sequence[str]) -> Utf8:
    raw = [text.encode() for text in texts]
    return Utf8(b"".join(raw), np.cumsum([0, *map(len, raw)]))


@cache
def small_models() -> tuple[Model, ...]:
    """Return models of all widths of rows; the last has no weights."""
    models = [
        made_model(MADE[name], labels)
        for name, labels in (("1 bit", 1), ("3 bits", 3), ("6 bits", 4), ("marks, 4 bits", 5), ("no classes", 9))
    ]
    return (*models, made_model(MADE["3 bits"], 2, used=0.0))


# Equal for any text


@pytest.mark.parametrize("name", FEATURIZERS)
@given(text=any_text)
@example("")
@example("\ud800 A\0B \U0010ffff")
@example("WON'T CAN'T CANNOT it's o'brien's U.S. a.b")
def test_any_text(name: str, text: str) -> None:
    featurizer = FEATURIZERS[name]
    expected = featurizer.indices(text)
    for texts in stored(text):
        indptr, indices = featurizer.kernel.rows(texts)
        assert indptr.tolist() == [0, len(expected)]
        assert indices.tolist() == expected


@pytest.mark.parametrize("name", ["plain", "marks", "many classes"])
def test_every_piece(name: str) -> None:
    # By chance some would never be drawn.
    pieces = [*PIECES, *(piece.upper() for piece in PIECES), *(piece.title() for piece in PIECES)]
    texts = [context.format(piece) for piece in pieces for context in ("{0}", "He {0} it.", "x{0}y", '"{0}" {0}')]
    assert rows(FEATURIZERS[name], texts) == [FEATURIZERS[name].indices(text) for text in texts]


def test_the_entries_of_the_lexicon() -> None:
    texts = ["They " + " ".join(ENTRIES[first : first + 6]) for first in range(0, len(ENTRIES), 20)]
    assert rows(SHIPPED.featurizer, texts) == [SHIPPED.featurizer.indices(text) for text in texts]


@given(st.lists(any_text, max_size=5))
def test_texts_in_company(texts: list[str]) -> None:
    # A worker's memory is used again, so that a text could find what another has left there.
    for featurizer in FEATURIZERS.values():
        expected = [featurizer.indices(text) for text in texts]
        assert rows(featurizer, texts) == expected
        assert rows(featurizer, texts[::-1]) == expected[::-1]


@given(st.lists(any_text.filter(str.strip), max_size=4))
def test_scores(texts: list[str]) -> None:
    for model in (SHIPPED, *small_models()):
        expected = by_hand(model).scores(texts)
        assert expected.shape == (len(texts), len(model.labels.names))
        np.testing.assert_allclose(model.scores(texts), expected, rtol=0, atol=TOLERANCE)
        np.testing.assert_allclose(model.probabilities(texts), model.calibrate(expected), rtol=0, atol=TOLERANCE)


def test_predictions(default_model: Model) -> None:
    found, expected = default_model.predict(SENTENCES), by_hand(default_model).predict(SENTENCES)
    for one, other in zip(found, expected, strict=True):
        assert (one.text, one.labels, one.label) == (other.text, other.labels, other.label)
        assert one.scores == pytest.approx(other.scores, abs=TOLERANCE)
        assert one.probabilities == pytest.approx(other.probabilities, abs=TOLERANCE)
    assert {label for each in found for label in each.labels} == set(default_model.labels.names)


@pytest.mark.parametrize(
    "end",
    [
        *(
            *CONTRACTIONS[::3],
            *INITIALS[::2],
            *NUMBERS[::3],
            "denied",
            "made that claim",
            "“Never.”",
            "U.S.",
            "A.B.\" '",
        ),
        *("é" * 6, "E\u0301TAT", "😀中é", "<s>Oslo</s>", "<s></s>", "'90s", "MARK\u0301S", "\ud800\ud800", "ＮＡＴＯ"),
    ],
)
def test_the_length_from_which_on_nothing_counts(end: str) -> None:
    for featurizer in (MADE["marks"], MADE["framed"]):
        texts = [
            "They denied it. ".ljust(LONGEST + over - len(end), blank) + end + behind
            for over in range(-2, len(end) + 1)
            for blank, behind in ((" ", ""), ("\u3000", " not"))
        ]
        assert rows(featurizer, texts) == [featurizer.indices(text) for text in texts]


@pytest.mark.parametrize(
    "unit", ["x ", "go ", "it's ", "x'm ", "U.S. ", "é ", "a.b ", "1 ", "A'\u0301s ", "😀 ", "<s></s>", "go on "]
)
def test_a_text_of_twice_as_many_tokens(unit: str) -> None:
    # Lists that grow with the texts have to have room for one more than they had.
    lexicon = Lexicon.from_classes({**{name: ["go", "it"] for name in "abcd"}, "e": ["go on", "it"], "f": ["go on"]})
    for count in (1, 2, 3, 5, 8, 21):
        featurizer = Featurizer(lexicon, FeatureSettings(marks=("s",)))
        texts = [unit * more for more in (count, 2 * count + 1, 1)]
        assert rows(featurizer, texts) == [featurizer.indices(text) for text in texts]


@pytest.mark.slow
def test_every_character() -> None:
    featurizer = MADE["bare"]
    rest = ("Cn", "Co", "Lo")
    codes = [code for code in range(sys.maxunicode + 1) if code < 0x800 or unicodedata.category(chr(code)) not in rest]
    contexts = ("{0}", "x{0}x", "A{0}", " {0}", "{0} a.{0}", "it'{0}", "1,{0}", "<{0}", '"{0}')
    texts = ["".join(context.format(chr(code)) + "\n" for code in part for context in contexts)
             for part in (codes[first : first + 40] for first in range(0, len(codes), 40))]  # fmt: skip
    for text in texts:
        # Only one family tells which word it was; the others cost time.
        expected = featurizer.indices(text)
        for way in stored(text):
            assert featurizer.kernel.rows(way)[1].tolist() == expected


def test_what_is_white_space_is_blank() -> None:
    # The kernel takes a text for blank only where it has no features.
    for code in range(sys.maxunicode + 1):
        if chr(code).isspace():
            assert rows(SHIPPED.featurizer, [chr(code)]) == [[]], hex(code)


def test_a_word_with_the_hash_of_another() -> None:
    # Words of more than eight bytes can be made to have any hash; a cue they are not.
    for word, double in (
        ("reconciliation", "\u8a15\u9bafbxoymeke"),
        ("negotiations", "m\u8e68v\ucbb6vrxa"),
        ("unsubstantiated", "\u7f3fb\u3fccpwaemgkq"),
    ):
        assert word in SHIPPED.featurizer.lexicon.entries
        assert hash_word(word) == hash_word(double)
        assert fold(double) == double
        assert [token.text for token in tokenise(double)] == [double]
        text = f"They spoke of {double} again."
        expected = SHIPPED.featurizer.indices(text)
        assert rows(SHIPPED.featurizer, [text]) == [expected]
        assert expected != SHIPPED.featurizer.indices(text.replace(double, word))


# However it is handed over


def columns(texts: list[str]) -> dict[str, Any]:
    around = ["left out", *texts, "left out"]
    middle = len(texts) // 2
    found: dict[str, Any] = {
        "string": pa.array(texts, pa.string()),
        "large_string": pa.array(texts, pa.large_string()),
        "part of a string array": pa.array(around, pa.string())[1:-1],
        "part of a large_string array": pa.array(around, pa.large_string()).slice(1, len(texts)),
        "part of an array with nulls": pa.array([None, *texts, None], pa.string())[1:-1],
        "chunks": pa.chunked_array([texts[:middle], [], texts[middle:]], pa.string()),
        "large chunks": pa.chunked_array([[text] for text in texts], pa.large_string()),
        "by hand": OneArray(texts),
        "by hand, nulls not counted": OneArray(texts, null_count=-1),
        "by hand, no bits of nulls": OneArray(texts, null_count=0),
        "stream by hand": OneStream(texts[:middle], [], texts[middle:], wide=True),
    }
    raw = "".join(around).encode()
    offsets = np.cumsum([len(around[0]), *(len(text.encode()) for text in texts)])
    for name, data in {
        "bytes": raw,
        "bytearray": bytearray(raw),
        "memoryview": memoryview(raw),
        "array": np.frombuffer(raw, dtype=np.uint8),
        "int8": np.frombuffer(raw, dtype=np.int8),
        "Arrow buffer": pa.py_buffer(raw),
        "array module": array("b", raw),
    }.items():
        found[name] = Utf8(data, offsets)
    found["32-bit offsets"] = Utf8(raw, offsets.astype(np.int32))
    found["every other offset"] = Utf8(raw, np.repeat(offsets, 2)[::2])
    found["a list of offsets"] = Utf8(raw, offsets.tolist())  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("name", columns(FINE))
def test_columns(name: str, default_model: Model) -> None:
    for texts in ([*SENTENCES, "é\0😀", "x"], ["One."]):
        column = columns(texts)[name]
        expected = default_model.scores(texts)
        assert np.array_equal(default_model.scores(column), expected)
        assert np.array_equal(default_model.probabilities(column), default_model.calibrate(expected))
        if not isinstance(column, Column):
            assert default_model.predict(column) == default_model.predict(texts)
            np.testing.assert_allclose(by_hand(default_model).scores(column), expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    "nothing",
    [
        *(pa.array([], pa.string()), pa.array(FINE)[1:1], pa.chunked_array([], pa.string())),
        pa.chunked_array([[], []], pa.string()),
        *(Utf8(b"", np.array([0])), Utf8(b"abc", np.array([3])), Utf8(np.empty(0, np.uint8), np.array([0])), []),
        OneStream(),
    ],
)  # fmt: skip
def test_nothing(nothing: Any, default_model: Model) -> None:
    assert default_model.scores(nothing).shape == (0, 3)
    if not isinstance(nothing, Column):
        assert by_hand(default_model).scores(nothing).shape == (0, 3)
        assert default_model.predict(nothing) == []


def both(model: Model, texts: Any) -> Iterator[Callable[[], object]]:
    for each in (model, by_hand(model)):
        yield from (lambda method=method: method(texts) for method in (each.scores, each.probabilities, each.predict))


BROKEN: Final = {
    "overlong slash": b"\xc0\xaf",
    "overlong by three": b"\xe0\x9f\xbf",
    "overlong by four": b"\xf0\x8f\xbf\xbf",
    "high surrogate": b"\xed\xa0\x80",
    "low surrogate": b"\xed\xbf\xbf",
    "beyond the last code point": b"\xf4\x90\x80\x80",
    "lead byte of no text": b"\xf5\x80\x80\x80",
    "lone continuation": b"\x80",
    "no byte of UTF-8": b"\xff",
    "cut in two": b"\xc3",
    "cut in three": b"\xe2\x82",
    "cut in four": b"\xf0\x9f\x98",
    "latin-1": "é ".encode("latin-1"),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("before", ["", "Meren denied it. ", "é" * 7, "They said no. ".ljust(LONGEST), "é" * LONGEST])
def test_bytes_that_are_no_text(broken: bytes, before: str, default_model: Model) -> None:
    # What goes on in the next text does not mend it.
    raw = [b"Fine.", before.encode() + broken, b"\x80\x80\xac Fine."]
    offsets = np.cumsum([0, *map(len, raw)])
    data = b"".join(raw)
    buffers = [None, pa.py_buffer(offsets.astype(np.int32).tobytes()), pa.py_buffer(data)]
    column = pa.StringArray.from_buffers(3, buffers[1], buffers[2])
    for texts in (Utf8(data, offsets), column, pa.chunked_array([column[:1], column[1:]])):
        for call in both(default_model, texts):
            with pytest.raises(InputError, match=r"text 1 is not valid UTF-8; convert it or leave it out"):
                call()
    marked = MADE["marks"].kernel
    with pytest.raises(kernel.TextError) as caught:
        marked.rows(kernel.texts_of_utf8(data, offsets))
    assert caught.value.args == (1, "not valid UTF-8")
    # The next texts are read as if nothing had been.
    assert default_model.predict(FINE[0]).label == "denial"


def test_every_short_run_of_bytes_is_text_or_is_not(default_model: Model) -> None:
    edges = [0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xEC, 0xED, 0xEE, 0xEF]
    edges += [0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF]
    made = default_model.featurizer.kernel
    chance = np.random.default_rng(3)
    runs = [bytes([one, two, three]) for one in edges for two in edges for three in edges]
    runs += [bytes(chance.choice(edges, 4).tolist()) for _ in range(5000)]
    for run in runs:
        try:
            expected: str | None = run.decode()
        except UnicodeDecodeError:
            expected = None
        texts = kernel.texts_of_utf8(run, np.array([0, len(run)]))
        if expected is None:
            with pytest.raises(kernel.TextError):
                made.rows(texts)
        else:
            assert made.rows(texts)[1].tolist() == made.rows(kernel.texts_of([expected]))[1].tolist()


@pytest.mark.parametrize(
    "column",
    [
        *(pa.array([*FINE, None]), pa.array([*FINE, None], pa.large_string()), pa.chunked_array([FINE, [None, "x"]])),
        pa.array(["x", *FINE, None])[1:],
    ],
)
def test_nulls(column: Any, default_model: Model) -> None:
    for call in both(default_model, column):
        with pytest.raises(
            InputError, match=r"^text 3 is (missing \(null\)|NoneType, not a string); convert it or leave"
        ):
            call()


def test_nulls_that_nobody_has_counted(default_model: Model) -> None:
    for column in (OneArray([*FINE, None], null_count=-1), OneStream([*FINE, None], null_count=-1, wide=True)):
        with pytest.raises(InputError, match=r"^text 3 is missing \(null\)"):
            default_model.scores(column)


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        (pa.array(FINE).dictionary_encode(), "format 'i', not u or U"),
        (pa.array(FINE, pa.binary()), "format 'z'"),
        (pa.array(FINE, pa.large_binary()), "format 'Z'"),
        (pa.array(FINE, pa.string_view()), "format 'vu'"),
        (pa.array([1, 2]), "format 'l'"),
        (pa.array([], pa.null()), "format 'n'"),
        (pa.array([FINE]), "format '\\+l'"),
        (pa.table({"text": FINE}), "format '\\+s'"),
        (pa.record_batch({"text": FINE}), "format '\\+s'"),
        (pa.chunked_array([pa.array(FINE).dictionary_encode()]), "format 'i'"),
        (OneArray(FINE, offsets=[0, 5, 3, 6]), "not in order"),
        (OneArray(FINE, offsets=[-2, 3, 4, 5], wide=True), "not in order"),
        (OneArray(FINE, form=b"vu"), "format 'vu'"),
        (OneArray(FINE, length=-1), "no whole array"),
        (OneArray(FINE, offset=-1), "no whole array"),
        (OneArray(FINE, n_buffers=2), "no whole array"),
        (OneArray(FINE, release=type(OneArray(FINE).arrays[0].release)()), "taken it already"),
    ],
)
def test_columns_of_something_else(column: Any, problem: str, default_model: Model) -> None:
    for method in (default_model.scores, default_model.probabilities):
        with pytest.raises(
            InputError, match=f"^the column: its? .*{problem}.*; cast it|^the column: somebody has {problem}"
        ):
            method(column)


def test_a_stream_that_breaks_off(default_model: Model) -> None:
    stream = OneStream(FINE, FINE, FINE)
    stream.fails_at = 1
    with pytest.raises(InputError, match="the column: a chunk of it cannot be read"):
        default_model.scores(stream)
    gc.collect()
    assert stream.released == 2, "the schema and the first chunk are given back"
    stream = OneStream(FINE)
    stream.is_taken = True
    with pytest.raises(InputError, match="the column: its schema cannot be read"):
        default_model.scores(stream)
    column = OneStream(FINE)
    capsule = column.__arrow_c_stream__()
    column.__arrow_c_stream__ = lambda: capsule  # type: ignore[method-assign]
    with pytest.raises(InputError, match="the column"):
        default_model.scores(type("Other", (), {"__arrow_c_array__": lambda _: (capsule, capsule)})())


@pytest.mark.parametrize(
    ("data", "offsets"),
    [
        *((b"abcdef", np.array(wrong)) for wrong in ([0, 7], [-1, 3], [0, 4, 2], [5, 2], [1 << 62, 1 << 62])),
        (b"abcdef", np.array([], dtype=np.int64)),
        (b"abcdef", np.array([[0, 1], [2, 3]])),
        (b"abcdef", np.array([0.0, 3.0])),
        (b"abcdef", np.array([0, 3], dtype=np.uint64)),
        (b"abcdef", np.array(["0", "3"])),
        (b"abcdef", 3),
        ("abcdef", np.array([0, 3])),
        (None, np.array([0, 3])),
        (np.zeros((4, 4), dtype=np.uint8)[:, ::2], np.array([0, 3])),
        (b"", np.array([0, 1])),
    ],
)
def test_wrong_offsets(data: Any, offsets: Any, default_model: Model) -> None:
    for call in both(default_model, Utf8(data, offsets)):
        with pytest.raises(InputError, match=r"^Utf8: .*; \w+"):
            call()


@pytest.mark.parametrize(
    "texts",
    [
        *(["Fine.", ""], [" \n\t\u3000\x1c\x85"], ["\u2028" * 9000], ["Fine.", None], [b"bytes"], [3], [float("nan")]),
        *(None, 3, b"bytes", "a string", [["nested"]], np.array([1.5])),
    ],
)
def test_no_statements_are_told_alike(texts: Any, default_model: Model) -> None:
    messages = set()
    for call in list(both(default_model, texts))[: -1 if isinstance(texts, str) else None]:
        if isinstance(texts, str) and "predict" in str(call):
            continue
        try:
            call()
        except InputError as error:
            messages.add(str(error))
        else:
            assert isinstance(texts, str), "a single string is a statement to `predict`"
    assert len(messages) == 1, messages


@pytest.mark.parametrize("blank", ["", " ", "\u3000\u2028", "\x1c\n"])
def test_blank_texts_of_columns(blank: str, default_model: Model) -> None:
    for texts in (pa.array([*FINE, blank]), utf8([*FINE, blank]), pa.chunked_array([FINE, [blank]])):
        for call in both(default_model, texts):
            with pytest.raises(InputError, match=r"text 3 is blank; leave blank texts out"):
                call()


def test_subclasses_of_strings(default_model: Model) -> None:
    class Text(str):
        __slots__ = ()

    expected = default_model.scores(FINE)
    assert np.array_equal(default_model.scores([Text(text) for text in FINE]), expected)
    assert np.array_equal(default_model.scores(np.array(FINE)), expected)
    assert np.array_equal(default_model.scores(text for text in FINE), expected)


def test_spans_lie_in_their_text() -> None:
    text = "He denied it. 😀 She said no."
    spans = statement_spans(text)
    texts = kernel.texts_of_spans(text, spans)
    assert [texts[number] for number in range(len(texts))] == [text[start:end] for start, end, _ in spans]
    for start, end in ((-1, 2), (3, 2), (0, len(text) + 1)):
        with pytest.raises(IndexError):
            kernel.texts_of_spans(text, [(start, end, "body")])
    for wrong in ([[0, 1, "body"]], [(0, 1)], [None]):
        with pytest.raises((TypeError, ValueError)):
            kernel.texts_of_spans(text, wrong)
    for number in (-1, len(texts)):
        with pytest.raises(IndexError):
            texts[number]


def test_weights_out_of_order_are_refused() -> None:
    made, figures = MADE["3 bits"].kernel, [np.zeros(2)] * 3
    for wrong in ([3, 2], [-1, 2], [2, 2], [5, 1 << 20], [0, -5], [7, -1]):
        with pytest.raises(ValueError, match="not in order"):
            kernel.Scorer(made, np.array(wrong, dtype=np.int32), np.zeros((2, 2), np.float32), *figures, False)
    with pytest.raises(ValueError, match="do not fit"):
        kernel.Scorer(made, np.array([1], dtype=np.int32), np.zeros((2, 2), np.float32), *figures, False)


# Hostile texts


UNITS: Final = (
    *("a", "A", "é", "É", " ", "\0", "\u0301", "\u200b", "'", '"', "“", ".", "1", "1,", "中", "😀", "\ud800", "ſ", "<"),
    *("a.", "'s ", "n't", "A ", "NATO ", "é'", "<s>", "<s></s>", "<s><t>"),
)


@pytest.mark.slow
@pytest.mark.parametrize("unit", UNITS)
def test_ten_megabytes_of_one_construction(unit: str) -> None:
    text = unit * (10 * MEGABYTE // len(unit.encode("utf-8", "surrogatepass")))
    for featurizer in (MADE["marks"], SHIPPED.featurizer):
        expected = featurizer.indices(text)
        begin = time.process_time()
        for texts in stored(text):
            assert featurizer.kernel.rows(texts)[1].tolist() == expected
        assert time.process_time() - begin < MOST_SECONDS


def test_a_text_of_cues_only() -> None:
    # So many pairs that those there already are dropped on the way.
    texts = ["not ready us denied " * 5, "ready " * 85, "it is true"]
    model = made_model(MADE["6 bits"], 3)
    expected = [model.featurizer.indices(text) for text in texts]
    assert rows(model.featurizer, texts) == expected
    sums = [model.sums(buckets) for buckets in expected]
    np.testing.assert_allclose(model.scores(texts), sums, rtol=0, atol=TOLERANCE)


def memory() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE")


in_linux = pytest.mark.skipif(
    IS_SANITIZED or not Path("/proc/self/statm").exists(), reason="only Linux tells, and sanitizers keep what was freed"
)


@in_linux
def test_a_text_of_cues_only_takes_little_memory() -> None:
    lexicon = Lexicon.from_classes({f"class{number}": ["cue"] for number in range(30)})
    model = made_model(Featurizer(lexicon, FeatureSettings(dict.fromkeys(FAMILIES, 6))), 3)
    model.scores(["cue"])
    before = memory()
    model.scores(["cue " * (LONGEST // 20)])
    assert memory() - before < 100 * MEGABYTE


@in_linux
def test_scoring_leaves_no_memory_behind(default_model: Model) -> None:
    texts = [*SENTENCES, "х" * 3000, "they deny it " * 10]
    broken = Utf8(b"fine \xff", np.array([0, 5, 6]))

    def all_ways() -> None:
        for given_texts in (texts, pa.array(texts), pa.chunked_array([[text] for text in texts]), utf8(texts)):
            default_model.scores(given_texts)
        default_model.featurizer.rows(texts)
        for wrong in (broken, pa.array(["x", None]), pa.array([1])):
            with pytest.raises(InputError):
                default_model.scores(wrong)

    for _ in range(20):
        all_ways()
    before = memory()
    for _ in range(400):
        all_ways()
    assert memory() - before < 4 * MEGABYTE


def test_arrow_memory_is_kept_as_long_as_needed_and_then_given_back() -> None:
    gc.collect()
    before = pa.total_allocated_bytes()
    for made in (lambda: pa.array(SENTENCES * 200), lambda: pa.chunked_array([list(SENTENCES * 20)] * 10)):
        texts = kernel.texts_of_arrow(made())
        gc.collect()
        assert pa.total_allocated_bytes() > before
        assert [texts[number] for number in range(len(texts))] == [*SENTENCES * 200]
        del texts
    gc.collect()
    assert pa.total_allocated_bytes() == before
    for column in (pa.array([*SENTENCES, None]), pa.array([1, 2]), pa.chunked_array([["x"], [None]])):
        with pytest.raises((TypeError, kernel.TextError)):
            kernel.texts_of_arrow(column)
    del column
    gc.collect()
    assert pa.total_allocated_bytes() == before


def test_every_chunk_is_given_back_once() -> None:
    stream = OneStream(FINE, FINE, [])
    texts = kernel.texts_of_arrow(stream)
    assert stream.released == 1, "the schema; the chunks are still read"
    del texts
    gc.collect()
    assert stream.released == 4
    single = OneArray(FINE)
    texts = kernel.texts_of_arrow(single)
    del texts
    assert single.released == 0, "an array that is not moved out of its capsule stays the capsule's"


# Threads and processes


def test_threads_score_at_the_same_time(default_model: Model) -> None:
    given_texts = [
        [f"{sentence} {number}" for sentence in SENTENCES for number in range(60)],
        [*FINE * 120],
        [*SENTENCES[::-1] * 50],
    ]
    expected = [default_model.scores(texts) for texts in given_texts]
    start = threading.Barrier(6)
    wrong: list[object] = []

    def work(number: int) -> None:
        start.wait()
        for _ in range(15):
            try:
                if not np.array_equal(default_model.scores(given_texts[number % 3]), expected[number % 3]):
                    wrong.append(number)
                if number == 5:
                    default_model.scores(Utf8(b"\xff", np.array([0, 1])))
            except InputError:
                continue
            except BaseException as error:
                wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_list_that_another_thread_changes(default_model: Model) -> None:
    choice = [f"{sentence}{number}" for sentence in SENTENCES for number in range(5)]
    expected = {tuple(row) for row in default_model.scores(choice).tolist()}
    changing = choice * 40
    done = threading.Event()

    def change() -> None:
        chance = np.random.default_rng(4)
        while not done.is_set():
            # New strings, so that nobody but the list holds them.
            changing[:] = ["".join(list(choice[number])) for number in chance.integers(len(choice), size=700)]
            del changing[::3]

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(30):
            assert {tuple(row) for row in default_model.scores(changing).tolist()} <= expected
    finally:
        done.set()
        thread.join()


def test_texts_keep_their_strings() -> None:
    text = "".join(FINE)
    before = sys.getrefcount(text)
    given_texts = [text]
    texts = kernel.texts_of(given_texts)
    given_texts.clear()
    assert sys.getrefcount(text) == before + 1
    assert texts[0] == text


def test_a_model_is_sent_to_other_processes(default_model: Model) -> None:
    expected = default_model.scores(FINE)  # A scorer has been made; it stays here.
    assert np.array_equal(copy.deepcopy(default_model).scores(FINE), expected)
    found = joblib.Parallel(n_jobs=2)(joblib.delayed(default_model.scores)(texts) for texts in (FINE, FINE[::-1]))
    assert np.array_equal(found[0], expected)
    assert np.array_equal(found[1], expected[::-1])


# Without the kernel


def test_without_the_kernel_everything_still_works(default_model: Model) -> None:
    script = (
        "import json, sys\n"
        "import numpy as np, pyarrow as pa, stance\n"
        "from stance import boundaries, features, sentences\n"
        "assert features.compiled is boundaries._compiled is sentences._compiled is None\n"
        "texts = json.loads(sys.argv[1])\n"
        "raw = [text.encode() for text in texts]\n"
        "column = stance.Utf8(b''.join(raw), np.cumsum([0, *map(len, raw)]))\n"
        "model = stance.load()\n"
        "ways = [texts, pa.array(texts), pa.chunked_array([texts], pa.large_string()), column]\n"
        "found = [model.scores(way).tolist() for way in ways]\n"
        "indptr, indices = model.featurizer.rows(texts)\n"
        "labels = [[each.labels for each in model.predict(way)] for way in ways]\n"
        "print(json.dumps([found, indptr.tolist(), indices.tolist(), labels]))\n"
    )
    texts = [*SENTENCES, *FINE]
    ran = subprocess.run(
        [sys.executable, "-c", script, json.dumps(texts)],
        env=os.environ | {"STANCE_REFERENCE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found, indptr, indices, labels = json.loads(ran.stdout)
    for scores in found:
        np.testing.assert_allclose(scores, default_model.scores(texts), rtol=0, atol=TOLERANCE)
    expected = default_model.featurizer.rows(texts)
    assert (indptr, indices) == (expected[0].tolist(), expected[1].tolist())
    assert labels == [[[*each.labels] for each in default_model.predict(texts)]] * 4


def test_the_kernel_needs_no_arrow_library(default_model: Model) -> None:
    script = (
        "import json, sys\n"
        "sys.modules['pyarrow'] = None\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from arrow_column import OneArray, OneStream\n"
        "import stance\n"
        "model = stance.load()\n"
        "print(json.dumps([model.scores(kind(sys.argv[2:])).tolist() for kind in (OneArray, OneStream, list)]))\n"
    )
    run = [sys.executable, "-c", script, str(Path(__file__).parent), *FINE]
    ran = subprocess.run(run, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == [default_model.scores(FINE).tolist()] * 3


def test_a_dataset_is_assembled_alike(small_dataset: Dataset) -> None:
    dataset = dataclasses.replace(small_dataset, own=small_dataset.own[::4], standoff=None)
    featurizer = Featurizer(dataset.lexicon)
    found = assemble(dataset, featurizer)
    featurizer.__dict__["kernel"] = None
    expected = assemble(dataset, featurizer)
    assert found.features.shape == expected.features.shape
    assert found.features.nnz == expected.features.nnz > 5000
    assert abs(found.features - expected.features).max() == 0
    assert found.counts.tolist() == expected.counts.tolist()


# Real news


def real_texts(path: Path) -> Iterator[str]:
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
        for line in stream:
            yield json.loads(line)["text"]


@pytest.mark.slow
@pytest.mark.skipif(
    not all(path.exists() for path, _ in OUTSIDE_TEXTS), reason="needs texts that are not part of the project"
)
@pytest.mark.parametrize(("path", "step"), OUTSIDE_TEXTS, ids=("gold", "pool", "articles"))
def test_real_news(path: Path, step: int, default_model: Model) -> None:
    texts = [text for text in islice(real_texts(path), 0, SAMPLE * step, step) if text.strip()]
    if path.name.startswith("briefings"):
        texts = [statement.text for text in texts[:40] for statement in split_statements(text)[::9]]
    assert len(texts) > SAMPLE // 2
    reference = by_hand(default_model)
    expected = [reference.featurizer.indices(text) for text in texts]
    assert rows(default_model.featurizer, texts) == expected
    sums = np.array([reference.sums(buckets) for buckets in expected])
    for column in (texts, pa.array(texts), utf8(texts)):
        np.testing.assert_allclose(default_model.scores(column), sums, rtol=0, atol=TOLERANCE)
