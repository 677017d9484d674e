"""Prediction: the same whatever the company, explained to the last digit, and clear about what it cannot take."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stance
from stance.dataset import Dataset
from stance.features import FAMILIES, FeatureSettings, Featurizer
from stance.labels import Label, LabelSet
from stance.lexicon import Lexicon
from stance.model import Model, Weights, calibrated
from stance.records import InputError

LEXICON: Final = Lexicon.from_classes({"deny": ["denied", "deny"], "negation": ["not"], "function": ["the", "it"]})

any_text = st.text(st.characters(exclude_categories=()), min_size=1).filter(str.strip)


def made_model(*, exclusive: bool = False, names: str = "a b c") -> Model:
    """Return a model with weights by chance; enough where it does not matter what a model has learnt."""
    labels = LabelSet(tuple(Label(name) for name in names.split()), exclusive)
    featurizer = Featurizer(LEXICON, FeatureSettings(dict.fromkeys(FAMILIES, 6)))
    chance = np.random.default_rng(7)
    count = len(labels.names)
    return Model(
        labels,
        featurizer,
        Weights.of(chance.normal(size=(featurizer.settings.buckets, count)).astype(np.float32)),
        *(chance.normal(size=count), chance.uniform(0.5, 2.0, count), chance.normal(size=count)),
        thresholds=chance.uniform(0.2, 0.6, count),
    )


MADE: Final = made_model()


@pytest.fixture(scope="module")
def texts(own_dataset: Dataset) -> list[str]:
    return [row.text for row in own_dataset.own[::17]]


def test_the_shipped_model_tells_what_it_was_made_to_tell(default_model: Model) -> None:
    denied, entry, accused, called, none = default_model.predict(
        [
            "Moscow denied that it was planning an attack.",
            "The two journalists were denied entry at the airport.",
            "Kyiv accused Moscow of shelling the hospital.",
            "The minister called on both sides to return to the negotiating table.",
            "The committee meets every second Tuesday of the month.",
        ]
    )
    assert "denial" in denied.labels
    assert "denial" not in entry.labels
    assert "accusation" in accused.labels
    assert "dialogue_call" in called.labels
    assert none.labels == ()
    assert none.label == "none"


def test_the_small_model_has_learnt_something(small_model: Model, small_dataset: Dataset) -> None:
    given_labels = [prediction.labels for prediction in small_model.predict(row.text for row in small_dataset.own)]
    right = [labels == row.labels for labels, row in zip(given_labels, small_dataset.own, strict=True)]
    assert np.mean(right) > 0.8


def test_a_string_a_list_and_a_generator(small_model: Model, texts: list[str]) -> None:
    listed = small_model.predict(texts)
    assert [prediction.text for prediction in listed] == texts
    assert small_model.predict(text for text in texts) == listed
    assert small_model.predict(tuple(texts)) == listed
    assert small_model.predict(np.array(texts)) == listed
    assert [small_model.predict(text) for text in texts] == listed
    assert small_model.predict([]) == []
    assert small_model.probabilities([]).shape == (0, 3)


def test_order_and_company_make_no_difference(small_model: Model, texts: list[str]) -> None:
    whole = small_model.probabilities(texts)
    backwards = small_model.probabilities(reversed(texts))[::-1]
    assert np.array_equal(whole, backwards)
    for size in (1, 2, 3, 7):
        pieces = [small_model.probabilities(texts[start : start + size]) for start in range(0, len(texts), size)]
        assert np.array_equal(whole, np.concatenate(pieces))


def test_predictions_probabilities_and_scores_agree(small_model: Model, texts: list[str]) -> None:
    scores, probabilities = small_model.scores(texts), small_model.probabilities(texts)
    expected = 1.0 / (1.0 + np.exp(-(scores * small_model.slopes + small_model.offsets)))
    np.testing.assert_allclose(probabilities, expected, rtol=1e-12)
    for row, prediction in enumerate(small_model.predict(texts)):
        assert list(prediction.probabilities) == list(prediction.scores) == list(small_model.labels.names)
        assert list(prediction.probabilities.values()) == probabilities[row].tolist()
        assert list(prediction.scores.values()) == scores[row].tolist()
        reached = probabilities[row] >= small_model.thresholds
        assert prediction.labels == tuple(np.array(small_model.labels.names)[reached])


def test_label_is_the_most_probable_of_those_given() -> None:
    prediction = stance.Prediction("x", ("a", "b"), {"a": 0.4, "b": 0.6, "c": 0.9}, {})
    assert prediction.label == "b"
    assert dataclasses.replace(prediction, labels=()).label == "none"


def check_explanation(model: Model, text: str) -> None:
    explanation = model.explain(text)
    assert explanation.prediction == model.predict(text)
    for name in model.labels.names:
        parts = [each.weights[name] for each in explanation.contributions]
        total = math.fsum([explanation.intercepts[name], *parts])
        assert total == pytest.approx(explanation.prediction.scores[name], abs=1e-9)
    for each in explanation.contributions:
        assert 0 <= each.start <= each.end <= len(text)
        assert each.features
        assert len(set(each.features)) == len(each.features)


def test_explanations_sum_to_the_score(small_model: Model, default_model: Model, texts: list[str]) -> None:
    for text in texts[::3]:
        check_explanation(small_model, text)
        check_explanation(default_model, text)


@given(any_text)
def test_explanations_sum_to_the_score_for_any_text(text: str) -> None:
    # A table this small has many collisions.
    check_explanation(MADE, text)


def test_explanations_show_the_words(default_model: Model) -> None:
    text = "“Hm”: Moscow’s café denied it."
    explanation = default_model.explain(text)
    [denied] = [each for each in explanation.contributions if "word: denied" in each.features]
    assert text[denied.start : denied.end] == "denied"
    top = explanation.top("denial", 5)
    assert len(top) == 5
    sizes = [abs(each.weights["denial"]) for each in top]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] == max(abs(each.weights["denial"]) for each in explanation.contributions)


@given(st.lists(any_text, max_size=5))
def test_any_text_gets_finite_figures(batch: list[str]) -> None:
    probabilities = MADE.probabilities(batch)
    assert probabilities.shape == (len(batch), 3)
    assert np.isfinite(probabilities).all()
    assert ((probabilities >= 0) & (probabilities <= 1)).all()


@given(st.lists(any_text, min_size=1, max_size=5))
def test_an_exclusive_label_set_gives_exactly_one(batch: list[str]) -> None:
    model = made_model(exclusive=True)
    np.testing.assert_allclose(model.probabilities(batch).sum(axis=1), 1.0, rtol=1e-12)
    for prediction in model.predict(batch):
        assert len(prediction.labels) == 1
        assert (
            prediction.label == prediction.labels[0] == max(prediction.probabilities, key=prediction.probabilities.get)
        )


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        (["fine", ""], "text 1 is blank"),
        (["fine", "fine", " \n\t\u3000"], "text 2 is blank"),
        ([""], "text 0 is blank"),
        ("", "text 0 is blank"),
        (["fine", None], "text 1 is NoneType"),
        (["fine", b"bytes"], "text 1 is bytes"),
        (["fine", 3], "text 1 is int"),
        (["fine", ["nested"]], "text 1 is list"),
        ([float("nan")], "text 0 is float"),
        (None, "got NoneType"),
        (3, "got int"),
        (b"bytes", "got bytes"),
        (b"", "got bytes"),
    ],
)
def test_what_is_no_statement(texts: Any, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint) as caught:
        MADE.predict(texts)
    assert "\n" not in str(caught.value)
    assert ";" in str(caught.value), "says what to do"


@pytest.mark.parametrize("text", ["", None, b"bytes", ["a list"]])
def test_what_cannot_be_explained(text: Any) -> None:
    with pytest.raises(InputError, match="text 0 is"):
        MADE.explain(text)


def test_one_string_is_not_taken_for_a_list_of_letters() -> None:
    for method in (MADE.scores, MADE.probabilities):
        with pytest.raises(InputError, match="got str"):
            method("Moscow denied it.")


def test_an_error_in_a_generator_is_not_taken_for_a_wrong_type() -> None:
    def broken() -> Any:
        yield "fine"
        raise TypeError("not the model's business")

    with pytest.raises(TypeError, match="business"):
        MADE.predict(broken())


def test_calibration_stands_extreme_scores() -> None:
    scores = np.array([[-1e6, 1e6], [0.0, 0.0]])
    for exclusive in (False, True):
        found = calibrated(scores, np.ones(2), np.zeros(2), exclusive=exclusive)
        np.testing.assert_allclose(found, [[0, 1], [0.5, 0.5]], atol=1e-12)


def test_a_text_without_features_gets_the_intercepts() -> None:
    [scores] = MADE.scores(["\u200b"])
    assert scores.tolist() == MADE.intercepts.tolist()


@pytest.mark.parametrize("text", ["...", "Moscow", "Moscow denied it, they say."])
def test_scores_are_scaled_by_the_root_of_the_number_of_features(text: str) -> None:
    buckets = MADE.featurizer.indices(text)
    assert (len(buckets) == 1) is (text == "..."), "one feature is the least that a visible text has"
    expected = MADE.weights[buckets].astype(float).sum(axis=0) / math.sqrt(len(buckets)) + MADE.intercepts
    np.testing.assert_allclose(MADE.scores([text])[0], expected, rtol=1e-12)


def test_a_model_is_named_after_its_weights(default_model: Model) -> None:
    assert default_model.id == default_model.about["weights_sha256"][:12]
    assert MADE.id == "unsaved"


def test_the_default_model_is_what_the_package_uses(default_model: Model) -> None:
    text = "Moscow denied it."
    assert stance.predict(text) == default_model.predict(text)
    assert stance.predict([text]) == [default_model.predict(text)]
    assert stance.explain(text) == default_model.explain(text)
