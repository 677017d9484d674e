"""What is drawn for annotation: shares, probabilities that are true, and nothing that is known already."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stance.calibration import natural_weights
from stance.features import FAMILIES
from stance.model import Model
from stance.records import DataError, InputError
from stance.rows import statement_id
from stance.sampling import RANDOM, RANDOM_SHARE, Figures, draw, look, make_strata, read_candidates, read_ids

NAMES = ("denial", "accusation", "dialogue_call")
THRESHOLDS = np.array([0.3, 0.4, 0.2])
COUNT = 20_000


@pytest.fixture(scope="module")
def figures() -> Figures:
    chance = np.random.default_rng(0)
    probabilities = 1 / (1 + np.exp(-chance.normal(-4.0, 2.0, (COUNT, 3))))
    return Figures(probabilities, chance.random((COUNT, 3)) < 0.02)


class TestStrata:
    def test_random_first_and_the_rest_by_label_and_kind(self, figures: Figures) -> None:
        strata = make_strata(figures, NAMES, THRESHOLDS, 1000, {})
        assert strata[0].name == RANDOM
        assert len(strata[0].members) == COUNT
        assert strata[0].wanted == RANDOM_SHARE * 1000
        assert [each.name for each in strata[1:4]] == ["denial+", "denial~", "denial-"]
        assert sum(each.wanted for each in strata) == pytest.approx(1000, abs=5)
        by_name = {each.name: each.members for each in strata}
        chances = figures.probabilities[:, 0]
        assert (chances[by_name["denial+"]] >= 0.3).all()
        assert ((chances[by_name["denial~"]] < 0.3) & (chances[by_name["denial~"]] >= 0.03)).all()
        assert (chances[by_name["denial-"]] < 0.03).all()
        assert figures.rare_cue[by_name["denial-"], 0].all()

    def test_favoured_labels_get_more(self, figures: Figures) -> None:
        strata = make_strata(figures, NAMES, THRESHOLDS, 1000, {"dialogue_call": 4.0, "accusation": 0.0})
        wanted = {name: sum(each.wanted for each in strata if each.name.startswith(name)) for name in NAMES}
        assert wanted["accusation"] == 0
        assert wanted["dialogue_call"] == pytest.approx(4 * wanted["denial"], rel=0.02)

    def test_what_a_stratum_lacks_goes_to_the_next(self) -> None:
        # One likely sentence only; there are uncertain ones enough.
        probabilities = np.full((500, 1), 0.1)
        probabilities[0] = 0.9
        strata = make_strata(Figures(probabilities, np.zeros((500, 1), bool)), ("a",), np.array([0.5]), 100, {})
        assert {each.name: each.wanted for each in strata} == {RANDOM: 20, "a+": 1, "a~": 63}

    def test_refusals(self, figures: Figures) -> None:
        with pytest.raises(InputError, match="ask for fewer"):
            make_strata(figures, NAMES, THRESHOLDS, COUNT + 1, {})
        with pytest.raises(InputError, match="favoured with 0"):
            make_strata(figures, NAMES, THRESHOLDS, 10, dict.fromkeys(NAMES, 0.0))


class TestDraw:
    def test_each_row_once_and_by_its_first_stratum(self, figures: Figures) -> None:
        strata = make_strata(figures, NAMES, THRESHOLDS, 1000, {})
        drawn = draw(strata, seed=3)
        assert len(set(drawn.rows.tolist())) == len(drawn.rows)
        assert drawn.draws.count(RANDOM) == strata[0].wanted
        assert ((drawn.chances > 0) & (drawn.chances <= 1)).all()
        members = {each.name: set(each.members.tolist()) for each in strata}
        assert all(row in members[name] for row, name in zip(drawn.rows.tolist(), drawn.draws, strict=True))

    def test_seed_decides(self, figures: Figures) -> None:
        strata = make_strata(figures, NAMES, THRESHOLDS, 300, {})
        assert draw(strata, 1).rows.tolist() == draw(strata, 1).rows.tolist()
        assert draw(strata, 1).rows.tolist() != draw(strata, 2).rows.tolist()

    def test_chances_are_how_often_a_row_is_drawn(self) -> None:
        chance = np.random.default_rng(1)
        figures = Figures(chance.random((60, 2)) ** 3, chance.random((60, 2)) < 0.3)
        strata = make_strata(figures, ("a", "b"), np.array([0.5, 0.5]), 24, {})
        times, stated = np.zeros(60), np.full(60, np.nan)
        for seed in range(3000):
            drawn = draw(strata, seed)
            times[drawn.rows] += 1
            stated[drawn.rows] = drawn.chances
        np.testing.assert_allclose(times / 3000, stated, atol=0.04)

    def test_weights_over_several_rounds_give_the_share_back(self) -> None:
        """Draw four rounds, each from what is left, and estimate how common the label is in everything."""
        chance = np.random.default_rng(2)
        truth = chance.random(COUNT) < 0.03
        guess = 1 / (1 + np.exp(-(chance.normal(0, 1.5, COUNT) + 4.0 * truth - 4.0)))[:, None]
        estimates = []
        for seed in range(30):
            left = np.ones(COUNT, bool)
            rows, weights, rounds = [], [], []
            for number in range(4):
                pool = np.flatnonzero(left)
                figures = Figures(guess[pool], np.zeros((len(pool), 1), bool))
                drawn = draw(make_strata(figures, ("a",), np.array([0.3]), 500, {}), 100 * seed + number)
                rows.append(pool[drawn.rows])
                weights.append(1 / drawn.chances)
                rounds.append(np.full(len(drawn.rows), number))
                left[rows[-1]] = False
            found, known, when = map(np.concatenate, (rows, weights, rounds))
            natural = natural_weights(np.zeros((len(found), 1)), np.ones(len(found), bool), known, when)
            estimates.append(np.average(truth[found], weights=natural))
            assert truth[found].mean() > 2 * truth.mean(), "the draw is rich, or this would test nothing"
        assert np.mean(estimates) == pytest.approx(truth.mean(), rel=0.05)


class TestLook:
    def test_scores_are_the_models_and_rare_cues_are_found(self, small_model: Model) -> None:
        common = [f"It rained in town number {n}." for n in range(2500)]
        texts = [*common, "Lima gainsaid the report.", "She said they repudiated the story."]
        figures = look(texts, small_model)
        np.testing.assert_allclose(figures.probabilities, small_model.probabilities(texts), atol=1e-12)
        featurizer = small_model.featurizer
        deny = small_model.weights[[featurizer.bucket(FAMILIES.index("class"), ("@deny",))]][0]
        assert deny[0] > 0
        assert not figures.rare_cue[:2500].any()
        assert figures.rare_cue[2501, 0]


class TestCandidates:
    @staticmethod
    def pool(folder: Path, *texts: str) -> Path:
        path = folder / "pool.jsonl"
        path.write_text("".join(json.dumps({"id": statement_id(text), "text": text}) + "\n" for text in texts))
        return path

    def test_known_ones_and_copies_stay_out(self, tmp_path: Path) -> None:
        path = self.pool(tmp_path, "One came.", "Two came!", "TWO CAME", "Three came.")
        known = tmp_path / "known.jsonl"
        known.write_text(json.dumps({"id": statement_id("One came.")}) + "\n")
        found = read_candidates([path], read_ids([known]))
        assert [row["text"] for row in found] == ["Two came!", "Three came."]

    def test_copies_of_known_ones_stay_out_too(self, tmp_path: Path) -> None:
        path = self.pool(tmp_path, "TWO CAME", "Two came!", "— …", "???")
        found = read_candidates([path], {statement_id("Two came!")})
        assert [row["text"] for row in found] == ["— …", "???"]

    def test_an_id_is_made_and_foreign_fields_are_dropped(self, tmp_path: Path) -> None:
        path = tmp_path / "pool.jsonl"
        path.write_text('{"text": "One came.", "path": "a.txt", "first": 3, "labels": ["denial"]}\n')
        assert read_candidates([path], set()) == [
            {"text": "One came.", "id": statement_id("One came."), "path": "a.txt"}
        ]

    def test_refusals(self, tmp_path: Path) -> None:
        path = self.pool(tmp_path, "One came.")
        with pytest.raises(DataError, match="every row of the files is known"):
            read_candidates([path], read_ids([path]))
        (tmp_path / "bad.jsonl").write_text('{"id": "0123456789ab", "text": "Other."}\n')
        with pytest.raises(
            DataError, match=r"bad\.jsonl:1: id '0123456789ab' is not '[0-9a-f]{12}', the first 12 hex digits"
        ):
            read_candidates([tmp_path / "bad.jsonl"], set())
        (tmp_path / "blank.jsonl").write_text('{"id": "0123456789ab", "text": " "}\n')
        with pytest.raises(DataError, match=r"blank\.jsonl:1: text is blank"):
            read_candidates([tmp_path / "blank.jsonl"], set())
