"""Training: the same bytes each time, nothing learnt from what is held apart, and every setting takes effect."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stance
from stance.dataset import Dataset, OwnStatement, is_held_apart, load_dataset
from stance.design import assemble, fold_numbers, scaled, used_columns
from stance.features import FAMILIES, Featurizer
from stance.labels import Label, LabelSet
from stance.lexicon import Lexicon
from stance.model import Model
from stance.records import DataError
from stance.rows import statement_id
from stance.settings import Settings
from stance.standoff import extract, read_standoff
from stance.training import train

ROOT: Final = Path(__file__).resolve().parent.parent
QUICK: Final = Settings(folds=2)
FIGURES: Final = ("weights.buckets", "weights.values", "intercepts", "slopes", "offsets", "thresholds")


def digest(model: Model) -> str:
    return hashlib.sha256(b"".join(attrgetter(name)(model).tobytes() for name in FIGURES)).hexdigest()


def same(one: Model, other: Model, names: tuple[str, ...] = FIGURES) -> bool:
    return all(attrgetter(name)(one).tobytes() == attrgetter(name)(other).tobytes() for name in names)


def write_json_lines(path: Path, records: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def data(own_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with own and stand-off rows, both from statements of our own."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("labels.toml", "lexicon.toml"):
        shutil.copy(ROOT / "data" / name, folder / name)
    own = [{"id": row.id, "text": row.text, "labels": list(row.labels)} for row in own_dataset.own[::20]]
    write_json_lines(folder / "statements" / "own.jsonl", own)
    real = [
        {
            "id": statement_id(row.text),
            "text": row.text,
            "labels": list(row.labels),
            "origin": "made/up",
            "commit": "0",
            "path": f"{row.group}.txt",
            "locator": str(row.position or 0),
            "date": "",
            "source": "",
            "draw": "random" if number % 3 else "model",
            "round": 1,
            "weight": None,
            "borderline": number % 4 == 0,
        }
        for number, row in enumerate(own_dataset.own[7::8])
    ]
    texts = write_json_lines(folder / "texts.jsonl", real)
    dataset = load_dataset(folder)
    extract(folder / "standoff", Featurizer(dataset.lexicon), dataset.labels, label_files=[texts], text_files=[texts])
    return folder


@pytest.fixture(scope="module")
def mixed(data: Path) -> Dataset:
    dataset = load_dataset(data)
    assert dataset.standoff
    return dataset


@pytest.fixture(scope="module")
def mixed_model(mixed: Dataset) -> Model:
    return train(mixed, QUICK)


def with_rows(dataset: Dataset, change: Any) -> Dataset:
    """Return a dataset with each row, own or stand-off, changed by ``change(row, group)``."""
    assert dataset.standoff
    real = tuple(change(row, group) for row, group in zip(dataset.standoff.rows, dataset.standoff.groups, strict=True))
    own = tuple(change(row, row.group) for row in dataset.own)
    return dataclasses.replace(dataset, own=own, standoff=dataclasses.replace(dataset.standoff, rows=real))


def made_dataset(texts: dict[str, str], *, exclusive: bool, times: int = 6) -> Dataset:
    """Return a dataset of sentences about numbered things, each with one label; "" is none."""
    names = [name for name in texts if name]
    things = "dam road mine port school bridge station tunnel".split()
    own = tuple(
        OwnStatement(f"{name}-{number}", text.format(things[number]), (name,) if name else ())
        for name, text in texts.items()
        for number in range(times)
    )
    labels = LabelSet(tuple(Label(name) for name in names), exclusive)
    return Dataset(labels, Lexicon.from_classes({"praise": ["hailed"], "function": ["the"]}), own)


PRAISE: Final = {
    "praise": "The mayor hailed the new {} as a triumph.",
    "threat": "Gunmen will burn the {} down tomorrow.",
    "": "A {} lies north of town, beside the lake.",
}


class TestDeterminism:
    def test_another_process_with_another_hash_seed_gives_the_same_bytes(self, data: Path, mixed_model: Model) -> None:
        script = (
            "import sys, hashlib, stance\nfrom operator import attrgetter\n"
            "if __name__ == '__main__':\n"
            "    model = stance.train(stance.load_dataset(sys.argv[1]), stance.Settings(folds=2))\n"
            f"    figures = b''.join(attrgetter(name)(model).tobytes() for name in {FIGURES})\n"
            "    print(hashlib.sha256(figures).hexdigest(), model.about['data_sha256'])\n"
        )
        found = subprocess.run(
            [sys.executable, "-c", script, str(data)],
            env=os.environ | {"PYTHONHASHSEED": "4242"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        assert found == [digest(mixed_model), mixed_model.about["data_sha256"]]

    def test_saved_and_loaded_it_predicts_the_same(self, mixed: Dataset, mixed_model: Model, tmp_path: Path) -> None:
        texts = [row.text for row in mixed.own]
        stance.save(mixed_model, tmp_path)
        assert np.array_equal(stance.load(tmp_path).probabilities(texts), mixed_model.probabilities(texts))


class TestHeldApart:
    def test_their_labels_make_no_difference(self, mixed: Dataset, mixed_model: Model) -> None:
        names = mixed.labels.names

        def flip(row: Any, group: str) -> Any:
            if not is_held_apart(group):
                return row
            return dataclasses.replace(row, labels=tuple(name for name in names if name not in row.labels))

        flipped = with_rows(mixed, flip)
        assert flipped.own != mixed.own
        assert flipped.standoff
        assert mixed.standoff
        assert flipped.standoff.rows != mixed.standoff.rows
        assert same(train(flipped, QUICK), mixed_model)

    def test_the_other_labels_do(self, mixed: Dataset, mixed_model: Model) -> None:
        first = next(row.id for row in mixed.own if not is_held_apart(row.group) and row.labels)
        changed = with_rows(mixed, lambda row, _: dataclasses.replace(row, labels=()) if row.id == first else row)
        assert not same(train(changed, QUICK), mixed_model, ("weights.values",))

    def test_they_can_be_used(self, mixed: Dataset, mixed_model: Model) -> None:
        model = train(mixed, QUICK, hold_apart=False)
        assert model.about["rows"]["held_apart"] == 0
        assert mixed_model.about["rows"]["held_apart"] > 0
        assert sum(model.about["rows"].values()) == sum(mixed_model.about["rows"].values()) == len(mixed.groups)
        assert not same(model, mixed_model, ("weights.values",))


class TestSettings:
    @pytest.mark.parametrize(
        "changed",
        [
            {"own_weight": 1.0},
            {"borderline_weight": 1.0},
            {"own_rows": 1},
            {"regularisation": 1.0},
            {"regularisation_by_label": {"denial": 1.0}},
            {"family_scale": {"word": 2.0}},
        ],
    )
    def test_each_changes_the_weights(self, mixed: Dataset, mixed_model: Model, changed: dict[str, Any]) -> None:
        model = train(mixed, dataclasses.replace(QUICK, **changed))
        assert not same(model, mixed_model, ("weights.values",))
        assert model.about["settings"] == dataclasses.replace(QUICK, **changed).to_json()

    def test_folds_change_the_calibration_only(self, mixed: Dataset, mixed_model: Model) -> None:
        model = train(mixed, Settings(folds=3))
        assert same(model, mixed_model, ("weights.values", "intercepts"))
        assert not same(model, mixed_model, ("slopes",))

    def test_a_label_may_have_its_own_strength(self, mixed: Dataset, mixed_model: Model) -> None:
        model = train(mixed, dataclasses.replace(QUICK, regularisation_by_label={"denial": 1.0}))
        column = mixed.labels.names.index("denial")
        differs = (model.weights.dense() != mixed_model.weights.dense()).any(axis=0)
        assert differs.tolist() == [number == column for number in range(len(mixed.labels.names))]

    def test_a_family_can_be_left_out(self, mixed: Dataset) -> None:
        model = train(mixed, dataclasses.replace(QUICK, family_scale={"word": 0.0}))
        table = model.featurizer.settings
        start = table.offsets[FAMILIES.index("word")]
        assert not model.weights.dense()[start : start + 2 ** table.bits["word"]].any()
        assert model.weights.dense().any()

    def test_a_larger_own_weight_fits_own_rows_better(self, mixed: Dataset) -> None:
        rows = [row for row in mixed.own if not is_held_apart(row.group)]
        truth = np.array([[name in row.labels for name in mixed.labels.names] for row in rows])
        losses = []
        for weight in (0.01, 10.0):
            scores = train(mixed, dataclasses.replace(QUICK, own_weight=weight)).scores(row.text for row in rows)
            losses.append(np.logaddexp(0.0, np.where(truth, -scores, scores)).mean())
        assert losses[1] < losses[0]

    def test_rare_features_of_own_rows_get_no_weight(self, small_dataset: Dataset) -> None:
        # A word that occurs in one own statement only says more about that statement than about the label.
        featurizer = Featurizer(small_dataset.lexicon)
        rows = assemble(small_dataset, featurizer)
        counts = np.asarray(rows.features.sum(axis=0)).ravel()
        assert used_columns(rows, Settings(own_rows=1)).tolist() == np.flatnonzero(counts >= 1).tolist()
        assert used_columns(rows, Settings(own_rows=4)).tolist() == np.flatnonzero(counts >= 4).tolist()

    def test_a_label_that_is_not_there(self, mixed: Dataset) -> None:
        with pytest.raises(DataError, match="regularisation_by_label names 'denail'"):
            train(mixed, Settings(regularisation_by_label={"denail": 1.0}))


class TestRows:
    def test_figures_of_the_rows(self, mixed: Dataset) -> None:
        assert mixed.standoff
        featurizer = Featurizer(mixed.lexicon)
        rows = assemble(mixed, featurizer)
        real = len(mixed.standoff.rows)
        assert rows.features.shape == (real + len(mixed.own), featurizer.settings.buckets)
        assert rows.own.tolist() == [False] * real + [True] * len(mixed.own)
        assert not rows.borderline[real:].any()
        assert rows.borderline[:real].any()
        assert rows.at_random[:real].tolist() == [row.draw == "random" for row in mixed.standoff.rows]
        assert rows.held_apart.tolist() == [is_held_apart(group) for group in mixed.groups]
        assert set(np.unique(rows.features.data)) == {1.0}
        for number, row in enumerate(mixed.own, real):
            indices = featurizer.indices(row.text)
            assert rows.features[[number]].indices.tolist() == indices
            assert rows.counts[number] == len(indices)
            assert rows.truth[number].tolist() == [name in row.labels for name in mixed.labels.names]

    def test_training_and_inference_scale_alike(self, small_dataset: Dataset, small_model: Model) -> None:
        # What a row of the design matrix gives with the weights is what the model says of its text.
        featurizer = Featurizer(small_dataset.lexicon)
        rows = assemble(small_dataset, featurizer)
        settings = Settings(folds=3)
        columns = used_columns(rows[~rows.held_apart], settings)
        design = scaled(rows, columns, featurizer.settings, settings)
        sums = design @ small_model.weights[columns].astype(float) + small_model.intercepts
        np.testing.assert_allclose(sums, small_model.scores(row.text for row in small_dataset.own), atol=1e-9)

    def test_a_matrix_of_another_lexicon_is_refused(self, mixed: Dataset) -> None:
        lexicon = Lexicon.from_classes({**mixed.lexicon.to_json(), "more": ["word"]})
        with pytest.raises(DataError, match=r"features\.npz") as caught:
            train(dataclasses.replace(mixed, lexicon=lexicon), QUICK)
        assert "`stance extract --texts FILE...`" in str(caught.value)
        assert "`stance train --own-only`" in str(caught.value)
        own_only = dataclasses.replace(mixed, lexicon=lexicon, standoff=None)
        assert train(own_only, QUICK).about["rows"]["standoff"] == 0

    def test_near_duplicates_stay_on_one_side(self, mixed: Dataset, data: Path) -> None:
        standoff = read_standoff(data / "standoff", mixed.labels)
        rows = assemble(mixed, Featurizer(mixed.lexicon))
        for number, first in enumerate(standoff.matrix.near.tolist()):
            assert rows.groups[number] == rows.groups[first]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=200), st.integers(2, 7))
def test_folds_never_split_a_group_and_are_of_about_one_size(numbers: list[int], folds: int) -> None:
    _, groups = np.unique(numbers, return_inverse=True)
    found = fold_numbers(groups, folds)
    assert len(found) == len(groups)
    assert set(found.tolist()) <= set(range(folds))
    for group in set(groups.tolist()):
        assert len(set(found[groups == group].tolist())) == 1
    sizes = np.bincount(found, minlength=folds)
    assert sizes.max() - sizes.min() <= np.bincount(groups).max()


class TestTooLittle:
    def test_no_rows(self, mixed: Dataset) -> None:
        with pytest.raises(DataError, match="holds no annotated statements"):
            train(dataclasses.replace(mixed, own=(), standoff=None))

    def test_a_label_without_positives_or_negatives(self) -> None:
        dataset = made_dataset(PRAISE, exclusive=False)
        for labels in ((), ("praise",)):
            own = tuple(dataclasses.replace(row, labels=labels) for row in dataset.own)
            with pytest.raises(DataError, match=r"label 'praise': (0|18) of 18 training rows"):
                train(dataclasses.replace(dataset, own=own), QUICK, hold_apart=False)

    def test_too_few_groups(self) -> None:
        dataset = made_dataset(PRAISE, exclusive=False)
        own = tuple(dataclasses.replace(row, set=f"set-{number % 2}") for number, row in enumerate(dataset.own))
        with pytest.raises(DataError, match=r"come from 2 groups .* too few for 3 folds"):
            train(dataclasses.replace(dataset, own=own), Settings(folds=3), hold_apart=False)

    def test_a_label_of_one_group_only(self) -> None:
        dataset = made_dataset(PRAISE, exclusive=False)
        own = tuple(dataclasses.replace(row, set="one" if "praise" in row.labels else row.id) for row in dataset.own)
        with pytest.raises(DataError, match=r"'praise': without fold 0.*more groups"):
            train(dataclasses.replace(dataset, own=own), QUICK, hold_apart=False)

    def test_no_feature_in_common(self) -> None:
        dataset = made_dataset(PRAISE, exclusive=False)
        with pytest.raises(DataError, match="no feature occurs often enough"):
            train(dataset, dataclasses.replace(QUICK, own_rows=100), hold_apart=False)

    def test_an_exclusive_set_needs_one_label_a_row(self) -> None:
        dataset = made_dataset(PRAISE, exclusive=True)
        with pytest.raises(DataError, match="give each exactly one"):
            train(dataset, QUICK, hold_apart=False)

    def test_an_exclusive_set_has_one_strength(self) -> None:
        dataset = made_dataset({"praise": PRAISE["praise"], "threat": PRAISE["threat"]}, exclusive=True)
        with pytest.raises(DataError, match="exclusive"):
            train(dataset, dataclasses.replace(QUICK, regularisation_by_label={"praise": 1.0}), hold_apart=False)


class TestOtherLabelSets:
    def test_other_names(self) -> None:
        model = train(
            made_dataset(PRAISE, exclusive=False), dataclasses.replace(QUICK, own_weight=1.0), hold_apart=False
        )
        assert model.labels.names == ("praise", "threat")
        praise, threat, none = model.predict(text.format("museum") for text in PRAISE.values())
        assert praise.labels == ("praise",)
        assert threat.labels == ("threat",)
        assert none.label == "none"

    @pytest.mark.parametrize("names", [("praise", "threat"), ("threat", "praise"), ("praise", "threat", "other")])
    def test_exclusive(self, names: tuple[str, ...], tmp_path: Path) -> None:
        texts = {name: PRAISE.get(name, PRAISE[""]) for name in names}
        model = train(made_dataset(texts, exclusive=True), dataclasses.replace(QUICK, own_weight=1.0), hold_apart=False)
        stance.save(model, tmp_path)
        for name, prediction in zip(
            names, stance.load(tmp_path).predict(text.format("museum") for text in texts.values()), strict=True
        ):
            assert prediction.labels == (name,)
            assert sum(prediction.probabilities.values()) == pytest.approx(1.0)
            assert prediction.probabilities[name] > 0.6

    def test_one_label(self) -> None:
        texts = {name: text for name, text in PRAISE.items() if name != "threat"}
        model = train(
            made_dataset(texts, exclusive=False), dataclasses.replace(QUICK, own_weight=1.0), hold_apart=False
        )
        assert model.predict(PRAISE["praise"].format("museum")).labels == ("praise",)
        assert model.probabilities(["a", "b"]).shape == (2, 1)


class TestFigures:
    def test_what_the_model_card_needs(self, mixed: Dataset, mixed_model: Model) -> None:
        about = json.loads(json.dumps(mixed_model.about))
        assert about["figures"]["calibrated_on"] == "stand-off rows"
        assert about["features"] == len(mixed_model.weights.buckets)
        assert set(about["figures"]["labels"]) == set(mixed.labels.names)
        rows = assemble(mixed, Featurizer(mixed.lexicon))
        judged = rows[~rows.held_apart & ~rows.own]
        for column, name in enumerate(mixed.labels.names):
            figures = about["figures"]["labels"][name]
            assert figures["positives"] == judged.truth[:, column].sum()
            assert 0 < figures["share_of_news"] < 1
            assert 0 < figures["effective_positives"] <= figures["positives"] * (1 + 1e-9)
            assert figures["few"] is (figures["effective_positives"] < 100)
        assert set(about["versions"]) == {"python", "numpy", "scipy", "scikit-learn", "stance-news"}
        assert all(about["versions"].values())

    def test_own_rows_calibrate_where_there_is_nothing_else(self, small_model: Model) -> None:
        assert small_model.about["figures"]["calibrated_on"] == "own rows"

    def test_thresholds_and_slopes_are_usable(self, mixed_model: Model, small_model: Model) -> None:
        for model in (mixed_model, small_model):
            assert (model.slopes > 0).all()
            assert ((model.thresholds > 0) & (model.thresholds < 1)).all()

    def test_progress_counts_to_the_end(self) -> None:
        seen: list[tuple[int, int]] = []
        train(made_dataset(PRAISE, exclusive=False), QUICK, hold_apart=False, progress=lambda *done: seen.append(done))
        # Two labels, each fitted once on everything and once for each fold.
        assert seen == [(number, 6) for number in range(1, 7)]
