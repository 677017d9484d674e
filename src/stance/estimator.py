"""The same features and linear model as a scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from stance.dataset import Dataset, OwnStatement
from stance.labels import Label, LabelSet
from stance.lexicon import Lexicon, read_lexicon
from stance.records import InputError
from stance.resources import data_path
from stance.settings import Settings
from stance.texts import checked_texts
from stance.training import train


class StanceClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Trains on texts and labels of any set, one or several labels a text.

    Parameters
    ----------
    regularisation
        Inverse strength of the L2 penalty.
    family_scale
        Feature family to the factor on its features.
    folds
        Folds of the cross-validation that calibration rests on.
    lexicon
        A lexicon file; the one that comes with stance where left out.

    Attributes
    ----------
    classes_
        Labels, shape (labels,).
    multilabel_
        Whether `y` was an indicator matrix.
    model_
        The `stance.Model`.
    """

    def __init__(
        self,
        regularisation: float = 8.0,
        family_scale: dict[str, float] | None = None,
        folds: int = 5,
        lexicon: str | Path | None = None,
    ) -> None:
        self.regularisation = regularisation
        self.family_scale = family_scale
        self.folds = folds
        self.lexicon = lexicon

    def fit(self, X: Iterable[str], y: Any) -> StanceClassifier:  # noqa: N803
        """Train.

        Parameters
        ----------
        X
            n texts.
        y
            A label a text, shape (n,), or an indicator matrix of shape (n, labels).

        Raises
        ------
        InputError
            If `X` and `y` differ in length, a text is blank or no string, or `y` is of another shape.
        DataError
            If there is too little to learn from.
        """
        texts = checked_texts(X)
        marks = np.asarray(y)
        if marks.ndim not in {1, 2}:
            raise InputError(f"fit: y has the shape {marks.shape}; give a label a text, or a dense indicator matrix")
        if not texts or len(texts) != len(marks):
            raise InputError(f"fit: {len(texts)} texts and {len(marks)} labels; give one for each, and one at least")
        self.multilabel_ = marks.ndim == 2
        self.classes_ = np.arange(marks.shape[1]) if self.multilabel_ else np.unique(marks)
        indicator = marks.astype(bool) if self.multilabel_ else marks[:, None] == self.classes_[None, :]
        names = [f"label-{number}" for number in range(len(self.classes_))]
        labels = LabelSet(tuple(Label(name) for name in names), exclusive=not self.multilabel_)
        # Folds take ids in turn, so ids in the order of the labels give each fold its share of every label.
        places = np.argsort(np.lexsort(indicator.T))
        own = tuple(
            OwnStatement(
                id=f"{place:012d}", text=text, labels=tuple(n for n, held in zip(names, row, strict=True) if held)
            )
            for place, text, row in zip(places, texts, indicator, strict=True)
        )
        settings = Settings(
            regularisation=self.regularisation, family_scale=self.family_scale or {}, folds=self.folds, own_weight=1.0
        )
        lexicon: Lexicon = read_lexicon(Path(self.lexicon) if self.lexicon else data_path("lexicon.toml"))
        self.model_ = train(Dataset(labels, lexicon, own), settings, hold_apart=False)
        return self

    def predict_proba(self, X: Iterable[str]) -> NDArray[np.float64]:  # noqa: N803
        """Return calibrated probabilities, shape (n, labels)."""
        check_is_fitted(self)
        return self.model_.probabilities(X)

    def predict(self, X: Iterable[str]) -> NDArray[Any]:  # noqa: N803
        """Return a label a text, shape (n,), or an indicator matrix where `fit` had one."""
        probabilities = self.predict_proba(X)
        given = self.model_.decide(probabilities)
        return given.astype(int) if self.multilabel_ else np.asarray(self.classes_[given.argmax(axis=1)])
