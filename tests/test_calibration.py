"""Calibration against scikit-learn, brute force and simulated news of which the truth is known."""

from __future__ import annotations

from typing import Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from stance.calibration import best_threshold, natural_weights, platt, precise_threshold, temperature

Floats = NDArray[np.float64]
SLOPE: Final = 1.7
OFFSET: Final = -1.2


def sigmoid(logits: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-logits)))


def drawn(count: int, seed: int = 1) -> tuple[Floats, NDArray[np.bool_]]:
    """Return scores like those of a rare label, and labels that follow ``sigmoid(SLOPE * score + OFFSET)``."""
    chance = np.random.default_rng(seed)
    scores = chance.normal(-2.0, 1.5, count)
    return scores, chance.random(count) < sigmoid(SLOPE * scores + OFFSET)


class TestPlatt:
    def test_against_scikit_learn(self) -> None:
        scores, truth = drawn(100_000)
        reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(scores[:, None], truth)
        slope, offset = platt(scores, truth, np.ones(len(scores)))
        # The softened targets pull a little; on so many rows they hardly count.
        assert slope == pytest.approx(reference.coef_[0, 0], rel=5e-3)
        assert offset == pytest.approx(reference.intercept_[0], rel=5e-3)
        assert slope == pytest.approx(SLOPE, rel=0.05)
        assert offset == pytest.approx(OFFSET, rel=0.05)

    def test_a_weight_counts_like_copies(self) -> None:
        scores, truth = drawn(2_000)
        copies = np.random.default_rng(2).integers(1, 5, len(scores))
        weighted = platt(scores, truth, copies.astype(float))
        repeated = platt(np.repeat(scores, copies), np.repeat(truth, copies), np.ones(copies.sum()))
        assert weighted == pytest.approx(repeated, rel=1e-4)
        assert weighted != pytest.approx(platt(scores, truth, np.ones(len(scores))), rel=1e-3)

    def test_the_weighted_mean_is_kept(self) -> None:
        scores, truth = drawn(20_000)
        weights = np.where(truth, 0.1, 1.0)
        slope, offset = platt(scores, truth, weights)
        mean = np.average(sigmoid(slope * scores + offset), weights=weights)
        assert mean == pytest.approx(np.average(truth, weights=weights), abs=1e-3)

    def test_a_clean_separation_gives_no_certainty(self) -> None:
        scores = np.array([-2.0, -1.0, 1.0, 2.0])
        slope, offset = platt(scores, scores > 0, np.ones(4))
        assert np.isfinite([slope, offset]).all()
        chances = sigmoid(slope * scores + offset)
        assert ((chances > 0.01) & (chances < 0.99)).all()

    @pytest.mark.parametrize(
        ("scores", "truth"),
        [
            ([1.0, 1.0, 1.0, 1.0], [True, False, False, False]),
            ([3.0], [True]),
            ([1.0, 2.0, 3.0], [False, False, False]),
            ([1.0, 2.0, 3.0], [True, True, True]),
            ([1e9, -1e9, 5.0], [True, False, True]),
            ([1e-12, 2e-12, 3e-12], [False, False, True]),
        ],
    )
    def test_little_to_go_by(self, scores: list[float], truth: list[bool]) -> None:
        slope, offset = platt(np.array(scores), np.array(truth), np.ones(len(scores)))
        assert slope > 0
        assert np.isfinite([slope, offset]).all()

    def test_scores_that_say_the_opposite_are_flattened(self) -> None:
        # The centre lies far from 0, so an offset of another slope would give all or nothing.
        scores, truth = drawn(5_000)
        slope, offset = platt(-scores - 50.0, truth, np.ones(len(scores)))
        assert slope == pytest.approx(1e-6)
        assert sigmoid(slope * (-scores - 50.0) + offset).mean() == pytest.approx(truth.mean(), rel=0.01)


def one_round(scores: Floats) -> NDArray[np.int64]:
    return np.ones(len(scores), dtype=np.int64)


class TestNaturalWeights:
    """Ordinary news of which a random sample and a rich one were annotated."""

    @staticmethod
    def simulated() -> tuple[Floats, NDArray[np.bool_], NDArray[np.bool_], Floats, float]:
        """Return scores, labels, the random draw, weights by design, and the label's share of all news."""
        chance = np.random.default_rng(5)
        scores, truth = drawn(200_000, seed=4)
        noisy = scores + chance.normal(0, 0.3, len(scores))
        # A model drew nearly all sentences with high scores, and hardly any other.
        probability = np.clip(0.3 * sigmoid(3.0 * noisy + 3.0), 0.002, None)
        rich = chance.random(len(scores)) < probability
        random = chance.random(len(scores)) < 0.02
        rows = np.flatnonzero(rich | random)
        design = 1.0 / (1.0 - (1.0 - probability[rows]) * 0.98)
        return noisy[rows, None], truth[rows], random[rows], design, float(truth.mean())

    def test_the_share_is_estimated(self) -> None:
        scores, truth, random, _, share = self.simulated()
        weights = natural_weights(scores, random, np.full(len(scores), np.nan), one_round(scores))
        assert weights.mean() == pytest.approx(1.0)
        assert (weights > 0).all()
        assert truth.mean() > 2 * share, "the sample is rich, or this would test nothing"
        assert np.average(truth, weights=weights) == pytest.approx(share, rel=0.15)

    def test_the_share_is_known(self) -> None:
        scores, truth, random, design, share = self.simulated()
        weights = natural_weights(scores, random, design, one_round(scores))
        np.testing.assert_allclose(weights, design / design.mean())
        assert np.average(truth, weights=weights) == pytest.approx(share, rel=0.1)

    def test_rows_drawn_before_stand_for_themselves(self) -> None:
        _, truth, random, design, share = self.simulated()
        # 200,000 more sentences of which all that carry the label, and no other, were annotated beforehand.
        chance = np.random.default_rng(6)
        before = np.flatnonzero(chance.random(200_000) < share)
        known = np.append(design, np.full(len(before), np.nan))
        rounds = np.append(np.full(len(design), 3), np.full(len(before), 1))
        everything = np.append(truth, np.ones(len(before), bool))
        weights = natural_weights(np.zeros((len(known), 1)), np.append(random, before < 0), known, rounds)
        assert len(np.unique(weights[len(design) :])) == 1
        found = np.average(everything, weights=weights)
        assert found == pytest.approx((200_000 * share + len(before)) / (200_000 + len(before)), rel=0.05)

    @pytest.mark.parametrize("random", [True, False])
    def test_one_kind_of_draw_weighs_alike(self, random: bool) -> None:
        scores, _ = drawn(50)
        weights = natural_weights(scores[:, None], np.full(50, random), np.full(50, np.nan), one_round(scores))
        assert weights.tolist() == [1.0] * 50

    def test_several_labels_and_a_constant_score(self) -> None:
        scores, truth, random, _, share = self.simulated()
        weights = natural_weights(
            np.hstack([scores, np.zeros_like(scores)]), random, np.full(len(scores), np.nan), one_round(scores)
        )
        assert np.average(truth, weights=weights) == pytest.approx(share, rel=0.15)


class TestTemperature:
    @staticmethod
    def drawn(slope: float, count: int = 20_000) -> tuple[Floats, NDArray[np.intp]]:
        chance = np.random.default_rng(8)
        scores = chance.normal(0, 2.0, (count, 4))
        # The largest of logits with Gumbel noise is a draw from their softmax.
        return scores, (slope * scores + chance.gumbel(size=scores.shape)).argmax(axis=1)

    @pytest.mark.parametrize("slope", [0.3, 1.0, 2.5])
    def test_the_slope_is_found(self, slope: float) -> None:
        scores, truth = self.drawn(slope)
        assert temperature(scores, truth, np.ones(len(scores))) == pytest.approx(slope, rel=0.05)

    def test_a_weight_counts_like_copies(self) -> None:
        scores, truth = self.drawn(1.0, 500)
        copies = np.random.default_rng(2).integers(1, 5, len(scores))
        weighted = temperature(scores, truth, copies.astype(float))
        repeated = temperature(np.repeat(scores, copies, axis=0), np.repeat(truth, copies), np.ones(copies.sum()))
        assert weighted == pytest.approx(repeated, rel=1e-6)

    def test_clean_separation_stays_finite(self) -> None:
        assert np.isfinite(temperature(np.eye(3) * 5, np.arange(3), np.ones(3)))


def f1(given_labels: NDArray[np.bool_], truth: Floats, weights: Floats) -> float:
    """Return the weighted F1; `truth` may be labels or their probabilities."""
    return float(2.0 * weights @ (given_labels * truth) / (weights @ given_labels + weights @ truth))


class TestBestThreshold:
    @given(
        st.lists(
            st.tuples(st.sampled_from([0.01, 0.1, 0.25, 0.5, 0.7, 0.9]) | st.floats(0.001, 1.0), st.floats(0.1, 9.0)),
            min_size=1,
            max_size=30,
        )
    )
    def test_against_brute_force(self, rows: list[tuple[float, float]]) -> None:
        probabilities, weights = (np.array(column) for column in zip(*rows, strict=True))
        threshold = best_threshold(probabilities, weights)
        best = max(f1(probabilities >= cut, probabilities, weights) for cut in probabilities)
        assert f1(probabilities >= threshold, probabilities, weights) == pytest.approx(best, rel=1e-9)
        assert 0 < threshold <= 1

    @given(
        st.lists(st.tuples(st.booleans(), st.floats(0.1, 9.0)), min_size=1).filter(lambda rows: any(r[0] for r in rows))
    )
    def test_pure_labels(self, rows: list[tuple[bool, float]]) -> None:
        truth, weights = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
        assert ((truth >= best_threshold(truth, weights)) == truth.astype(bool)).all()

    def test_calibrated_probabilities_lead_to_the_best_f1_on_labels(self) -> None:
        scores, truth = drawn(100_000)
        weights = np.random.default_rng(3).uniform(0.5, 2.0, len(scores))
        probabilities = sigmoid(SLOPE * scores + OFFSET)
        threshold = best_threshold(probabilities, weights)
        labels = truth.astype(float)
        best = max(f1(probabilities >= cut, labels, weights) for cut in np.linspace(0.02, 0.98, 97))
        assert f1(probabilities >= threshold, labels, weights) == pytest.approx(best, abs=0.005)

    def test_weights_count(self) -> None:
        probabilities = np.array([0.9, 0.4, 0.1])
        assert best_threshold(probabilities, np.array([1.0, 1.0, 1.0])) < 0.4
        assert best_threshold(probabilities, np.array([100.0, 1.0, 1.0])) > 0.4

    def test_rows_of_one_probability_stay_together(self) -> None:
        assert best_threshold(np.full(5, 0.3), np.ones(5)) <= 0.3


class TestPreciseThreshold:
    def test_the_precision_is_reached_and_no_recall_is_given_away(self) -> None:
        scores, truth = drawn(200_000)
        probabilities = sigmoid(SLOPE * scores + OFFSET)
        weights = np.ones(len(scores))
        for wanted in (0.6, 0.8, 0.95):
            given = probabilities >= precise_threshold(probabilities, weights, wanted)
            assert truth[given].mean() == pytest.approx(wanted, abs=0.02)

    def test_weights_count(self) -> None:
        probabilities = np.array([0.9, 0.5])
        assert precise_threshold(probabilities, np.array([1.0, 1.0]), 0.6) == 0.5
        assert precise_threshold(probabilities, np.array([1.0, 9.0]), 0.6) == 0.9

    def test_out_of_reach(self) -> None:
        assert precise_threshold(np.array([0.3, 0.2]), np.ones(2), 0.5) == 1.0
