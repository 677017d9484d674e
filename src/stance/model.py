"""The linear model: text → scores → probabilities → labels, and the reasons. NumPy only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from stance.features import Feature, Featurizer, compiled
from stance.labels import LabelSet
from stance.records import Prediction, Span
from stance.texts import Given, blank, broken, checked_texts, compiled_texts, listed_texts

if TYPE_CHECKING:
    from stance._kernel.features import Scorer

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """The rows of a table of weights that hold any: a small part of it.

    Attributes
    ----------
    buckets
        int32, shape (n,), ascending: numbers of the rows.
    values
        float32, shape (n, labels).
    table
        Number of rows of the whole table.
    """

    buckets: NDArray[np.int32]
    values: NDArray[np.float32]
    table: int

    @classmethod
    def of(cls, dense: NDArray[np.float32]) -> Weights:
        """Take the rows that hold any weight out of a whole table."""
        buckets = np.flatnonzero(dense.any(axis=1)).astype(np.int32)
        return cls(buckets, np.ascontiguousarray(dense[buckets]), len(dense))

    def dense(self) -> NDArray[np.float32]:
        """Return the whole table."""
        dense = np.zeros((self.table, self.values.shape[1]), dtype=np.float32)
        dense[self.buckets] = self.values
        return dense

    def __getitem__(self, buckets: list[int] | NDArray[np.int32]) -> NDArray[np.float32]:
        """Return rows of the table, shape (len(buckets), labels)."""
        wanted = np.asarray(buckets, dtype=np.int32)
        places = np.searchsorted(self.buckets, wanted)
        places[places == len(self.buckets)] = 0
        rows = np.zeros((len(wanted), self.values.shape[1]), dtype=np.float32)
        held = self.buckets[places] == wanted if len(self.buckets) else np.zeros(len(wanted), dtype=np.bool_)
        rows[held] = self.values[places[held]]
        return rows


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one bucket of features adds to the scores of a text.

    Attributes
    ----------
    features
        Names of the features that fell into it; nearly always one.
    start, end
        Code-point offsets in the text of the words that the first of them was made of.
    weights
        Label name to what is added to its score.
    """

    features: tuple[str, ...]
    start: int
    end: int
    weights: dict[str, float]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A prediction with its reasons.

    For every label, the intercept and the weights of all contributions sum to the score.
    """

    prediction: Prediction
    intercepts: dict[str, float]
    contributions: tuple[Contribution, ...]

    def top(self, label: str, count: int = 10) -> list[Contribution]:
        """Return the contributions that count most for or against a label, the largest first."""
        return sorted(self.contributions, key=lambda each: -abs(each.weights[label]))[:count]


@dataclass(frozen=True, eq=False)
class Model:
    """A trained model.

    Attributes
    ----------
    labels
        The label set; its order is the order of all columns.
    featurizer
        Turns text into buckets.
    weights
        What each bucket adds to the score of each label.
    intercepts, slopes, offsets, thresholds
        float64, shape (labels,): ``score = intercept + sum(weights) / sqrt(buckets of the text)``,
        ``probability = sigmoid(slope * score + offset)`` (a softmax over these where the label set is exclusive).
    about
        Where the model comes from: data hash, settings, versions, figures of its training. Plain JSON.
    """

    labels: LabelSet
    featurizer: Featurizer
    weights: Weights
    intercepts: Floats
    slopes: Floats
    offsets: Floats
    thresholds: Floats
    about: Mapping[str, Any] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_scorer"}

    @property
    def id(self) -> str:
        """Twelve hex digits that tell this model from others: the start of the SHA-256 of its weights."""
        return str(self.about.get("weights_sha256", ""))[:12] or "unsaved"

    # A string is an iterable of strings too; the first overload takes it.
    @overload
    def predict(self, texts: str) -> Prediction: ...  # type: ignore[overload-overlap]
    @overload
    def predict(self, texts: Given) -> list[Prediction]: ...
    def predict(self, texts: str | Given) -> Prediction | list[Prediction]:
        """Label statements.

        Parameters
        ----------
        texts
            One statement, or any iterable of statements; also a column of Arrow, or `Utf8`.

        Returns
        -------
        Prediction or list of Prediction
            One for a string; else a list in the order and of the length of `texts`.

        Raises
        ------
        InputError
            If something is not a string or is blank; the message names its position.
        """
        if isinstance(texts, str):
            return self.predict([texts])[0]
        listed = listed_texts(texts)
        return self.predictions(listed, *self.figures(listed))

    def predictions(self, texts: list[str], scores: Floats, probabilities: Floats) -> list[Prediction]:
        """Return what scores and probabilities, both of shape (n, labels), say of n texts."""
        given = self.decide(probabilities)
        names = self.labels.names
        return [
            Prediction(
                text,
                tuple(name for name, is_given in zip(names, row, strict=True) if is_given),
                dict(zip(names, chances, strict=True)),
                dict(zip(names, sums, strict=True)),
            )
            for text, row, chances, sums in zip(
                texts, given.tolist(), probabilities.tolist(), scores.tolist(), strict=True
            )
        ]

    def scores(self, texts: Given) -> Floats:
        """Return the linear sums of statements.

        Returns
        -------
        ndarray of float64, shape (n, labels)
            Log-odds before calibration.

        Raises
        ------
        InputError
            As for `figures`.
        """
        return self.figures(texts)[0]

    def figures(self, texts: Given) -> tuple[Floats, Floats]:
        """Return the scores and the calibrated probabilities of statements, both of shape (n, labels).

        Parameters
        ----------
        texts
            Any iterable of statements; a column with the Arrow PyCapsule interface and the type string or large_string
            (of pyarrow, ...); or `Utf8`. The compiled kernel reads the latter two where they lie.

        Raises
        ------
        InputError
            If something is not a string, is blank, missing or not valid UTF-8; the message names its position.
        """
        if self._scorer is None or compiled is None:
            listed = checked_texts(texts)
            scores = np.empty((len(listed), len(self.labels.names)))
            for number, text in enumerate(listed):
                scores[number] = self.sums(self.featurizer.indices(text))
            return scores, self.calibrate(scores)
        given = compiled_texts(texts)
        try:
            scores, probabilities, sizes = self._scorer.scores(given)
        except compiled.TextError as error:
            raise broken(error) from None
        # A blank text has no features; whether one without features is blank needs a look.
        for number in np.flatnonzero(sizes == 0).tolist():
            if not given[number].strip():
                raise blank(number)
        return scores, probabilities

    def span_figures(self, text: str, spans: list[Span]) -> tuple[Floats, Floats]:
        """Return the `figures` of pieces of a text, none of them blank, without cutting them out."""
        if self._scorer is None or compiled is None:
            return self.figures([text[start:end] for start, end, _ in spans])
        return self._scorer.scores(compiled.texts_of_spans(text, spans))[:2]

    @cached_property
    def _scorer(self) -> Scorer | None:
        kernel = self.featurizer.kernel
        if kernel is None or compiled is None:
            return None
        made: Scorer = compiled.Scorer(
            kernel, self.weights.buckets, self.weights.values, self.intercepts, self.slopes, self.offsets,
            self.labels.exclusive,
        )  # fmt: skip
        return made

    def sums(self, buckets: list[int]) -> Floats:
        """Return the scores (labels,) of a text that has these features, each bucket once."""
        return np.asarray(self._terms(buckets).sum(axis=0) + self.intercepts)

    def probabilities(self, texts: Given) -> Floats:
        """Return the calibrated probabilities of statements.

        Returns
        -------
        ndarray of float64, shape (n, labels)
            0 to 1; rows sum to one only where the label set is exclusive.

        Raises
        ------
        InputError
            As for `predict`.
        """
        return self.figures(texts)[1]

    def explain(self, text: str) -> Explanation:
        """Say which words and patterns speak for and against each label.

        Raises
        ------
        InputError
            If `text` is not a string or is blank.
        """
        [prediction] = self.predict([text])
        tokens = self.featurizer.tokens(text)
        found: dict[int, list[Feature]] = {}
        for fields in self.featurizer.features(tokens):
            feature = Feature(*fields)
            same = found.setdefault(self.featurizer.bucket(feature.family, feature.parts), [])
            if feature.parts not in [other.parts for other in same if other.family == feature.family]:
                same.append(feature)
        buckets = sorted(found)
        names = self.labels.names
        contributions = tuple(
            Contribution(
                tuple(feature.name for feature in found[bucket]),
                tokens[found[bucket][0].first].start,
                tokens[found[bucket][0].last].end,
                dict(zip(names, term, strict=True)),
            )
            for bucket, term in zip(buckets, self._terms(buckets).tolist(), strict=True)
        )
        return Explanation(prediction, dict(zip(names, self.intercepts.tolist(), strict=True)), contributions)

    def calibrate(self, scores: Floats) -> Floats:
        """Turn scores into probabilities, both of shape (n, labels)."""
        return calibrated(scores, self.slopes, self.offsets, exclusive=self.labels.exclusive)

    def decide(self, probabilities: Floats) -> NDArray[np.bool_]:
        """Tell which labels are given, shape (n, labels)."""
        if self.labels.exclusive:
            given = np.zeros(probabilities.shape, dtype=np.bool_)
            given[np.arange(len(given)), probabilities.argmax(axis=1)] = True
            return given
        return np.asarray(probabilities >= self.thresholds)

    def _terms(self, buckets: list[int]) -> Floats:
        # Scaled by their number only: anything taken from the weights or the data could not be folded into the weights.
        return np.asarray(self.weights[buckets].astype(np.float64) / np.sqrt(max(len(buckets), 1)))


def calibrated(scores: Floats, slopes: Floats, offsets: Floats, *, exclusive: bool) -> Floats:
    """Return probabilities of scores: a sigmoid a label, or a softmax over the labels."""
    logits = scores * slopes + offsets
    if exclusive:
        logits = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(logits / logits.sum(axis=1, keepdims=True))
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -500.0, 500.0))))
