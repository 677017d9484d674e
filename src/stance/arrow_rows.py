"""Record batches of articles → record batches of rows: what parquet files and Spark get."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stance.model import Model
from stance.records import Article, InputError
from stance.scoring import PLAIN, Scored, Shape, columns_of, rows_of, score_article

if TYPE_CHECKING:
    import pyarrow as pa

ARTICLE_FIELDS = ("text", "id", "source", "date", "title", "language")


def schema_of(model: Model, shape: Shape = PLAIN) -> pa.Schema:
    """Return the types of the rows of `columns_of`.

    Numbers and offsets of statements are int32, probabilities float64 and null where there is none, labels a list of
    strings, everything else strings; ``statements``, of nested rows, is a list of structs of these.
    """
    import pyarrow as pa

    chances = [pa.field(f"p_{name}", pa.float64()) for name in model.labels.names]
    statement = [
        pa.field("statement_no", pa.int32()),
        pa.field("start", pa.int32()),
        pa.field("end", pa.int32()),
        pa.field("text", pa.string()),
        pa.field("labels", pa.list_(pa.string())),
        *chances,
    ]
    types = {each.name: each.type for each in statement} | {"statements": pa.list_(pa.struct(statement))}
    if shape.nested:
        types["text"] = pa.string()
    return pa.schema([pa.field(name, types.get(name, pa.string())) for name in columns_of(model, shape)])


def articles_batch(articles: Sequence[Article]) -> pa.RecordBatch:
    """Return articles as a record batch, a column of strings for each of their fields."""
    import pyarrow as pa

    columns = {field: pa.array([getattr(each, field) for each in articles], pa.string()) for field in ARTICLE_FIELDS}
    return pa.RecordBatch.from_pydict(columns)


def score_batch(
    batch: pa.RecordBatch,
    model: Model,
    shape: Shape = PLAIN,
    *,
    any_language: bool = False,
    on_scored: Callable[[Scored], object] | None = None,
) -> pa.RecordBatch:
    """Score a record batch of articles.

    Parameters
    ----------
    batch
        A column ``text`` of strings, and as many as wanted of ``id``, ``source``, ``date``, ``title`` and
        ``language``, of articles that `stance.reading.refusal` has nothing against.
    model, shape, any_language
        As in `score_article` and `rows_of`.
    on_scored
        Is told of each article.

    Returns
    -------
    pyarrow.RecordBatch
        Rows of the articles in their order, with the schema of `schema_of`.
    """
    made = []
    for article in articles_in(batch):
        made.append(score_article(article, model, any_language=any_language))
        if on_scored:
            on_scored(made[-1])
    return _nested(made, model, shape) if shape.nested else _flat(made, model, shape)


def _nested(made: Sequence[Scored], model: Model, shape: Shape) -> pa.RecordBatch:
    import pyarrow as pa

    rows = [row for scored in made for row in rows_of(scored, model, shape)]
    return pa.RecordBatch.from_pylist(rows, schema=schema_of(model, shape))


def _flat(made: Sequence[Scored], model: Model, shape: Shape) -> pa.RecordBatch:
    """Return what `rows_of` yields, put together by columns, which takes half the time."""
    import pyarrow as pa

    names = model.labels.names
    kept = [each.given.any(axis=1) if shape.only_labelled else np.ones(len(each.spans), bool) for each in made]
    # An array of no rows, so that there is something to put together where no article is.
    none = np.zeros((0, len(names)))
    given = np.concatenate([none.astype(bool), *(each.given[some] for each, some in zip(made, kept, strict=True))])
    chances = np.concatenate([none, *(each.probabilities[some] for each, some in zip(made, kept, strict=True))])
    numbers = [np.flatnonzero(each) for each in kept]
    spans = [each.spans[n] for each, some in zip(made, numbers, strict=True) for n in some]
    texts = [each.article.text for each, some in zip(made, numbers, strict=True) for _ in some]
    of_article = np.repeat(np.arange(len(made)), [len(some) for some in numbers])
    columns: dict[str, Any] = {
        "statement_no": np.concatenate([np.zeros(0, int), *numbers]),
        "start": [start for start, _, _ in spans],
        "end": [end for _, end, _ in spans],
        "text": [text[start:end] for text, (start, end, _) in zip(texts, spans, strict=True)],
        "model": [model.id] * len(spans),
        "duplicate_of": [None] * len(spans),
    }
    for column, field in (("article_id", "id"), ("source", "source"), ("date", "date"), ("language", "language")):
        columns[column] = pa.array([getattr(each.article, field) for each in made], pa.string()).take(of_article)
    for n, name in enumerate(names):
        figures = all_rounded(chances[:, n])
        columns[f"p_{name}"] = pa.array(figures, pa.float64(), mask=np.isnan(figures))
    ends = np.concatenate([[0], np.cumsum(given.sum(axis=1))])
    listed = pa.array([names[n] for n in np.nonzero(given)[1]], pa.string())
    columns["labels"] = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), listed)
    schema = schema_of(model, shape)
    arrays = [
        made if isinstance(made := columns[each.name], pa.Array) else pa.array(made, each.type) for each in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def all_rounded(chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return probabilities as `rounded` does one by one; NaN stays."""
    scaled = chances * 1e6
    made: NDArray[np.float64] = np.rint(scaled) / 1e6
    # So close to the middle that the multiplication may have moved it to the other side.
    for n in np.flatnonzero(np.abs(scaled - np.floor(scaled) - 0.5) < 1e-6):
        made[n] = round(float(chances[n]), 6)
    return made


def articles_in(batch: pa.RecordBatch) -> Iterator[Article]:
    """Yield the articles of a record batch; what is null or missing is an empty string."""
    there = {name: batch.column(name) for name in ARTICLE_FIELDS if name in batch.schema.names}
    for n in range(batch.num_rows):
        values = {name: column[n].as_py() for name, column in there.items()}
        fields: dict[str, Any] = {name: "" if value is None else str(value) for name, value in values.items()}
        yield Article(**fields)


def check_folder(folder: Path, model: Model, shape: Shape = PLAIN) -> None:
    """Check that rows fit to the parquet files of a folder.

    Raises
    ------
    InputError
        If the folder has no such file, cannot be read, or its files have other columns.
    """
    import pyarrow as pa
    from pyarrow.parquet import read_schema

    try:
        there = sorted(path for path in folder.rglob("*.parquet") if not path.name.startswith(("_", ".")))
        if not there:
            raise InputError(f"{folder}: holds no parquet files; name the folder with --output to begin one")
        old, new = read_schema(there[0]), schema_of(model, shape)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{folder}: cannot be read ({error}); choose another folder") from error
    if old.names != new.names:
        names = f"{', '.join(old.names)}, and the new rows {', '.join(new.names)}"
        raise InputError(f"{there[0]}: has the columns {names}; begin another folder")
    for name in new.names:
        if _kind(old.field(name).type) != _kind(new.field(name).type):
            kinds = f"{old.field(name).type}, in the new rows {new.field(name).type}"
            raise InputError(f"{there[0]}: column {name} is {kinds}; begin another folder")


def _kind(kind: Any) -> str:
    """Name a type without the names that others give to the elements of a list."""
    import pyarrow.types as kinds

    if kinds.is_list(kind) or kinds.is_large_list(kind):
        return f"list<{_kind(kind.value_type)}>"
    if kinds.is_struct(kind):
        return f"struct<{', '.join(f'{each.name}: {_kind(each.type)}' for each in kind)}>"
    return str(kind).removeprefix("large_")
