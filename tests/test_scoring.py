"""Articles → rows → files: what a row says, what the counts say, and what an output file holds in the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import stance
from stance import scoring
from stance.model import Model
from stance.records import Article, InputError
from stance.scoring import Scored, Shape, analyze, columns_of, json_lines, rows_of, score, score_article

TEXT: Final = "Rain fell in Oslo.\n\nThe mayor denied that he took a bribe. Both sides should return to the talks."
COLUMNS: Final = (
    *("article_id", "source", "date", "language", "statement_no", "start", "end", "text", "labels"),
    *("p_denial", "p_accusation", "p_dialogue_call", "model"),
)
NAMES: Final = st.text(st.characters(codec="utf-8"), max_size=8)

any_text = st.text(st.characters(exclude_categories=())) | st.lists(
    st.sampled_from(
        ("He denied it. ", "They ", "talks", "\n", "\r\n", "\n\n", " ", "\0", "é", "e\u0301", "😀", "\ud800", "?")
    )
).map("".join)


# Articles and their statements.


@given(any_text)
@example("\ufeffHe denied it.")
@example("\ud83d\ude00 He denied it.")
@example("\0")
def test_offsets_are_exact(default_model: Model, text: str) -> None:
    if not text.strip():
        with pytest.raises(InputError, match="blank"):
            analyze(text, default_model)
        return
    article = analyze(text, default_model)
    assert all(
        new == old or (new == "\ufffd" and "\ud800" <= old <= "\udfff")
        for new, old in zip(article.text, text, strict=True)
    )
    assert article.statements
    end = 0
    covered = ""
    for statement in article.statements:
        assert end <= statement.start < statement.end
        assert article.text[statement.start : statement.end] == statement.text == statement.text.strip()
        assert statement.prediction is not None
        assert statement.prediction.text == statement.text
        covered += article.text[end : statement.start]
        end = statement.end
    # Nothing but white space lies between statements.
    assert not (covered + article.text[end:]).strip()


@given(any_text.filter(str.strip))
def test_rows_are_what_analyze_says(default_model: Model, text: str) -> None:
    article = analyze(text, default_model)
    rows = list(score([text], default_model, any_language=True))
    for number, (row, statement) in enumerate(zip(rows, article.statements, strict=True)):
        made = statement.prediction
        assert made is not None
        assert (row["article_id"], row["statement_no"], row["model"]) == ("0", number, default_model.id)
        assert (row["start"], row["end"], row["text"]) == (statement.start, statement.end, statement.text)
        assert row["labels"] == list(made.labels)
        for name in default_model.labels.names:
            assert row[f"p_{name}"] == pytest.approx(made.probabilities[name], abs=1e-6)


def test_a_statement_is_scored_as_it_is_alone(default_model: Model) -> None:
    article = stance.analyze(TEXT)
    assert [statement.text for statement in article.statements] == [
        "Rain fell in Oslo.",
        "The mayor denied that he took a bribe.",
        "Both sides should return to the talks.",
    ]
    assert [statement.prediction for statement in article.statements] == default_model.predict(
        statement.text for statement in article.statements
    )
    assert [made.label for statement in article.statements if (made := statement.prediction)] == [
        "none",
        "denial",
        "dialogue_call",
    ]


def test_a_text_has_the_date_of_its_date_line() -> None:
    text = "Posted: 23 Nov 2021 15:27 GMT\n\nThe mayor denied it."
    assert stance.analyze(text).date == "2021-11-23"
    assert {row["date"] for row in stance.score([text])} == {"2021-11-23"}


def test_rows_have_the_columns_in_order(default_model: Model) -> None:
    assert tuple(columns_of(default_model)) == COLUMNS
    rows = list(stance.score([TEXT]))
    assert len(rows) == 3
    assert all(tuple(row) == COLUMNS for row in rows)


def test_rows_come_in_order_with_what_the_articles_bring() -> None:
    articles: list[Article | str] = [
        Article(TEXT, "b", "Daily", "2020-01-02"),
        "It rained.",
        Article("He denied it.", "a"),
    ]
    found = [(row["article_id"], row["source"], row["date"], row["statement_no"]) for row in stance.score(articles)]
    assert found == [
        *(("b", "Daily", "2020-01-02", number) for number in range(3)),
        ("1", "", "", 0),
        ("a", "", "", 0),
    ]


def test_the_model_may_be_a_folder_or_an_object(small_model: Model, tmp_path: Path) -> None:
    saved = stance.save(small_model, tmp_path)
    rows = list(stance.score([TEXT], saved))
    assert {row["model"] for row in rows} == {saved.id} != {"unsaved"}
    assert list(stance.score([TEXT], tmp_path)) == list(stance.score([TEXT], str(tmp_path))) == rows


def test_articles_are_scored_as_they_come() -> None:
    drawn = 0

    def feed() -> Iterator[str]:
        nonlocal drawn
        while True:
            drawn += 1
            yield "He denied it. It rained."

    rows = stance.score(feed())
    assert [next(rows)["article_id"] for _ in range(4)] == ["0", "0", "1", "1"]
    assert drawn == 2


@pytest.mark.parametrize("blank", ["", " \n\t", "\u2003\x85"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_blank_article_is_told_and_not_dropped(blank: str, wrapped: bool) -> None:
    rows = stance.score(["He denied it.", Article(blank, id="x") if wrapped else blank])
    next(rows)
    with pytest.raises(InputError, match=r"article ('x'|1).* blank"):
        next(rows)


@pytest.mark.parametrize("thing", [None, 1, b"He denied it.", ["He denied it."], Article(1)])  # type: ignore[arg-type]
def test_what_is_no_text_is_told(thing: Any) -> None:
    with pytest.raises(InputError, match=r"article 0 is (NoneType|int|bytes|list), not a string"):
        list(stance.score([thing]))
    if not isinstance(thing, Article):
        with pytest.raises(InputError, match=r"(NoneType|int|bytes|list), not a string"):
            stance.analyze(thing)


@pytest.mark.parametrize("thing", ["He denied it.", b"He denied it.", 7, None])
def test_what_is_no_iterable_of_articles_is_told(thing: Any) -> None:
    with pytest.raises(InputError, match="put it into a list"):
        list(stance.score(thing))


def test_lone_surrogates_of_an_article_are_replaced() -> None:
    [row] = stance.score([Article("He denied \ud800 it.", "x")])
    assert row["text"] == "He denied \ufffd it."


# Rows.


probability = (
    st.floats(0, 1)
    | st.floats(0, 2e-4)
    | st.just(float("nan"))
    # Next to where the sixth decimal is rounded the other way, and where it is a power of ten.
    | st.builds(
        lambda whole, part: (whole + part) / 1e6, st.integers(0, 999_999), st.sampled_from((0.0, 0.5, 0.4999999))
    )
)
json_text = st.text(st.characters(codec="utf-8")) | st.text('"\\\n\r\t\b\f\0\x1f\x7f /é“😀a', max_size=60)


@given(json_text, st.data())
def test_json_lines_are_those_that_python_writes(default_model: Model, text: str, data: Any) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    spans = [(start, end, "body") for start, end in pairwise(cuts)]
    shape = len(spans), len(default_model.labels.names)
    figures = np.array(data.draw(st.lists(probability, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1])))
    made = figures.reshape(shape)
    name, source = data.draw(NAMES), data.draw(json_text)
    scored = Scored(Article(text, name, source, "2021-11-23", language="en"), spans, made, made, made >= 0.1)
    for shape in (Shape(), Shape(only_labelled=True), Shape(duplicates=True)):
        found = json_lines(scored, default_model, shape)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(scoring, "_compiled", None)
            assert found == json_lines(scored, default_model, shape)


FRENCH: Final = (
    "Le ministre a nié toute implication. Il demande aux deux parties de reprendre les négociations sans délai."
)


def test_an_article_in_another_language_is_flagged_and_not_labelled(default_model: Model) -> None:
    rows = list(score([Article(FRENCH, "f"), "He denied it."], default_model))
    assert [row["language"] for row in rows] == ["fr", "fr", "en"]
    assert [row["labels"] for row in rows] == [[], [], ["denial"]]
    assert [row["p_denial"] is None for row in rows] == [True, True, False]
    flagged = score_article(Article(FRENCH, "f"), default_model)
    assert [json.loads(line) for line in json_lines(flagged, default_model).splitlines()] == rows[:2]


def test_any_language_is_labelled_where_that_is_asked_for(default_model: Model) -> None:
    rows = list(stance.score([FRENCH], any_language=True))
    assert rows == list(score([FRENCH], default_model, any_language=True))
    assert {row["language"] for row in rows} == {"fr"}
    assert all(isinstance(row["p_denial"], float) for row in rows)


def test_a_reader_may_know_the_language(default_model: Model) -> None:
    rows = list(score([Article("He denied it.", language="de")], default_model))
    assert [(row["language"], row["labels"]) for row in rows] == [("de", [])]


def test_nested_rows_hold_the_flat_ones(default_model: Model) -> None:
    article = Article(TEXT, "a", "Daily", "2020-01-02", title="Rain")
    scored = score_article(article, default_model)
    [nested] = rows_of(scored, default_model, Shape(nested=True, with_text=True, duplicates=True))
    assert list(nested) == columns_of(default_model, Shape(nested=True, with_text=True, duplicates=True))
    flat = list(rows_of(scored, default_model))
    about = {key: nested[key] for key in ("article_id", "source", "date", "language")}
    assert [about | statement | {"model": nested["model"]} for statement in nested["statements"]] == flat
    assert (nested["title"], nested["text"], nested["duplicate_of"]) == ("Rain", TEXT, None)
    [fewer] = rows_of(scored, default_model, Shape(nested=True, only_labelled=True))
    assert fewer["statements"] == [each for each in nested["statements"] if each["labels"]] != nested["statements"]
    assert "text" not in fewer


def test_an_article_without_a_label_stays_as_a_nested_row(default_model: Model) -> None:
    [row] = rows_of(score_article(Article("It rained."), default_model), default_model, Shape(True, nested=True))
    assert row["statements"] == []
