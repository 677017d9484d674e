"""What an executor does with a partition, without Spark; with it: tests/spark."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stance.spark
from stance import limits
from stance.arrow_rows import schema_of
from stance.model import Model
from stance.records import Article, InputError
from stance.scoring import PLAIN, Shape, rows_of, score_article

ROOT = Path(__file__).resolve().parent.parent
TEXTS = st.lists(st.none() | st.text(max_size=60) | st.sampled_from(["He denied it.", " ", "é" * 40]), max_size=12)


def batch_of(texts: list[str | None], **columns: list[Any]) -> pa.RecordBatch:
    held = {"text": texts, "id": [str(n) for n in range(len(texts))], "date": [None] * len(texts)} | columns
    held["source"] = ["x"] * len(texts)
    return pa.RecordBatch.from_pydict({name: pa.array(values, pa.string()) for name, values in held.items()})


@given(TEXTS, st.integers(1, 90))
def test_pieces_are_the_batch_cut_where_they_would_grow_too_large(texts: list[str | None], most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stance.spark, "_PIECE_BYTES", most)
        pieces = [piece.column("text").to_pylist() for piece in stance.spark._pieces([batch_of(texts)])]
    assert [text for piece in pieces for text in piece] == texts
    sizes = [[len((text or "").encode()) for text in piece] for piece in pieces]
    assert all(sum(piece) <= most or sum(size > 0 for size in piece) == 1 for piece in sizes)
    # Nothing is cut that need not be.
    assert all(sum(one) + two[0] > most for one, two in pairwise(sizes))


@given(TEXTS)
def test_every_row_is_scored_or_rejected(default_model: Model, texts: list[str | None]) -> None:
    batch = batch_of(texts)
    scored = pa.Table.from_batches(
        stance.spark.scored_batches([batch], default_model, Shape(nested=True)),
        schema_of(default_model, Shape(nested=True)),
    )
    rejected = [row for each in stance.spark.rejected_batches([batch]) for row in each.to_pylist()]
    ids = [row["article_id"] for row in scored.to_pylist()]
    assert sorted([*ids, *(row["article_id"] for row in rejected)]) == sorted(str(n) for n in range(len(texts)))
    assert {row["article_id"] for row in rejected} == {
        str(n) for n, text in enumerate(texts) if not (text or "").replace("\0", " ").strip()
    }


def test_rows_are_those_of_the_article(default_model: Model) -> None:
    text = "TARSK, March 4, 2031\n\nThe envoy denied it. It rained."
    batches = [batch_of([text]), batch_of([text], date=["2030-01-01"])]
    found = [row for each in stance.spark.scored_batches(batches, default_model, PLAIN) for row in each.to_pylist()]
    articles = [Article(text, "0", "x", "2031-03-04"), Article(text, "0", "x", "2030-01-01")]
    assert found == [
        row for each in articles for row in rows_of(score_article(each, default_model), default_model, PLAIN)
    ]


def test_bytes_that_are_no_text_are_rejected() -> None:
    broken = pa.array([b"Hello\xff", b"fine", None]).view(pa.string())
    batch = batch_of(["", "", ""]).set_column(0, "text", broken)
    ids = pa.array([b"1", b"\xfe", b"3"]).view(pa.string())
    (found,) = stance.spark.rejected_batches([batch.set_column(1, "id", ids)])
    assert found.to_pylist() == [
        {"article_id": "1", "reason": "not valid UTF-8", "raw": "Hello\ufffd"},
        {"article_id": "\ufffd", "reason": "not valid UTF-8", "raw": "fine"},
        {"article_id": "3", "reason": "null", "raw": ""},
    ]


def test_what_is_shown_of_a_reject_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LARGEST_ARTICLE", 3_000)
    (found,) = stance.spark.rejected_batches([batch_of(["é" * 3_001])])
    (row,) = found.to_pylist()
    assert row["raw"] == "é" * limits.SHOWN_RAW
    assert row["reason"].startswith("longer than")


@pytest.mark.parametrize("library", ["pyspark", "pyarrow"])
def test_a_missing_library_is_one_line(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    for work in (stance.spark.score, stance.spark.rejects):
        with pytest.raises(InputError, match=r"Spark needs pyspark; install stance-news\[spark\]"):
            work([])


def test_a_whole_run_says_that_the_tests_of_spark_are_left_out() -> None:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", "-q"]
    whole = ["--ignore-glob", "tests/test_[a-km-z]*"]
    run = subprocess.run([*command, *whole], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "make test-spark runs them" in run.stdout
    assert "test_lint_rules.py" in run.stdout
    assert "tests/spark/test_" not in run.stdout
    part = subprocess.run([*command, "tests/test_lint_rules.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "test-spark" not in part.stdout
