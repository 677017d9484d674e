"""What passes between the rooms: frozen records and the errors."""

from __future__ import annotations

from dataclasses import dataclass


class StanceError(Exception):
    """Base of every error that stance raises on purpose; its text names the subject, the cause and the remedy."""


class DataError(StanceError):
    """Annotated data, a lexicon, a label file or a settings file is not as it should be."""


class ModelError(StanceError):
    """A model folder is missing, damaged, or made for another format."""


class InputError(StanceError):
    """Something that a caller passed in cannot be used."""


class RunError(StanceError):
    """A run had to stop before its end; what it finished until then is kept."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of one statement.

    Attributes
    ----------
    text
        The statement, as it was passed in.
    labels
        The labels given, in the order of the model's label set; empty where none reaches its threshold.
    probabilities
        Calibrated probability of each label, 0 to 1.
    scores
        Linear sum of each label (log-odds before calibration).
    """

    text: str
    labels: tuple[str, ...]
    probabilities: dict[str, float]
    scores: dict[str, float]

    @property
    def label(self) -> str:
        """The most probable of the given labels, or ``"none"``."""
        return max(self.labels, key=self.probabilities.__getitem__, default="none")


# Where a statement starts and ends in an article's text, in code points, and what part of it that is.
Span = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of an article.

    Attributes
    ----------
    text
        The sentence without surrounding white space; equal to ``article.text[start:end]``.
    start, end
        Code-point offsets in the article's text.
    part
        ``"dateline"``, ``"title"``, ``"subhead"`` or ``"body"``.
    prediction
        What the model says of it; None before scoring.
    """

    text: str
    start: int
    end: int
    part: str = "body"
    prediction: Prediction | None = None


@dataclass(frozen=True, slots=True)
class Article:
    """One article.

    Attributes
    ----------
    text
        Decoded text; every offset counts its code points.
    id, source, date, title
        What the reader found; empty strings where nothing was.
    statements
        Its sentences in order; empty before splitting.
    language
        ISO 639 code; empty before anybody looked.
    """

    text: str
    id: str = ""
    source: str = ""
    date: str = ""
    statements: tuple[Statement, ...] = ()
    title: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that is no article.

    Attributes
    ----------
    source
        The file, or ``stdin``.
    line
        Line, row or record, from 1; 0 where the whole file is meant.
    reason
        Why, in one line.
    raw
        The record, cut to 2,000 characters.
    """

    source: str
    line: int
    reason: str
    raw: str = ""

    @property
    def place(self) -> str:
        """File and, where there is one, line."""
        return f"{self.source}:{self.line}" if self.line else self.source


@dataclass(frozen=True, slots=True)
class Pending:
    """A record that was found and not yet read; reading it takes long enough to be another process's work.

    Attributes
    ----------
    kind
        ``"jsonl"`` or ``"html"``.
    raw
        Its bytes.
    place, line
        File, or ``stdin``, and line or record in it.
    name
        What its article's id is made of where it has none of its own.
    date, url
        What the container knows of a page; empty strings elsewhere.
    """

    kind: str
    raw: bytes
    place: str
    line: int
    name: str
    date: str = ""
    url: str = ""
