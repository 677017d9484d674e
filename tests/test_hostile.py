"""Hostile files through the real command: each ends as rows or as rejects with a reason, in bounded time and memory."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from hostile import make, make_tables, make_web

from stance.inputs import FORMATS

FILES: Final = Path(__file__).parent / "hostile" / "files"
KEPT: Final = sorted(path.name for path in FILES.iterdir())
# Files that the user has to do something about: exit code 2, and one line that says what.
BAD_USAGE: Final = {line.split()[0] for line in (FILES.parent / "bad-usage.txt").read_text().splitlines()}
MOST_MEMORY: Final = 512 << 20
MOST_SECONDS: Final = 90.0
POLL_SECONDS: Final = 0.02
COUNTS: Final = re.compile(
    r"^([\d,]+) articles? in = ([\d,]+) out \+ ([\d,]+) rejects?.*; ([\d,]+) statements?, ", re.MULTILINE
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
assert make_tables
assert make_web


@dataclass(frozen=True)
class Ran:
    """What came of a command, with the most memory that it and its children had at one time."""

    code: int
    errors: str
    memory: int
    seconds: float
    articles: int
    rows: int
    rejects: list[dict[str, Any]]


def processes(root: int) -> Iterator[int]:
    yield root
    for thread in Path(f"/proc/{root}/task").iterdir():
        for child in (thread / "children").read_text().split():
            yield from processes(int(child))


def memory_of(root: int) -> int:
    """The sum of each process's own peak, which is never less than what they had together."""
    total = 0
    try:
        for process in processes(root):
            status = Path(f"/proc/{process}/status").read_text()
            found = re.search(r"VmHWM:\s+([0-9]+) kB", status)
            total += 1024 * int(found[1]) if found else 0
    except OSError:
        # One of them ended in between.
        pass
    return total


def score(source: Path, folder: Path) -> Ran:
    """Score a file or a folder, and check what holds whatever it is."""
    output = folder / "rows.jsonl"
    began = time.monotonic()
    with tempfile.TemporaryFile() as told:
        command = [sys.executable, "-m", "stance", "score", os.fspath(source), "-o", os.fspath(output)]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=told, stderr=told, cwd=folder) as process:
            memory = 0
            while process.poll() is None:
                memory = max(memory, memory_of(process.pid))
                if time.monotonic() - began > MOST_SECONDS:
                    process.kill()
                    pytest.fail(f"took longer than {MOST_SECONDS:g} s")
                time.sleep(POLL_SECONDS)
        told.seek(0)
        errors = told.read().decode("utf-8")
    seconds = time.monotonic() - began
    assert "Traceback" not in errors, errors
    assert memory <= MOST_MEMORY, f"{memory >> 20} MiB"
    if process.returncode == 2:
        assert errors.startswith("stance: error: "), errors
        assert errors.count("\n") == 1
        assert not output.exists()
        return Ran(2, errors, memory, seconds, 0, 0, [])
    counts = COUNTS.search(errors)
    assert counts, errors
    articles, scored, refused, statements = (int(count.replace(",", "")) for count in counts.groups())
    with output.open("rb") as stream:
        rows = sum(check_row(line) for line in stream)
    rejects = []
    refused_to = output.with_name("rows.jsonl.rejects.jsonl")
    if refused_to.exists():
        with refused_to.open("rb") as stream:
            rejects = [checked_reject(line) for line in stream]
    assert articles == scored + refused
    assert len(rejects) == refused
    assert rows == statements
    assert process.returncode == (1 if refused else 0)
    return Ran(process.returncode, errors, memory, seconds, articles, rows, rejects)


def check_row(line: bytes) -> bool:
    row = json.loads(line)
    assert row["end"] - row["start"] == len(row["text"]) > 0
    return True


def checked_reject(line: bytes) -> dict[str, Any]:
    reject: dict[str, Any] = json.loads(line)
    assert list(reject) == ["source", "line", "reason", "raw"]
    assert reject["source"]
    assert reject["line"] >= 0
    assert reject["reason"].strip()
    assert len(reject["reason"].splitlines()) == 1
    assert len(reject["reason"]) <= 1_000
    assert len(reject["raw"]) <= 2_000
    return reject


def test_there_are_many() -> None:
    assert len(KEPT) >= 60
    assert len(make.MADE) >= 60
    assert not set(KEPT) & set(make.MADE)


def test_every_kept_file_is_explained() -> None:
    told = (FILES.parent / "README.md").read_text(encoding="utf-8")
    assert [name for name in KEPT if f"`{name}`" not in told] == []


def run_one(name: str, folder: Path) -> Ran:
    """Score one file of the corpus, made where it is not kept, and leave nothing large behind."""
    folder.mkdir()
    if name in KEPT:
        return score(FILES / name, folder)
    path = make.write(name, folder)
    try:
        return score(path, folder)
    finally:
        path.unlink()
        for output in folder.iterdir():
            output.unlink()


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Ran]]]:
    """Runs over the files that were asked for, two at a time: each has a process of its own."""
    names = [item.callspec.params["name"] for item in request.session.items if item.originalname == "test_a_file"]  # type: ignore[attr-defined]
    folder = tmp_path_factory.mktemp("hostile")
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(run_one, name, folder / f"run {n}") for n, name in enumerate(names)}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize(
    "name", [*KEPT, *(pytest.param(name, marks=pytest.mark.slow if name in make.SLOW else ()) for name in make.MADE)]
)
def test_a_file(name: str, runs: dict[str, Future[Ran]]) -> None:
    ran = runs[name].result()
    assert (ran.code == 2) == (name in BAD_USAGE), ran.errors
    assert ran.code == 2 or ran.articles or name in KEPT, ran.errors


def test_an_empty_file_of_every_format_is_a_reject(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    for kind in FORMATS:
        for packing in ("", ".gz", ".zst"):
            (folder / f"a.{kind}{packing}").touch()
    ran = score(folder, tmp_path)
    told = {Path(reject["source"]).name for reject in ran.rejects}
    # Without a line, and without a record, there is nothing to refuse.
    assert told == {each.name for each in folder.iterdir()} - {
        "a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.warc", "a.warc.gz", "a.warc.zst",
    }  # fmt: skip


def test_names_of_all_kinds(tmp_path: Path) -> None:
    folder = tmp_path / "names"
    folder.mkdir()
    names = ["a\nb.txt", "-o.txt", "*.txt", "[a].txt", " .txt", "a" * 251 + ".txt", "\u202ea.txt", "a.TXT", "'.txt"]
    for name in [*map(os.fsencode, names), b"\xff\xfe.txt", b"\xed\xa0\x80.jsonl"]:
        content = b'{"text": "He denied it."}\n' if name.endswith(b"jsonl") else b"He denied it."
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(content)
    ran = score(folder, tmp_path)
    assert (ran.articles, ran.rejects) == (len(names) + 2, [])


def test_things_in_a_folder_that_are_no_files(tmp_path: Path) -> None:
    folder = tmp_path / "things"
    folder.mkdir()
    (folder / "b.txt").write_text("He denied it.")
    (folder / "loop.txt").symlink_to(folder / "loop.txt")
    (folder / "there.txt").symlink_to(folder / "back.txt")
    (folder / "back.txt").symlink_to(folder / "there.txt")
    (folder / "gone.jsonl").symlink_to(folder / "nowhere.jsonl")
    (folder / "up").symlink_to(folder)
    (folder / "zero.txt").symlink_to("/dev/zero")
    (folder / "folder.jsonl").mkdir()
    (folder / "folder.csv.gz").mkdir()
    (folder / "folder.csv.gz" / "c.txt").write_text("She denied it.")
    os.mkfifo(folder / "pipe.txt")
    ran = score(folder, tmp_path)
    told = sorted(Path(reject["source"]).name for reject in ran.rejects)
    assert told == ["back.txt", "gone.jsonl", "loop.txt", "there.txt"]
    assert ran.articles - len(told) == 2


@pytest.mark.parametrize("name", ["loop.jsonl", "gone.csv", "pipe.txt", "zero.txt", "folder.jsonl", "folder.csv.gz"])
def test_a_named_input_that_is_no_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.startswith("loop"):
        path.symlink_to(path)
    elif name.startswith("gone"):
        path.symlink_to(tmp_path / "nowhere.csv")
    elif name.startswith("folder"):
        path.mkdir()
    elif name.startswith("zero"):
        path.symlink_to("/dev/zero")
    else:
        os.mkfifo(path)
        # Somebody who writes, so that the other side opens it and sees its end.
        subprocess.Popen(["sh", "-c", 'printf "He denied it." > "$0"', os.fspath(path)]).returncode = 0
    ran = score(path, tmp_path)
    assert ran.code == (0 if name.startswith("pipe") else 1 if name.startswith("zero") else 2)
