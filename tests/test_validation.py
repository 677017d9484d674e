from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from stance import validation
from stance.dataset import is_held_apart
from stance.features import Featurizer
from stance.labels import read_labels
from stance.lexicon import read_lexicon
from stance.matrix import read_matrix, write_matrix
from stance.records import DataError
from stance.rows import statement_id
from stance.standoff import extract
from stance.validation import Problem, validate

ROOT = Path(__file__).resolve().parent.parent
LABELS = """
[[label]]
name = "denial"
[[label]]
name = "accusation"
"""
LEXICON = """# Cues.
[class.deny]
title = "denying"
verbs = ["deny", "rebut+"]
nouns = ["denial"]
words = ["untrue"]
phrases = ["hit~ back",
    "not true"]

[class.claim]
nouns = ["report"]
words = ["denial"]
"""
LONG = "The harbour board of Quellmar said late on Friday that its new crane had not been paid for with loans from"
OWN: list[dict[str, Any]] = [
    {
        "id": "a-1",
        "text": "The brewer denied the tale.",
        "labels": ["denial"],
        "speaker": "The brewer",
        "cue": "denied",
    },
    {"id": "a-2", "text": "The guild blamed the brewer for it.", "labels": ["accusation"], "target": "the brewer"},
    {"id": "b-0", "text": "Weaver’s façade falls", "labels": [], "article": "weaver", "position": 0},
    {"id": "b-1", "text": "Nobody was near the loom.", "labels": [], "article": "weaver", "position": 1},
    {"id": "c-1", "text": f"{LONG} the crown.", "labels": [], "set": "crane"},
]
REAL = [f"The {who} of {where} denied the report." for who in ("mayor", "warden") for where in ("Aln", "Bex", "Cor")]
APART = next(f"f/{number}" for number in range(99) if is_held_apart(f"o/r f/{number}"))
LEARNED = next(f"f/{number}" for number in range(99) if not is_held_apart(f"o/r f/{number}"))


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def standoff_rows(texts: Sequence[str], paths: Sequence[str] = ("p/1",)) -> list[dict[str, Any]]:
    made: dict[str, Any] = dict.fromkeys(("commit", "locator", "date", "source", "draw"), "")
    made |= {"origin": "o/r", "round": 1, "weight": None, "borderline": False, "labels": ["denial"]}
    return [
        {"id": statement_id(text), "text": text, **made, "path": paths[number % len(paths)]}
        for number, text in enumerate(texts)
    ]


def add_standoff(folder: Path, rows: Sequence[dict[str, Any]]) -> None:
    file = write_rows(folder.parent / "texts.jsonl", rows)
    featurizer = Featurizer(read_lexicon(folder / "lexicon.toml"))
    extract(folder / "standoff", featurizer, read_labels(folder / "labels.toml"), label_files=[file], text_files=[file])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder without a flaw."""
    folder = tmp_path / "data"
    write_rows(folder / "statements" / "a.jsonl", OWN[:2])
    write_rows(folder / "statements" / "b.jsonl", OWN[2:])
    (folder / "labels.toml").write_text(LABELS)
    (folder / "lexicon.toml").write_text(LEXICON)
    add_standoff(folder, standoff_rows(REAL))
    return folder


def found(folder: Path) -> list[tuple[str, int, str]]:
    """Return file name, line and message of each problem."""
    return [(Path(problem.path).name, problem.line, problem.message) for problem in validate(folder)]


def the_problem(folder: Path) -> tuple[str, int, str]:
    """Return the only problem."""
    problems = found(folder)
    assert len(problems) == 1, problems
    return problems[0]


def add_own(folder: Path, *rows: dict[str, Any]) -> None:
    """Add rows to a file of its own; the first stands on line 1."""
    write_rows(folder / "statements" / "z.jsonl", rows)


def test_a_problem_reads_like_a_compilers() -> None:
    assert (
        str(Problem("data/statements/a.jsonl", 7, "is wrong; mend it"))
        == "data/statements/a.jsonl:7: is wrong; mend it"
    )
    assert str(Problem("data/labels.toml", 0, "is wrong")) == "data/labels.toml:0: is wrong"


def test_a_sound_folder_has_no_problem(folder: Path) -> None:
    assert validate(folder) == []


def test_no_folder_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        validate(tmp_path / "nowhere")


def test_a_folder_without_statements_is_a_problem(folder: Path) -> None:
    for file in (*(folder / "statements").iterdir(), *(folder / "standoff").iterdir()):
        file.unlink()
    assert [str(problem) for problem in validate(folder)] == [
        f"{folder}:0: holds no annotated statements; put JSONL files into statements/"
    ]


def test_no_problem_hides_another(folder: Path) -> None:
    (folder / "lexicon.toml").write_text("[class.deny")
    (folder / "statements" / "b.jsonl").write_text(
        '{"id": \n{"id": "x", "text": " a ", "labels": [], "colour": 1}\n[]\n'
    )
    (folder / "standoff" / "features.npz").write_bytes(b"")
    add_own(
        folder, {"id": "z", "text": " The loom. ", "labels": [], "cue": "loom"}, {"id": "z", "text": "b", "labels": []}
    )
    assert [(name, line) for name, line, _ in found(folder)] == [
        ("lexicon.toml", 0),
        ("features.npz", 0),
        ("b.jsonl", 1),
        ("b.jsonl", 2),
        ("b.jsonl", 3),
        ("z.jsonl", 1),
        ("z.jsonl", 1),
        ("z.jsonl", 2),
    ]


# Labels and lexicon.


def test_labels_that_cannot_be_read_are_a_problem(folder: Path) -> None:
    (folder / "labels.toml").write_text('[[label]]\nname = "none"')
    assert the_problem(folder)[:2] == ("labels.toml", 0)
    (folder / "labels.toml").unlink()
    assert "cannot be read" in the_problem(folder)[2]


def test_a_lexicon_that_cannot_be_read_is_a_problem(folder: Path) -> None:
    (folder / "lexicon.toml").write_text('[class.deny]\nverb = ["deny"]\n')
    assert the_problem(folder)[0] == "lexicon.toml"


@pytest.mark.parametrize(
    ("old", "new", "line", "entry"),
    [
        ('"not true"', '"not true", "not true"', 8, "'not true' of phrases"),
        ('["untrue"]', '["untrue", "denied"]', 6, "'denied' of words comes from 'deny' of verbs"),
        ('["untrue"]', '["untrue", "rebutting"]', 6, "'rebutting' of words comes from 'rebut+' of verbs"),
        ('["untrue"]', '["untrue", "denials"]', 6, "'denials' of words comes from 'denial' of nouns"),
        ('"not true"', '"not true", "hits back"', 8, "'hits back' of phrases comes from 'hit~ back' of phrases"),
        ('["denial"]\nwords', '["denial", "rebut"]\nwords', 5, "'rebut' of nouns comes from 'rebut+' of verbs"),
        ('["untrue"]', '["un-true", "un true"]', 6, "'un true' of words comes from 'un-true' of words"),
    ],
)
def test_a_lexicon_entry_that_adds_nothing_is_a_problem(
    folder: Path, old: str, new: str, line: int, entry: str
) -> None:
    text = LEXICON.replace(old, new, 1)
    assert text != LEXICON
    (folder / "lexicon.toml").write_text(text)
    problems = [(name, at, message) for name, at, message in found(folder) if name == "lexicon.toml"]
    assert len(problems) == 1, problems
    assert problems[0][1] == line
    assert entry in problems[0][2]


def test_an_entry_may_stand_in_two_classes_and_add_to_another(folder: Path) -> None:
    # "denial" stands under deny and under claim; "retort" is there as a verb with more endings than the word.
    (folder / "lexicon.toml").write_text(
        LEXICON.replace('["report"]', '["report", "retort"]').replace('"rebut+"', '"retort"')
    )
    assert not [problem for problem in found(folder) if problem[0] == "lexicon.toml"]


# Own rows, one by one.


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": "z", "text": "A."', "not valid JSON"),
        ('"A."', "not a JSON object"),
        ('{"id": "z", "text": "A.", "labels": [], "tone": "x"}', "unknown field 'tone'"),
        ('{"id": "z", "labels": []}', "'text' is missing"),
        ('{"id": "z", "text": "A.", "labels": ["denail"]}', "unknown label 'denail'"),
        ('{"id": "z", "text": "A.", "labels": [], "position": "0"}', "position is str"),
    ],
)
def test_a_row_that_cannot_be_read_is_a_problem(folder: Path, line: str, message: str) -> None:
    (folder / "statements" / "z.jsonl").write_text(f"\n{line}\n")
    name, number, text = the_problem(folder)
    assert (name, number) == ("z.jsonl", 2)
    assert message in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ["accusation", "denial"]}, 'write ["denial", "accusation"]'),
        ({"text": " The smith denied it."}, "white space; trim it"),
        ({"text": "The smith denied it.\n"}, "white space; trim it"),
        ({"text": "The smith\ndenied it."}, "line break"),
        ({"text": "The smith\u2028denied it."}, "line break"),
        ({"text": "The smithe\u0301 denied it."}, "normalisation form C"),
        ({"speaker": "the smith"}, "speaker 'the smith' is not in the text"),
        ({"cue": "denies"}, "cue 'denies' is not in the text"),
        ({"target": "guild"}, "target 'guild' is not in the text"),
        ({"labels": [], "speaker": "The smith"}, "speaker on a statement without labels"),
        ({"labels": [], "cue": "denied"}, "cue on a statement without labels"),
        ({"labels": [], "target": "it"}, "target on a statement without labels"),
        ({"article": "smith"}, "article without a position"),
        ({"position": 0}, "article without a position, or the reverse"),
    ],
)
def test_a_flaw_in_a_row_is_a_problem(folder: Path, change: dict[str, Any], message: str) -> None:
    row = {"id": "z", "text": "The smith denied it.", "labels": ["denial"]}
    add_own(folder, row)
    assert validate(folder) == []
    add_own(folder, {**row, **change})
    name, line, text = the_problem(folder)
    assert (name, line) == ("z.jsonl", 1)
    assert message in text


def test_marks_on_a_labelled_row_are_no_problem(folder: Path) -> None:
    text = "The smithé denied it."
    add_own(
        folder,
        {"id": "z", "text": text, "labels": ["denial"], "speaker": "The smithé", "cue": "denied", "target": "it"},
    )
    assert validate(folder) == []


# Own rows beside each other.


def test_an_id_is_unique_over_all_files(folder: Path) -> None:
    add_own(folder, {"id": "a-1", "text": "Rain fell.", "labels": []})
    name, line, message = the_problem(folder)
    assert (name, line) == ("z.jsonl", 1)
    assert "a.jsonl:1 too" in message


@pytest.mark.parametrize("text", ["The brewer denied the tale.", "the BREWER  denied the\u00a0tale."])
def test_an_exact_duplicate_is_a_problem(folder: Path, text: str) -> None:
    add_own(folder, {"id": "z", "text": text, "labels": ["denial"]})
    name, line, message = the_problem(folder)
    assert (name, line) == ("z.jsonl", 1)
    assert "repeats" in message
    assert "a.jsonl:1" in message


def test_own_statements_are_not_those_of_the_standoff_rows(folder: Path) -> None:
    add_own(folder, {"id": "z", "text": REAL[0], "labels": ["denial"]})
    assert "has the text of a stand-off row" in the_problem(folder)[2]


# Each has 22 shingles; with the last word changed they have 21 of 23 in common, with the last two 20 of 24.
@pytest.mark.parametrize(
    ("text", "other_set", "alike"),
    [
        (f"{LONG} the king.", "", "91%"),
        (f"{LONG} the king.", "crane", "91%"),
        (f"{LONG} a king.", "", "83%"),
        (f"{LONG} a king.", "crane", ""),
        (f"{LONG} his own purse.", "", ""),
    ],
)
def test_a_near_duplicate_is_a_problem(folder: Path, text: str, other_set: str, alike: str) -> None:
    add_own(folder, {"id": "z", "text": text, "labels": [], **({"set": other_set} if other_set else {})})
    if not alike:
        assert validate(folder) == []
        return
    name, line, message = the_problem(folder)
    assert (name, line) == ("z.jsonl", 1)
    assert f"is {alike} alike to" in message
    assert "b.jsonl:3" in message


def test_short_statements_are_compared_too(folder: Path) -> None:
    add_own(folder, {"id": "y", "text": "Fares rise", "labels": []}, {"id": "z", "text": "“Fares rise.”", "labels": []})
    assert "is 100% alike" in the_problem(folder)[2]


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        ([0, 1, 2], ""),
        ([2, 0, 1], ""),
        ([1, 2, 3], "position 1 where 0"),
        ([0, 2, 3], "position 2 where 1"),
        ([0, 1, 1], "1 where 2"),
    ],
)
def test_positions_are_contiguous_in_each_article(folder: Path, positions: list[int], message: str) -> None:
    texts = ["Rain fell.", "Snow lay.", "Wind blew."]
    rows = [
        {"id": f"z{number}", "text": text, "labels": [], "article": "storm", "position": position}
        for number, (text, position) in enumerate(zip(texts, positions, strict=True))
    ]
    # An article may run over several files.
    add_own(folder, *rows[:2])
    write_rows(folder / "statements" / "zz.jsonl", rows[2:])
    if message:
        assert message in the_problem(folder)[2]
    else:
        assert validate(folder) == []


def test_a_contrast_set_lies_on_one_side_of_the_split(folder: Path) -> None:
    apart = next(f"x{number}" for number in range(99) if is_held_apart(f"x{number}"))
    learned = next(f"x{number}" for number in range(99) if not is_held_apart(f"x{number}"))
    rows = [
        {"id": "y", "text": "Rain fell.", "labels": [], "set": "s", "article": apart, "position": 0},
        {"id": "z", "text": "Snow lay.", "labels": [], "set": "s", "article": learned, "position": 0},
    ]
    add_own(folder, *rows)
    name, line, message = the_problem(folder)
    assert (name, line) == ("z.jsonl", 2)
    assert "is split from" in message
    assert "z.jsonl:1" in message
    add_own(folder, rows[0], {**rows[1], "article": apart, "position": 1})
    assert validate(folder) == []


# Stand-off rows.


def edit_rows(folder: Path, change: dict[int, dict[str, Any]], order: Sequence[int] | None = None) -> None:
    path = folder / "standoff" / "labels.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for number, fields in change.items():
        rows[number] |= fields
    write_rows(path, [rows[number] for number in order or range(len(rows))])


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        ({1: {"labels": ["denail"]}}, 2, "unknown label"),
        ({1: {"colour": "red"}}, 2, "'colour' is missing or unknown"),
        ({1: {"weight": 0}}, 2, "weight 0"),
        ({2: {"labels": ["accusation", "denial"]}}, 3, "not in the order"),
    ],
)
def test_a_wrong_standoff_row_is_a_problem(
    folder: Path, change: dict[int, dict[str, Any]], line: int, message: str
) -> None:
    edit_rows(folder, change)
    name, number, text = the_problem(folder)
    assert (name, number) == ("labels.jsonl", line)
    assert message in text


def test_standoff_rows_are_sorted_and_unique(folder: Path) -> None:
    edit_rows(folder, {}, [0, 2, 1, 3, 4, 5])
    name, line, message = the_problem(folder)
    assert (name, line) == ("labels.jsonl", 3)
    assert "not sorted" in message
    edit_rows(folder, {}, [0, 2, 1, 3, 4, 4])
    assert [(line, message[:2]) for name, line, message in found(folder) if "that of" in message] == [(6, "id")]


def test_rows_and_matrix_are_of_one_number(folder: Path) -> None:
    edit_rows(folder, {}, [0, 1, 2, 3, 4])
    name, line, message = the_problem(folder)
    assert (name, line) == ("features.npz", 0)
    assert message == "has 6 rows, labels.jsonl has 5; run `stance extract --texts FILE...`"


def test_a_matrix_made_with_another_lexicon_is_a_problem(folder: Path) -> None:
    (folder / "lexicon.toml").write_text(LEXICON.replace("untrue", "incorrect"))
    assert the_problem(folder)[2].startswith("made with other feature settings or another lexicon; run")


def test_a_lexicon_that_says_the_same_in_other_words_is_no_problem(folder: Path) -> None:
    (folder / "lexicon.toml").write_text(LEXICON.replace('["untrue"]', '["untrue"]  # A word.'))
    assert validate(folder) == []


def test_a_matrix_with_buckets_out_of_range_is_a_problem(folder: Path) -> None:
    path = folder / "standoff" / "features.npz"
    matrix = read_matrix(path)
    buckets = Featurizer(read_lexicon(folder / "lexicon.toml")).settings.buckets
    for last, expected in ((buckets - 1, 0), (buckets, 1)):
        indices = matrix.indices.copy()
        indices[-1] = last
        write_matrix(path, replace(matrix, indices=indices))
        assert sum("buckets from" in message for _, _, message in found(folder)) == expected


@pytest.mark.parametrize("name", ["labels.jsonl", "features.npz"])
def test_half_a_standoff_folder_is_a_problem(folder: Path, name: str) -> None:
    (folder / "standoff" / name).unlink()
    assert any(problem[0] == name and "no such file" in problem[2] for problem in found(folder))
    other = "features.npz" if name == "labels.jsonl" else "labels.jsonl"
    (folder / "standoff" / other).unlink()
    assert validate(folder) == []


# The split of the stand-off rows.

DISTINCT = [
    "A heron slept on the weir while the miller counted sacks of barley.",
    "Seven carts of slate went missing between the quarry and Lower Hob.",
]


def keys_as_groups(keys: Sequence[str], near: NDArray[np.int32]) -> tuple[str, ...]:
    """Group by key alone, as if near-duplicates had been forgotten."""
    assert len(keys) == len(near)
    return tuple(keys)


def rows_as_groups(keys: Sequence[str], near: NDArray[np.int32]) -> tuple[str, ...]:
    """Give each row a group of its own, each second one held apart."""
    assert len(keys) == len(near)
    return tuple(f"o/r {APART if number % 2 else LEARNED}" for number in range(len(keys)))


def test_rows_of_one_article_lie_on_one_side(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_standoff(folder, standoff_rows([*DISTINCT, *REAL]))
    assert validate(folder) == []
    monkeypatch.setattr(validation, "joined_groups", rows_as_groups)
    split = {(name, line) for name, line, message in found(folder) if "is split from" in message}
    assert split >= {("labels.jsonl", line) for line in (2, 4, 6, 8)}
    assert ("labels.jsonl", 1) not in split


def test_recorded_near_duplicates_lie_on_one_side(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in (folder / "standoff").iterdir():
        file.unlink()
    add_standoff(folder, standoff_rows(DISTINCT, [LEARNED, APART]))
    path = folder / "standoff" / "features.npz"
    matrix = read_matrix(path)
    assert matrix.near.tolist() == [0, 1]
    monkeypatch.setattr(validation, "joined_groups", keys_as_groups)
    assert validate(folder) == []
    write_matrix(path, replace(matrix, near=np.zeros(2, dtype=np.int32)))
    name, line, message = the_problem(folder)
    assert (name, line) == ("labels.jsonl", 2)
    assert "labels.jsonl:1" in message
    monkeypatch.undo()
    assert validate(folder) == []


def test_near_duplicates_that_nobody_recorded_are_found(folder: Path) -> None:
    add_standoff(folder, standoff_rows(REAL, [LEARNED, APART]))
    assert validate(folder) == []
    path = folder / "standoff" / "features.npz"
    matrix = read_matrix(path)
    assert len(set(matrix.near.tolist())) < matrix.rows
    write_matrix(path, replace(matrix, near=np.arange(matrix.rows, dtype=np.int32)))
    problems = found(folder)
    assert problems
    assert all(name == "labels.jsonl" and "nearly repeats" in message for name, _, message in problems)


# The shipped data.


def test_the_shipped_data_are_sound_and_checked_in_no_time() -> None:
    start = time.perf_counter()
    problems = validate(ROOT / "data")
    assert time.perf_counter() - start < 30
    assert [str(problem) for problem in problems] == []
