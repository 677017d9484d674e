"""Output folders: what makes a run refuse to go on, and what it puts right by itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from newsroom import COMMAND, content_of, manifest_of, parts_of, run, write_articles

ARGUMENTS = ("score", "in", "-o", "out", "--part-size", "1")
PARTS = 4


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an input and what was made of it."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "in").mkdir()
    for number, name in enumerate(("a.jsonl", "b.jsonl")):
        write_articles(folder / "in" / name, 800, seed=number)
    ran = run(*ARGUMENTS, cwd=folder)
    assert ran.returncode == 1, ran.stderr
    assert len(parts_of(folder / "out")) == PARTS
    return folder


@pytest.fixture
def begun(finished: Path, tmp_path: Path) -> Path:
    """The same, ended after two parts."""
    (tmp_path / "in").mkdir()
    for path in (finished / "in").iterdir():
        (tmp_path / "in" / path.name).write_bytes(path.read_bytes())
        before = path.stat()
        os.utime(tmp_path / "in" / path.name, ns=(before.st_atime_ns, before.st_mtime_ns))
    out = tmp_path / "out"
    out.mkdir()
    for name, content in content_of(finished / "out").items():
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_bytes(content)
    lines = (finished / "out" / "_manifest.jsonl").read_bytes().splitlines(keepends=True)
    (out / "_manifest.jsonl").write_bytes(b"".join(lines[:5]))
    assert len(parts_of(out)) == 2
    for path in (*out.glob("*part-0000[23]*"), *out.glob("_rejects/*part-0000[23]*")):
        path.unlink()
    return tmp_path


def held(folder: Path) -> dict[Path, bytes]:
    paths = (path for path in (folder / "out").rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in paths if not path.name.startswith("_duplicates")}


def refused(folder: Path, *arguments: str) -> str:
    before = held(folder)
    ran = run(*(arguments or ARGUMENTS), cwd=folder)
    assert ran.returncode == 2, ran.stderr
    message = ran.stderr.splitlines()[-1]
    assert held(folder) == before
    return message.removeprefix("stance: error: ")


def goes_on(begun: Path, finished: Path) -> None:
    ran = run(*ARGUMENTS, cwd=begun)
    assert ran.returncode == 1, ran.stderr
    assert "out: going on after 2 parts" in ran.stderr
    assert "1,600 articles in" in ran.stderr
    assert content_of(begun / "out") == content_of(finished / "out")
    assert manifest_of(begun / "out")[3:] == manifest_of(finished / "out")[3:]


def test_the_manifest_adds_up(finished: Path) -> None:
    header, *lines = manifest_of(finished / "out")
    assert header["manifest"] == 1
    assert len(header["weights_sha256"]) == 64
    read = [line for line in lines if "input" in line]
    assert [line["input"] for line in read] == ["in/a.jsonl", "in/b.jsonl"]
    parts = parts_of(finished / "out")
    assert [part["part"] for part in parts] == list(range(PARTS))
    assert [parts[0]["from"], parts[-1]["to"]] == [[0, 0], [1, 800]]
    assert all(one["to"] == two["from"] for one, two in pairwise(parts))
    for part in parts:
        rows = (finished / "out" / part["file"]).read_bytes().splitlines()
        assert len(rows) == part["statements"]
        assert sum(bool(json.loads(row)["labels"]) for row in rows) == part["labelled"]
        assert part["articles"] == part["scored"] + part["rejects"]
        refused_lines = (finished / "out" / part["rejects_file"][0][0]).read_bytes().splitlines()
        assert len(refused_lines) == part["rejects"]
    ended = lines[-1]
    assert ended["ended"] is True
    for name in ("articles", "scored", "rejects", "statements", "labelled"):
        assert ended[name] == sum(part[name] for part in parts)


def test_a_run_that_is_complete_is_left_alone(finished: Path) -> None:
    before = manifest_of(finished / "out")
    ran = run(*ARGUMENTS, cwd=finished)
    assert ran.returncode == 1
    assert "out: this run is complete already; nothing was added" in ran.stderr
    assert "1,600 articles in" in ran.stderr
    assert manifest_of(finished / "out") == before


def test_a_run_goes_on(begun: Path, finished: Path) -> None:
    goes_on(begun, finished)


def test_a_line_that_was_not_finished_is_made_anew(begun: Path, finished: Path) -> None:
    manifest = begun / "out" / "_manifest.jsonl"
    line = (finished / "out" / "_manifest.jsonl").read_bytes().splitlines()[5]
    for torn in (line[:40], line, b"\0\0"):
        whole = manifest.read_bytes()
        manifest.write_bytes(whole + torn)
        goes_on(begun, finished)
        manifest.write_bytes(whole)


def test_a_folder_that_was_just_being_begun_is_begun(begun: Path, finished: Path) -> None:
    shutil.rmtree(begun / "out")
    (begun / "out").mkdir()
    (begun / "out" / "._manifest.jsonl.k3x").write_bytes(b'{"manifest"')
    ran = run(*ARGUMENTS, cwd=begun)
    assert ran.returncode == 1, ran.stderr
    assert content_of(begun / "out") == content_of(finished / "out")


def test_without_the_index_of_its_articles_a_run_refuses_to_go_on(tmp_path: Path) -> None:
    write_articles(tmp_path / "a.jsonl", 1600)
    command = ("score", "a.jsonl", "-o", "out", "--part-size", "1", "--dedupe")
    assert run(*command, cwd=tmp_path).returncode == 1
    lines = (tmp_path / "out" / "_manifest.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "out" / "_manifest.jsonl").write_bytes(b"".join(lines[:3]))
    (tmp_path / "out" / "_duplicates.sqlite").unlink()
    assert "out/_duplicates.sqlite: holds 0 articles, and not the" in refused(tmp_path, *command)


def test_another_feed_is_not_taken_for_the_one_that_was_scored(tmp_path: Path) -> None:
    command = ("score", "-", "-o", "out")
    assert run(*command, cwd=tmp_path, input="He denied it.").returncode == 0
    again = run(*command, cwd=tmp_path, input="He denied it.")
    assert (again.returncode, "complete already" in again.stderr) == (0, True)
    for other in ("They met.", ""):
        ran = run(*command, cwd=tmp_path, input=other)
        assert ran.returncode == 2
        assert "has changed since" in ran.stderr
    record = '{"text": "He denied it."}\n'
    command = ("score", "-", "-o", "lines", "--format", "jsonl")
    assert run(*command, cwd=tmp_path, input=record).returncode == 0
    ran = run(*command, cwd=tmp_path, input=record * 2)
    assert ran.returncode == 2
    assert "lines: was made of another input; name an empty folder" in ran.stderr


def test_a_part_that_has_its_name_but_no_line_is_made_anew(begun: Path, finished: Path) -> None:
    (begun / "out" / "part-00002.jsonl").write_bytes(b"half")
    (begun / "out" / "_rejects" / "part-00003.jsonl").write_bytes(b"half")
    (begun / "out" / ".part-00002.jsonl.x7").write_bytes(b"left")
    (begun / "out" / "_rejects" / ".part-00002.jsonl.x7").write_bytes(b"left")
    goes_on(begun, finished)


def change(folder: Path, name: str, at: int = 0) -> None:
    path = folder / name
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def other_times(folder: Path) -> None:
    os.utime(folder / "in" / "b.jsonl", ns=(0, 0))


def grown(folder: Path) -> None:
    with (folder / "in" / "b.jsonl").open("a") as stream:
        stream.write("\n")


def damaged(folder: Path) -> None:
    manifest = folder / "out" / "_manifest.jsonl"
    lines = manifest.read_bytes().splitlines(keepends=True)
    manifest.write_bytes(b"".join([*lines[:3], b"{bad\n", *lines[3:]]))


def same_times(folder: Path) -> None:
    path = folder / "in" / "a.jsonl"
    before = path.stat()
    change(folder, "in/a.jsonl", 100)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (grown, "in/b.jsonl: has changed since out was begun"),
        (other_times, "in/b.jsonl: has changed since out was begun"),
        (same_times, "out: the input of part-00000.jsonl has changed since"),
        (lambda f: (f / "in" / "c.jsonl").write_text("{}"), "out: was begun with another number of inputs (2, now 3)"),
        (
            lambda f: (f / "in" / "aa.txt").write_text("A"),
            "out: was begun with other inputs (in/b.jsonl where",
        ),
        (lambda f: change(f, "out/part-00001.jsonl"), "out/part-00001.jsonl: is not as it was written"),
        (lambda f: change(f, "out/_rejects/part-00001.jsonl"), "_rejects/part-00001.jsonl: is not as it was written"),
        (lambda f: (f / "out" / "part-00000.jsonl").unlink(), "out/part-00000.jsonl: cannot be read (No such file"),
        (lambda f: (f / "out" / "_manifest.jsonl").write_text("x\n"), "out/_manifest.jsonl: is no manifest"),
        (lambda f: (f / "out" / "_manifest.jsonl").write_text('{"manifest": 99}\n'), "is no manifest of this version"),
        (damaged, "out/_manifest.jsonl: is damaged"),
        (lambda f: (f / "out" / "_manifest.jsonl").unlink(), "out: holds files but no manifest of a run"),
    ],
)
def test_a_run_refuses_to_go_on_with_something_else(begun: Path, what: Callable[[Path], Any], says: str) -> None:
    what(begun)
    assert says in refused(begun)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--threshold", "denial=0.9"), "another thresholds"),
        (("--part-size", "2"), "another part_bytes (1048576, now 2097152)"),
        (("--any-language",), "another any_language (false, now true)"),
        (("--only-labelled",), "another shape"),
        (("--to", "csv"), 'another format ("jsonl", now "csv")'),
        (("--text-column", "text"), "another columns"),
        (("--format", "jsonl"), "another input_format"),
    ],
)
def test_a_run_refuses_to_go_on_in_another_way(begun: Path, options: tuple[str, ...], says: str) -> None:
    assert f"out: was begun with {says}" in refused(begun, *ARGUMENTS, *options)


def test_a_run_refuses_to_go_on_with_another_model(begun: Path, tmp_path: Path, small_model: Any) -> None:
    import stance

    stance.save(small_model, tmp_path / "other")
    assert "out: was begun with another model (" in refused(begun, *ARGUMENTS, "--model", "other")


@pytest.mark.skipif(sys.platform == "win32", reason="has no such locks")
def test_two_runs_do_not_write_to_one_folder(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "score", "-", "-o", "out"], cwd=tmp_path, stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as first:
        assert first.stdin is not None
        while not (tmp_path / "out" / "_manifest.jsonl").exists():
            assert first.poll() is None
        second = run("score", "-", "-o", "out", cwd=tmp_path, input="He denied it.")
        assert second.returncode == 2
        assert "out: another run is writing there; wait for its end" in second.stderr
        first.stdin.write(b"He denied it.")
        first.stdin.close()
        assert first.wait(timeout=60) == 0
    assert len(parts_of(tmp_path / "out")) == 1
