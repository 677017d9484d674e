"""Parquet → articles: types, row numbers, what is refused, and pages that are weighed before they are unpacked."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from stance import limits
from stance.articles import read_articles
from stance.parquet_pages import pages_of
from stance.reading import Columns
from stance.records import Article, InputError, Reject

DAY = dt.date(2021, 11, 23)
TEXTS = ["He denied it.", "She denied it.", "They denied it."]


def table(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return path


def read(path: str | Path, **options: Any) -> list[Article | Reject]:
    return list(read_articles([path], **options))


def outcome(path: str | Path, **options: Any) -> list[str | tuple[int, str]]:
    """The text of each article, line and reason of each reject."""
    return [each.text if isinstance(each, Article) else (each.line, each.reason) for each in read(path, **options)]


def test_a_row_gives_its_fields(tmp_path: Path) -> None:
    columns = {"id": [7, None], "body": TEXTS[:2], "date": [DAY, None], "source": ["Daily", None], "more": [[1], []]}
    assert read(table(tmp_path / "a.parquet", columns)) == [
        Article(TEXTS[0], "7", "Daily", "2021-11-23"),
        Article(TEXTS[1], "a.parquet:2"),
    ]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_texts_may_be_strings_of_all_kinds(tmp_path: Path, kind: pa.DataType) -> None:
    assert outcome(table(tmp_path / "a.parquet", {"text": pa.array(TEXTS, kind), "id": pa.array(TEXTS, kind)})) == TEXTS


@pytest.mark.parametrize(
    ("value", "kind", "written"),
    [
        (1_637_640_300_000_000, pa.timestamp("us"), "2021-11-23T04:05:00"),
        (1_637_640_300_000, pa.timestamp("ms", "UTC"), "2021-11-23T04:05:00+00:00"),
        (DAY, pa.date64(), "2021-11-23"),
        (20211123, pa.int64(), "20211123"),
    ],
)
def test_days_and_times_are_written_out(tmp_path: Path, value: Any, kind: pa.DataType, written: str) -> None:
    (article,) = read(table(tmp_path / "a.parquet", {"text": TEXTS[:1], "date": pa.array([value], kind)}))
    assert isinstance(article, Article)
    assert article.date == written


def test_named_columns(tmp_path: Path) -> None:
    path = table(tmp_path / "a.parquet", {"text": ["no"], "t.t": ["A"], "i": [1]})
    assert read(path, columns=Columns(text="t.t", id="i")) == [Article("A", "1")]
    with pytest.raises(InputError, match="no column 'd'"):
        read(path, columns=Columns(date="d"))


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"headline": ["a"]}, "has no column text"),
        ({"text": [1]}, "holds int64, not strings"),
        ({"text": [b"a"]}, "holds binary, not strings"),
        ({"text": [["a"]]}, "holds list"),
        ({"text": [{"a": "a"}]}, "holds struct"),
        ({"text": ["a"], "id": [["a"]]}, "column 'id' holds list.*--id-column"),
    ],
)
def test_columns_that_cannot_be_read_are_bad_usage(tmp_path: Path, columns: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        read(table(tmp_path / "a.parquet", columns))


def test_two_columns_of_one_name_are_bad_usage(tmp_path: Path) -> None:
    both = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
    pq.write_table(both, tmp_path / "a.parquet")
    with pytest.raises(InputError, match="2 columns 'text'"):
        read(tmp_path / "a.parquet")


def test_a_bad_row_is_one_reject(tmp_path: Path) -> None:
    path = table(
        tmp_path / "a.parquet", {"text": ["A", None, "", "B"], "id": [True, False, None, None]}, row_group_size=2
    )
    assert outcome(path) == [
        (1, "id is bool, not a string or number"),
        (2, "text is NoneType, not a string"),
        (3, "blank"),
        "B",
    ]


def test_bytes_that_are_no_utf_8_are_one_reject(tmp_path: Path) -> None:
    path = table(tmp_path / "a.parquet", {"text": ["a text", "another"]}, compression="none", use_dictionary=False)
    path.write_bytes(path.read_bytes().replace(b"a text", b"a \xff\xff\xff\xff"))
    (line, reason), after = outcome(path)
    assert (line, after) == (1, "another")
    assert "utf-8" in reason


def test_a_day_that_no_calendar_has_is_one_reject(tmp_path: Path) -> None:
    days = pa.array([2**62, 0], pa.timestamp("us"))
    found = outcome(table(tmp_path / "a.parquet", {"text": TEXTS[:2], "date": days}))
    assert found[1] == TEXTS[1]
    assert found[0][0] == 1


@pytest.mark.parametrize("ending", ["parquet.gz", "parquet.zst"])
def test_it_may_be_packed(tmp_path: Path, ending: str) -> None:
    plain = table(tmp_path / "a.parquet", {"text": TEXTS}).read_bytes()
    path = tmp_path / f"b.{ending}"
    path.write_bytes(gzip.compress(plain) if ending.endswith("gz") else zstandard.compress(plain))
    assert outcome(path) == TEXTS


def test_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = table(tmp_path / "a.parquet", {"text": TEXTS}).read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(plain))))
    assert outcome("-", input_format="parquet") == TEXTS


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\xff" * 30 + b"\x10\0\0\0PAR1"])
def test_what_is_no_parquet_is_one_reject(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.parquet").write_bytes(content)
    ((line, reason),) = outcome(tmp_path / "a.parquet")
    assert line == 0
    assert reason.startswith("damaged: ")


def test_what_comes_before_the_damage_is_read(tmp_path: Path) -> None:
    path = table(tmp_path / "a.parquet", {"text": TEXTS * 2}, row_group_size=3, compression="gzip")
    chunk = pq.ParquetFile(path).metadata.row_group(1).column(0)
    content = bytearray(path.read_bytes())
    content[chunk.data_page_offset] = 0xFF
    path.write_bytes(bytes(content))
    *texts, (line, reason) = outcome(path)
    assert texts == TEXTS
    assert line == 4
    assert "damaged from here on" in reason


def test_rows_are_numbered_over_groups(tmp_path: Path) -> None:
    texts = [f"{n}" for n in range(1, 2_001)]
    found = read(table(tmp_path / "a.parquet", {"text": texts}, row_group_size=3))
    assert [each.id for each in found if isinstance(each, Article)] == [f"a.parquet:{n}" for n in texts]


@pytest.mark.parametrize(
    "options", [{}, {"use_dictionary": False}, {"data_page_version": "2.0"}, {"compression": "none"}]
)
def test_pages_are_weighed(tmp_path: Path, options: dict[str, Any]) -> None:
    texts = [f"{n} {'x' * 1_000}" for n in range(5_000)]
    path = table(tmp_path / "a.parquet", {"text": texts}, **options)
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(0)
    with path.open("rb") as stream:
        pages = list(pages_of(stream, chunk))
    assert sum(page.values for page in pages) == 5_000
    # Headers are counted in by the file, and not by us.
    assert 0.99 * chunk.total_uncompressed_size < sum(page.size for page in pages) <= chunk.total_uncompressed_size
    assert sum(page.packed for page in pages) <= chunk.total_compressed_size
    assert (not pages[0].values) == chunk.has_dictionary_page


def test_a_page_that_is_too_large_costs_its_row_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LARGEST_TABLE_PAGE", 10_000)
    path = table(tmp_path / "a.parquet", {"text": ["A", "B", "C", "x" * 20_000, "D", "E"]}, row_group_size=2)
    assert outcome(path) == ["A", "B", (3, "from here to row 4: more than can be unpacked in one page"), "D", "E"]


def test_a_text_that_is_too_long_is_one_reject(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LARGEST_ARTICLE", 1_000)
    found = outcome(table(tmp_path / "a.parquet", {"text": ["é" * 1_000, "é" * 1_001, "A"]}))
    assert [found[0], found[2]] == ["é" * 1_000, "A"]
    assert "longer than" in found[1][1]


def test_a_text_in_very_many_rows_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RATIO_COUNTS_FROM", 1 << 20)
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 10_000, pa.int32()), ["He denied it. " * 10_000])
    *articles, last = read(table(tmp_path / "a.parquet", {"text": texts}))
    assert 7 <= len(articles) <= 12
    assert isinstance(last, Reject)
    assert last.line == len(articles) + 1
    assert "200 times" in last.reason
