"""Articles → scored rows → files: streaming, every article a row or a reject."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from stance._kernel import twin
from stance.articles import Reject
from stance.files import whole_file
from stance.inputs import without_surrogates
from stance.model import Model
from stance.records import Article, InputError, Span, Statement
from stance.sentences import article_date, statement_spans

_compiled: Final = twin("rows")

Row = dict[str, Any]
# A spreadsheet takes a cell that begins like this for a formula; the quote mark makes it text again.
# Quote marks before it count in, so that our own reader can take exactly one of them off again.
_FORMULA: Final = re.compile("'*[=+\\-@\t\r\0]")
LABEL_SEPARATOR: Final = "|"


@dataclass
class Summary:
    """Counts of one run: ``articles == scored + rejects``."""

    articles: int = 0
    scored: int = 0
    rejects: int = 0
    statements: int = 0
    labelled: int = 0


def analyze(text: str, model: Model) -> Article:
    """Split an article into statements and label each.

    Parameters
    ----------
    text
        The whole text of an article.
    model
        The model that labels.

    Returns
    -------
    Article
        With its statements; for each, ``article.text[start:end]`` is its text. Lone surrogates have become U+FFFD.

    Raises
    ------
    InputError
        If `text` is not a string or is blank.
    """
    text = _checked(text, "the article")
    return analyze_article(Article(text, date=article_date(text)), model)


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """An article and what the model says of its n statements, in columns.

    Attributes
    ----------
    article
        The article, not yet split.
    spans
        Where each statement starts and ends, and what part it is.
    scores, probabilities
        float64, shape (n, labels).
    given
        bool, shape (n, labels): the labels given.
    """

    article: Article
    spans: list[Span]
    scores: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    given: NDArray[np.bool_]


def score_article(article: Article, model: Model) -> Scored:
    """Split an article and score its statements."""
    spans = statement_spans(article.text)
    scores, probabilities = model.span_figures(article.text, spans)
    return Scored(article, spans, scores, probabilities, model.decide(probabilities))


def analyze_article(article: Article, model: Model) -> Article:
    """Return the article with a record of each statement, labelled."""
    scored = score_article(article, model)
    texts = [article.text[start:end] for start, end, _ in scored.spans]
    made = model.predictions(texts, scored.scores, scored.probabilities)
    statements = (Statement(each.text, *span, each) for span, each in zip(scored.spans, made, strict=True))
    return replace(article, statements=tuple(statements))


def score(articles: Iterable[Article | str], model: Model) -> Iterator[Row]:
    """Score articles one after the other.

    Parameters
    ----------
    articles
        Articles or their texts.
    model
        The model that labels.

    Yields
    ------
    dict
        One a statement: ``article_id, source, date, statement_no, start, end, text, labels``, a probability
        ``p_<label>`` for each label, and the ``model``. A text has its position, from 0, as ``article_id``.

    Raises
    ------
    InputError
        If `articles` is no iterable of articles, or one of them is not a string or is blank.
    """
    if isinstance(articles, str | bytes) or not isinstance(articles, Iterable):
        raise InputError(f"score takes an iterable of articles, not {type(articles).__name__}; put it into a list")
    for number, article in enumerate(articles):
        if isinstance(article, Article):
            name = f"article {article.id!r}" if article.id else f"article {number}"
            article = replace(article, text=_checked(article.text, name))
        else:
            text = _checked(article, f"article {number}")
            article = Article(text, str(number), date=article_date(text))
        yield from rows_of(score_article(article, model), model)


def _checked(text: object, name: str) -> str:
    if not isinstance(text, str):
        raise InputError(f"{name} is {type(text).__name__}, not a string; pass its text")
    if not text.strip():
        raise InputError(f"{name} is blank; leave it out, or pass its text")
    return without_surrogates(text)


def rows_of(scored: Scored, model: Model) -> Iterator[Row]:
    """Yield the rows of an article that has been scored."""
    names = model.labels.names
    columns = [f"p_{name}" for name in names]
    article, figures = scored.article, zip(scored.given.tolist(), scored.probabilities.tolist(), strict=True)
    for number, ((start, end, _), (given, chances)) in enumerate(zip(scored.spans, figures, strict=True)):
        yield {
            "article_id": article.id,
            "source": article.source,
            "date": article.date,
            "statement_no": number,
            "start": start,
            "end": end,
            "text": article.text[start:end],
            "labels": [name for name, is_given in zip(names, given, strict=True) if is_given],
            **{column: round(chance, 6) for column, chance in zip(columns, chances, strict=True)},
            "model": model.id,
        }


def json_lines(scored: Scored, model: Model, *, only_labelled: bool = False) -> bytes:
    """Return the rows of an article as JSON lines in UTF-8, all of them or those with a label."""
    if _compiled is None:
        rows = (row for row in rows_of(scored, model) if row["labels"] or not only_labelled)
        return b"".join(_json_line(row) for row in rows)
    article = scored.article
    head = json.dumps({"article_id": article.id, "source": article.source, "date": article.date}, ensure_ascii=False)
    names = [json.dumps(name, ensure_ascii=False) for name in model.labels.names]
    tail = f', "model": {json.dumps(model.id)}}}\n'
    made: bytes = _compiled.json_lines(
        head.removesuffix("}").encode(), article.text, scored.spans, scored.probabilities,
        scored.given.view(np.uint8), names, tail.encode(), only_labelled,
    )  # fmt: skip
    return made


def _json_line(row: Row) -> bytes:
    return (json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8")


def score_records(
    records: Iterable[Article | Reject],
    model: Model,
    *,
    on_article: Callable[[Scored], None],
    on_reject: Callable[[Reject], None],
    on_progress: Callable[[Summary], None] | None = None,
) -> Summary:
    """Score what a reader yields, handing over one article at a time; nothing is kept.

    Returns
    -------
    Summary
    """
    summary = Summary()
    for record in records:
        summary.articles += 1
        if isinstance(record, Reject):
            summary.rejects += 1
            on_reject(record)
        else:
            scored = score_article(record, model)
            summary.scored += 1
            summary.statements += len(scored.spans)
            summary.labelled += int(scored.given.any(axis=1).sum())
            on_article(scored)
        if on_progress:
            on_progress(summary)
    return summary


def columns_of(model: Model) -> list[str]:
    """Return the columns of the output in order."""
    names = (f"p_{name}" for name in model.labels.names)
    return ["article_id", "source", "date", "statement_no", "start", "end", "text", "labels", *names, "model"]


class RowWriter:
    """Writes rows as JSONL or CSV to a file that appears whole or not at all, or to an open stream.

    Parameters
    ----------
    target
        A path ending in ``.jsonl`` or ``.csv``, or a binary stream, which gets JSONL.
    columns
        The header of a CSV file.

    Raises
    ------
    InputError
        If the ending is another one, or the place cannot be written.
    """

    def __init__(self, target: Path | IO[bytes], columns: Sequence[str]) -> None:
        self._target = target
        self._columns = columns
        self._as_csv = isinstance(target, Path) and target.suffix.lower() == ".csv"
        if isinstance(target, Path) and target.suffix.lower() not in (".csv", ".jsonl"):
            raise InputError(f"{target}: the ending tells the format; use .jsonl or .csv")
        # Found out only when the file is put in its place, this would cost the whole run.
        if isinstance(target, Path) and target.is_dir():
            raise InputError(f"{target}: cannot be written (it is a folder); choose another name")
        self._stack = ExitStack()

    def __enter__(self) -> RowWriter:
        target = self._target
        self._stream = self._stack.enter_context(whole_file(target)) if isinstance(target, Path) else target
        if self._as_csv:
            self._write_line(self._columns)
        return self

    def __exit__(self, *raised: Any) -> None:
        self._stack.__exit__(*raised)

    def write(self, rows: Iterable[Row]) -> None:
        """Write rows."""
        for row in rows:
            if self._as_csv:
                self._write_line([_cell(row[column]) for column in self._columns])
            else:
                self._stream.write(_json_line(row))

    def write_scored(self, scored: Scored, model: Model, *, only_labelled: bool = False) -> None:
        """Write the rows of an article, all of them or those with a label."""
        if self._as_csv:
            self.write(row for row in rows_of(scored, model) if row["labels"] or not only_labelled)
        else:
            self._stream.write(json_lines(scored, model, only_labelled=only_labelled))

    def _write_line(self, cells: Sequence[Any]) -> None:
        line = io.StringIO(newline="")
        csv.writer(line).writerow(cells)
        self._stream.write(line.getvalue().encode("utf-8"))


class RejectWriter:
    """Writes rejects as JSONL to a file that appears whole, even where the run ends in an error.

    Parameters
    ----------
    path
        The file; made even where nothing is refused.
    beside
        Without `path`, the rejects of this output go to ``<output>.rejects.jsonl``, made only where there are any; one
        of an earlier run is taken away. Without both, nothing is written.

    Attributes
    ----------
    path
        The file.
    """

    def __init__(self, path: Path | None, *, beside: Path | None = None) -> None:
        self._optional = path is None
        self.path = beside.with_name(f"{beside.name}.rejects.jsonl") if path is None and beside is not None else path
        self._stack = ExitStack()
        self._stream: IO[bytes] | None = None
        self._written = False

    def __enter__(self) -> RejectWriter:
        if not self._optional:
            self._open()
        return self

    def __exit__(self, kind: type[BaseException] | None, *raised: Any) -> None:
        if kind is None and self._stream is None and self.path is not None:
            self.path.unlink(missing_ok=True)
        # What was refused until then is worth keeping, whatever ended the run; older rejects give way to that alone.
        if self._written:
            self._stack.close()
        else:
            self._stack.__exit__(kind, *raised)

    def write(self, reject: Reject) -> None:
        """Write one reject."""
        if self._stream is None and self.path is not None:
            self._open()
        if self._stream is not None:
            self._stream.write((json.dumps(asdict(reject), ensure_ascii=False) + "\n").encode("utf-8", "replace"))
            self._written = True

    def _open(self) -> None:
        if self.path is not None:
            self._stream = self._stack.enter_context(whole_file(self.path))


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        value = LABEL_SEPARATOR.join(value)
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value
