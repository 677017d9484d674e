"""Batches for annotators: numbered, a part read twice, the answers taken back and settled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stance.labels import Label, LabelSet, read_labels
from stance.readings import collect, write_batch, write_readings
from stance.records import DataError, InputError
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
    parts, repeats = write_batch(folder, rows, seed=1, part_rows=8)
    assert [path.name for path in parts] == ["part-01.txt", "part-02.txt", "part-03.txt"]
    assert [path.name for path in repeats] == ["part-04.txt"]
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
        ("9" * 5000 + " denial\nend\n", "is not a number"),
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


def test_hasty_answers_are_understood(batch: Path, labels: LabelSet) -> None:
    answer(batch, {})
    once = [number for number, _ in lines(batch / "part-01.txt") if number not in seconds(batch)]
    said = f"{once[0]} Denial?\n,\n\u00a0\n{once[1]} none\n{once[2]} ACC,den\nEND\n"
    (batch / "part-01.answers").write_text("\ufeff" + said, encoding="utf-8")
    found = collect(batch, labels)
    assert found.open == [once[0]]
    by_id = {row["id"]: row["labels"] for row in found.rows}
    assert by_id[statement_id(TEXTS[once[1] - 1])] == []
    assert by_id[statement_id(TEXTS[once[2] - 1])] == ["denial", "accusation"]


def test_doubts_that_come_later_get_a_part_of_their_own(batch: Path, labels: LabelSet) -> None:
    one, two = [number for number in range(1, 21) if number not in seconds(batch)][:2]
    answer(batch, {one: "denial ?"})
    assert collect(batch, labels).open == [one]
    answer(batch, {one: "denial"}, "third")
    answer(batch, {one: "denial ?", two: "denial ?"})
    assert collect(batch, labels).open == [two]
    assert [number for number, _ in lines(batch / "third-02.txt")] == [two]
    answer(batch, {one: "denial", two: "denial"}, "third")
    assert collect(batch, labels).open == []


def test_what_was_borderline_is_so_no_more_where_a_second_reader_confirms_it(tmp_path: Path, labels: LabelSet) -> None:
    rows = [
        {"id": statement_id(text), "text": text, "before": ["denial"], "borderline": True, "labels": ["denial"]}
        for text in TEXTS[:2]
    ]
    write_batch(tmp_path / "batch", rows, seed=0, twice=0.0)
    answer(tmp_path / "batch", {1: "denial", 2: "denial ?"})
    assert [row["borderline"] for row in collect(tmp_path / "batch", labels).rows] == [False]
    answer(tmp_path / "batch", {2: "denial"}, "third")
    found = collect(tmp_path / "batch", labels)
    assert [row["borderline"] for row in found.rows] == [False, True]
    assert found.changed == 0


def test_a_candidate_cannot_number_itself(tmp_path: Path) -> None:
    row = {"id": statement_id("One."), "text": "One.", "first": 7, "second": 9}
    write_batch(tmp_path / "batch", [row], seed=0, twice=0.0)
    [written] = [record for _, record in read_jsonl(tmp_path / "batch" / "rows.jsonl")]
    assert (written["first"], written["second"]) == (1, None)


def test_a_batch_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        write_batch(tmp_path / "batch", [{"id": "a", "text": "\ud800"}], seed=0)
    assert not (tmp_path / "batch").exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"first": None}, "first is None"),
        ({"first": "1"}, "first is '1'"),
        ({"first": 99}, "number 99 stands in no part"),
        ({"second": 99}, "number 99 stands in no part"),
        ({"id": None}, "id is NoneType"),
        ({"text": " "}, "text is blank"),
        ({"before": 7}, "labels is int"),
        ({"before": ["lie"]}, "unknown label 'lie'"),
    ],
)
def test_damaged_rows(batch: Path, labels: LabelSet, change: dict[str, Any], says: str) -> None:
    answer(batch, {})
    rows = [record for _, record in read_jsonl(batch / "rows.jsonl")]
    rows[3] |= change
    (batch / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError, match=rf"rows\.jsonl:4: {says}"):
        collect(batch, labels)


def test_no_rows_and_parts_without_numbers(batch: Path, labels: LabelSet) -> None:
    answer(batch, {})
    (batch / "part-01.txt").write_text("one\ttext\n")
    with pytest.raises(DataError, match=r"part-01\.txt:1: begins with no number"):
        collect(batch, labels)
    for part in batch.glob("part-*"):
        part.unlink()
    (batch / "rows.jsonl").write_text("")
    with pytest.raises(DataError, match="holds no rows"):
        collect(batch, labels)


def test_exclusive_label_sets_are_refused(batch: Path) -> None:
    with pytest.raises(InputError, match="not exclusive"):
        collect(batch, LabelSet((Label("a"), Label("b")), True))
