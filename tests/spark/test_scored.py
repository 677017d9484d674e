"""The scorer in Spark: equal to the local one, whatever happens to the executors."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from invented import SENTENCES, Record, in_order, read_locally, rows_locally
from pyspark import TaskContext
from pyspark.sql import DataFrame, SparkSession

import stance.spark
from stance import limits
from stance.arrow_rows import articles_batch, score_batch
from stance.model import Model
from stance.records import Article, InputError, ModelError, Reject
from stance.scoring import PLAIN, Row, Shape
from stance.store import save

SHAPES = [PLAIN, Shape(only_labelled=True), Shape(nested=True), Shape(only_labelled=True, nested=True, with_text=True)]
Local = tuple[list[Article], list[Reject]]


def collected(df: DataFrame) -> list[Row]:
    return in_order([row.asDict(recursive=True) for row in df.collect()])


def options(shape: Shape) -> dict[str, bool]:
    return {"only_labelled": shape.only_labelled, "nested": shape.nested, "with_text": shape.with_text}


@pytest.mark.parametrize("any_language", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_rows_are_those_of_the_local_scorer(
    articles: DataFrame, local: Local, model: Model, shape: Shape, *, any_language: bool
) -> None:
    assert articles.rdd.getNumPartitions() == 7
    found = collected(stance.spark.score(articles, model=model, any_language=any_language, **options(shape)))
    expected = in_order(list(rows_locally(local[0], model, shape, any_language=any_language)))
    assert [list(row) for row in found] == [list(row) for row in expected]
    assert found == expected
    assert len(found) > 100
    # Dates come from the column, from the date line, or from nowhere.
    assert {"", "2031-03-05"} < {row["date"] for row in found}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_schema_is_that_of_a_local_file(
    spark: SparkSession, articles: DataFrame, local: Local, model: Model, shape: Shape, tmp_path: Path
) -> None:
    file = tmp_path / "rows.parquet"
    pyarrow.parquet.write_table(pa.Table.from_batches([score_batch(articles_batch(local[0]), model, shape)]), file)
    scored = stance.spark.score(articles, model=model, **options(shape))
    read = spark.read.parquet(str(file))
    assert scored.schema == read.schema
    assert collected(scored) == collected(read)


def test_every_article_is_scored_or_rejected(articles: DataFrame, records: list[Record], local: Local) -> None:
    scored = {row["article_id"] for row in stance.spark.score(articles).select("article_id").collect()}
    rejected = stance.spark.rejects(articles).collect()
    assert len(rejected) == len(local[1]) > 20
    assert scored.isdisjoint(row["article_id"] for row in rejected)
    assert scored | {row["article_id"] for row in rejected} == {each["id"] for each in records}
    texts = {each["id"]: each["text"] for each in records}
    for row in rejected:
        text = texts[row["article_id"]]
        assert row["reason"] == ("null" if text is None else "blank")
        assert row["raw"] == (text or "")


def test_what_is_too_long_or_not_utf8_is_rejected_and_ends_nothing(spark: SparkSession) -> None:
    long = "a" * (limits.LARGEST_ARTICLE + 1)
    df = spark.createDataFrame([("long", long), ("fine", SENTENCES[0])], "id string, text string").unionByName(
        spark.sql("SELECT 'broken' AS id, CAST(X'48656C6C6FFF2E' AS STRING) AS text")
    )
    assert {row["article_id"] for row in stance.spark.score(df).collect()} == {"fine"}
    found = {row["article_id"]: (row["reason"], row["raw"]) for row in stance.spark.rejects(df).collect()}
    assert found == {
        "long": ("longer than 12 Mi characters", "a" * limits.SHOWN_RAW),
        "broken": ("not valid UTF-8", "Hello\ufffd."),
    }


def test_nothing_comes_of_nothing(spark: SparkSession) -> None:
    df = spark.createDataFrame([], "id string, text string")
    assert stance.spark.score(df).collect() == []
    assert stance.spark.rejects(df).collect() == []


@pytest.mark.parametrize("how", ["a killed worker", "an error"])
def test_a_task_that_fails_half_way_and_is_tried_again_leaves_nothing_twice(
    spark: SparkSession,
    articles: DataFrame,
    local: Local,
    model: Model,
    how: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = stance.spark.scored_batches
    attempts = tmp_path / "attempts"
    attempts.mkdir()

    def failing(batches: Iterator[pa.RecordBatch], *args: Any, **kwargs: Any) -> Iterator[pa.RecordBatch]:
        task = TaskContext.get()
        assert task is not None
        (attempts / f"{task.partitionId()} {task.attemptNumber()}").touch()
        for n, batch in enumerate(real(batches, *args, **kwargs)):
            yield batch
            if n == 2 and task.partitionId() == 3 and task.attemptNumber() == 0:
                (attempts / "failed").touch()
                if how == "an error":
                    raise RuntimeError("on purpose")
                os.kill(os.getpid(), signal.SIGKILL)

    # The function goes to the executors with whatever it calls.
    monkeypatch.setattr(stance.spark, "scored_batches", failing)
    stance.spark.score(articles, model=model).write.parquet(str(tmp_path / "rows"))
    assert sorted(path.name for path in attempts.iterdir()) == sorted([*(f"{n} 0" for n in range(7)), "3 1", "failed"])
    found = collected(spark.read.parquet(str(tmp_path / "rows")))
    assert len({(row["article_id"], row["statement_no"]) for row in found}) == len(found)
    assert found == in_order(list(rows_locally(local[0], model)))


def test_a_huge_article_beside_small_ones(spark: SparkSession, model: Model, tmp_path: Path) -> None:
    huge = " ".join(SENTENCES[n % len(SENTENCES)] for n in range(80_000))
    assert len(huge.encode()) > 5_000_000
    records: list[Record] = [{"id": f"{n}", "text": SENTENCES[n]} for n in range(8)]
    records.insert(4, {"id": "huge", "text": huge})
    df = spark.createDataFrame([(each["id"], each["text"]) for each in records], "id string, text string").coalesce(1)
    accepted, _ = read_locally(records, tmp_path)
    assert collected(stance.spark.score(df, model=model)) == in_order(list(rows_locally(accepted, model)))


def test_columns_of_other_names_and_types(spark: SparkSession) -> None:
    day, time = dt.date(2031, 3, 4), dt.datetime(2031, 3, 4, 9, 30, tzinfo=dt.UTC)
    schema = "`the.body` string, no bigint, day date, moment timestamp, local timestamp_ntz, `from` int"
    df = spark.createDataFrame([(SENTENCES[0], 17, day, time, time.replace(tzinfo=None), 5)], schema)
    dates = {"day": "2031-03-04", "moment": "2031-03-04T15:00:00+05:30", "local": "2031-03-04T09:30:00"}
    for column, date in dates.items():
        scored = stance.spark.score(
            df, text_column="the.body", id_column="no", date_column=column, source_column="from"
        )
        (row,) = scored.collect()
        assert (row["article_id"], row["date"], row["source"]) == ("17", date, "5")


def test_without_an_id_it_is_the_hash_of_the_text(spark: SparkSession) -> None:
    (row,) = stance.spark.score(spark.createDataFrame([(SENTENCES[0],)], "content string")).collect()
    assert row["article_id"] == hashlib.sha256(SENTENCES[0].encode()).hexdigest()
    rows = [(None, SENTENCES[1]), ("", SENTENCES[2]), ("own", SENTENCES[3]), (None, None)]
    df = spark.createDataFrame(rows, "url string, text string")
    hashes = [hashlib.sha256(text.encode()).hexdigest() for text in SENTENCES[1:3]]
    assert {row["article_id"] for row in stance.spark.score(df).collect()} == {*hashes, "own"}
    assert [row["article_id"] for row in stance.spark.rejects(df).collect()] == [None]


@pytest.mark.parametrize("work", [stance.spark.score, stance.spark.rejects])
def test_mistakes_with_columns_are_named(spark: SparkSession, work: Any) -> None:
    df = spark.createDataFrame([("a", 1, "b", "c")], "headline string, text int, id string, id string")
    with pytest.raises(InputError, match=r"the DataFrame: has no column 'words'; it has headline, text, id, id"):
        work(df, text_column="words")
    with pytest.raises(InputError, match=r"has no column 'when'; it has headline"):
        work(df, text_column="headline", date_column="when")
    with pytest.raises(InputError, match=r"has two columns 'id'; rename one"):
        work(df, text_column="headline")
    with pytest.raises(InputError, match=r"column 'text' holds int, not strings; cast it, or name another"):
        work(df.select("text"))
    with pytest.raises(InputError, match=r"has no column text, content.* but headline; name one with text_column="):
        work(df.select("headline"))
    with pytest.raises(InputError, match="a DataFrame of Spark, not list"):
        work([SENTENCES[0]])


def test_the_model_as_a_folder(articles: DataFrame, local: Local, model: Model, tmp_path: Path) -> None:
    changed = save(dataclasses.replace(model, offsets=model.offsets - 1.0), tmp_path / "model")
    expected = in_order(list(rows_locally(local[0], changed)))
    for folder in (tmp_path / "model", str(tmp_path / "model")):
        assert collected(stance.spark.score(articles, model=folder)) == expected
    assert expected != in_order(list(rows_locally(local[0], model)))
    with pytest.raises(ModelError, match="no such file"):
        stance.spark.score(articles, model=tmp_path)


def test_thresholds_of_a_given_model_are_kept(articles: DataFrame, local: Local, model: Model) -> None:
    eager = dataclasses.replace(model, thresholds=np.zeros_like(model.thresholds))
    found = collected(stance.spark.score(articles, model=eager, any_language=True))
    assert all(tuple(row["labels"]) == model.labels.names for row in found)
    assert found == in_order(list(rows_locally(local[0], eager, any_language=True)))


def test_a_worker_opens_the_model_once(articles: DataFrame, model: Model, tmp_path: Path) -> None:
    # Seven tasks on two cores: whoever is given a second one has the model.
    folder = str(tmp_path)
    opened = stance.spark.scored_batches

    def noted(batches: Iterator[pa.RecordBatch], model: Model, *args: Any, **kwargs: Any) -> Iterator[pa.RecordBatch]:
        Path(folder, f"{os.getpid()} {id(model)}").touch()
        yield from opened(batches, model, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stance.spark, "scored_batches", noted)
        stance.spark.score(articles, model=model).count()
    names = [path.name.split() for path in tmp_path.iterdir()]
    assert len(names) == len({worker for worker, _ in names}) <= 4
