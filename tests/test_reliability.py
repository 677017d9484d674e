"""Calibration of a label set: measured on what it has not seen, and the shipped model's figures."""

from __future__ import annotations

import json

import numpy as np
import pytest

from stance.labels import Label, LabelSet
from stance.model import Model
from stance.reliability import Calibration, calibrate

LABELS = LabelSet((Label("a"), Label("b")))


def simulated(count: int = 8000, *, noise: float = 0.0, precision: dict[str, float] | None = None) -> Calibration:
    """Calibrate scores of which the right sigmoid is known; with `noise` the scores of each fold are shifted."""
    chance = np.random.default_rng(3)
    scores = chance.normal(-1.5, 1.5, (count, 2))
    truth = chance.random((count, 2)) < 1 / (1 + np.exp(-(1.5 * scores - 1.0)))
    folds = np.arange(count) % 4
    shifted = scores + noise * folds[:, None]
    return calibrate(
        shifted,
        truth,
        np.ones(count),
        LABELS,
        folds=folds,
        groups=np.arange(count) // 2,
        precision=precision or {},
    )


def test_the_right_sigmoid_is_found_and_holds() -> None:
    found = simulated()
    np.testing.assert_allclose(found.slopes, 1.5, rtol=0.1)
    np.testing.assert_allclose(found.offsets, -1.0, atol=0.15)
    for column, name in enumerate(LABELS.names):
        entry = found.figures[name]
        assert entry["calibration_slope"] == pytest.approx(1.0, abs=0.08)
        assert entry["mean_probability"] == pytest.approx(entry["share_of_news"], rel=0.05)
        low, high = entry["brier_skill_interval"]
        assert 0 < low < entry["brier_skill"] < high
        assert entry["positives"] == found.tried.truth[:, column].sum()
        assert not entry["few"]


def test_what_is_measured_is_not_what_was_fitted() -> None:
    # Folds whose scores lie elsewhere are calibrated wrongly by the others; only unseen folds can show that.
    honest, shifted = simulated(), simulated(noise=2.0)
    for name in LABELS.names:
        assert shifted.figures[name]["brier_skill"] < honest.figures[name]["brier_skill"] - 0.02
        assert shifted.figures[name]["calibration_slope"] != pytest.approx(1.0, abs=0.05)


def test_a_wanted_precision_moves_one_threshold() -> None:
    free, bound = simulated(), simulated(precision={"b": 0.9})
    assert bound.thresholds[0] == free.thresholds[0]
    assert bound.thresholds[1] > free.thresholds[1]
    given = bound.tried.given[:, 1]
    assert bound.tried.truth[given, 1].mean() == pytest.approx(0.9, abs=0.04)


def test_a_label_that_the_news_lacks_has_no_skill() -> None:
    chance = np.random.default_rng(0)
    truth = np.zeros((400, 2), bool)
    truth[:, 0] = chance.random(400) < 0.3
    found = calibrate(
        chance.normal(size=(400, 2)), truth, np.ones(400), LABELS,
        folds=np.arange(400) % 4, groups=np.arange(400), precision={},
    )  # fmt: skip
    assert found.figures["b"]["brier_skill"] is None
    assert json.loads(json.dumps(found.figures, allow_nan=False))["b"]["positives"] == 0


def test_the_shipped_models_probabilities_can_be_believed(default_model: Model) -> None:
    """Out of fold, weighted as ordinary news: the limits that the project has set itself."""
    assert default_model.about["figures"]["calibrated_on"] == "stand-off rows"
    for name in default_model.labels.names:
        entry = default_model.about["figures"]["labels"][name]
        assert entry["brier_skill_interval"][0] > 0
        assert 0.8 <= entry["calibration_slope"] <= 1.25
        assert entry["mean_probability"] == pytest.approx(entry["share_of_news"], rel=0.2)
        assert not entry["few"]
