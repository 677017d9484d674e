"""The README is run: its Python session, its commands with their output, its shell blocks in a folder made for them."""

from __future__ import annotations

import doctest
import gzip
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from stance.model import Model
from stance.rows import statement_id

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
ENVIRONMENT = {**os.environ, "NO_COLOR": "1", "COLUMNS": "120"}


POOL = [
    f"{name} denied the report." if n % 2 else f"It rained in {name}." for n, name in enumerate(map(str, range(90)))
]
# What a person does between two commands of a block: here every part is answered.
READING = """\
for part in ../batch/part-*.txt; do
  { (grep denied "$part" || true) | sed 's/\\t.*/ denial/'; echo end; } > "${part%.txt}.answers"
done
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


def console_commands() -> list[tuple[str, str]]:
    found = []
    for block in blocks("console"):
        for part in block.split("$ ")[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output.rstrip("\n")))
    return found


def test_opens_with_input_and_output() -> None:
    assert README.index("```console") < README.index("## ")


@pytest.mark.parametrize(("command", "output"), console_commands(), ids=lambda value: value[:40])
def test_command_prints_what_the_readme_says(command: str, output: str) -> None:
    name, *arguments = shlex.split(command)
    assert name == "stance"
    ran = subprocess.run(
        [sys.executable, "-m", "stance", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=ENVIRONMENT,
        timeout=120,
        check=True,
    )
    assert ran.stdout.rstrip("\n") == output


def test_python_session() -> None:
    sessions = blocks("python")
    assert sessions
    for session in sessions:
        test = doctest.DocTestParser().get_doctest(session, {}, "README", "README.md", 0)
        assert test.examples
        assert doctest.DocTestRunner().run(test).failed == 0


def test_figures_are_those_of_the_shipped_model(default_model: Model) -> None:
    accuracy = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")
    for text in (README, accuracy):
        assert re.findall(r"\|model:([0-9a-f]+)\|", text) == [default_model.id]


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"\bmake ([a-z]+)\b", "\n".join(blocks("sh")) + "\n".join(re.findall(r"`[^`]*`", README))))
    assert {"score", "test"} <= named
    for target in named:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_make_score() -> None:
    if not (ROOT / ".venv" / ".ready").exists():
        pytest.skip("make has set nothing up here; `make test` runs this")
    # What was passed to `make test` is not meant for this one.
    bare = {name: value for name, value in os.environ.items() if name not in ("ARGS", "MAKEFLAGS", "MFLAGS")}
    ran = subprocess.run(["make", "score"], capture_output=True, text=True, cwd=ROOT, env=bare, timeout=300, check=True)
    assert "dialogue_call" in ran.stdout


@pytest.fixture
def newsroom(tmp_path: Path) -> Path:
    """A folder with everything that the shell blocks name."""
    tmp_path = tmp_path / "newsroom"
    tmp_path.mkdir()
    (tmp_path / "articles").mkdir()
    text = "Harare said the story was false. The union called for talks.\n"
    (tmp_path / "articles" / "one.txt").write_text(text, encoding="utf-8")
    (tmp_path / "news.csv").write_text(f'id,body\n1,"{text}"\n', encoding="utf-8")
    with gzip.open(tmp_path / "news.jsonl.gz", "wt", encoding="utf-8") as stream:
        stream.write(json.dumps({"id": "1", "text": text}) + "\n")
    sentences = [
        {"text": "He denied it.", "labels": ["denial"], "stratum": "a"},
        {"text": "They blamed the mayor for the flood.", "labels": ["accusation"], "stratum": "a"},
        {"text": "Both sides should return to the talks.", "labels": ["dialogue_call"], "stratum": "b"},
        {"text": "It rained.", "labels": [], "stratum": "b"},
    ]
    lines = "".join(json.dumps(each) + "\n" for each in sentences)
    (tmp_path / "sentences.jsonl").write_text(lines, encoding="utf-8")
    codes = (("AID", "sent grain to"), ("BAN", "closed its border with"))
    places = ("Oslo", "Lima", "Quito", "Dakar", "Riga")
    marked = [
        {"text": f"<s>{one}</s> {words} <t>{two}</t>.", "code": code}
        for code, words in codes
        for one in places
        for two in places
    ]
    (tmp_path / "codes.jsonl").write_text("".join(json.dumps(each) + "\n" for each in marked), encoding="utf-8")
    (tmp_path / "data").symlink_to(ROOT / "data")
    (tmp_path / "benchmarks").symlink_to(ROOT / "benchmarks")
    mine = tmp_path / "mydata"
    (mine / "statements").mkdir(parents=True)
    for name in (
        "labels.toml",
        "lexicon.toml",
        *(f"statements/contrast-{kind}.jsonl" for kind in ("denial", "dialogue")),
    ):
        shutil.copy(ROOT / "data" / name, mine / name)
    (tmp_path / "pool.jsonl").write_text(
        "".join(json.dumps({"id": statement_id(text), "text": text}) + "\n" for text in POOL), encoding="utf-8"
    )
    shim = tmp_path / "bin"
    shim.mkdir()
    python = shlex.quote(sys.executable)
    for name, command in (("stance", f"{python} -m stance"), ("python", python)):
        (shim / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
        (shim / name).chmod(0o755)
    return tmp_path


def test_shell_blocks(newsroom: Path) -> None:
    scripts = [block for block in blocks("sh") if "stance " in block and "git clone" not in block]
    assert len(scripts) >= 3
    for script in scripts:
        script = re.sub(r"^# read data/CODEBOOK.*\n", lambda _: READING, script, flags=re.MULTILINE)
        ran = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            capture_output=True,
            text=True,
            cwd=newsroom,
            env={**ENVIRONMENT, "PATH": f"{newsroom / 'bin'}:{os.environ['PATH']}"},
            timeout=300,
            check=False,
        )
        assert ran.returncode == 0, f"{script}\n{ran.stderr}"
    assert (newsroom / "statements.jsonl").exists()
    # What was appended is a copy of what was there.
    names = {row["article_id"]: row["duplicate_of"] for row in pq.read_table(newsroom / "year").to_pylist()}
    assert names == {"one": None, "1": "one"}
    assert (newsroom / "report" / "report.html").exists()
    assert (newsroom / "models" / "mine" / "README.md").exists()
