from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, precision_recall_fscore_support

from stance.evaluation import (
    Estimate,
    Evaluation,
    Scored,
    Signature,
    by_field,
    evaluate,
    format_table,
    paired_bootstrap,
    worst_errors,
)
from stance.measures import average_precision_measurer, precision_recall
from stance.records import InputError

if TYPE_CHECKING:
    from stance.measures import Bools, Floats

LABELS = ("denial", "accusation", "dialogue_call")


def random_scored(rows: int = 300, seed: int = 0, **fields: Any) -> Scored:
    """Rows with ties (two decimals) whose probabilities say something about the truth."""
    random = np.random.default_rng(seed)
    probabilities = random.beta(0.6, 1.5, (rows, len(LABELS))).round(2)
    truth = random.random(probabilities.shape) < probabilities
    return Scored(truth, probabilities, probabilities >= 0.4, LABELS, **fields)


def one_label(truth: list[int], probabilities: list[float], threshold: float = 0.5, **fields: Any) -> Scored:
    scores = np.array(probabilities)[:, None]
    return Scored(np.array(truth, dtype=bool)[:, None], scores, scores >= threshold, ("denial",), **fields)


def width(estimate: Estimate) -> float:
    return estimate.high - estimate.low


@pytest.mark.parametrize("weighted", [False, True])
def test_measures_agree_with_scikit_learn(weighted: bool) -> None:
    weights = np.random.default_rng(5).exponential(2, 300) + 0.1 if weighted else None
    scored = random_scored(weights=weights)
    found = evaluate(scored, resamples=10)

    expected = precision_recall_fscore_support(scored.truth, scored.given, sample_weight=weights)
    for column, entry in enumerate(found.labels):
        truth, probability = scored.truth[:, column], scored.probabilities[:, column]
        precision, recall, f1, _ = (part[column] for part in expected)
        assert entry.precision.value == pytest.approx(precision)
        assert entry.recall.value == pytest.approx(recall)
        assert entry.f1.value == pytest.approx(f1)
        assert entry.support == truth.sum()
        average_precision = average_precision_score(truth, probability, sample_weight=weights)
        assert entry.average_precision.value == pytest.approx(average_precision)
        brier = brier_score_loss(truth, probability, sample_weight=weights)
        base = np.average(truth, weights=weights)
        reference = brier_score_loss(truth, np.full(300, base), sample_weight=weights)
        assert entry.brier.value == pytest.approx(brier)
        assert entry.brier_skill.value == pytest.approx(1 - brier / reference)
    assert found.macro_f1.value == pytest.approx(np.mean(expected[2]))
    assert found.mean_average_precision.value == pytest.approx(
        average_precision_score(scored.truth, scored.probabilities, sample_weight=weights)
    )


rows_of_ties = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0]), st.sampled_from([0.5, 1.0, 3.0])),
    min_size=1,
    max_size=40,
).filter(lambda rows: any(row[0] for row in rows))


@given(rows_of_ties)
@settings(max_examples=200, deadline=None)
def test_average_precision_agrees_with_scikit_learn_on_ties_and_weights(rows: list[tuple[bool, float, float]]) -> None:
    truth, scores, weights = (np.array(column) for column in zip(*rows, strict=True))
    expected = average_precision_score(truth, scores, sample_weight=weights)
    found = average_precision_measurer(truth[:, None], scores[:, None])(weights[None, :])
    assert found[0, 0] == pytest.approx(expected)

    precision, recall = precision_recall(truth, scores, weights)
    assert np.diff(recall, prepend=0.0) @ precision == pytest.approx(expected)


def test_average_precision_with_rows_that_were_not_drawn() -> None:
    # What every bootstrap draw does: whole rows, the best-scored ones included, get weight 0.
    scored = random_scored(200)
    counts = np.random.default_rng(1).poisson(1, 200).astype(float)
    counts[np.argsort(-scored.probabilities[:, 0])[:3]] = 0
    found = average_precision_measurer(scored.truth, scored.probabilities)(counts[None, :])[0]
    repeated = np.repeat(np.arange(200), counts.astype(int))
    for column in range(3):
        expected = average_precision_score(scored.truth[repeated, column], scored.probabilities[repeated, column])
        assert found[column] == pytest.approx(expected)


def test_worked_example() -> None:
    entry = evaluate(one_label([1, 0, 1, 1, 0], [0.9, 0.8, 0.6, 0.3, 0.1]), resamples=1).labels[0]
    assert entry.precision.value == pytest.approx(2 / 3)
    assert entry.recall.value == pytest.approx(2 / 3)
    assert entry.f1.value == pytest.approx(2 / 3)
    assert entry.average_precision.value == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    assert entry.brier.value == pytest.approx((0.01 + 0.64 + 0.16 + 0.49 + 0.01) / 5)
    assert entry.brier_skill.value == pytest.approx(1 - 0.262 / 0.24)
    assert entry.support == 3


def test_calibration_error_by_hand() -> None:
    # Ten rows fill ten bins of one row each.
    probabilities = [0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95]
    truth = [0, 0, 0, 1, 0, 1, 0, 1, 1, 1]
    expected = np.mean(np.abs(np.array(probabilities) - truth))
    assert evaluate(one_label(truth, probabilities), resamples=1).labels[0].calibration_error.value == pytest.approx(
        expected
    )
    # Equal probabilities share one bin: mean 0.3 against a share of 0.5.
    alike = evaluate(one_label([1, 0] * 10, [0.3] * 20), resamples=1).labels[0]
    assert alike.calibration_error.value == pytest.approx(0.2)
    # Two runs of equal probability, of which one carries three quarters of the mass.
    weights = np.array([3.0] * 10 + [1.0] * 10)
    two = evaluate(one_label([1] * 5 + [0] * 5 + [1] * 10, [0.2] * 10 + [0.9] * 10, weights=weights), resamples=1)
    assert two.labels[0].calibration_error.value == pytest.approx(0.75 * 0.3 + 0.25 * 0.1)


def test_a_long_run_of_equal_probabilities_stands_in_the_bin_of_its_middle() -> None:
    # 5%, 30% and 65% of the mass have their middles in three bins, so that opposite gaps do not cancel out.
    truth, probabilities = [1] + [0] * 6 + [1] * 13, [0.1] + [0.4] * 6 + [0.9] * 13
    found = evaluate(one_label(truth, probabilities), resamples=1).labels[0]
    assert found.calibration_error.value == pytest.approx((0.9 + 6 * 0.4 + 13 * 0.1) / 20)


def test_calibration_bins_hold_equally_many_rows() -> None:
    scored = random_scored(1000, seed=2)
    probabilities = np.random.default_rng(3).permutation(np.linspace(0.001, 0.999, 1000)) ** 3
    truth = scored.truth[:, 0]
    order = np.argsort(probabilities)
    gaps = [abs(probabilities[part].mean() - truth[part].mean()) for part in np.array_split(order, 10)]
    found = evaluate(one_label(list(truth), list(probabilities)), resamples=1).labels[0]
    assert found.calibration_error.value == pytest.approx(np.mean(gaps))


def test_interval_matches_a_plain_bootstrap() -> None:
    scored = random_scored(150, seed=4)
    found = evaluate(scored, resamples=2000, seed=1).labels[0]
    random = np.random.default_rng(99)
    draws = []
    for _ in range(2000):
        rows = random.integers(150, size=150)
        draws.append(average_precision_score(scored.truth[rows, 0], scored.probabilities[rows, 0]))
    low, high = np.percentile(draws, (2.5, 97.5))
    assert found.average_precision.low == pytest.approx(low, abs=0.015)
    assert found.average_precision.high == pytest.approx(high, abs=0.015)


def test_interval_covers_the_true_recall() -> None:
    random = np.random.default_rng(6)
    covered = 0
    for _ in range(120):
        truth = random.random((200, 1)) < 0.5
        said = np.where(truth, random.random((200, 1)) < 0.7, random.random((200, 1)) < 0.1)
        scored = Scored(truth, said.astype(float), said, ("denial",))
        recall = evaluate(scored, resamples=200).labels[0].recall
        covered += recall.low <= 0.7 <= recall.high
    assert 0.88 <= covered / 120 <= 1.0


def test_interval_counts_the_weights() -> None:
    weights = np.repeat([9.0, 1.0], 100)
    recall = evaluate(one_label([1] * 200, [0.9] * 100 + [0.1] * 100, weights=weights), resamples=200).labels[0].recall
    assert recall.value == pytest.approx(0.9)
    assert 0.8 < recall.low < 0.9 < recall.high < 0.95


def test_seed_fixes_the_draws() -> None:
    scored = random_scored()
    assert evaluate(scored, resamples=120, seed=3) == evaluate(scored, resamples=120, seed=3)
    assert evaluate(scored, resamples=120, seed=3).macro_f1 != evaluate(scored, resamples=120, seed=4).macro_f1


def test_cluster_bootstrap_is_wider_on_duplicated_rows() -> None:
    single = random_scored(200, seed=7)
    copies = np.tile(np.arange(200), 9)
    repeated = single.take(copies)
    clustered = Scored(repeated.truth, repeated.probabilities, repeated.given, LABELS, groups=copies)
    by_row, by_group, plain = (evaluate(scored, resamples=400) for scored in (repeated, clustered, single))
    assert (by_row.groups, by_group.groups) == (1800, 200)
    for name in ("macro_f1", "mean_average_precision"):
        # Nine copies of a row are no news: the width is that of the single rows, three times what rows would give.
        assert width(getattr(by_group, name)) == pytest.approx(width(getattr(plain, name)), rel=0.2)
        assert width(getattr(by_group, name)) == pytest.approx(3 * width(getattr(by_row, name)), rel=0.3)


def test_group_names_do_not_matter() -> None:
    numbers = np.random.default_rng(8).integers(40, size=300)
    names = [f"article-{number}" for number in numbers]
    first, second = (evaluate(random_scored(groups=groups), resamples=60) for groups in (numbers, names))
    assert first == second


def test_label_without_positives() -> None:
    base = random_scored()
    truth = base.truth.copy()
    truth[:, 1] = False
    found = evaluate(Scored(truth, base.probabilities, base.given, LABELS), resamples=50)
    empty = found.labels[1]
    assert empty.support == 0
    assert empty.precision.value == 0.0
    for name in ("recall", "f1", "average_precision", "brier_skill"):
        assert math.isnan(getattr(empty, name).value)
    assert found.macro_f1.value == pytest.approx((found.labels[0].f1.value + found.labels[2].f1.value) / 2)
    others = [found.labels[column].average_precision.value for column in (0, 2)]
    assert found.mean_average_precision.value == pytest.approx(np.mean(others))

    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert document["labels"]["accusation"]["f1"] == {"value": None, "low": None, "high": None}
    assert document["labels"]["denial"]["f1"]["value"] == found.labels[0].f1.value
    line = next(line for line in format_table(found).splitlines() if line.startswith("accusation"))
    assert line.split()[:5] == ["accusation", "0.000", "–", "–", "–"]
    assert "covers the 2 of 3 labels" in " ".join(format_table(found).split())


def test_no_label_has_positives_and_none_is_given() -> None:
    found = evaluate(one_label([0, 0, 0], [0.1, 0.2, 0.2]), resamples=5)
    assert math.isnan(found.macro_f1.value)
    assert math.isnan(found.labels[0].precision.value)
    assert found.labels[0].brier.value == pytest.approx(0.03)
    json.dumps(found.to_json(), allow_nan=False)


def test_label_that_is_always_true() -> None:
    found = evaluate(one_label([1, 1, 1], [0.9, 0.4, 0.7]), resamples=20).labels[0]
    assert math.isnan(found.brier_skill.value)
    assert found.average_precision == Estimate(1.0, 1.0, 1.0)


def test_exclusive_labels() -> None:
    random = np.random.default_rng(9)
    probabilities = random.dirichlet([1, 1, 1], 200)
    truth = np.eye(3, dtype=bool)[[random.choice(3, p=row) for row in probabilities]]
    scored = Scored(truth, probabilities, np.eye(3, dtype=bool)[probabilities.argmax(axis=1)], LABELS)
    assert scored.exclusive
    assert not random_scored().exclusive
    assert not one_label([1, 1], [0.9, 0.9]).exclusive
    expected = precision_recall_fscore_support(truth.argmax(axis=1), probabilities.argmax(axis=1), average="macro")
    assert evaluate(scored, resamples=10).macro_f1.value == pytest.approx(expected[2])


def test_equal_weights_change_nothing() -> None:
    plain, weighted = (evaluate(random_scored(weights=weights), resamples=40) for weights in (None, np.full(300, 2.5)))
    for first, second in zip(plain.labels, weighted.labels, strict=True):
        assert first.f1.value == pytest.approx(second.f1.value)
        assert first.average_precision.high == pytest.approx(second.average_precision.high)
        assert first.calibration_error.value == pytest.approx(second.calibration_error.value)


SIGNATURE = Signature("3fa2" * 16, "models/default-2026-large", "held-apart", 300, 0, "0.1.0")


def test_signature() -> None:
    found = evaluate(random_scored(), resamples=10, signature=SIGNATURE)
    assert found.signature_line == (
        "data:3fa23fa23fa2…|model:models/default-2026-large|split:held-apart|rows:300|seed:0|resamples:10|stance:0.1.0"
    )
    assert found.to_json()["signature"]["data"] == "3fa2" * 16
    assert format_table(found).endswith(found.signature_line + "\n")
    assert evaluate(random_scored(), resamples=10).to_json()["signature"] is None


def table_of(labels: tuple[str, ...]) -> tuple[list[str], Evaluation]:
    base = random_scored()
    found = evaluate(Scored(base.truth, base.probabilities, base.given, labels), resamples=20)
    return format_table(found).splitlines(), found


def test_table() -> None:
    lines, found = table_of(LABELS)
    assert lines[0].split("  ")[0] == "label"
    assert [line.split()[0] for line in lines[2:5]] == list(LABELS)
    assert str(found.labels[0].f1) in lines[2]
    assert lines[6].split() == f"macro {found.macro_f1} {found.mean_average_precision}".split()
    assert len({line.index("]") for line in (*lines[2:5], lines[6])}) == 1
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in "".join(lines)


def test_table_cuts_long_and_wide_label_names() -> None:
    lines, _ = table_of(("express_intent_to_cooperate_widely", "[bold]x[/bold]", "非難" * 30))
    assert max(map(len, lines)) <= 100
    assert lines[2].startswith("express_intent_to_c")
    assert "…" in lines[2]
    assert lines[3].startswith("[bold]x[/bold] ")
    assert lines[4].startswith("非難非難")


def test_by_field() -> None:
    scored = random_scored(weights=np.linspace(1, 2, 300), groups=np.arange(300) // 3)
    values = ["Asia"] * 100 + [None] * 60 + ["  "] * 20 + ["Europe"] * 60 + ["Africa"] * 60
    found = by_field(scored, values, resamples=30, signature=SIGNATURE)
    assert {value: entry.rows for value, entry in found.items()} == {
        "Asia": 100,
        "(none)": 80,
        "Africa": 60,
        "Europe": 60,
    }
    assert list(found) == ["Asia", "(none)", "Africa", "Europe"]
    assert found["Asia"].groups == 34
    assert found["Asia"].signature is not None
    assert found["Asia"].signature.rows == 100
    asia = evaluate(scored.take(np.arange(100)), resamples=30)
    assert found["Asia"].labels == asia.labels


def compare(truth: Bools, a: Any, b: Any, metric: Any, **options: Any) -> Any:
    return paired_bootstrap(truth, a, b, metric, **options)


def test_paired_bootstrap_finds_the_better_model() -> None:
    scored = random_scored(400)
    noise = np.random.default_rng(1).normal(0, 0.3, scored.probabilities.shape)
    worse = scored.probabilities + noise
    found = compare(scored.truth, worse, scored.probabilities, "mean_average_precision", resamples=300)
    expected = average_precision_score(scored.truth, scored.probabilities) - average_precision_score(
        scored.truth, worse
    )
    assert found.difference == pytest.approx(expected)
    assert 0 < found.interval[0] < found.difference < found.interval[1]
    assert found.probability > 0.99

    f1 = compare(scored.truth, scored.given, worse >= 0.4, "macro_f1", resamples=300)
    difference = evaluate(Scored(scored.truth, scored.probabilities, worse >= 0.4, LABELS), resamples=1).macro_f1.value
    assert f1.difference == pytest.approx(difference - evaluate(scored, resamples=1).macro_f1.value)
    assert f1.probability < 0.01


def test_paired_bootstrap_turns_with_its_sides() -> None:
    scored = random_scored(200)
    other = scored.probabilities[::-1]
    there = compare(scored.truth, scored.probabilities, other, "mean_average_precision", resamples=100)
    back = compare(scored.truth, other, scored.probabilities, "mean_average_precision", resamples=100)
    assert back.difference == pytest.approx(-there.difference)
    assert back.interval == pytest.approx((-there.interval[1], -there.interval[0]))
    assert back.probability == pytest.approx(1 - there.probability)


def test_paired_bootstrap_of_equal_models() -> None:
    scored = random_scored(100)
    assert compare(scored.truth, scored.given, scored.given, "macro_f1", resamples=20) == (0.0, (0.0, 0.0), 0.5)


def test_paired_bootstrap_without_positives() -> None:
    scored = random_scored(30)
    found = compare(np.zeros_like(scored.truth), scored.given, scored.given, "macro_f1", resamples=20)
    assert np.isnan([found.difference, *found.interval, found.probability]).all()


def test_paired_bootstrap_draws_groups() -> None:
    single = random_scored(150, seed=3)
    copies = np.tile(np.arange(150), 9)
    truth, a = single.truth[copies], single.probabilities[copies]
    b = np.random.default_rng(2).permutation(single.probabilities)[copies]
    by_row = compare(truth, a, b, "mean_average_precision", resamples=300)
    by_group = compare(truth, a, b, "mean_average_precision", groups=copies, resamples=300)
    ratio = np.diff(by_group.interval) / np.diff(by_row.interval)
    assert ratio.item() == pytest.approx(3, rel=0.3)


def test_worst_errors() -> None:
    truth = np.array([[1, 0], [0, 0], [1, 1], [0, 1], [1, 0]], dtype=bool)
    probabilities = np.array([[0.4, 0.1], [0.9, 0.6], [0.05, 0.9], [0.97, 0.2], [0.8, 0.3]])
    scored = Scored(truth, probabilities, probabilities >= 0.5, ("denial", "accusation"))
    found = [(error.row, error.label, error.kind, error.probability) for error in worst_errors(scored, limit=3)]
    assert found == [
        (3, "denial", "false alarm", 0.97),
        (2, "denial", "missed", 0.05),
        (1, "denial", "false alarm", 0.9),
        (3, "accusation", "missed", 0.2),
        (1, "accusation", "false alarm", 0.6),
    ]


def changed(**fields: Any) -> Scored:
    scored = random_scored(10)
    values: dict[str, Any] = {
        "truth": scored.truth,
        "probabilities": scored.probabilities,
        "given": scored.given,
        "labels": LABELS,
    }
    return Scored(**(values | fields))


def poisoned(value: float) -> Floats:
    probabilities = random_scored(10).probabilities.copy()
    probabilities[7, 1] = value
    return probabilities


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"labels": ()}, "no labels"),
        ({"labels": ("a", "b", "a")}, "same name"),
        ({"labels": ("a", "b")}, "shape"),
        ({"truth": np.zeros((10, 3))}, "not bool"),
        ({"given": np.zeros((9, 3), dtype=bool)}, "given has shape"),
        ({"probabilities": poisoned(1.5)}, "row 7"),
        ({"probabilities": poisoned(math.nan)}, "row 7"),
        ({"groups": ["a"]}, "1 groups for 10 rows"),
        ({"weights": np.ones(9)}, "weights have shape"),
        ({"weights": np.zeros(10)}, "not a positive number"),
    ],
)
def test_unfit_rows_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        changed(**fields)


def test_unfit_arguments_are_refused() -> None:
    scored = random_scored(10)
    with pytest.raises(InputError, match="0 resamples"):
        evaluate(scored, resamples=0)
    with pytest.raises(InputError, match="1 field values for 10 rows"):
        by_field(scored, ["Asia"])
    with pytest.raises(InputError, match="not one shape"):
        compare(scored.truth, scored.given, scored.given[:5], "macro_f1")
    with pytest.raises(InputError, match="unknown metric 'auc'"):
        compare(scored.truth, scored.given, scored.given, "auc")
    with pytest.raises(InputError, match="apply the thresholds"):
        compare(scored.truth, scored.probabilities, scored.probabilities, "macro_f1")
