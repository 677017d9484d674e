from __future__ import annotations

import gzip
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import stance
from stance.cli import cli
from stance.dataset import Dataset, is_held_apart, load_dataset
from stance.rows import statement_id

ROOT = Path(__file__).resolve().parent.parent
BAD = [json.loads(line) for line in (ROOT / "tests/cases/bad_input.jsonl").read_text(encoding="utf-8").splitlines()]
COMMAND = [sys.executable, "-m", "stance"]
TEXT = "Quito denied the report. It rained.\n"


def run(
    *arguments: str, cwd: Path = ROOT, stdin: bytes = b"", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, cwd=cwd, input=stdin, timeout=120, check=False, env=env
    )


def done(*arguments: str, cwd: Path = ROOT, stdin: bytes = b"", env: dict[str, str] | None = None) -> str:
    ran = run(*arguments, cwd=cwd, stdin=stdin, env=env)
    assert ran.returncode == 0, ran.stderr.decode()
    return ran.stdout.decode()


def counts(ran: subprocess.CompletedProcess[bytes]) -> dict[str, int]:
    """Return the numbers of the closing line: articles in, statements out, rejects."""
    line = ran.stderr.decode().splitlines()[-1].replace(",", "")
    found = {noun: re.search(rf"([0-9]+) {noun[:-1]}s?\b", line) for noun in ("articles", "statements", "rejects")}
    return {noun: int(match[1]) for noun, match in found.items() if match}


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that the cases of bad input name."""
    folder = tmp_path_factory.mktemp("desk")
    files: dict[str, bytes] = {
        "good.txt": TEXT.encode(),
        "empty.txt": b"",
        "blank.txt": b" \n\t",
        "nul.txt": b"\0\0\n",
        "latin.txt": "Bogotá denied it.".encode("latin-1"),
        "records.jsonl": b'{"text": "He \\ud800 denied it."}\n{"text": "They\\u0000 met."}\n{"text": 5}\n[1]\n{bad\n',
        "table.csv": b"id,story\n1,He denied it.\n",
        "semicolons.csv": b"id;text\n1;He denied it.\n",
        "annotated.jsonl": b'{"text": "He denied it.", "labels": ["denial"]}\n{"text": "It rained.", "labels": []}\n',
        "pool.jsonl": b'{"id": "%s", "text": "He denied it.", "labels": []}\n' % statement_id("He denied it.").encode(),
        "unknown_label.jsonl": b'{"text": "a", "labels": []}\n{"text": "b", "labels": ["nope"]}\n',
        "nothing/notes.xyz": b"x",
        **dict.fromkeys(("no.parquet", "no.jsonl.gz", "no.jsonl.zst", "no.warc"), b"something else"),
        "empty.html": b"<html><body></body></html>",
        "unknown_field/statements/a.jsonl": b'{"id": "a", "text": "A", "labels": ["denial"], "colour": "red"}\n',
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    for name, table in (("numbers", {"text": [1]}), ("other", {"story": ["A"]}), ("lake/one", {"id": ["A"]})):
        (folder / f"{name}.parquet").parent.mkdir(exist_ok=True)
        pq.write_table(pa.table(table), folder / f"{name}.parquet")
    (folder / "folder.jsonl").mkdir()
    for name in ("labels.toml", "lexicon.toml"):
        shutil.copy(ROOT / "data" / name, folder / "unknown_field" / name)
    for name in ("cut", "changed"):
        shutil.copytree(ROOT / "models" / "default", folder / name)
    (folder / "partial").mkdir()
    shutil.copy(ROOT / "models" / "default" / "model.json", folder / "partial" / "model.json")
    weights = (ROOT / "models" / "default" / "weights.safetensors").read_bytes()
    (folder / "cut" / "weights.safetensors").write_bytes(weights[:1000])
    (folder / "changed" / "weights.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    return folder


@pytest.mark.parametrize("case", BAD, ids=lambda case: " ".join(case["run"]))
def test_bad_input(desk: Path, case: dict[str, Any]) -> None:
    before = {path: path.read_bytes() for path in desk.rglob("*") if path.is_file()}
    ran = run(*case["run"], cwd=desk, stdin=case.get("stdin", "").encode(case.get("encoding", "utf-8")))
    messages = ran.stderr.decode().splitlines()
    assert ran.returncode == case["code"]
    assert case["says"] in ran.stderr.decode()
    assert "Traceback" not in ran.stderr.decode()
    if case["code"] == 2:
        assert len(messages) == 1
        assert messages[0].startswith("stance: error: ")
    assert len(ran.stdout.splitlines()) == case.get("lines", 0)
    assert {path: path.read_bytes() for path in desk.rglob("*") if path.is_file()} == before


def test_every_command_has_help_and_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    overview = done("--help")
    for name in cli.commands:
        assert f"stance {name}" in readme
        line = next(line for line in overview.splitlines() if line.split()[:1] == [name])
        assert "..." not in line
        text = done(name, "-h")
        assert text.startswith(f"Usage: stance {name}")
        # Every option says what it does.
        assert not re.search(r"^  --?\S+( [A-Z=\[\]|a-z]+)?\s*$(?!\n {10})", text, flags=re.MULTILINE)


def test_version() -> None:
    assert done("--version") == f"stance {stance.__version__} (compiled kernel)\n"
    slow = done("--version", env={**os.environ, "STANCE_REFERENCE": "1"})
    assert slow == f"stance {stance.__version__} (readable reference, which is slower: no compiled kernel is in use)\n"


class TestPredict:
    def test_json_is_what_python_says(self) -> None:
        made = stance.predict("Quito denied the report.")
        found = json.loads(done("predict", "--json", "Quito denied the report."))
        assert found["labels"] == list(made.labels)
        assert found["probabilities"] == made.probabilities
        assert found["scores"] == made.scores

    def test_lines_of_stdin(self) -> None:
        lines = done("predict", "--json", stdin="One denied it.\u2028Still one.\n\nTwo met.\n".encode()).split("\n")[
            :-1
        ]
        assert [json.loads(line)["text"] for line in lines] == ["One denied it.\u2028Still one.", "Two met."]

    def test_threshold(self) -> None:
        text = "Quito denied the report."
        assert json.loads(done("predict", "--json", "--threshold", "denial=1", text))["labels"] == []
        given = json.loads(done("predict", "--json", "--threshold", "accusation=0", text))["labels"]
        assert given == ["denial", "accusation"]


class TestExplain:
    def test_json_sums_to_the_score(self) -> None:
        found = json.loads(done("explain", "--json", "Quito denied the report."))
        for name, score in found["scores"].items():
            total = found["intercepts"][name] + sum(each["weights"][name] for each in found["contributions"])
            assert total == pytest.approx(score, abs=1e-9)

    def test_lines_sum_to_the_score(self) -> None:
        lines = done("explain", "--label", "denial", "--top", "3", "Quito denied the report.").splitlines()
        score = float(re.search(r"score ([+-][\d.]+)", lines[0])[1])  # type: ignore[index]
        assert sum(float(line.split()[0]) for line in lines[1:]) == pytest.approx(score, abs=0.005)


class TestScore:
    def test_every_format_alone_and_packed(self, tmp_path: Path) -> None:
        record = json.dumps({"text": TEXT.strip()})
        for name, content in (
            ("a.txt", TEXT),
            ("a.md", f"---\nsource: Paper\n---\n{TEXT}"),
            ("a.jsonl", record),
            ("a.csv", f"text\n{TEXT}"),
        ):
            (tmp_path / name).write_text(content, encoding="utf-8")
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content.encode()))
        ran = run("score", ".", "--json", cwd=tmp_path)
        rows = [json.loads(line) for line in ran.stdout.splitlines()]
        assert counts(ran) == {"articles": 8, "statements": 16, "rejects": 0}
        assert len({row["article_id"] for row in rows}) == 8
        assert {row["text"] for row in rows} == {"Quito denied the report.", "It rained."}
        globbed = run("score", "a.t*", "--json", cwd=tmp_path)
        assert globbed.stderr.startswith(b"2 articles in")

    def test_stdin(self) -> None:
        for content in (TEXT, json.dumps({"text": TEXT})):
            assert len(done("score", "-", "--json", stdin=content.encode()).splitlines()) == 2

    def test_files_and_rejects(self, desk: Path, tmp_path: Path) -> None:
        output = tmp_path / "o.jsonl"
        for _ in range(2):
            ran = run("score", "records.jsonl", "good.txt", "-o", str(output), cwd=desk)
            assert ran.returncode == 1
            assert counts(ran) == {"articles": 6, "statements": 4, "rejects": 3}
        refused = [json.loads(line) for line in Path(f"{output}.rejects.jsonl").read_text().splitlines()]
        assert [each["line"] for each in refused] == [3, 4, 5]
        assert all(each["reason"] and each["raw"] for each in refused)
        columns = ["article_id", "source", "date", "language", "statement_no", "start", "end", "text", "labels"]
        for line in output.read_text(encoding="utf-8").splitlines():
            assert list(json.loads(line))[:9] == columns

    def test_a_second_run_does_not_read_its_own_output(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text(TEXT)
        for _ in range(2):
            ran = run("score", ".", "-o", "o.jsonl", cwd=tmp_path)
            assert counts(ran) == {"articles": 1, "statements": 2, "rejects": 0}

    def test_ten_megabytes_in_one_line(self, tmp_path: Path) -> None:
        (tmp_path / "long.txt").write_text("Quito denied the report, " * 400_000)
        (tmp_path / "long.jsonl").write_text(json.dumps({"text": "Quito denied the report. " * 4_000}))
        ran = run("score", "long.txt", "long.jsonl", "-o", "o.csv", cwd=tmp_path)
        assert ran.returncode == 0
        assert counts(ran) == {"articles": 2, "statements": 4001, "rejects": 0}

    def test_a_pipe_closed_early(self, tmp_path: Path) -> None:
        (tmp_path / "many.jsonl").write_text((json.dumps({"text": TEXT}) + "\n") * 3000)
        with subprocess.Popen(
            [*COMMAND, "score", "many.jsonl", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert json.loads(process.stdout.readline())["labels"] == ["denial"]
            process.stdout.close()
            message = process.stderr.read().decode()
            assert process.wait(timeout=60) == 2
        assert message.splitlines() == [
            "stance: error: output: the pipe was closed early; what was printed before is valid"
        ]

    @pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
    def test_an_ended_run_leaves_no_half_file(self, tmp_path: Path, how: signal.Signals) -> None:
        (tmp_path / "many.jsonl").write_text((json.dumps({"text": TEXT}) + "\n") * 60_000)
        (tmp_path / "o.jsonl").write_text("old")
        # A run in the background of a shell ignores interrupts, and hands that on; at a terminal nobody does.
        before = signal.signal(how, signal.SIG_DFL)
        try:
            process = subprocess.Popen(
                [*COMMAND, "score", "many.jsonl", "-o", "o.jsonl"], stderr=subprocess.PIPE, cwd=tmp_path
            )
        finally:
            signal.signal(how, before)
        with process:
            limit = time.monotonic() + 30
            while len(list(tmp_path.iterdir())) < 3 and time.monotonic() < limit:
                time.sleep(0.02)
            process.send_signal(how)
            assert process.wait(timeout=60) not in (0, 1)
        assert (tmp_path / "o.jsonl").read_text() == "old"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["many.jsonl", "o.jsonl"]

    def test_no_colour(self, desk: Path) -> None:
        script = shutil.which("script")
        assert script, "the program `script` of util-linux is needed to stand in for a terminal"
        found = {}
        for value in ("", "1"):
            found[value] = subprocess.run(
                [script, "-qec", f"{sys.executable} -m stance score good.txt", "/dev/null"],
                capture_output=True,
                cwd=desk,
                env={**os.environ, "NO_COLOR": value, "TERM": "xterm"},
                timeout=60,
                check=True,
            ).stdout
        assert b"\x1b[1m" in found[""]
        assert b"\x1b[" not in found["1"]


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory, small_dataset: Dataset) -> Path:
    """A data folder of another codebook, trained by the command."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "data" / "statements").mkdir(parents=True)
    labels = '[[label]]\nname = "no"\n\n[[label]]\nname = "blame"\n'
    (folder / "data" / "labels.toml").write_text(labels)
    shutil.copy(ROOT / "data" / "lexicon.toml", folder / "data" / "lexicon.toml")
    names = {"denial": "no", "accusation": "blame"}
    rows = [
        {"id": row.id, "text": row.text, "labels": [names[name] for name in row.labels if name in names]}
        | ({"set": row.set} if row.set else {})
        for row in small_dataset.own
    ]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "data" / "statements" / "a.jsonl").write_text(lines, encoding="utf-8")
    done("train", "--data", "data", "--output", "model", cwd=folder)
    return folder


class TestTrainAndEvaluate:
    def test_the_model_predicts(self, mine: Path) -> None:
        found = json.loads(done("predict", "--json", "--model", "model", "The mayor denied the claim.", cwd=mine))
        assert list(found["probabilities"]) == ["no", "blame"]

    def test_the_card_speaks_of_this_data_alone(self, mine: Path) -> None:
        card = (mine / "model" / "README.md").read_text(encoding="utf-8")
        assert "`blame`" in card
        assert "kappa" not in card
        assert "denial" not in card

    def test_evaluate_on_the_folder_and_on_a_file(self, mine: Path) -> None:
        table = done("evaluate", "--data", "data", "--model", "model", "--resamples", "20", cwd=mine)
        assert "split:held-apart" in table
        assert "Worst errors" in table
        rows = [{"text": "He denied it.", "labels": ["no"], "desk": "a"}, {"text": "It rained.", "labels": []}]
        (mine / "file.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        found = json.loads(
            done(
                *("evaluate", "--data", "file.jsonl", "--model", "model", "--by", "desk", "--resamples", "20"),
                *("--json", "--report", "report"),
                cwd=mine,
            )
        )
        assert found["rows"] == 2
        assert set(found["by"]) == {"a", "(none)"}
        assert found["signature"]["split"] == "file"
        assert (mine / "report" / "report.html").stat().st_size > 10_000

    def test_extract_and_validate(self, mine: Path) -> None:
        texts = [
            f"The guild of {town} denied the report of debts." for town in ("Lome", "Faro", "Bern", "Oslo", "Riga")
        ]
        ids = [json.loads(line)["id"] for line in self.extracted(mine, texts)]
        assert ids == sorted(ids)
        assert "The guild" not in (mine / "data" / "standoff" / "labels.jsonl").read_text()
        assert "5 stand-off rows" in done("validate", "--data", "data", cwd=mine)

    def extracted(self, mine: Path, texts: list[str]) -> list[str]:
        from stance.rows import statement_id

        rows = [
            {"id": statement_id(text), "text": text, "labels": ["no"], "origin": "a/b", "path": f"{number}.txt"}
            for number, text in enumerate(texts)
        ]
        (mine / "real.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        printed = done("extract", "--data", "data", "--labels", "real.jsonl", "--texts", "real.jsonl", cwd=mine)
        assert printed.startswith("5 rows (5 added, 0 replaced")
        return (mine / "data" / "standoff" / "labels.jsonl").read_text().splitlines()


class TestRunsThatFail:
    """What is left when something goes wrong half way."""

    @pytest.mark.parametrize("older", [None, b"older"])
    def test_output_is_untouched_and_rejects_are_kept(self, tmp_path: Path, older: bytes | None) -> None:
        (tmp_path / "rows.csv").write_text("text\nHe denied it.\na,b\n")
        if older is not None:
            (tmp_path / "o.jsonl").write_bytes(older)
        # The header of stdin can be read only when its turn comes.
        ran = run("score", "rows.csv", "-", "--format", "csv", "-o", "o.jsonl", cwd=tmp_path, stdin=b"x\ny\n")
        assert ran.returncode == 2
        messages = ran.stderr.decode().splitlines()
        assert [message.split(": ")[0] for message in messages] == ["reject", "stance"]
        assert messages[1].startswith("stance: error: stdin: has no column text")
        assert ((tmp_path / "o.jsonl").read_bytes() if older is not None else None) == older
        refused = [json.loads(line) for line in (tmp_path / "o.jsonl.rejects.jsonl").read_text().splitlines()]
        assert [(each["source"], each["line"], each["raw"]) for each in refused] == [("rows.csv", 3, "a,b")]
        left = {"rows.csv", "o.jsonl.rejects.jsonl", *(["o.jsonl"] if older is not None else [])}
        assert {path.name for path in tmp_path.iterdir()} == left

    def test_a_full_disk(self) -> None:
        if not Path("/dev/full").exists():
            pytest.skip("only Linux has /dev/full")
        for arguments in (("predict", "He denied it."), ("score", "seeds", "--json")):
            with Path("/dev/full").open("wb") as full:
                ran = subprocess.run(
                    [*COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE, cwd=ROOT, timeout=60, check=False
                )
            assert ran.returncode == 2
            assert ran.stderr.startswith(b"stance: error: output: No space left")
            assert len(ran.stderr.splitlines()) == 1

    @pytest.mark.parametrize(
        ("command", "code"),
        [("score seeds --json >&-", 0), ("predict <&-", 2), ("predict 'He denied it.' 2>&-", 0)],
    )
    def test_a_stream_that_the_caller_closed(self, command: str, code: int) -> None:
        script = f"{shlex.join(COMMAND)} {command}"
        ran = subprocess.run(["sh", "-c", script], capture_output=True, cwd=ROOT, timeout=60, check=False)
        assert ran.returncode == code
        assert b"Traceback" not in ran.stderr
        assert len(ran.stderr.splitlines()) <= 1

    def test_a_message_is_one_short_line_whatever_a_file_holds(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text('"x\n\x1b[31m","' + "y" * 50_000 + '"\n')
        ran = run("score", "a.csv", cwd=tmp_path)
        assert ran.returncode == 2
        assert ran.stderr.startswith(b"stance: error: a.csv: has no column")
        assert len(ran.stderr.splitlines()) == 1
        assert b"\x1b" not in ran.stderr
        assert len(ran.stderr) < 1500
        (tmp_path / "bad\x1b[31m\nname.txt").write_text(" ")
        ran = run("score", "bad*", cwd=tmp_path)
        assert ran.returncode == 1
        assert b"\x1b" not in ran.stderr
        assert len(ran.stderr.splitlines()) == 2


def test_json_reasons_of_one_label() -> None:
    found = json.loads(done("explain", "--json", "--label", "denial", "Quito denied the report."))
    assert set(found["intercepts"]) == {"denial"}
    assert {tuple(each["weights"]) for each in found["contributions"]} == {("denial",)}


def test_a_model_is_kept_where_nothing_is_held_apart(tmp_path: Path) -> None:
    (tmp_path / "data" / "statements").mkdir(parents=True)
    for name in ("labels.toml", "lexicon.toml"):
        shutil.copy(ROOT / "data" / name, tmp_path / "data" / name)
    rows = [row for row in load_dataset(ROOT / "data", own_only=True).own if not is_held_apart(row.group)][::8]
    # The name of the group decides what is held apart, so it stays as it is.
    lines = (json.dumps({"id": row.id, "text": row.text, "labels": row.labels, "set": row.group}) for row in rows)
    (tmp_path / "data" / "statements" / "a.jsonl").write_text("\n".join(lines))
    (tmp_path / "data" / "PROVENANCE.md").write_bytes(b"Read by two \xff clerks.")
    ran = run("train", "--data", "data", "--output", "model", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr.decode()
    assert ran.stdout == b""
    assert b"no row of the dataset is held apart" in ran.stderr
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert "0 are held apart." in card
    assert "Read by two \ufffd clerks." in card
    assert "F1" not in card
    assert json.loads(done("predict", "--json", "--model", "model", "He denied it.", cwd=tmp_path))["labels"]


def test_a_round_of_annotation(tmp_path: Path) -> None:
    """Draw, read, take back, compare, extract: as an annotator's desk does it."""
    texts = [f"The mayor of town {n} denied the report." if n % 2 else f"It rained in town {n}." for n in range(60)]
    pool = tmp_path / "pool.jsonl"
    pool.write_text("".join(json.dumps({"id": statement_id(text), "text": text}) + "\n" for text in texts))
    data = tmp_path / "data"
    data.mkdir()
    for name in ("labels.toml", "lexicon.toml"):
        shutil.copy(ROOT / "data" / name, data / name)
    arguments = ("--size", "30", "--round", "4", "--part-rows", "20", "--twice", "0.5", "--favour", "denial=3")
    said = done("sample", "draw", str(pool), "--to", "batch", "--data", "data", *arguments, cwd=tmp_path)
    assert "random" in said
    assert "60 candidates (30 wanted" in said
    assert "to another reader" in said
    for part in (tmp_path / "batch").glob("part-*.txt"):
        denials = [line.split("\t")[0] for line in part.read_text().splitlines() if "denied" in line]
        part.with_suffix(".answers").write_text("".join(f"{number} den\n" for number in denials) + "end\n")
    collected = done("sample", "collect", "batch", "--to", "labels.jsonl", "--data", "data", cwd=tmp_path)
    assert "0 settled by a third reading, 0 borderline" in collected
    compared = done("agreement", "batch/first.jsonl", "batch/second.jsonl", "--data", "data", cwd=tmp_path)
    assert "raw agreement 1.000" in compared
    assert "only first 0   only second 0" in compared
    document = json.loads(
        done("agreement", "batch/first.jsonl", "batch/second.jsonl", "--data", "data", "--json", cwd=tmp_path)
    )
    assert document["denial"]["pairs"][0]["kappa"]["value"] == 1.0
    rows = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()]
    assert all(row["weight"] >= 1 and row["round"] == 4 for row in rows)
    made = done("extract", "--labels", "labels.jsonl", "--texts", "pool.jsonl", "--data", "data", cwd=tmp_path)
    assert made.startswith(f"{len(rows):,} rows ({len(rows)} added")
    # What is annotated is not drawn again.
    late = run(
        "sample", "draw", str(pool), "--to", "next", "--data", "data", "--size", "5", "--round", "4", cwd=tmp_path
    )
    assert b"has rows of round 4; give a later one" in late.stderr
    again = done("sample", "draw", str(pool), "--to", "next", "--data", "data", "--size", "5", cwd=tmp_path)
    assert '"round": 5' in (tmp_path / "next" / "rows.jsonl").read_text()
    assert f"{60 - len(rows)} candidates" in again


def test_likely_errors_are_put_into_a_batch(tmp_path: Path, own_dataset: Dataset) -> None:
    rows = [
        {"id": statement_id(row.text), "text": row.text, "path": row.group, "labels": list(row.labels)}
        for row in own_dataset.own[::6]
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "data").mkdir()
    for name in ("labels.toml", "lexicon.toml"):
        shutil.copy(ROOT / "data" / name, tmp_path / "data" / name)
    (tmp_path / "data" / "settings.json").write_text('{"folds": 2}')
    done("extract", "--labels", "rows.jsonl", "--texts", "rows.jsonl", cwd=tmp_path)
    said = done("sample", "recheck", "--texts", "rows.jsonl", "--to", "batch", "--size", "3", cwd=tmp_path)
    assert "3 rows in 1 part" in said
    texts = {" ".join(str(row["text"]).split()) for row in rows}
    listed = [line.split("\t")[1] for line in (tmp_path / "batch" / "part-01.txt").read_text().splitlines()]
    assert len(listed) == 3
    assert set(listed) <= texts
