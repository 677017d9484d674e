"""Which rows a model is tried on, and what is said of them."""

from __future__ import annotations

import dataclasses
import gzip
import json
import shutil
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

import stance
from stance.dataset import Annotated, Dataset, RowForm, is_held_apart, load_dataset
from stance.evaluation import worst_errors
from stance.features import Featurizer
from stance.model import Model
from stance.records import DataError
from stance.rows import statement_id
from stance.standoff import StandoffRow, extract
from stance.trials import SHOWN_FEATURES, error_place, error_reasons, file_trial, held_apart_trial

ROOT: Final = Path(__file__).resolve().parent.parent
ROWS: Final[tuple[dict[str, Any], ...]] = (
    {"id": "a", "text": "He denied it.", "labels": ["denial"], "desk": "north", "article": "one"},
    {"id": "b", "text": "They blamed the mayor for it.", "labels": ["denial", "accusation"], "article": "one"},
    {"text": "It rained.", "labels": [], "desk": 7},
    {"id": "d", "text": "Both sides should return to the talks.", "labels": [], "set": "two"},
)


def write(path: Path, rows: Any = ROWS) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory, small_dataset: Dataset) -> Dataset:
    """A dataset where half of the statements are stand-off rows."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "statements").mkdir()
    for name in ("labels.toml", "lexicon.toml"):
        shutil.copy(ROOT / "data" / name, folder / name)
    own, real = small_dataset.own[::2], small_dataset.own[1::2]
    write(folder / "statements" / "a.jsonl", [{"id": row.id, "text": row.text, "labels": row.labels} for row in own])
    known: dict[str, Any] = dict.fromkeys(("commit", "locator", "date", "source"), "")
    known |= {"origin": "o/r", "draw": "random", "round": 1, "weight": None, "borderline": False}
    texts = write(
        folder / "texts.jsonl",
        [
            {"id": statement_id(row.text), "text": row.text, "labels": row.labels, "path": f"{row.group}.txt", **known}
            for row in real
        ],
    )
    featurizer = Featurizer(small_dataset.lexicon)
    extract(folder / "standoff", featurizer, small_dataset.labels, label_files=[texts], text_files=[texts])
    return load_dataset(folder)


def texts_of(mixed: Dataset) -> dict[str, str]:
    """Return the text of every stand-off row, from the file that its features were taken from."""
    assert mixed.standoff is not None
    lines = (mixed.standoff.path.parent / "texts.jsonl").read_text(encoding="utf-8").splitlines()
    return {record["id"]: record["text"] for record in map(json.loads, lines)}


# A data folder.


def test_the_held_apart_rows_are_those_that_training_leaves_out(small_model: Model, small_dataset: Dataset) -> None:
    trial = held_apart_trial(small_model, small_dataset, "abc")
    apart = [row for row in small_dataset.own if is_held_apart(row.group)]
    assert [(row.id, row.labels) for row in trial.rows] == [(row.id, row.labels) for row in apart]
    assert len(apart) == small_model.about["rows"]["held_apart"]
    assert trial.scored.groups == [row.group for row in apart]
    assert trial.scored.labels == small_model.labels.names
    expected = small_model.probabilities([row.text for row in apart])
    np.testing.assert_array_equal(trial.scored.probabilities, expected)
    np.testing.assert_array_equal(trial.scored.given, expected >= small_model.thresholds)
    truth = [[name in row.labels for name in small_model.labels.names] for row in apart]
    np.testing.assert_array_equal(trial.scored.truth, truth)
    assert trial.split == "held-apart"


def test_standoff_rows_are_scored_from_their_features(mixed: Dataset) -> None:
    model = stance.train(dataclasses.replace(mixed, own=()), stance.Settings(folds=2))
    trial = held_apart_trial(model, mixed, "abc")
    assert mixed.standoff is not None
    groups = zip(mixed.standoff.rows, mixed.standoff.groups, strict=True)
    real = [row for row, group in groups if is_held_apart(group)]
    own = [row for row in mixed.own if is_held_apart(row.group)]
    assert real
    assert own
    assert [row.id for row in trial.rows] == [*(row.id for row in real), *(row.id for row in own)]
    # A model that knows stand-off rows alone has weights only where the matrix has features, so nothing is missing but
    # what a rare feature adds where it shares a bucket with a frequent one.
    texts = texts_of(mixed)
    expected = model.probabilities([*(texts[row.id] for row in real), *(row.text for row in own)])
    equal = np.abs(trial.scored.probabilities - expected).max(axis=1) < 1e-9
    matrix = mixed.standoff.matrix
    place = {row.id: number for number, row in enumerate(mixed.standoff.rows)}
    kept = [matrix.indices[matrix.indptr[place[row.id]] : matrix.indptr[place[row.id] + 1]] for row in real]
    dropped = [
        np.setdiff1d(model.featurizer.indices(texts[row.id]), buckets) for row, buckets in zip(real, kept, strict=True)
    ]
    alone = np.array([not model.weights[buckets].any() for buckets in dropped])
    assert alone.mean() > 0.5
    np.testing.assert_array_equal(equal[: len(real)], alone)
    assert equal[len(real) :].all()
    assert np.ptp(expected) > 0.1
    labels = [*(row.labels for row in real), *(row.labels for row in own)]
    truth = [[name in given for name in model.labels.names] for given in labels]
    np.testing.assert_array_equal(trial.scored.truth, truth)


def test_a_matrix_of_other_features_is_refused(small_model: Model, mixed: Dataset) -> None:
    assert mixed.standoff is not None
    matrix = dataclasses.replace(mixed.standoff.matrix, fingerprint="0" * 64)
    other = dataclasses.replace(mixed, standoff=dataclasses.replace(mixed.standoff, matrix=matrix))
    with pytest.raises(DataError, match=r"standoff: .*other features.*train again"):
        held_apart_trial(small_model, other, "abc")


def test_a_dataset_with_nothing_held_apart_is_refused(small_model: Model, small_dataset: Dataset) -> None:
    learned = tuple(row for row in small_dataset.own if not is_held_apart(row.group))
    with pytest.raises(DataError, match="no row of the dataset is held apart"):
        held_apart_trial(small_model, dataclasses.replace(small_dataset, own=learned), "abc")


def test_the_signature_tells_data_model_and_split(small_model: Model, small_dataset: Dataset) -> None:
    trial = held_apart_trial(small_model, small_dataset, "abc")
    made = trial.signature(small_model, 3, "9.9")
    assert dataclasses.asdict(made) == {
        "data": "abc",
        "model": small_model.id,
        "split": "held-apart",
        "rows": len(trial.rows),
        "seed": 3,
        "version": "9.9",
    }


def test_fields_of_own_and_standoff_rows(small_model: Model, mixed: Dataset) -> None:
    trial = held_apart_trial(small_model, mixed, "abc")
    assert set(trial.field_values("draw")) == {"random", None}
    assert {
        isinstance(row, StandoffRow) for row, draw in zip(trial.rows, trial.field_values("draw"), strict=True) if draw
    } == {True}
    with pytest.raises(DataError, match="--by colour: no row has that field"):
        trial.field_values("colour")


# A file.


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_is_tried_row_by_row(small_model: Model, tmp_path: Path, packed: bool) -> None:
    path = write(tmp_path / "held.out.jsonl")
    if packed:
        path = path.with_suffix(".jsonl.gz")
        path.write_bytes(gzip.compress((tmp_path / "held.out.jsonl").read_bytes()))
    trial = file_trial(small_model, path)
    texts = [row["text"] for row in ROWS]
    assert [(row.id, row.text) for row in trial.rows if isinstance(row, Annotated)] == [
        (row.get("id") or statement_id(row["text"]), row["text"]) for row in ROWS
    ]
    np.testing.assert_array_equal(trial.scored.probabilities, small_model.probabilities(texts))
    assert trial.scored.truth.tolist() == [
        [True, False, False],
        [True, True, False],
        [False, False, False],
        [False, False, False],
    ]
    assert trial.scored.groups == ["one", "one", statement_id("It rained."), "two"]
    assert trial.split == "held"


def test_the_hash_of_a_file_goes_with_texts_and_labels(small_model: Model, tmp_path: Path) -> None:
    def hashed(*rows: dict[str, Any]) -> str:
        return file_trial(small_model, write(tmp_path / "rows.jsonl", rows)).data

    same = hashed(*ROWS)
    assert len(same) == 64
    assert hashed(*ROWS[:3], {**ROWS[3], "desk": "south"}) == same
    changed = [
        hashed(*ROWS[:3]),
        hashed(*ROWS[:3], {**ROWS[3], "labels": ["denial"]}),
        hashed(*ROWS[:3], {**ROWS[3], "text": "Both sides returned to the talks."}),
        hashed(*reversed(ROWS)),
    ]
    assert len({same, *changed}) == 5


def test_the_labels_may_stand_in_another_field(small_model: Model, tmp_path: Path) -> None:
    rows = [
        {"text": row["text"], "labels": "unused", "code": name} for row, name in zip(ROWS, ("denial",) * 4, strict=True)
    ]
    trial = file_trial(small_model, write(tmp_path / "rows.jsonl", rows), RowForm("code"))
    assert trial.scored.truth[:, 0].all()
    assert not trial.scored.truth[:, 1:].any()


def test_fields_of_a_file(small_model: Model, tmp_path: Path) -> None:
    trial = file_trial(small_model, write(tmp_path / "rows.jsonl"))
    assert trial.field_values("desk") == ["north", None, "7", None]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"text": "x", "labels": ["nope"]}, "unknown label 'nope'"),
        ({"text": " ", "labels": []}, "blank"),
        ({"text": 5, "labels": []}, "not a string"),
        ({"text": "x"}, "'labels' is missing"),
        ({"text": "x", "labels": 1}, "not a list"),
        ([], "not a JSON object"),
    ],
)
def test_a_bad_row_is_named(small_model: Model, tmp_path: Path, line: Any, reason: str) -> None:
    with pytest.raises(DataError, match=reason) as caught:
        file_trial(small_model, write(tmp_path / "rows.jsonl", [ROWS[0], line]))
    assert str(caught.value).startswith(f"{tmp_path / 'rows.jsonl'}:2: ")


# Errors.


def test_errors_have_a_place_and_reasons(small_model: Model, mixed: Dataset) -> None:
    trial = held_apart_trial(small_model, mixed, "abc")
    errors = worst_errors(trial.scored)
    assert errors
    own = 0
    for error in errors:
        row = trial.rows[error.row]
        reasons = error_reasons(small_model, row, error)
        if isinstance(row, StandoffRow):
            assert error_place(row) == f"{row.id} o/r {row.path} "
            assert reasons == []
            continue
        own += 1
        assert error_place(row) == row.id
        top = small_model.explain(row.text).top(error.label, SHOWN_FEATURES)
        assert reasons == [(" = ".join(each.features), each.weights[error.label]) for each in top]
        assert 0 < len(reasons) <= SHOWN_FEATURES
        assert all(isinstance(weight, float) for _, weight in reasons)
    assert 0 < own < len(errors)
