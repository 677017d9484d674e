"""Batches for annotators: numbered, a part read twice, the answers taken back and settled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stance.labels import LabelSet, read_labels
from stance.readings import collect, write_batch, write_readings
from stance.records import DataError
from stance.rows import read_jsonl, statement_id
from stance.standoff import standoff_row

ROOT = Path(__file__).resolve().parent.parent
TEXTS = [f"Sentence  number {n}\tcame." for n in range(20)]


@pytest.fixture(scope="module")
def labels() -> LabelSet:
    return read_labels(ROOT / "data" / "labels.toml")


@pytest.fixture
def batch(tmp_path: Path) -> Path:
    rows: list[dict[str, Any]] = [
        {
            "id": statement_id(text),
            "text": text,
            "origin": "o",
            "path": "p",
            "draw": "random",
            "round": 4,
            "weight": 2.5,
        }
        for text in TEXTS
    ]
    folder = tmp_path / "batch"
    parts = write_batch(folder, rows, seed=1, part_rows=8)
    assert [path.name for path in parts] == ["part-01.txt", "part-02.txt", "part-03.txt", "part-04.txt"]
    return folder


def lines(path: Path) -> list[tuple[int, str]]:
    return [(int(number), text) for number, _, text in (line.partition("\t") for line in path.read_text().splitlines())]


def answer(folder: Path, given: dict[int, str], kind: str = "part") -> None:
    """Write the answers of all parts; what is not given carries no label."""
    for part in folder.glob(f"{kind}-*.txt"):
        numbers = [number for number, _ in lines(part)]
        listed = [f"{number} {given[number]}" for number in numbers if number in given]
        part.with_suffix(".answers").write_text("\n".join([*listed, "end", ""]))


def seconds(folder: Path) -> dict[int, int]:
    """Return the number of each first reading that has a second one."""
    return {int(row["first"]): int(row["second"]) for _, row in read_jsonl(folder / "rows.jsonl") if row["second"]}


def test_every_row_is_numbered_once_and_a_tenth_comes_again(batch: Path) -> None:
    read = [pair for part in sorted(batch.glob("part-*.txt")) for pair in lines(part)]
    assert [number for number, _ in read] == list(range(1, 23))
    assert [text for _, text in read[:20]] == [" ".join(text.split()) for text in TEXTS]
    texts = dict(read)
    again = seconds(batch)
    assert len(again) == 2
    assert all(texts[first] == texts[second] for first, second in again.items())


def test_answers_become_rows(batch: Path, labels: LabelSet) -> None:
    once = [number for number in range(1, 21) if number not in seconds(batch)]
    answer(batch, {once[0]: "denial", once[1]: "acc, den", once[2]: "dialogue_call"})
    found = collect(batch, labels)
    assert (len(found.rows), found.open, found.twice, found.settled, found.borderline) == (20, [], 2, 0, 0)
    by_id = {row["id"]: row for row in found.rows}
    assert by_id[statement_id(TEXTS[once[0] - 1])]["labels"] == ["denial"]
    assert by_id[statement_id(TEXTS[once[1] - 1])]["labels"] == ["denial", "accusation"]
    assert sum(bool(row["labels"]) for row in found.rows) == 3
    for row in found.rows:
        assert "text" not in row
        assert standoff_row(row, labels, "row:1").weight == 2.5


def test_doubt_and_dissent_wait_for_a_third_reading(batch: Path, labels: LabelSet) -> None:
    [(first, second), (other, _)] = seconds(batch).items()
    once = next(number for number in range(1, 21) if number not in (first, other))
    answer(batch, {first: "denial", second: "accusation", once: "dialogue ?"})
    found = collect(batch, labels)
    assert len(found.rows) == 18
    assert found.open == sorted((first, once))
    assert sorted(number for number, _ in lines(batch / "third-01.txt")) == sorted((first, once))
    # Of three readings the majority counts, label by label; where there are two, the third reader decides.
    answer(batch, {first: "denial accusation", once: "accusation"}, "third")
    found = collect(batch, labels)
    assert (len(found.rows), found.open, found.settled, found.borderline) == (20, [], 2, 2)
    settled = {row["id"]: row["labels"] for row in found.rows if row["borderline"]}
    assert settled == {
        statement_id(TEXTS[first - 1]): ["denial", "accusation"],
        statement_id(TEXTS[once - 1]): ["accusation"],
    }
    written = write_readings(batch, found, labels)
    assert [path.name for path in written] == ["first.jsonl", "second.jsonl", "third.jsonl"]
    assert [len(list(read_jsonl(path))) for path in written] == [20, 2, 2]
    assert json.loads((batch / "third.jsonl").read_text().splitlines()[0]).keys() == {"id", "labels"}


def test_no_batch_over_another(batch: Path) -> None:
    with pytest.raises(DataError, match="exists"):
        write_batch(batch, [{"id": "a", "text": "b"}], seed=0)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("1 denial\n", r"part-01\.answers:1: no `end`"),
        ("", r"part-01\.answers: no `end`"),
        ("99 denial\nend\n", r"part-01\.answers:1: '99' is not a number of part-01\.txt"),
        ("x denial\nend\n", "'x' is not a number"),
        ("1 d\nend\n", "'d' is not one label"),
        ("1 lie\nend\n", "'lie' is not one label"),
        ("1\nend\n", "1 has no answer"),
        ("1 denial\n1 denial\nend\n", "1 is answered twice"),
        ("end\n1 denial\n", r"part-01\.answers:2: comes after `end`"),
    ],
)
def test_answers_that_say_nothing_clear(batch: Path, labels: LabelSet, content: str, says: str) -> None:
    answer(batch, {})
    (batch / "part-01.answers").write_text(content)
    with pytest.raises(DataError, match=says):
        collect(batch, labels)


def test_a_part_without_answers(batch: Path, labels: LabelSet) -> None:
    answer(batch, {})
    (batch / "part-02.answers").unlink()
    with pytest.raises(DataError, match=r"part-02\.answers: no such file"):
        collect(batch, labels)
