"""A new codebook: its folder, and the same commands on rows of another form."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result

import stance
from stance.cli import cli
from stance.dataset import RowForm, load_dataset, read_annotated
from stance.labels import read_labels
from stance.layout import labels_in, lay_out
from stance.records import DataError, InputError
from stance.settings import stored_settings

ROOT: Final = Path(__file__).resolve().parent.parent
VERBS: Final = {"GIVE": "sent grain to", "SHUT": "closed the border with", "none": "lies to the north of"}


def rows(count: int) -> list[dict[str, Any]]:
    """Return statements in which only the words between the marks tell the code."""
    places = ["Oslo", "Lima", "Quito", "Dakar", "Riga", "Hanoi"]
    made = []
    for number in range(count):
        code = list(VERBS)[number % len(VERBS)]
        one, two = places[number % 6], places[(number * 5 + 2) % 6]
        day = ("Monday", "Tuesday", "Friday")[number // 3 % 3]
        made.append(
            {"marked": f"On {day} <s>{one}</s> {VERBS[code]} <t>{two}</t>, it says in item {number}", "code": code}
        )
    return made


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    for name, found in (("train", rows(90)), ("test", rows(30))):
        Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(cli, arguments, catch_exceptions=False)

    return invoke


FORM: Final = ("--label-field", "code", "--text-field", "marked")


def test_another_codebook_through_the_same_commands(run: Callable[..., Result], tmp_path: Path) -> None:
    made = run("init", "mine", "--rows", "train.jsonl", "--label-field", "code", "--exclusive", "--marks", "s,t")
    assert made.exit_code == 0, made.output
    labels = read_labels(tmp_path / "mine" / "labels.toml")
    assert (labels.names, labels.exclusive) == (("GIVE", "SHUT", "none"), True)
    assert stored_settings(tmp_path / "mine").marks == ("s", "t")
    trained = run("train", "--data", "mine", "--rows", "train.jsonl", *FORM, "--all-rows", "--output", "model")
    assert trained.exit_code == 0, trained.output
    measured = run("evaluate", "--model", "model", "--data", "test.jsonl", *FORM, "--marks", "s,t", "--json")
    assert json.loads(measured.stdout)["macro_f1"]["value"] == 1.0

    model = stance.load("model")
    one, other = model.predict(
        ["On Friday <s>Lima</s> sent grain to <t>Riga</t>", "On Friday <s>The Moon</s> sent grain to <t>Mars</t>"]
    )
    assert one.labels == ("GIVE",)
    assert one.scores == other.scores, "a marked span counts as one word, whoever stands in it"
    assert sum(one.probabilities.values()) == pytest.approx(1.0)
    north = model.predict("On Monday <s>Oslo</s> lies to the north of <t>Lima</t>")
    assert (north.labels, north.label) == (("none",), "none"), "a codebook may list none as a label"


def test_some_rows_are_held_apart_unless_told_otherwise(run: Callable[..., Result], tmp_path: Path) -> None:
    lay_out(tmp_path / "mine", list(VERBS), exclusive=True)
    trained = run("train", "--data", "mine", "--rows", "train.jsonl", *FORM, "--output", "model")
    assert trained.exit_code == 0, trained.output
    assert "split:held-apart" in trained.stdout
    assert 0 < stance.load("model").about["rows"]["held_apart"] < 90


def test_marks_that_no_row_has_are_refused(run: Callable[..., Result]) -> None:
    Path("plain.jsonl").write_text(
        '{"marked": "<s>Oslo</s> paid", "code": "a"}\n{"marked": "Oslo paid", "code": "b"}\n'
    )
    run("init", "mine", "--labels", "a,b")
    refused = CliRunner().invoke(
        cli, ["train", "--data", "mine", "--rows", "plain.jsonl", *FORM, "--marks", "s,t", "--output", "model"]
    )
    assert isinstance(refused.exception, DataError)
    assert "plain.jsonl:2: marked holds no <s> or <t>; name the marked field" in str(refused.exception)


def test_what_is_laid_out_passes_the_checks(tmp_path: Path) -> None:
    written = lay_out(tmp_path / "mine", ["yes", "no"], marks=["s"])
    assert sorted(path.name for path in written) == ["CODEBOOK.md", "labels.toml", "lexicon.toml", "settings.json"]
    rules = (tmp_path / "mine" / "CODEBOOK.md").read_text()
    assert "## yes" in rules
    assert "zero, one or several labels" in rules
    with pytest.raises(DataError, match="no annotated statements"):
        load_dataset(tmp_path / "mine")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(InputError, match="holds something already"):
        lay_out(tmp_path, ["yes"])
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]
    with pytest.raises(InputError, match="holds something already"):
        lay_out(tmp_path / "note.txt", ["yes"])


def test_labels_are_taken_from_lists_and_strings(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"labels": ["b", "a"]}\n{"labels": "c"}\n{"labels": []}\n')
    assert labels_in([path], RowForm()) == ["a", "b", "c"]
    path.write_text('{"labels": [1]}\n')
    with pytest.raises(DataError, match=r"rows\.jsonl:1: 'labels' is neither"):
        labels_in([path], RowForm())


# The worked example of docs/.


def test_the_worked_example_is_sound() -> None:
    from stance.lexicon import read_lexicon

    folder = ROOT / "docs" / "plover"
    labels = read_labels(folder / "labels.toml")
    assert labels.exclusive
    assert len(labels.names) == 15
    assert len(read_lexicon(folder / "lexicon.toml").classes) == 40
    rules = (folder / "CODEBOOK.md").read_text(encoding="utf-8")
    assert all(f"## {name}" in rules for name in labels.names)


BENCH: Final = ROOT.parent / "shared" / "bench"


@pytest.mark.skipif(not (BENCH / "plover_root_train.jsonl").exists(), reason="needs the texts of ../shared")
def test_the_worked_example_reaches_its_figure(tmp_path: Path) -> None:
    form = ("--label-field", "label", "--text-field", "marked_text", "--marks", "s,t")
    for command in (
        *(("train", "--data", str(ROOT / "docs" / "plover"), "--all-rows", "--output", str(tmp_path)),),
        *(("evaluate", "--model", str(tmp_path), "--json"),),
    ):
        file = BENCH / f"plover_root_{'train' if command[0] == 'train' else 'test'}.jsonl"
        found = CliRunner().invoke(
            cli, [*command, "--rows" if command[0] == "train" else "--data", str(file), *form], catch_exceptions=False
        )
    assert json.loads(found.stdout)["macro_f1"]["value"] >= 0.73
    # The figure speaks of all test rows, and each of them is read.
    assert len(read_annotated(file, read_labels(ROOT / "docs" / "plover" / "labels.toml"), RowForm("label"))) == 1033
