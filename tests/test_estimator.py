"""The scikit-learn estimator, used as scikit-learn's users use one."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import (
    check_get_params_invariance,
    check_no_attributes_set_in_init,
    check_parameters_default_constructible,
    check_set_params,
)

from stance.dataset import Dataset
from stance.estimator import StanceClassifier
from stance.records import DataError, InputError

COUNT: Final = 120


@pytest.fixture(scope="module")
def texts(own_dataset: Dataset) -> list[str]:
    return [row.text for row in chosen(own_dataset)]


@pytest.fixture(scope="module")
def kinds(own_dataset: Dataset) -> list[str]:
    return [row.labels[0] for row in chosen(own_dataset)]


def chosen(dataset: Dataset) -> list[Any]:
    rows = [row for row in dataset.own if len(row.labels) == 1 and row.id.startswith("cue-")]
    return rows[:: len(rows) // COUNT][:COUNT]


@pytest.fixture(scope="module")
def fitted(texts: list[str], kinds: list[str]) -> StanceClassifier:
    return StanceClassifier(folds=3).fit(texts, kinds)


@pytest.mark.parametrize(
    "check",
    [
        check_get_params_invariance,
        check_no_attributes_set_in_init,
        check_parameters_default_constructible,
        check_set_params,
    ],
)
def test_parameters_by_scikit_learns_own_checks(check: Any) -> None:
    check("StanceClassifier", StanceClassifier())


def test_clone() -> None:
    original = StanceClassifier(regularisation=2.0, family_scale={"word": 2.0}, folds=4, lexicon="x.toml")
    copy = clone(original)
    assert copy is not original
    assert copy.get_params() == original.get_params()
    assert not hasattr(clone(original), "model_")


def test_several_classes(fitted: StanceClassifier, texts: list[str], kinds: list[str]) -> None:
    assert fitted.classes_.tolist() == sorted(set(kinds))
    assert fitted.score(texts, kinds) > 0.9
    probabilities = fitted.predict_proba(texts)
    assert probabilities.shape == (len(texts), 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    assert (fitted.classes_[probabilities.argmax(axis=1)] == fitted.predict(texts)).all()


@pytest.mark.parametrize("values", [("no", "yes"), (0, 1), (False, True), (-1.0, 1.0)])
def test_two_classes(texts: list[str], kinds: list[str], values: tuple[Any, Any]) -> None:
    marks = np.array(values)[[int(kind == "denial") for kind in kinds]]
    classifier = StanceClassifier(folds=2).fit(texts, marks)
    assert classifier.classes_.tolist() == list(values)
    assert classifier.score(texts, marks) > 0.9
    probabilities = classifier.predict_proba(texts)
    assert probabilities.shape == (len(texts), 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    assert len(set(classifier.predict(texts).tolist())) == 2


def test_several_labels_a_text(texts: list[str], kinds: list[str]) -> None:
    marks = np.array([[kind == "denial", kind != "accusation"] for kind in kinds]).astype(int)
    classifier = StanceClassifier(folds=3).fit(texts, marks)
    given = classifier.predict(texts)
    assert given.shape == marks.shape
    assert set(np.unique(given)) <= {0, 1}
    assert (given == marks).mean() > 0.9
    assert classifier.predict_proba(texts).shape == marks.shape
    assert classifier.classes_.tolist() == [0, 1]


def test_fitting_twice_gives_the_same(fitted: StanceClassifier, texts: list[str], kinds: list[str]) -> None:
    again = clone(fitted).fit(np.array(texts, dtype=object), np.array(kinds))
    assert np.array_equal(again.predict_proba(texts), fitted.predict_proba(texts))


def test_parameters_take_effect(fitted: StanceClassifier, texts: list[str], kinds: list[str]) -> None:
    plain = fitted.model_.weights.dense()
    for changed in ({"regularisation": 0.1}, {"family_scale": {"word": 3.0}}):
        assert not np.array_equal(clone(fitted).set_params(**changed).fit(texts, kinds).model_.weights.dense(), plain)


def test_a_lexicon_of_ones_own(texts: list[str], kinds: list[str], tmp_path: Any) -> None:
    path = tmp_path / "lexicon.toml"
    path.write_text('[class.deny]\nverbs = ["deny"]\n')
    classifier = StanceClassifier(folds=3, lexicon=path).fit(texts, kinds)
    assert classifier.model_.featurizer.lexicon.classes == ("deny",)
    with pytest.raises(DataError, match="cannot be read"):
        StanceClassifier(lexicon=str(tmp_path / "none.toml")).fit(texts, kinds)


def test_pipeline_and_grid_search(texts: list[str], kinds: list[str]) -> None:
    cleaned = FunctionTransformer(lambda column: [text.strip() for text in column])
    search = GridSearchCV(
        make_pipeline(cleaned, StanceClassifier(folds=2)), {"stanceclassifier__regularisation": [1.0, 8.0]}, cv=2
    )
    search.fit(texts, kinds)
    assert search.best_params_["stanceclassifier__regularisation"] in {1.0, 8.0}
    assert search.predict(texts[:2]).tolist() == kinds[:2]


def test_cross_validation(texts: list[str], kinds: list[str]) -> None:
    scores = cross_val_score(StanceClassifier(folds=2), texts, kinds, cv=2)
    assert scores.shape == (2,)
    assert scores.mean() > 0.5, "three classes; a third is right by chance"


def test_labels_that_come_in_turn(texts: list[str]) -> None:
    # With as many folds as labels, numbering rows in turn would put each label into a fold of its own.
    marks = [number % 2 for number in range(8)]
    assert StanceClassifier(folds=2).fit(texts[:8], marks).classes_.tolist() == [0, 1]


def test_a_label_may_be_as_rare_as_two(texts: list[str]) -> None:
    marks = [0] * 30 + [1] * 2
    assert StanceClassifier(folds=3).fit(texts[:32], marks).classes_.tolist() == [0, 1]


def test_not_fitted(texts: list[str]) -> None:
    for method in ("predict", "predict_proba"):
        with pytest.raises(NotFittedError):
            getattr(StanceClassifier(), method)(texts)


@pytest.mark.parametrize(
    ("given_texts", "marks", "complaint"),
    [
        (["a", "b"], [0], "2 texts and 1 labels"),
        (["a"], [0, 1], "1 texts and 2 labels"),
        ([], [], "0 texts"),
        (["a", 3], [0, 1], "text 1 is int"),
        (["a", " "], [0, 1], "text 1 is blank"),
        ("ab", [0, 1], "got str"),
        (None, [0, 1], "got NoneType"),
        (["a", "b"], 1, "shape"),
        (["a", "b"], np.zeros((2, 2, 2)), "shape"),
        (np.array([["a"], ["b"]]), [0, 1], "text 0 is ndarray"),
    ],
)
def test_what_cannot_be_fitted(given_texts: Any, marks: Any, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        StanceClassifier().fit(given_texts, marks)


@pytest.mark.parametrize(
    ("marks", "complaint"),
    [([0] * 10, "10 of 10"), ([0] * 9 + [1], "annotate it in more groups"), (np.ones((10, 1)), "10 of 10")],
)
def test_too_little_to_learn_from(texts: list[str], marks: Any, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        StanceClassifier(folds=2).fit(texts[:10], marks)


@pytest.mark.parametrize(
    "changed", [{"regularisation": 0}, {"folds": 1}, {"folds": 1000}, {"family_scale": {"none": 1}}]
)
def test_wrong_parameters_are_told_when_fitting(texts: list[str], kinds: list[str], changed: Any) -> None:
    with pytest.raises(DataError):
        StanceClassifier(**changed).fit(texts, kinds)


def test_wrong_texts_are_told_when_predicting(fitted: StanceClassifier) -> None:
    with pytest.raises(InputError, match="text 1 is NoneType"):
        fitted.predict(["fine", None])
    with pytest.raises(InputError, match="got str"):
        fitted.predict_proba("one string")
