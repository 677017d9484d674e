"""The public surface: what ``import stance`` offers, and what the records say."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

import stance
from stance.records import DataError, InputError, ModelError, Prediction, StanceError
from stance.resources import data_path, default_model_path


@pytest.mark.parametrize("name", stance.__all__)
def test_every_public_name_is_there_and_explained(name: str) -> None:
    found = getattr(stance, name)
    assert found.__module__.startswith("stance")
    assert inspect.getdoc(found)


@pytest.mark.parametrize("name", [name for name in stance.__all__ if name[0].islower()])
def test_public_functions_name_their_parameters_and_errors(name: str) -> None:
    text = inspect.getdoc(getattr(stance, name)) or ""
    for parameter in inspect.signature(getattr(stance, name)).parameters:
        assert parameter in text
    assert "Raises" in text


def test_unknown_names() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        _ = stance.nope
    assert set(stance.__all__) <= set(dir(stance))


def test_predict_takes_one_or_many() -> None:
    one = stance.predict("Quito denied the report.")
    assert isinstance(one, Prediction)
    many = stance.predict(text for text in ("Quito denied the report.", "It rained."))
    assert many == [one, stance.predict("It rained.")]
    assert stance.predict([]) == []


def test_the_label_of_a_prediction_is_the_most_probable_given_one() -> None:
    chances = {"a": 0.2, "b": 0.9, "c": 0.5}
    assert Prediction("x", ("a", "c"), chances, {}).label == "c"
    assert Prediction("x", (), chances, {}).label == "none"


def test_errors_have_one_base() -> None:
    assert all(issubclass(each, StanceError) for each in (DataError, InputError, ModelError))


def test_resources_are_found_or_named() -> None:
    assert data_path("labels.toml").is_file()
    assert (default_model_path() / "weights.safetensors").is_file()
    with pytest.raises(DataError, match=r"nope\.toml: found neither"):
        data_path("nope.toml")


def test_train_uses_the_settings_of_the_folder() -> None:
    dataset = stance.load_dataset(Path(__file__).resolve().parent.parent / "data", own_only=True)
    assert dataset.settings == stance.Settings(
        family_scale={"word": 1.5, "prefix": 2.0, "pair": 0.7, "reach": 1.5}, own_weight=0.3
    )
