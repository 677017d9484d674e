from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance.dataset import (
    Dataset,
    OwnStatement,
    RowForm,
    data_hash,
    is_held_apart,
    load_dataset,
    read_annotated,
    read_own,
)
from stance.features import Featurizer
from stance.labels import Label, LabelSet, read_labels
from stance.lexicon import Lexicon, read_lexicon
from stance.records import DataError
from stance.rows import statement_id
from stance.standoff import extract

LABELS = LabelSet((Label("denial"), Label("accusation"), Label("dialogue_call")))
ROWS: list[dict[str, Any]] = [
    {"id": "one", "text": "The mill owner denied it.", "labels": ["denial"], "cue": "denied", "set": "mill"},
    {"id": "two", "text": "The mill stood still.", "labels": [], "set": "mill"},
    {"id": "three", "text": "Ferry strike ends", "labels": [], "article": "ferry", "position": 0, "set": "mill"},
    {"id": "four", "text": "Let us talk and be fair.", "labels": ["dialogue_call", "accusation"]},
]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    write_rows(folder / "statements" / "b.jsonl", ROWS[2:])
    write_rows(folder / "statements" / "a.jsonl", ROWS[:2])
    (folder / "labels.toml").write_text("".join(f'[[label]]\nname = "{name}"\n' for name in LABELS.names))
    (folder / "lexicon.toml").write_text('[class.deny]\nverbs = ["deny"]\n')
    return folder


def add_standoff(folder: Path, count: int = 6) -> None:
    texts = [f"The mayor of town {number} denied the report." for number in range(count)]
    rows = [{"id": statement_id(text), "text": text, "labels": ["denial"], "path": f"p{text[18]}"} for text in texts]
    file = write_rows(folder.parent / "texts.jsonl", rows)
    featurizer = Featurizer(read_lexicon(folder / "lexicon.toml"))
    labels = read_labels(folder / "labels.toml")
    extract(folder / "standoff", featurizer, labels, label_files=[file], text_files=[file])


def test_own_statements_are_read_by_file_name(folder: Path) -> None:
    dataset = load_dataset(folder)
    assert [row.id for row in dataset.own] == ["one", "two", "three", "four"]
    first, third, last = dataset.own[0], dataset.own[2], dataset.own[3]
    assert (first.path, first.line, first.cue) == (str(folder / "statements" / "a.jsonl"), 1, "denied")
    assert (third.article, third.position, third.line) == ("ferry", 0, 1)
    assert last.labels == ("accusation", "dialogue_call")
    assert dataset.labels == LABELS
    assert dataset.lexicon.classes == ("deny",)
    assert dataset.standoff is None


def test_an_article_comes_before_a_contrast_set_and_both_before_the_id(folder: Path) -> None:
    assert load_dataset(folder).groups == ("mill", "mill", "ferry", "four")


def test_standoff_rows_come_first_and_can_be_left_out(folder: Path) -> None:
    add_standoff(folder)
    dataset = load_dataset(str(folder))
    assert dataset.standoff is not None
    assert dataset.groups == (*dataset.standoff.groups, "mill", "mill", "ferry", "four")
    assert load_dataset(folder, own_only=True).standoff is None


def test_standoff_rows_alone_are_a_dataset(folder: Path) -> None:
    add_standoff(folder)
    for file in (folder / "statements").iterdir():
        file.unlink()
    (folder / "statements").rmdir()
    assert load_dataset(folder).own == ()
    with pytest.raises(DataError, match="no annotated statements"):
        load_dataset(folder, own_only=True)


def test_a_missing_folder_or_file_is_named(folder: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        load_dataset(folder / "nowhere")
    (folder / "lexicon.toml").unlink()
    with pytest.raises(DataError, match=r"lexicon\.toml: cannot be read"):
        load_dataset(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "red"}, "unknown field 'colour'"),
        ({"id": None}, "id is NoneType"),
        ({"id": ""}, "'id' is missing or empty"),
        ({"id": 7}, "id is int"),
        ({"text": ""}, "'text' is missing or empty"),
        ({"text": ["a"]}, "text is list"),
        ({"text": "half \ud83d"}, "lone surrogate"),
        ({"labels": None}, "labels is NoneType"),
        ({"labels": ["denail"]}, "unknown label 'denail'"),
        ({"position": "1"}, "position is str"),
        ({"position": True}, "position is bool"),
        ({"position": 1.0}, "position is float"),
        ({"cue": None}, "cue is NoneType"),
    ],
)
def test_a_wrong_own_row_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = write_rows(tmp_path / "own.jsonl", [ROWS[0], {**ROWS[1], **change}])
    with pytest.raises(DataError, match=message) as caught:
        read_own(path, LABELS)
    assert str(caught.value).startswith(f"{path}:2: ")


@pytest.mark.parametrize("name", ["id", "text", "labels"])
def test_what_every_own_row_needs(tmp_path: Path, name: str) -> None:
    path = write_rows(tmp_path / "own.jsonl", [{key: value for key, value in ROWS[0].items() if key != name}])
    with pytest.raises(DataError, match=f"'{name}' is missing"):
        read_own(path, LABELS)


def test_other_annotated_files_keep_what_is_not_known(tmp_path: Path) -> None:
    path = tmp_path / "gold.jsonl.gz"
    lines: list[dict[str, Any]] = [
        {"sentence": "The guild blamed the brewer.", "code": "accusation", "stratum": "x", "id": 17},
        {"sentence": "The guild met.", "code": [], "origin": {"page": 3}},
    ]
    path.write_bytes(gzip.compress("\n".join(json.dumps(line) for line in lines).encode()))
    one, two = read_annotated(path, LABELS, RowForm("code", "sentence"))
    assert (one.id, one.text, one.labels, one.fields) == ("17", lines[0]["sentence"], ("accusation",), {"stratum": "x"})
    assert (two.id, two.labels) == (statement_id("The guild met."), ())
    assert two.fields == {"origin": {"page": 3}}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"labels": []}, ":2: text is missing"),
        ({"text": " ", "labels": []}, ":2: text is missing, blank"),
        ({"text": 5, "labels": []}, ":2: text is missing, blank or not a string"),
        ({"text": "a"}, ":2: the field 'labels' is missing"),
        ({"text": "a", "labels": ["b"]}, ":2: unknown label 'b'"),
    ],
)
def test_a_wrong_annotated_row_is_refused(tmp_path: Path, line: Mapping[str, Any], message: str) -> None:
    path = write_rows(tmp_path / "gold.jsonl", [{"text": "a", "labels": []}, dict(line)])
    with pytest.raises(DataError, match=message):
        read_annotated(path, LABELS)


def test_an_empty_annotated_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no rows"):
        read_annotated(write_rows(tmp_path / "gold.jsonl", []), LABELS)


def test_about_15_in_100_groups_are_held_apart() -> None:
    share = np.mean([is_held_apart(f"group {number}") for number in range(40_000)])
    assert share == pytest.approx(0.15, abs=0.006)


def test_the_split_never_moves() -> None:
    # From `printf 'set-11' | sha256sum` and so on: the first eight digits lie below 0.15 * 2**32.
    assert [number for number in range(40) if is_held_apart(f"set-{number:02}")] == [11, 14, 38]


@given(st.text(st.characters(exclude_categories=[])))
def test_every_group_has_one_side(group: str) -> None:
    assert is_held_apart(group) is is_held_apart(group)


def test_the_hash_sees_all_that_training_reads(folder: Path) -> None:
    add_standoff(folder)
    dataset = load_dataset(folder)
    standoff = dataset.standoff
    assert standoff is not None
    matrix = standoff.matrix
    assert data_hash(dataset) == data_hash(load_dataset(folder))
    changed = [
        replace(dataset, labels=LabelSet(LABELS.labels, exclusive=True)),
        replace(dataset, lexicon=Lexicon.from_classes({"deny": ["deny"]})),
        replace(dataset, own=(replace(dataset.own[0], text="Another text."), *dataset.own[1:])),
        replace(dataset, own=(replace(dataset.own[0], labels=()), *dataset.own[1:])),
        replace(dataset, own=(replace(dataset.own[0], set="brewery"), *dataset.own[1:])),
        replace(dataset, standoff=None),
        replace(dataset, standoff=replace(standoff, rows=(replace(standoff.rows[0], labels=()), *standoff.rows[1:]))),
        replace(dataset, standoff=replace(standoff, matrix=replace(matrix, indices=matrix.indices + 1))),
        replace(
            dataset, standoff=replace(standoff, matrix=replace(matrix, near=np.arange(matrix.rows, dtype=np.int32)))
        ),
        replace(dataset, standoff=replace(standoff, matrix=replace(matrix, fingerprint="0" * 64))),
    ]
    assert len({data_hash(each) for each in (dataset, *changed)}) == len(changed) + 1
    # What only people read changes nothing.
    assert data_hash(replace(dataset, own=tuple(replace(row, topic="law") for row in dataset.own))) == data_hash(
        dataset
    )


def test_the_hash_takes_any_text() -> None:
    dataset = Dataset(LABELS, Lexicon.from_classes({"deny": ["deny"]}), (OwnStatement("a", "half \ud83d", ()),))
    assert len(data_hash(dataset)) == 64
