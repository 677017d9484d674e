"""`stance score`: what goes in and comes out by its options, run as a user runs it."""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
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
import zstandard
from newsroom import COMMAND, parts_of, run, write_articles

TEXT = (
    "The harbour master denied on Monday that anyone had been paid for the ferry accounts. The council will meet again."
)
PAGE = f"""<html lang="en"><head><title>Ferry accounts - Amsel Post</title>
<meta property="og:title" content="Ferry accounts in doubt"><meta property="og:site_name" content="Amsel Post">
<meta property="article:published_time" content="2026-03-04T10:00:00Z"></head><body><nav>Home | Sport</nav>
<article><h1>Ferry accounts in doubt</h1><p>{TEXT}</p>
<p>Two former clerks said that they had been asked to sign papers which they had never been given time to read.</p>
<p>Governor Ilse Brandt accused officials in Port Amsel of hiding what they knew about the ferry accounts.</p>
</article></body></html>"""
FRENCH = "Le ministre a nié toute implication. Il demande aux deux parties de reprendre sans délai les discussions."


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def done(*arguments: str | Path, cwd: Path, code: int = 0, **options: Any) -> str:
    ran = run(*arguments, cwd=cwd, **options)
    assert ran.returncode == code, ran.stderr
    return ran.stderr


def write_formats(folder: Path) -> None:
    """Write the same article in every format, plain and packed."""
    record = {"id": "x", "text": TEXT, "date": "2026-03-04", "source": "Amsel Post"}
    plain = {
        "a.txt": TEXT.encode(),
        "b.md": f"---\nid: x\ndate: 2026-03-04\nsource: Amsel Post\n---\n{TEXT}".encode(),
        "c.jsonl": json.dumps(record).encode() + b"\n",
        "d.csv": f"id,text,date,source\nx,{TEXT},2026-03-04,Amsel Post\n".encode(),
        "f.html": PAGE.encode(),
    }
    pq.write_table(pa.Table.from_pylist([record]), folder / "e.parquet")
    plain["e.parquet"] = (folder / "e.parquet").read_bytes()
    page = f"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n{PAGE}".encode()
    headers = (
        *("WARC/1.0", "WARC-Type: response", "WARC-Record-ID: <urn:uuid:0f5cb4a0-1c0f-4d52-9c3b-2f6a0d7a8e11>"),
        *("WARC-Target-URI: http://post.example/ferry", "WARC-Date: 2026-03-05T09:00:00Z"),
        *("Content-Type: application/http; msgtype=response", f"Content-Length: {len(page)}"),
    )
    plain["g.warc"] = "\r\n".join((*headers, "", "")).encode() + page + b"\r\n\r\n"
    for name, content in plain.items():
        (folder / name).write_bytes(content)
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        (folder / f"{name}.zst").write_bytes(zstandard.compress(content))


def test_every_format_is_read_plain_and_packed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_formats(tmp_path / "in")
    told = done("score", "in", "-o", "o.jsonl", cwd=tmp_path)
    assert "21 articles in = 21 out + 0 rejects" in told
    rows = lines(tmp_path / "o.jsonl")
    assert [row["text"] for row in rows].count(TEXT.partition(". ")[0] + ".") == 21
    assert sum("denial" in row["labels"] for row in rows) == 21
    about = {(row["date"], row["source"]) for row in rows if not row["article_id"].startswith("a.txt")}
    assert about == {("2026-03-04", "Amsel Post")}
    pages = [row["article_id"] for row in rows if row["text"] == "Ferry accounts in doubt"]
    assert sorted(pages) == ["f.html", "f.html.gz", "f.html.zst", *["http://post.example/ferry"] * 3]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "html", "warc", "parquet", "txt"])
def test_every_format_may_come_through_stdin(tmp_path: Path, kind: str) -> None:
    write_formats(tmp_path)
    [path] = [each for each in tmp_path.iterdir() if each.suffix == f".{kind}"]
    with path.open("rb") as stream:
        ran = run("score", "-", "--format", kind, "--json", cwd=tmp_path, stdin=stream)
    assert ran.returncode == 0, ran.stderr
    assert sum("denial" in json.loads(line)["labels"] for line in ran.stdout.splitlines()) == 1


def test_columns_are_named_by_options(tmp_path: Path) -> None:
    record = {"story": TEXT, "key": 7, "day": "2026-03-04", "paper": "Amsel Post", "text": "no"}
    pq.write_table(pa.Table.from_pylist([record]), tmp_path / "a.parquet")
    (tmp_path / "b.jsonl").write_text(json.dumps(record))
    (tmp_path / "c.csv").write_text(f"{','.join(record)}\n{','.join(map(str, record.values()))}\n")
    options = ("--text-column", "story", "--id-column", "key", "--date-column", "day", "--source-column", "paper")
    done("score", "a.parquet", "b.jsonl", "c.csv", "-o", "o.jsonl", *options, cwd=tmp_path)
    found = {(row["article_id"], row["date"], row["source"]) for row in lines(tmp_path / "o.jsonl")}
    assert found == {("7", "2026-03-04", "Amsel Post")}
    assert len(lines(tmp_path / "o.jsonl")) == 6


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    write_articles(folder / "a.jsonl", 600, sentences=16)
    with (folder / "a.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"id": "fr", "text": FRENCH}, ensure_ascii=False) + "\n")
    done("score", "a.jsonl", "-o", "a-rows.jsonl", cwd=folder, code=1)
    return folder


def test_the_three_formats_say_the_same(desk: Path, tmp_path: Path) -> None:
    rows = lines(desk / "a-rows.jsonl")
    for name in ("o.csv", "o.parquet"):
        told = done("score", desk / "a.jsonl", "-o", name, "--jobs", "2", cwd=tmp_path, code=1)
        assert "601 articles in = 598 out + 3 rejects, in " in told
        assert "1 article not in English and not labelled" in told
        assert len(lines(tmp_path / f"{name}.rejects.jsonl")) == 3
    assert pq.read_table(tmp_path / "o.parquet").to_pylist() == rows
    with (tmp_path / "o.csv").open(encoding="utf-8", newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [(row["article_id"], row["labels"]) for row in table] == [
        (row["article_id"], "|".join(row["labels"])) for row in rows
    ]
    assert [row["p_denial"] for row in table[-2:]] == ["", ""]


@pytest.mark.parametrize("to", ["jsonl", "csv", "parquet"])
def test_a_folder_of_parts_holds_what_a_file_does(desk: Path, tmp_path: Path, to: str) -> None:
    done("score", desk / "a.jsonl", "-o", f"file.{to}", cwd=tmp_path, code=1)
    done("score", desk / "a.jsonl", "-o", "folder/", "--to", to, "--part-size", "1", cwd=tmp_path, code=1)
    parts = [tmp_path / "folder" / part["file"] for part in parts_of(tmp_path / "folder")]
    if to == "parquet":
        # Readers of such folders pass over what is no data.
        assert pq.read_table(tmp_path / "folder").equals(pq.read_table(tmp_path / "file.parquet"))
        return
    contents = [part.read_bytes() for part in parts]
    if to == "csv":
        header = contents[0].partition(b"\r\n")[0] + b"\r\n"
        contents[1:] = [content.removeprefix(header) for content in contents[1:]]
    assert b"".join(contents) == (tmp_path / f"file.{to}").read_bytes()


def test_any_language(desk: Path, tmp_path: Path) -> None:
    told = done("score", desk / "a.jsonl", "-o", "o.jsonl", "--any-language", cwd=tmp_path, code=1)
    assert "1 article not in English" in told
    assert "not labelled" not in told
    assert all(row["p_denial"] is not None for row in lines(tmp_path / "o.jsonl"))
    flagged = [row for row in lines(desk / "a-rows.jsonl") if row["language"] != "en"]
    assert [(row["article_id"], row["language"], row["labels"], row["p_denial"]) for row in flagged] == [
        ("fr", "fr", [], None)
    ] * 2


def test_nested_rows(desk: Path, tmp_path: Path) -> None:
    options = ("--nested", "--with-text", "--only-labelled")
    done("score", desk / "a.jsonl", "-o", "o.jsonl", *options, cwd=tmp_path, code=1)
    done("score", desk / "a.jsonl", "-o", "o.parquet", *options, cwd=tmp_path, code=1)
    found = lines(tmp_path / "o.jsonl")
    assert pq.read_table(tmp_path / "o.parquet").to_pylist() == found
    assert len(found) == 598
    for row in found:
        for one in row["statements"]:
            assert row["text"][one["start"] : one["end"]] == one["text"]
            assert one["labels"]


class TestAppending:
    def test_parts_are_added_and_copies_marked_across_runs(self, desk: Path, tmp_path: Path) -> None:
        done("score", desk / "a.jsonl", "-o", "lake", "--to", "parquet", "--dedupe", cwd=tmp_path, code=1)
        first = pq.read_table(tmp_path / "lake")
        again = [{**json.loads(line), "id": f"again-{number}"} for number, line in enumerate(self.articles(desk))]
        (tmp_path / "b.jsonl").write_text("".join(json.dumps(each) + "\n" for each in again))
        command = ("score", "b.jsonl", "--append-to", "lake", "--dedupe")
        assert f"{len(again)} articles much like an earlier one" in done(*command, cwd=tmp_path)
        table = pq.read_table(tmp_path / "lake").to_pylist()
        assert [row for row in table if not row["article_id"].startswith("again")] == first.to_pylist()
        added = [row for row in table if row["article_id"].startswith("again")]
        assert {row["article_id"] for row in added} == {each["id"] for each in again}
        assert not any((row["duplicate_of"] or "again").startswith("again") for row in added)
        # The same command adds nothing twice.
        assert "lake: this run is complete already; nothing was added" in done(*command, cwd=tmp_path)
        assert pq.read_table(tmp_path / "lake").num_rows == len(table)

    @staticmethod
    def articles(desk: Path) -> list[str]:
        return (desk / "a.jsonl").read_text(encoding="utf-8").splitlines()[:50]

    def test_a_folder_that_others_wrote_may_be_added_to(self, desk: Path, tmp_path: Path) -> None:
        done("score", desk / "a.jsonl", "-o", "one.parquet", cwd=tmp_path, code=1)
        (tmp_path / "lake" / "month=1").mkdir(parents=True)
        table = pq.read_table(tmp_path / "one.parquet")
        # Others call the elements of lists otherwise, and have longer strings.
        labels = pa.list_(pa.field("element", pa.string()))
        other = table.set_column(8, "labels", table["labels"].cast(labels)).set_column(
            0, "article_id", table["article_id"].cast(pa.large_string())
        )
        pq.write_table(other, tmp_path / "lake" / "month=1" / "x.parquet")
        done("score", desk / "a.jsonl", "--append-to", "lake", cwd=tmp_path, code=1)
        assert len(list((tmp_path / "lake").glob("part-*.parquet"))) == 1

    def test_other_columns_are_refused(self, desk: Path, tmp_path: Path) -> None:
        (tmp_path / "lake").mkdir()
        done("score", desk / "a.jsonl", "-o", "lake/x.parquet", cwd=tmp_path, code=1)
        command = ("score", desk / "a.jsonl", "--append-to", "lake")
        assert "lake/x.parquet: has the columns article_id" in done(*command, "--nested", cwd=tmp_path, code=2)
        table = pq.read_table(tmp_path / "lake" / "x.parquet")
        start = table.column_names.index("start")
        pq.write_table(table.set_column(start, "start", table["start"].cast("int64")), tmp_path / "lake" / "x.parquet")
        assert "column start is int64, in the new rows int32" in done(*command, cwd=tmp_path, code=2)


def test_copies_are_marked_in_a_file(desk: Path, tmp_path: Path) -> None:
    told = done("score", desk / "a.jsonl", "-o", "o.jsonl", "--dedupe", cwd=tmp_path, code=1)
    marked = {row["article_id"]: row["duplicate_of"] for row in lines(tmp_path / "o.jsonl")}
    copies = {name: first for name, first in marked.items() if first}
    assert f"{len(copies)} articles much like an earlier one" in told
    assert len(copies) >= 11
    assert all(int(first[1:]) < int(name[1:]) for name, first in copies.items())
    assert {path.name for path in tmp_path.iterdir()} == {"o.jsonl", "o.jsonl.rejects.jsonl"}


def test_what_was_done_stays_when_too_much_is_refused(desk: Path, tmp_path: Path) -> None:
    command = ("score", desk / "a.jsonl", "-o", "out", "--part-size", "1")
    # The third reject is article 512; the first part ends before it.
    told = done(*command, "--max-rejects", "2", cwd=tmp_path, code=2)
    assert re.search(r"a\.jsonl:513: .* \(reject 3, where --max-rejects is 2\); .*; 0 parts are whole in out$", told)
    done(*command, cwd=tmp_path, code=1)
    told = done("score", desk / "a.jsonl", "-o", "o.jsonl", "--strict", cwd=tmp_path, code=2).splitlines()
    assert [line.partition(": ")[0] for line in told] == ["reject", "stance"]
    assert re.search(r"a\.jsonl:171: .* \(reject 1, where --max-rejects is 0\); mend it, or allow more$", told[1])
    assert not (tmp_path / "o.jsonl").exists()
    assert len(lines(tmp_path / "o.jsonl.rejects.jsonl")) == 1


def test_many_rejects_are_not_all_told(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{bad\n" * 100)
    told = done("score", "a.jsonl", "-o", "o.jsonl", cwd=tmp_path, code=1).splitlines()
    assert len(told) == 22
    assert told[20] == "reject: further ones are not told one by one"
    assert len(lines(tmp_path / "o.jsonl.rejects.jsonl")) == 100


def test_a_feed_is_answered_as_it_comes(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "score", "-", "--format", "jsonl", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(3):
            process.stdin.write(json.dumps({"id": str(number), "text": "He denied it."}).encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["article_id"] == str(number)
        process.stdin.close()
        assert process.wait(timeout=60) == 0


@pytest.mark.skipif(shutil.which("script") is None or sys.platform != "linux", reason="needs script(1)")
def test_a_terminal_sees_how_far_a_run_is(desk: Path, tmp_path: Path) -> None:
    for number in range(4):
        shutil.copy(desk / "a.jsonl", tmp_path / f"{number}.jsonl")
    command = " ".join([*COMMAND, "score", "*.jsonl", "-o", "o.csv"])
    ran = subprocess.run(
        ["script", "-qec", command, "/dev/null"], capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False
    )
    assert ran.returncode == 1
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", ran.stdout)
    assert re.search(r"[\d,]+ articles .* \d+% .*[MkB]/s \d:\d\d:\d\d", shown), shown[-500:]


def test_a_long_statement_is_marked_in_csv(tmp_path: Path) -> None:
    text = "He denied that " + "it was ever paid and " * 10_000
    records = [{"id": name, "text": text} for name in "ab"]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records))
    done("score", "a.jsonl", "-o", "o.csv", "--dedupe", cwd=tmp_path)
    limit = csv.field_size_limit(1 << 20)
    try:
        with (tmp_path / "o.csv").open(newline="") as stream:
            assert [row["duplicate_of"] for row in csv.DictReader(stream)] == ["", "a"]
    finally:
        csv.field_size_limit(limit)


def test_a_date_line_loses_no_article_at_the_limit(tmp_path: Path) -> None:
    from stance import limits
    from stance.articles import read_articles
    from stance.records import Reject

    # As many ends as fit while the date is not yet counted.
    for field in range(limits.LARGEST_FIELD - 40, limits.LARGEST_FIELD - 4):
        ends = limits.LARGEST_ROWS // (250 + field)
        record = {"id": "x" * field, "text": "23 Nov 2021\n" + "a. " * (ends // 2)}
        (tmp_path / f"{field}.jsonl").write_text(json.dumps(record))
    found = list(read_articles([tmp_path]))
    for kind in ("jsonl", "parquet"):
        refused = sum(isinstance(each, Reject) for each in found)
        ran = run("score", tmp_path, "-o", f"o/o.{kind}", "--only-labelled", cwd=tmp_path)
        assert f"{len(found)} articles in = {len(found) - refused} out + {refused} reject" in ran.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")
@pytest.mark.parametrize("moment", [0.02, 0.2, 0.6, 1.2])
def test_an_interrupt_is_one_line_whatever_the_jobs(desk: Path, tmp_path: Path, moment: float) -> None:
    for number in range(8):
        shutil.copy(desk / "a.jsonl", tmp_path / f"{number}.jsonl")
    # A run in the background of a shell ignores interrupts, and hands that on; at a terminal nobody does.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        process = subprocess.Popen(
            [*COMMAND, "score", ".", "-o", "out", "--jobs", "2", "--part-size", "1"],
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            text=True,
            start_new_session=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    # Before that, Python itself is still beginning.
    while not (tmp_path / "out" / "_manifest.jsonl").exists():
        assert process.poll() is None
        time.sleep(0.01)
    try:
        told = process.communicate(timeout=moment)[1]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGINT)
        told = process.communicate(timeout=60)[1]
    assert process.returncode in (1, 130)
    assert "Traceback" not in told
    last = told.splitlines()[-1]
    if process.returncode == 130:
        assert last == "stance: error: interrupted; finished files are whole, unfinished ones were not written"


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_what_came_before_a_late_failure_is_printed(tmp_path: Path, jobs: str) -> None:
    (tmp_path / "a.csv").write_text("text\nHe denied it.\nThey met.\n")
    ran = run("score", "a.csv", "-", "--format", "csv", "--json", "--jobs", jobs, cwd=tmp_path, input="x\n1\n")
    assert ran.returncode == 2
    assert len(ran.stdout.splitlines()) == 2
    assert ran.stderr.splitlines()[-1].startswith("stance: error: stdin: has no column text")
