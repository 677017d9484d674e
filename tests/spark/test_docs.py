"""docs/spark.md is run: its Python, against a folder in place of the object storage; its table is that of the rows."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any, Final

import pytest
from invented import Record
from pyspark.sql import SparkSession

import stance.spark
from stance.model import Model
from stance.store import save

PAGE: Final = (Path(__file__).resolve().parents[2] / "docs" / "spark.md").read_text(encoding="utf-8")
STORAGE: Final = "s3a://news-lake"


def test_the_code_runs(
    spark: SparkSession, records: list[Record], model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = tmp_path / "lake"
    rows = [(each["text"], each["id"], each["date"], each["source"]) for each in records]
    spark.createDataFrame(rows, "body string, url string, published string, outlet string").write.parquet(
        str(lake / "articles")
    )
    save(model, tmp_path / "models" / "mine")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert len(blocks) == 4
    names: dict[str, Any] = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for block in blocks:
            exec(block.replace(STORAGE, lake.as_uri()), names)  # noqa: S102 (our own page)
    assert names["spark"] is spark
    assert printed.getvalue().count("denial") > 2
    assert printed.getvalue().endswith("True\n")
    scored = {row["article_id"] for row in spark.read.parquet(str(lake / "stance" / "rows")).collect()}
    rejected = {row["article_id"] for row in spark.read.parquet(str(lake / "stance" / "rejects")).collect()}
    assert scored | rejected == {each["id"] for each in records}
    assert scored.isdisjoint(rejected)
    assert 0 < names["denials"].count() < len(scored)


def test_the_table_is_the_schema(spark: SparkSession) -> None:
    table = re.findall(r"^\| `(\w+)` \| ([a-z<>]+) \|", PAGE, flags=re.MULTILINE)
    df = spark.createDataFrame([("a", "It rained.")], "id string, text string")
    assert table == stance.spark.score(df).dtypes
    nested = stance.spark.score(df, nested=True, with_text=True)
    last_paragraph = PAGE[PAGE.index("With `nested=True`") :]
    assert all(f"`{name}`" in last_paragraph for name in nested.columns)
    inside = nested.schema["statements"].dataType.elementType.names
    assert [(name, kind) for name, kind in table if name in inside] == table[4:-1]
    assert [name for name, _ in table[4:-1]] == inside
