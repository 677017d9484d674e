"""Articles → rows → files: what a row says, what the counts say, and what an output file holds in the end."""

from __future__ import annotations

import csv
import io
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
from stance.articles import Reject, read_articles
from stance.model import Model
from stance.records import Article, InputError
from stance.scoring import (
    RejectWriter,
    Row,
    RowWriter,
    Scored,
    Summary,
    analyze,
    columns_of,
    json_lines,
    rows_of,
    score,
    score_records,
)

TEXT: Final = "Rain fell in Oslo.\n\nThe mayor denied that he took a bribe. Both sides should return to the talks."
COLUMNS: Final = (
    *("article_id", "source", "date", "statement_no", "start", "end", "text", "labels"),
    *("p_denial", "p_accusation", "p_dialogue_call", "model"),
)
FORMULAS: Final = ("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\0x", "'=1+1", "''+1")
NAMES: Final = st.text(st.characters(codec="utf-8"), max_size=8)

any_text = st.text(st.characters(exclude_categories=())) | st.lists(
    st.sampled_from(
        ("He denied it. ", "They ", "talks", "\n", "\r\n", "\n\n", " ", "\0", "é", "e\u0301", "😀", "\ud800", "?")
    )
).map("".join)


def rows_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


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
    rows = list(score([text], default_model))
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


# Counts.


def test_the_summary_counts_every_record(default_model: Model) -> None:
    records: list[Article | Reject] = [
        *(Article(TEXT, "a"), Reject("f", 2, "blank")),
        *(Article("It rained.", "b"), Reject("f", 4, "blank")),
    ]
    seen: list[str] = []
    rows: list[Row] = []
    progress: list[tuple[int, int, int]] = []

    def on_article(scored: Scored) -> None:
        seen.append(scored.article.id)
        rows.extend(rows_of(scored, default_model))

    summary = score_records(
        records,
        default_model,
        on_article=on_article,
        on_reject=lambda reject: seen.append(f"line {reject.line}"),
        on_progress=lambda made: progress.append((made.articles, made.scored, made.rejects)),
    )
    assert summary == Summary(articles=4, scored=2, rejects=2, statements=4, labelled=2)
    assert seen == ["a", "line 2", "b", "line 4"]
    assert progress == [(1, 1, 0), (2, 1, 1), (3, 2, 1), (4, 2, 2)]
    assert len(rows) == summary.statements
    assert sum(bool(row["labels"]) for row in rows) == summary.labelled


# Files.


@pytest.fixture
def rows() -> list[Row]:
    return list(
        stance.score([Article(TEXT, "ä", "Daily", "2020-01-02"), Article("\u2028He denied it,\r\nsaid\0 she.")])
    )


def test_jsonl_holds_the_rows(tmp_path: Path, rows: list[Row], default_model: Model) -> None:
    path = tmp_path / "new" / "rows.jsonl"
    with RowWriter(path, columns_of(default_model)) as writer:
        writer.write(rows[:1])
        writer.write(iter(rows[1:]))
    assert rows_in(path) == rows
    assert all(tuple(row) == COLUMNS for row in rows_in(path))
    assert "ä".encode() in path.read_bytes()


probability = (
    st.floats(0, 1)
    | st.floats(0, 2e-4)
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
    scored = Scored(Article(text, name, source, "2021-11-23"), spans, made, made, made >= 0.1)
    for only_labelled in (False, True):
        found = json_lines(scored, default_model, only_labelled=only_labelled)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(scoring, "_compiled", None)
            assert found == json_lines(scored, default_model, only_labelled=only_labelled)


def test_csv_holds_the_rows(tmp_path: Path, rows: list[Row], default_model: Model) -> None:
    path = tmp_path / "rows.CSV"
    with RowWriter(path, columns_of(default_model)) as writer:
        writer.write(rows)
    with path.open(encoding="utf-8", newline="") as stream:
        header, *lines = csv.reader(stream)
    assert tuple(header) == COLUMNS
    for row, line in zip(rows, lines, strict=True):
        assert line == ["|".join(row["labels"]) if name == "labels" else str(row[name]) for name in COLUMNS]


def test_a_stream_gets_jsonl(rows: list[Row], default_model: Model) -> None:
    stream = io.BytesIO()
    with RowWriter(stream, columns_of(default_model)) as writer:
        writer.write(rows)
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == rows


@pytest.mark.parametrize("name", ["rows", "rows.txt", "rows.jsonl.gz", "rows.parquet"])
def test_another_ending_is_refused_at_once(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"\.jsonl or \.csv"):
        RowWriter(tmp_path / name, COLUMNS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv"])
def test_a_file_appears_whole_or_not_at_all(tmp_path: Path, rows: list[Row], name: str) -> None:
    path = tmp_path / name
    for before in (None, b"older"):
        if before is not None:
            path.write_bytes(before)

        def broken(old: bytes | None = before) -> None:
            with RowWriter(path, COLUMNS) as writer:
                writer.write(rows)
                assert (path.read_bytes() if path.exists() else None) == old
                raise InputError("half way")

        with pytest.raises(InputError, match="half way"):
            broken()
        assert (path.read_bytes() if path.exists() else None) == before
        assert len(list(tmp_path.iterdir())) == (before is not None)


def test_a_place_that_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder.jsonl").mkdir()
    for path in (tmp_path / "file" / "rows.jsonl", tmp_path / "folder.jsonl"):
        with pytest.raises(InputError, match="cannot be written"), RowWriter(path, COLUMNS):
            pytest.fail("was entered")


@pytest.mark.parametrize("cell", FORMULAS)
@pytest.mark.parametrize("column", ["article_id", "source", "date", "text"])
def test_no_cell_begins_a_formula(tmp_path: Path, rows: list[Row], column: str, cell: str) -> None:
    path = tmp_path / "rows.csv"
    with RowWriter(path, COLUMNS) as writer:
        writer.write([rows[0] | {column: cell}])
    with path.open(encoding="utf-8", newline="") as stream:
        _, line = csv.reader(stream)
    assert line[COLUMNS.index(column)] == f"'{cell}"


@given(
    st.lists(st.tuples(NAMES | st.sampled_from(FORMULAS), NAMES | st.sampled_from(FORMULAS)), min_size=1, max_size=4)
)
def test_csv_is_read_back_equal(
    tmp_path_factory: pytest.TempPathFactory, default_model: Model, found: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    made = next(score(["It rained."], default_model))
    written = [
        made | {"article_id": f"{start}x", "source": source, "text": f"{start}It rained."} for start, source in found
    ]
    with RowWriter(path, COLUMNS) as writer:
        writer.write(written)
    read = list(read_articles([path]))
    assert [(each.id, each.source, each.text) for each in read if isinstance(each, Article)] == [
        (row["article_id"], row["source"], row["text"]) for row in written
    ]
    assert len(read) == len(written)


# Rejects.

REJECTS: Final = (Reject("a.jsonl", 3, "blank", '{"text": ""}'), Reject("b\ud800.txt", 0, "damaged", "é"))


def test_rejects_go_beside_the_output(tmp_path: Path) -> None:
    with RejectWriter(None, beside=tmp_path / "rows.csv") as writer:
        assert writer.path == tmp_path / "rows.csv.rejects.jsonl"
        for reject in REJECTS:
            writer.write(reject)
    assert rows_in(tmp_path / "rows.csv.rejects.jsonl") == [
        {"source": "a.jsonl", "line": 3, "reason": "blank", "raw": '{"text": ""}'},
        {"source": "b?.txt", "line": 0, "reason": "damaged", "raw": "é"},
    ]


def test_rejects_outlive_a_run_that_fails(tmp_path: Path) -> None:
    for path in (None, tmp_path / "named.jsonl"):

        def broken(path: Path | None = path) -> None:
            with RejectWriter(path, beside=tmp_path / "rows.csv") as writer:
                writer.write(REJECTS[0])
                raise InputError("half way")

        with pytest.raises(InputError, match="half way"):
            broken()
    for name in ("rows.csv.rejects.jsonl", "named.jsonl"):
        assert [row["reason"] for row in rows_in(tmp_path / name)] == ["blank"]


def test_the_rejects_of_an_earlier_run_do_not_stay(tmp_path: Path) -> None:
    older = tmp_path / "rows.csv.rejects.jsonl"
    older.write_text("{}\n")
    with RejectWriter(None, beside=tmp_path / "rows.csv"):
        pass
    assert not older.exists()


def test_a_failing_run_without_rejects_leaves_older_ones(tmp_path: Path) -> None:
    older = tmp_path / "rows.csv.rejects.jsonl"
    older.write_text("{}\n")

    def broken() -> None:
        with RejectWriter(None, beside=tmp_path / "rows.csv"):
            raise InputError("half way")

    with pytest.raises(InputError, match="half way"):
        broken()
    assert older.read_text() == "{}\n"


def test_a_named_reject_file_is_always_made(tmp_path: Path) -> None:
    with RejectWriter(tmp_path / "named.jsonl") as writer:
        assert writer.path == tmp_path / "named.jsonl"
    assert (tmp_path / "named.jsonl").read_bytes() == b""


def test_without_a_place_rejects_are_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with RejectWriter(None) as writer:
        writer.write(REJECTS[0])
    assert list(tmp_path.iterdir()) == []
