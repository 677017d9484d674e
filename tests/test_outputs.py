"""Rows → files: jsonl, csv and parquet as they are read back, and the file of rejects."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stance
from stance.arrow_rows import all_rounded, articles_batch, schema_of, score_batch
from stance.articles import read_articles
from stance.files import whole_file
from stance.model import Model
from stance.outputs import (
    RejectWriter,
    RowWriter,
    TableWriter,
    csv_rows,
    encoded,
    output_format,
    with_duplicate,
)
from stance.records import Article, InputError, Reject
from stance.scoring import Row, Shape, columns_of, json_line, rounded, rows_of, score, score_article

TEXT: Final = "Rain fell in Oslo.\n\nThe mayor denied that he took a bribe. Both sides should return to the talks."
ARTICLES: Final = (
    Article(TEXT, "ä", "Daily", "2020-01-02"),
    Article("\u2028He denied it,\r\nsaid\0 she.", "b|c"),
    Article("Le ministre a nié toute implication dans cette affaire, dont il dit ne rien savoir.", "'=1"),
)
COLUMNS: Final = columns_of(stance.load())
FORMULAS: Final = ("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\0x", "'=1+1", "''+1")
NAMES: Final = st.text(st.characters(codec="utf-8"), max_size=8)


def rows_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def encoded_rows(rows: Iterable[Row], kind: str, columns: Sequence[str]) -> bytes:
    return csv_rows(rows, columns) if kind == "csv" else b"".join(map(json_line, rows))


def write_rows(path: Path, rows: Iterable[Row], columns: Sequence[str] = COLUMNS) -> None:
    kind = output_format(path)
    with whole_file(path) as stream:
        writer = RowWriter(stream, kind, columns)
        writer.put(encoded_rows(rows, kind, columns))
        writer.close()


@pytest.fixture
def rows() -> list[Row]:
    return list(stance.score(ARTICLES))


def test_jsonl_holds_the_rows(tmp_path: Path, rows: list[Row]) -> None:
    path = tmp_path / "new" / "rows.jsonl"
    write_rows(path, rows)
    assert rows_in(path) == rows
    assert all(list(row) == COLUMNS for row in rows_in(path))
    assert "ä".encode() in path.read_bytes()


def test_csv_holds_the_rows(tmp_path: Path, rows: list[Row]) -> None:
    path = tmp_path / "rows.CSV"
    write_rows(path, [row for row in rows if row["article_id"] != "'=1"])
    with path.open(encoding="utf-8", newline="") as stream:
        header, *lines = csv.reader(stream)
    assert header == COLUMNS
    for row, line in zip(rows, lines, strict=False):
        assert line == ["|".join(row["labels"]) if name == "labels" else str(row[name]) for name in COLUMNS]
    assert len(lines) == 4


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_articles_are_encoded_as_their_rows(default_model: Model, kind: str) -> None:
    for shape in (Shape(), Shape(only_labelled=True), Shape(duplicates=True)):
        columns = columns_of(default_model, shape)
        for article in ARTICLES:
            scored = score_article(article, default_model)
            expected = encoded_rows(rows_of(scored, default_model, shape), kind, columns)
            assert encoded(scored, default_model, kind, shape) == expected


@pytest.mark.parametrize("shape", [Shape(), Shape(only_labelled=True), Shape(nested=True, with_text=True)])
def test_parquet_holds_the_rows(tmp_path: Path, default_model: Model, shape: Shape) -> None:
    path = tmp_path / "rows.parquet"
    with whole_file(path) as stream:
        writer = TableWriter(stream, schema_of(default_model, shape))
        for article in ARTICLES:
            writer.put(score_batch(articles_batch([article]), default_model, shape))
        writer.close()
    expected = [
        row for article in ARTICLES for row in rows_of(score_article(article, default_model), default_model, shape)
    ]
    table = pq.read_table(path)
    assert table.to_pylist() == expected
    assert table.schema.equals(schema_of(default_model, shape))
    assert table.column_names == columns_of(default_model, shape)


@given(st.lists(st.floats(0, 1) | st.integers(0, 2_000_000).map(lambda n: n / 2e6) | st.just(float("nan"))))
def test_probabilities_are_rounded_alike_one_by_one_and_all_at_once(figures: list[float]) -> None:
    found = all_rounded(np.array(figures, dtype=np.float64)).tolist()
    assert [None if figure != figure else figure for figure in found] == [rounded(figure) for figure in figures]


def test_parquet_types_are_those_that_are_promised(default_model: Model) -> None:
    kinds = {field.name: str(field.type) for field in schema_of(default_model, Shape(duplicates=True))}
    strings = ("article_id", "source", "date", "language", "text", "model", "duplicate_of")
    assert {name: kinds.pop(name) for name in strings} == dict.fromkeys(strings, "string")
    assert {name: kinds.pop(name) for name in ("statement_no", "start", "end")} == dict.fromkeys(
        ("statement_no", "start", "end"), "int32"
    )
    assert kinds.pop("labels").startswith("list<")
    assert kinds == {"p_denial": "double", "p_accusation": "double", "p_dialogue_call": "double"}


@given(NAMES | st.sampled_from(('"', '"duplicate_of": null}\n', "\\", ',\r\n"', "=1", "é")), st.data())
def test_the_mark_of_a_duplicate_is_that_and_nothing_else(default_model: Model, name: str, data: Any) -> None:
    text = data.draw(NAMES) + 'He said: "duplicate_of": null}\n "duplicate_of", and ,\r\n left. It rained.'
    shape = Shape(duplicates=True)
    scored = score_article(Article(text, data.draw(NAMES), "s"), default_model)
    rows = [row | {"duplicate_of": name} for row in rows_of(scored, default_model, shape)]
    for kind in ("jsonl", "csv"):
        piece = with_duplicate(encoded(scored, default_model, kind, shape), kind, name)
        assert piece == encoded_rows(rows, kind, columns_of(default_model, shape))
    nested = Shape(nested=True, duplicates=True)
    [whole] = rows_of(scored, default_model, nested)
    piece = with_duplicate(encoded(scored, default_model, "jsonl", nested), "jsonl", name)
    assert json.loads(piece) == whole | {"duplicate_of": name}


@pytest.mark.parametrize("name", ["rows", "rows.txt", "rows.jsonl.gz", "rows.xlsx"])
def test_another_ending_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"\.jsonl, \.csv, \.parquet"):
        output_format(Path(name))


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_file_that_is_given_up_leaves_nothing(tmp_path: Path, default_model: Model, kind: str) -> None:
    path = tmp_path / f"rows.{kind}"

    def broken() -> None:
        with whole_file(path) as stream:
            writer = TableWriter(stream, schema_of(default_model)) if kind == "parquet" else RowWriter(stream, kind, [])
            try:
                raise InputError("half way")
            finally:
                writer.drop()

    with pytest.raises(InputError, match="half way"):
        broken()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cell", FORMULAS)
@pytest.mark.parametrize("column", ["article_id", "source", "date", "text", "duplicate_of"])
def test_no_cell_begins_a_formula(tmp_path: Path, rows: list[Row], column: str, cell: str) -> None:
    path = tmp_path / "rows.csv"
    columns = [*COLUMNS, "duplicate_of"]
    write_rows(path, [rows[0] | {"duplicate_of": None} | {column: cell}], columns)
    with path.open(encoding="utf-8", newline="") as stream:
        _, line = csv.reader(stream)
    assert line[columns.index(column)] == f"'{cell}"


def test_jsonl_and_parquet_stay_raw(default_model: Model) -> None:
    for text in FORMULAS:
        article = Article(f"{text} he denied it.", text)
        scored = score_article(article, default_model)
        line = json.loads(encoded(scored, default_model, "jsonl").splitlines()[0])
        row = score_batch(articles_batch([article]), default_model).to_pylist()[0]
        assert line == row
        assert row["article_id"] == text


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
    write_rows(path, written)
    read = list(read_articles([path]))
    assert [(each.id, each.source, each.text) for each in read if isinstance(each, Article)] == [
        (row["article_id"], row["source"], row["text"]) for row in written
    ]
    assert len(read) == len(written)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), max_size=6))
def test_what_a_csv_writer_writes_is_read_back(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    columns = ["text", "statement_no"]
    write_rows(path, ({"text": text, "statement_no": number} for number, text in enumerate(texts)), columns)
    kept = [text for text in texts if text.replace("\0", " ").strip()]
    read = list(read_articles([path]))
    assert [item.text for item in read if isinstance(item, Article)] == kept
    assert len(read) == len(texts)


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
