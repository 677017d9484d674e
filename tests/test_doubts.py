"""Likely label errors: planted ones are found, reread and set right."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from stance.dataset import Dataset, load_dataset
from stance.doubts import likely_errors
from stance.features import Featurizer
from stance.model import Model
from stance.readings import collect, write_batch
from stance.records import InputError
from stance.rows import statement_id, write_jsonl
from stance.settings import Settings
from stance.standoff import extract, find_texts

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = Settings(folds=3)
PLANTED = 20


@pytest.fixture(scope="module")
def data(own_dataset: Dataset, default_model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of stand-off rows only; `PLANTED` plain denials have lost their label."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("labels.toml", "lexicon.toml"):
        shutil.copy(ROOT / "data" / name, folder / name)
    chosen = own_dataset.own[::2]
    denials = [row for row in chosen if row.labels == ("denial",)]
    chances = default_model.probabilities([row.text for row in denials])[:, 0]
    wrong = {denials[number].id for number in np.argsort(-chances)[:PLANTED]}
    assert len(wrong) == PLANTED
    rows = [
        {
            "id": statement_id(row.text), "text": row.text, "path": row.group, "round": 2, "weight": 3.0,
            "draw": "wrong" if row.id in wrong else "right", "labels": [] if row.id in wrong else list(row.labels),
        }
        for row in chosen
    ]  # fmt: skip
    write_jsonl(folder / "texts.jsonl", rows)
    dataset = load_dataset(ROOT / "data", own_only=True)
    files = [folder / "texts.jsonl"]
    extract(folder / "standoff", Featurizer(dataset.lexicon), dataset.labels, label_files=files, text_files=files)
    return folder


def test_planted_errors_come_first(data: Path) -> None:
    dataset = load_dataset(data)
    assert dataset.standoff
    doubts = likely_errors(dataset, SETTINGS, size=150)
    assert len(doubts) == 150
    improbable = [doubt.improbability for doubt in doubts]
    assert improbable == sorted(improbable, reverse=True)
    found = [dataset.standoff.rows[doubt.row].draw == "wrong" for doubt in doubts]
    # 150 rows at random would hold fewer than two of them.
    assert sum(found) >= PLANTED // 2
    assert all(
        doubt.label == "denial"
        for doubt, wrong in zip(doubts, found, strict=True)
        if wrong and doubt.improbability > 1.0
    )


def test_read_once_more_and_set_right(data: Path, tmp_path: Path) -> None:
    dataset = load_dataset(data)
    assert dataset.standoff
    chosen = [dataset.standoff.rows[doubt.row] for doubt in likely_errors(dataset, SETTINGS, size=60)]
    texts = find_texts([row.id for row in chosen], [data / "texts.jsonl"])
    rows = [
        {**row.to_json(), "before": list(row.labels), "text": text} for row, text in zip(chosen, texts, strict=True)
    ]
    write_batch(tmp_path / "batch", rows, seed=0, twice=0.0)
    right = {number: "denial" if row.draw == "wrong" else " ".join(row.labels) for number, row in enumerate(chosen, 1)}
    answers = "".join(f"{number} {given}\n" for number, given in right.items() if given) + "end\n"
    (tmp_path / "batch" / "part-01.answers").write_text(answers)
    planted = sum(row.draw == "wrong" for row in chosen)
    first = collect(tmp_path / "batch", dataset.labels)
    assert len(first.open) == planted > 0
    (tmp_path / "batch" / "third-01.answers").write_text("".join(f"{n} denial\n" for n in first.open) + "end\n")
    second = collect(tmp_path / "batch", dataset.labels)
    assert (second.changed, second.settled, len(second.rows)) == (planted, planted, 60)
    for row in second.rows:
        assert "before" not in row
        assert row["weight"] == 3.0
        if row["draw"] == "wrong":
            assert row["labels"] == ["denial"]


def test_a_dataset_without_stand_off_rows(small_dataset: Dataset) -> None:
    with pytest.raises(InputError, match="only stand-off rows"):
        likely_errors(dataclasses.replace(small_dataset, standoff=None), size=5)


def test_the_size_is_a_limit(data: Path) -> None:
    dataset = load_dataset(data)
    assert dataset.standoff
    everything = likely_errors(dataset, SETTINGS, size=10**6)
    assert sorted(doubt.row for doubt in everything) == np.arange(len(dataset.standoff.rows)).tolist()
