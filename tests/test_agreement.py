"""Agreement against published worked examples, brute force and cases that are known beforehand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance.agreement import (
    MISSING,
    agreement,
    cohen_kappa,
    format_agreement,
    krippendorff_alpha,
    read_ratings,
    to_json,
)
from stance.labels import LabelSet, read_labels
from stance.records import DataError, InputError

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def labels() -> LabelSet:
    return read_labels(ROOT / "data" / "labels.toml")


def coded(*annotators: str) -> Any:
    """Return ratings from one character a unit; a dot is a missing value."""
    return np.array([[MISSING if mark == "." else ord(mark) for mark in marks] for marks in annotators])


class TestPublishedExamples:
    """The worked examples of K. Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), and of textbooks."""

    def test_alpha_of_binary_data(self) -> None:
        assert krippendorff_alpha(coded("0100000010", "1110010000")) == pytest.approx(0.095, abs=5e-4)

    def test_alpha_of_nominal_data(self) -> None:
        assert krippendorff_alpha(coded("aabbdcccedda", "babbbccceddd")) == pytest.approx(0.692, abs=5e-4)

    def test_alpha_of_four_annotators_with_missing_values(self) -> None:
        ratings = coded("123321412...", "1233224125.3", ".3332342251.", "12332441251.")
        assert krippendorff_alpha(ratings) == pytest.approx(0.743, abs=5e-4)

    def test_kappa_of_two_raters_of_grant_proposals(self) -> None:
        assert cohen_kappa(np.array([[20, 5], [10, 15]])) == pytest.approx(0.40)

    def test_kappa_of_three_diagnoses(self) -> None:
        # J. Fleiss, Statistical Methods for Rates and Proportions (1981): psychosis, neurosis, organic; 100 patients.
        assert cohen_kappa(np.array([[75, 1, 4], [5, 4, 1], [0, 0, 10]])) == pytest.approx(0.68, abs=5e-3)


def slow_alpha(ratings: Any) -> float:
    """Return alpha by going through all pairs of values of each unit."""
    pairs: list[tuple[int, int, float]] = []
    for column in ratings.T.tolist():
        values = [value for value in column if value != MISSING]
        pairs += [
            (one, two, 1 / (len(values) - 1))
            for place, one in enumerate(values)
            for other, two in enumerate(values)
            if place != other
        ]
    total = sum(weight for _, _, weight in pairs)
    shares: dict[int, float] = {}
    for one, _, weight in pairs:
        shares[one] = shares.get(one, 0.0) + weight
    expected = 1 - sum(share * (share - 1) for share in shares.values()) / (total * (total - 1)) if total > 1 else 0.0
    if expected < 1e-12:
        return math.nan
    return 1 - sum(weight for one, two, weight in pairs if one != two) / total / expected


@given(
    st.integers(2, 4).flatmap(
        lambda annotators: st.lists(
            st.lists(st.sampled_from([MISSING, 0, 1, 2]), min_size=annotators, max_size=annotators),
            min_size=1,
            max_size=12,
        )
    )
)
def test_alpha_against_all_pairs(units: list[list[int]]) -> None:
    ratings = np.array(units).T
    if (ratings == MISSING).all():
        return
    assert krippendorff_alpha(ratings) == pytest.approx(slow_alpha(ratings), abs=1e-9, nan_ok=True)


class TestComparison:
    @staticmethod
    def files(folder: Path, **annotators: dict[str, list[str]]) -> list[Path]:
        paths = []
        for name, rows in annotators.items():
            path = folder / f"{name}.jsonl"
            path.write_text("".join(json.dumps({"id": key, "labels": given}) + "\n" for key, given in rows.items()))
            paths.append(path)
        return paths

    def test_counts_of_every_pair(self, tmp_path: Path, labels: LabelSet) -> None:
        paths = self.files(
            tmp_path,
            a={"1": ["denial"], "2": ["denial"], "3": [], "4": ["accusation"], "5": []},
            b={"1": ["denial"], "2": [], "3": ["denial"], "4": ["accusation"]},
            c={"4": ["accusation"], "5": []},
        )
        found = agreement(("a", "b", "c"), read_ratings(paths, labels), resamples=50)
        denial, accusation, call = found
        ab, ac, bc = denial.pairs
        assert (ab.units, ac.units, bc.units) == (4, 2, 1)
        assert ab.table == ((1, 1), (1, 1))
        assert ab.raw.value == pytest.approx(0.5)
        assert ab.kappa.value == pytest.approx(0.0)
        assert accusation.pairs[0].kappa.value == pytest.approx(1.0)
        assert accusation.alpha.value == pytest.approx(1.0)
        assert denial.units == 5
        # Nobody ever called for dialogue: there is nothing to agree on beyond chance.
        assert math.isnan(call.alpha.value)
        assert math.isnan(call.pairs[0].kappa.value)
        assert call.pairs[0].raw.value == 1.0

    def test_interval_holds_the_value_and_narrows(self, tmp_path: Path, labels: LabelSet) -> None:
        def interval(count: int) -> tuple[float, float, float]:
            chance = np.random.default_rng(1)
            first = chance.random(count) < 0.3
            second = np.where(chance.random(count) < 0.1, ~first, first)
            rows = [{str(n): ["denial"] if on else [] for n, on in enumerate(side)} for side in (first, second)]
            paths = self.files(tmp_path, a=rows[0], b=rows[1])
            kappa = agreement(("a", "b"), read_ratings(paths, labels), resamples=200)[0].pairs[0].kappa
            return kappa.low, kappa.value, kappa.high

        few, many = interval(60), interval(3000)
        for low, value, high in (few, many):
            assert low < value < high
        assert many[2] - many[0] < (few[2] - few[0]) / 3

    def test_text_and_json_say_the_same(self, tmp_path: Path, labels: LabelSet) -> None:
        paths = self.files(tmp_path, a={"1": ["denial"], "2": []}, b={"1": ["denial"], "2": ["denial"]})
        found = agreement(("a", "b"), read_ratings(paths, labels), resamples=20)
        text = format_agreement(found, 20)
        document = json.loads(json.dumps(to_json(found)))
        assert "both 1   only a 0   only b 1   neither 0" in text
        assert document["denial"]["pairs"][0]["table"] == [[0, 1], [0, 1]]
        assert document["denial"]["pairs"][0]["raw"]["value"] == 0.5
        assert document["dialogue_call"]["alpha"]["value"] is None

    def test_refusals(self, tmp_path: Path, labels: LabelSet) -> None:
        one, two = self.files(tmp_path, a={"1": []}, b={"2": []})
        with pytest.raises(InputError, match="at least two"):
            agreement(("a",), read_ratings([one], labels))
        with pytest.raises(InputError, match="no two annotators"):
            agreement(("a", "b"), read_ratings([one, two], labels))
        (tmp_path / "c.jsonl").write_text('{"id": "1", "labels": []}\n{"id": "1", "labels": []}\n')
        with pytest.raises(DataError, match=r"c\.jsonl:2: id '1' stands in the file twice"):
            read_ratings([tmp_path / "c.jsonl"], labels)
        (tmp_path / "d.jsonl").write_text('{"labels": []}\n')
        with pytest.raises(DataError, match=r"d\.jsonl:1: id is missing"):
            read_ratings([tmp_path / "d.jsonl"], labels)
