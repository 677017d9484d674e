"""The linear model: text → scores → probabilities → labels, and the reasons. NumPy only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from stance.features import Feature, Featurizer
from stance.labels import LabelSet
from stance.records import InputError, Prediction

Floats = NDArray[np.float64]


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
        float32, shape (buckets, labels).
    intercepts, slopes, offsets, thresholds
        float64, shape (labels,): ``score = intercept + sum(weights) / sqrt(buckets of the text)``,
        ``probability = sigmoid(slope * score + offset)`` (a softmax over these where the label set is exclusive).
    about
        Where the model comes from: data hash, settings, versions, figures of its training. Plain JSON.
    """

    labels: LabelSet
    featurizer: Featurizer
    weights: NDArray[np.float32]
    intercepts: Floats
    slopes: Floats
    offsets: Floats
    thresholds: Floats
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Twelve hex digits that tell this model from others: the start of the SHA-256 of its weights."""
        return str(self.about.get("weights_sha256", ""))[:12] or "unsaved"

    # A string is an iterable of strings too; the first overload takes it.
    @overload
    def predict(self, texts: str) -> Prediction: ...  # type: ignore[overload-overlap]
    @overload
    def predict(self, texts: Iterable[str]) -> list[Prediction]: ...
    def predict(self, texts: str | Iterable[str]) -> Prediction | list[Prediction]:
        """Label statements.

        Parameters
        ----------
        texts
            One statement, or any iterable of statements.

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
        listed = checked_texts(texts)
        scores = self.scores(listed)
        probabilities = self.calibrate(scores)
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
                listed, given.tolist(), probabilities.tolist(), scores.tolist(), strict=True
            )
        ]

    def scores(self, texts: Iterable[str]) -> Floats:
        """Return the linear sums of statements.

        Returns
        -------
        ndarray of float64, shape (n, labels)
            Log-odds before calibration.

        Raises
        ------
        InputError
            As for `predict`.
        """
        listed = checked_texts(texts)
        scores = np.empty((len(listed), len(self.labels.names)))
        for number, text in enumerate(listed):
            scores[number] = self.sums(self.featurizer.indices(text))
        return scores

    def sums(self, buckets: list[int]) -> Floats:
        """Return the scores (labels,) of a text that has these features, each bucket once."""
        return np.asarray(self._terms(buckets).sum(axis=0) + self.intercepts)

    def probabilities(self, texts: Iterable[str]) -> Floats:
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
        return self.calibrate(self.scores(texts))

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


def checked_texts(texts: Iterable[str]) -> list[str]:
    """Return the texts as a list, or say which of them is no statement."""
    # Strings and bytes are iterable too, but their single characters are no statements.
    if isinstance(texts, str | bytes | bytearray | memoryview) or not isinstance(texts, Iterable):
        raise InputError(f"got {type(texts).__name__}, not an iterable of strings; put a single statement into a list")
    listed = list(texts)
    for number, text in enumerate(listed):
        if not isinstance(text, str):
            raise InputError(f"text {number} is {type(text).__name__}, not a string; convert it or leave it out")
        if not text.strip():
            raise InputError(f"text {number} is blank; leave blank texts out")
    return listed
