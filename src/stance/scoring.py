"""Articles → scored statements → rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stance._kernel import twin
from stance.inputs import without_surrogates
from stance.languages import language_of
from stance.model import Model
from stance.records import Article, InputError, Span, Statement
from stance.sentences import article_date, statement_spans

_compiled: Final = twin("rows")

Row = dict[str, Any]
# The language that the model knows.
ENGLISH: Final = "en"


@dataclass(frozen=True, slots=True)
class Shape:
    """What rows look like.

    Attributes
    ----------
    only_labelled
        Statements without a label are left out.
    nested
        One row an article, with a list of its statements, instead of one a statement.
    with_text
        Nested rows hold the article's text.
    duplicates
        Rows have the column ``duplicate_of``, for others to fill in.
    """

    only_labelled: bool = False
    nested: bool = False
    with_text: bool = False
    duplicates: bool = False


PLAIN: Final = Shape()


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
        The article, not yet split, with its language.
    spans
        Where each statement starts and ends, and what part it is.
    scores, probabilities
        float64, shape (n, labels); NaN where the language is one that the model does not know.
    given
        bool, shape (n, labels): the labels given.
    """

    article: Article
    spans: list[Span]
    scores: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    given: NDArray[np.bool_]


def score_article(article: Article, model: Model, *, any_language: bool = False) -> Scored:
    """Split an article and score its statements.

    Parameters
    ----------
    article
        The article; its language is found out where it does not say.
    model
        The model that labels.
    any_language
        Score articles in other languages than English too.
    """
    article = replace(article, language=article.language or language_of(article.text))
    spans = statement_spans(article.text)
    if any_language or article.language == ENGLISH:
        scores, probabilities = model.span_figures(article.text, spans)
        return Scored(article, spans, scores, probabilities, model.decide(probabilities))
    unknown = np.full((len(spans), len(model.labels.names)), np.nan)
    return Scored(article, spans, unknown, unknown, np.zeros(unknown.shape, dtype=bool))


def analyze_article(article: Article, model: Model) -> Article:
    """Return the article with a record of each statement, labelled whatever the language."""
    scored = score_article(article, model, any_language=True)
    texts = [article.text[start:end] for start, end, _ in scored.spans]
    made = model.predictions(texts, scored.scores, scored.probabilities)
    statements = (Statement(each.text, *span, each) for span, each in zip(scored.spans, made, strict=True))
    return replace(scored.article, statements=tuple(statements))


def score(articles: Iterable[Article | str], model: Model, *, any_language: bool = False) -> Iterator[Row]:
    """Score articles one after the other.

    Parameters
    ----------
    articles
        Articles or their texts.
    model
        The model that labels.
    any_language
        Label articles in other languages than English too, instead of flagging them alone.

    Yields
    ------
    dict
        One a statement: ``article_id, source, date, language, statement_no, start, end, text, labels``, a probability
        ``p_<label>`` for each label, None where it was not asked for, and the ``model``. A text has its position,
        from 0, as ``article_id``.

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
        yield from rows_of(score_article(article, model, any_language=any_language), model)


def _checked(text: object, name: str) -> str:
    if not isinstance(text, str):
        raise InputError(f"{name} is {type(text).__name__}, not a string; pass its text")
    if not text.strip():
        raise InputError(f"{name} is blank; leave it out, or pass its text")
    return without_surrogates(text)


def rows_of(scored: Scored, model: Model, shape: Shape = PLAIN) -> Iterator[Row]:
    """Yield the rows of an article that has been scored."""
    article = scored.article
    about = {"article_id": article.id, "source": article.source, "date": article.date, "language": article.language}
    statements = (one for one in _statements(scored, model) if one["labels"] or not shape.only_labelled)
    last: Row = {"model": model.id}
    if shape.duplicates:
        last["duplicate_of"] = None
    if shape.nested:
        text = {"text": article.text} if shape.with_text else {}
        yield {**about, "title": article.title, **text, "statements": list(statements), **last}
        return
    for statement in statements:
        yield {**about, **statement, **last}


def _statements(scored: Scored, model: Model) -> Iterator[Row]:
    names = model.labels.names
    columns = [f"p_{name}" for name in names]
    text, figures = scored.article.text, zip(scored.given.tolist(), scored.probabilities.tolist(), strict=True)
    for number, ((start, end, _), (given, chances)) in enumerate(zip(scored.spans, figures, strict=True)):
        yield {
            "statement_no": number,
            "start": start,
            "end": end,
            "text": text[start:end],
            "labels": [name for name, is_given in zip(names, given, strict=True) if is_given],
            **{column: rounded(chance) for column, chance in zip(columns, chances, strict=True)},
        }


def rounded(chance: float) -> float | None:
    """Return a probability as it is written out: to six decimals, None for NaN."""
    return None if chance != chance else round(chance, 6)


def json_lines(scored: Scored, model: Model, shape: Shape = PLAIN) -> bytes:
    """Return the rows of an article as JSON lines in UTF-8."""
    if _compiled is None or shape.nested:
        return b"".join(json_line(row) for row in rows_of(scored, model, shape))
    article = scored.article
    about = {"article_id": article.id, "source": article.source, "date": article.date, "language": article.language}
    head = json.dumps(about, ensure_ascii=False)
    names = [json.dumps(name, ensure_ascii=False) for name in model.labels.names]
    last = {"model": model.id} | ({"duplicate_of": None} if shape.duplicates else {})
    made: bytes = _compiled.json_lines(
        head.removesuffix("}").encode(), article.text, scored.spans, scored.probabilities,
        scored.given.view(np.uint8), names, f", {json.dumps(last).removeprefix('{')}\n".encode(), shape.only_labelled,
    )  # fmt: skip
    return made


def json_line(row: Row) -> bytes:
    """Return a row as a JSON line."""
    return (json.dumps(row, ensure_ascii=False) + "\n").encode("utf-8")


def columns_of(model: Model, shape: Shape = PLAIN) -> list[str]:
    """Return the columns of the output in order."""
    last = ["model", "duplicate_of"] if shape.duplicates else ["model"]
    if shape.nested:
        text = ["text"] if shape.with_text else []
        return ["article_id", "source", "date", "language", "title", *text, "statements", *last]
    names = (f"p_{name}" for name in model.labels.names)
    return [
        *("article_id", "source", "date", "language", "statement_no", "start", "end", "text", "labels"),
        *names,
        *last,
    ]
