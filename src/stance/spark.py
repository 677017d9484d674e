"""The scorer in Spark: a DataFrame of articles → a DataFrame of rows, equal to those of local parquet output."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from stance import limits
from stance.arrow_rows import articles_batch, schema_of, score_batch
from stance.model import Model
from stance.reading import Columns, Record, from_values
from stance.records import Article, InputError, Pending, Reject
from stance.scoring import Shape
from stance.store import load

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import DataType, StructType

    Work = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]

# Bytes of text that are scored at a time. Spark cuts its batches by rows, and rows may be long.
_PIECE_BYTES: Final = 1 << 20
_FIELDS: Final = ("text", "id", "date", "source")
_REJECTS: Final = "article_id string, reason string, raw string"
# `from_values` asks a record for its place; a row of a DataFrame has none.
_NOWHERE: Final = Pending("", b"", "", 0, "")


def score(
    df: DataFrame,
    *,
    text_column: str | None = None,
    id_column: str | None = None,
    date_column: str | None = None,
    source_column: str | None = None,
    model: Model | str | Path | None = None,
    only_labelled: bool = False,
    nested: bool = False,
    with_text: bool = False,
    any_language: bool = False,
) -> DataFrame:
    """Score a DataFrame of articles.

    Parameters
    ----------
    df
        A row an article. Columns that are not named below are not read.
    text_column, id_column, date_column, source_column
        Names of the columns; where left out, the first of the usual names (`stance.reading.DEFAULT_COLUMNS`) that is
        there. Texts are strings. The others become strings: dates ``2026-01-31``, times ``2026-01-31T09:30:00+00:00``
        in the time zone of the Spark session. An article without a date has the one that its date line tells.

        Rows of a DataFrame have no place that lasts. So where there is no column with ids, or an id is null or
        empty, the article's id is ``sha2(text, 256)``: it is the same in every run and can be joined on, but
        articles with the same text share it.
    model
        A model, the folder of one on the driver, or None for the default model. It is sent to the executors.
    only_labelled
        Statements without a label are left out.
    nested
        One row an article, with a list of its statements, instead of one a statement.
    with_text
        Nested rows hold the article's text.
    any_language
        Label articles in other languages than English too, instead of flagging them alone.

    Returns
    -------
    DataFrame
        Lazy, as all DataFrames; with the columns and types of local parquet output. What can be no article has no
        row: see `rejects`.

    Raises
    ------
    InputError
        If pyspark is missing, `df` is no DataFrame, a column is missing, or the one with the text holds no strings.
    ModelError
        If the model's folder is missing or damaged.
    """
    articles = _articles(df, Columns(text_column, id_column, date_column, source_column))
    known = model if isinstance(model, Model) else load(model)
    shape = Shape(only_labelled=only_labelled, nested=nested, with_text=with_text)
    held = _sent(df, known)

    def work(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return scored_batches(batches, held.value, shape, any_language=any_language)

    return _mapped(articles, work, _spark_schema(schema_of(known, shape)))


def rejects(
    df: DataFrame,
    *,
    text_column: str | None = None,
    id_column: str | None = None,
    date_column: str | None = None,
    source_column: str | None = None,
) -> DataFrame:
    """Return what `score` leaves out because it can be no article: null, blank, too long, not valid UTF-8.

    Parameters
    ----------
    df, text_column, id_column, date_column, source_column
        As in `score`.

    Returns
    -------
    DataFrame
        Strings ``article_id`` (null where there is neither an id nor a text), ``reason`` and ``raw``, the first 2,000
        characters of the text. It reads `df` once more.

    Raises
    ------
    InputError
        As in `score`.
    """
    articles = _articles(df, Columns(text_column, id_column, date_column, source_column))

    def work(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return rejected_batches(batches)

    return _mapped(articles, work, _REJECTS)


def scored_batches(
    batches: Iterable[pa.RecordBatch], model: Model, shape: Shape, *, any_language: bool = False
) -> Iterator[pa.RecordBatch]:
    """Score record batches with the columns text, id, date and source; what an executor does with a partition."""
    for piece in _pieces(batches):
        articles = [record for _, record in _records(piece) if isinstance(record, Article)]
        yield score_batch(articles_batch(articles), model, shape, any_language=any_language)


def rejected_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Return what `scored_batches` leaves out of the same batches, with the reasons."""
    import pyarrow as pa

    names = ("article_id", "reason", "raw")
    for piece in _pieces(batches):
        found = [(name, each.reason, each.raw) for name, each in _records(piece) if isinstance(each, Reject)]
        columns = zip(*found, strict=True) if found else ((), (), ())
        yield pa.RecordBatch.from_arrays([pa.array(values, pa.string()) for values in columns], list(names))


def _articles(df: DataFrame, columns: Columns) -> DataFrame:
    """Select text, id, date and source, as strings of these names."""
    from importlib.util import find_spec

    if find_spec("pyspark") is None or find_spec("pyarrow") is None:
        raise InputError("Spark needs pyspark; install stance-news[spark]")
    if not hasattr(df, "mapInArrow"):
        raise InputError(f"Spark scores a DataFrame of Spark, not {type(df).__name__}; make one of it")
    from pyspark.sql import functions as F  # noqa: N812 (everybody calls it so)

    try:
        names = columns.chosen_of_table(df.columns, "the DataFrame")
    except InputError as error:
        raise InputError(str(error).replace("--text-column", "text_column=...")) from None
    twice = next((name for name in names.values() if name is not None and df.columns.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"the DataFrame: has two columns {twice!r}; rename one")
    kinds = {field: df.schema[name].dataType for field, name in names.items() if name is not None}
    if not _is_string(kinds["text"]):
        held = kinds["text"].simpleString()
        raise InputError(f"the DataFrame: column {names['text']!r} holds {held}, not strings; cast it, or name another")
    made = {
        field: F.lit(None).cast("string") if name is None else _as_string(_column(name), kinds[field])
        for field, name in names.items()
    }
    made["id"] = F.coalesce(F.when(made["id"] != "", made["id"]), F.sha2(made["text"], 256))
    return df.select(*(made[field].alias(field) for field in _FIELDS))


def _column(name: str) -> Column:
    from pyspark.sql.functions import col

    # A dot in a name would otherwise ask for a field of a struct.
    return col("`" + name.replace("`", "``") + "`")


def _is_string(kind: DataType) -> bool:
    from pyspark.sql.types import CharType, StringType, VarcharType

    return isinstance(kind, StringType | CharType | VarcharType)


def _as_string(column: Column, kind: DataType) -> Column:
    from pyspark.sql.functions import date_format
    from pyspark.sql.types import TimestampNTZType, TimestampType

    if isinstance(kind, TimestampType):
        return date_format(column, "yyyy-MM-dd'T'HH:mm:ssxxx")
    if isinstance(kind, TimestampNTZType):
        return date_format(column, "yyyy-MM-dd'T'HH:mm:ss")
    return column.cast("string")


class _Held(Protocol):
    """What holds a model: a broadcast of Spark, or `_Closed`."""

    @property
    def value(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class _Closed:
    value: Model


def _sent(df: DataFrame, model: Model) -> _Held:
    try:
        context = df.sparkSession.sparkContext
    except (AttributeError, NotImplementedError):
        # Spark Connect has no context to broadcast with; there the model goes out with every task.
        return _Closed(model)
    # A worker opens a broadcast once, however many tasks it runs.
    broadcast: _Held = context.broadcast(model)
    return broadcast


def _mapped(articles: DataFrame, work: Work, schema: StructType | str) -> DataFrame:
    return articles.mapInArrow(work, schema)


def _spark_schema(schema: pa.Schema) -> StructType:
    # By hand, because the function of pyspark that does it is not public. Fields may be null: so Spark reads parquet.
    from pyspark.sql.types import StructField, StructType

    return StructType([StructField(each.name, _spark_type(each.type)) for each in schema])


def _spark_type(kind: pa.DataType) -> DataType:
    import pyarrow.types as kinds
    from pyspark.sql import types

    if kinds.is_list(kind):
        return types.ArrayType(_spark_type(kind.value_type))
    if kinds.is_struct(kind):
        return _spark_schema(kind)
    plain = {"string": types.StringType, "int32": types.IntegerType, "double": types.DoubleType}
    return plain[str(kind)]()


def _pieces(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Cut batches, so that memory does not grow with the length of their rows; a long text is a piece of its own."""
    import pyarrow.compute as pc

    for batch in batches:
        start = size = 0
        for n, length in enumerate(pc.binary_length(batch.column("text")).to_pylist()):
            if n > start and size + (length or 0) > _PIECE_BYTES:
                yield batch.slice(start, n - start)
                start, size = n, 0
            size += length or 0
        yield batch.slice(start)


def _records(batch: pa.RecordBatch) -> Iterator[tuple[str | None, Record]]:
    """Yield the id of each row, and its article or why it is none."""
    columns = {field: batch.column(field) for field in _FIELDS}
    for n in range(batch.num_rows):
        try:
            values = {field: column[n].as_py() for field, column in columns.items()}
        except UnicodeDecodeError:
            # Spark's strings may hold any bytes.
            shown = {field: _mended(columns[field][n]) for field in ("id", "text")}
            yield shown["id"], Reject("", 0, "not valid UTF-8", (shown["text"] or "")[: limits.SHOWN_RAW])
            continue
        name, text = values["id"], values["text"]
        if text is None:
            yield name, Reject("", 0, "null")
        else:
            yield name, from_values(values, {}, _NOWHERE, 0, text[: limits.SHOWN_RAW])


def _mended(value: pa.StringScalar) -> str | None:
    held = value.as_buffer()
    return None if held is None else held.to_pybytes().decode("utf-8", "replace")
