"""Runs that end before their end: killed, out of disk, shut out. Gone on with, they give what others give."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest
from newsroom import (
    COMMAND,
    can_mount,
    content_of,
    manifest_of,
    parts_of,
    remount,
    run,
    small_disk,
    workers_of,
    write_articles,
)

ARTICLES: Final = 5_200
KILLS: Final = 20
# Of formats, jobs and duplicates, each comes with each other.
KINDS: Final = (("jsonl", "1"), ("parquet", "2", "--dedupe"), ("csv", "1", "--dedupe"), ("jsonl", "2", "--dedupe"))

Undisturbed = dict[tuple[str, ...], tuple[dict[str, bytes], float]]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
if_mounting = pytest.mark.skipif(not can_mount(), reason="only root may mount a small disk")


def arguments(kind: tuple[str, ...], jobs: str | None = None) -> list[str]:
    to, usual, *more = kind
    return ["score", "articles.jsonl", "-o", "out", "--to", to, "--part-size", "1", "--jobs", jobs or usual, *more]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    write_articles(folder / "articles.jsonl", ARTICLES, sentences=12)
    return folder


@pytest.fixture(scope="module")
def undisturbed(desk: Path) -> Undisturbed:
    """What each kind of run gives, and the seconds that it takes."""
    found = {}
    for kind in KINDS:
        place = desk / "-".join(kind)
        place.mkdir()
        (place / "articles.jsonl").symlink_to(desk / "articles.jsonl")
        begin = time.monotonic()
        ran = run(*arguments(kind), cwd=place)
        taken = time.monotonic() - begin
        assert ran.returncode == 1, ran.stderr
        assert f"{ARTICLES:,} articles in" in ran.stderr
        parts = parts_of(place / "out")
        assert len(parts) >= 5
        assert sum(part["articles"] for part in parts) == ARTICLES
        assert sum(part["rejects"] for part in parts) == ARTICLES // 171
        assert ("--dedupe" in kind) == (sum(part["duplicates"] for part in parts) > 90)
        found[kind] = content_of(place / "out"), taken
    return found


# What the kills of this run met, so that a test that never meets anything fails.
_met: dict[str, list[int]] = {"main": [], "worker": []}


def place_for(desk: Path, tmp_path: Path) -> Path:
    (tmp_path / "articles.jsonl").symlink_to(desk / "articles.jsonl")
    return tmp_path


def go_on(place: Path, kind: tuple[str, ...], expected: dict[str, bytes]) -> None:
    before = parts_of(place / "out")
    ran = run(*arguments(kind), cwd=place)
    assert ran.returncode == 1, ran.stderr
    assert f"{ARTICLES:,} articles in" in ran.stderr
    if before and "ended" not in manifest_of(place / "out")[-1]:
        assert f"going on after {len(before)} part" in ran.stderr
    # What was whole has not been made again.
    assert parts_of(place / "out")[: len(before)] == before
    assert content_of(place / "out") == expected


@pytest.mark.slow
@pytest.mark.parametrize("number", range(KILLS))
def test_a_killed_run_is_gone_on_with(desk: Path, tmp_path: Path, undisturbed: Undisturbed, number: int) -> None:
    kind = KINDS[number % len(KINDS)]
    expected, taken = undisturbed[kind]
    place = place_for(desk, tmp_path)
    moment = random.Random(f"main {number}").uniform(0.1, 1.0) * taken
    process = subprocess.Popen([*COMMAND, *arguments(kind)], cwd=place, stderr=subprocess.DEVNULL)
    try:
        process.wait(timeout=moment)
    except subprocess.TimeoutExpired:
        workers = workers_of(process.pid)
        process.kill()
        process.wait()
        _met["main"].append(len(parts_of(place / "out")))
        limit = time.monotonic() + 30
        while any(Path(f"/proc/{worker}").exists() for worker in workers):
            assert time.monotonic() < limit, "a worker outlives the run"
            time.sleep(0.05)
    go_on(place, kind, expected)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(KILLS))
def test_a_killed_worker_ends_the_run_which_is_gone_on_with(
    desk: Path, tmp_path: Path, undisturbed: Undisturbed, number: int
) -> None:
    kind = KINDS[number % len(KINDS)]
    expected, taken = undisturbed[kind]
    place = place_for(desk, tmp_path)
    chance = random.Random(f"worker {number}")
    process = subprocess.Popen(
        [*COMMAND, *arguments(kind, "2")], cwd=place, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    time.sleep(chance.uniform(0.0, 0.8) * taken)
    while process.poll() is None and not (workers := workers_of(process.pid)):
        time.sleep(0.01)
    if process.poll() is None:
        os.kill(chance.choice(workers), signal.SIGKILL)
    message = process.communicate(timeout=120)[1]
    if process.returncode == 2:
        _met["worker"].append(len(parts_of(place / "out")))
        last = message.splitlines()[-1]
        assert last.startswith("stance: error: a worker process was ended from outside")
        assert "the same command goes on from there" in last
        assert "Traceback" not in message
    else:
        # It had nothing left to do.
        assert "ended" in manifest_of(place / "out")[-1], message
    go_on(place, kind, expected)


@pytest.mark.slow
@pytest.mark.parametrize("who", ["main", "worker"])
def test_most_kills_met_a_run_at_work(who: str) -> None:
    if len(_met[who]) == 0:
        pytest.skip("the tests before this one were left out")
    assert len(_met[who]) >= KILLS // 2
    assert sum(parts > 0 for parts in _met[who]) >= KILLS // 4


@pytest.mark.slow
@if_mounting
@pytest.mark.parametrize("kind", KINDS[:3], ids=" ".join)
def test_a_full_disk_ends_the_run_which_is_gone_on_with(
    desk: Path,
    tmp_path: Path,
    undisturbed: Undisturbed,
    kind: tuple[str, ...],
) -> None:
    expected, _ = undisturbed[kind]
    size = sum(map(len, expected.values()))
    with small_disk(tmp_path / "disk", f"{size // 2048}k") as disk:
        place = place_for(desk, disk)
        ran = run(*arguments(kind), cwd=place)
        assert ran.returncode == 2
        last = ran.stderr.splitlines()[-1]
        assert last.startswith("stance: error: out")
        assert "No space left on device" in last or "full" in last
        assert "Traceback" not in ran.stderr
        whole = parts_of(place / "out")
        assert 0 < len(whole) < len([name for name in expected if name.startswith("part")])
        # As long as there is no room, nothing changes.
        assert run(*arguments(kind), cwd=place).returncode == 2
        assert parts_of(place / "out") == whole
        remount(disk, "size=1g")
        go_on(place, kind, expected)


@if_mounting
def test_a_folder_that_cannot_be_written_is_told(desk: Path, tmp_path: Path, undisturbed: Undisturbed) -> None:
    kind = KINDS[0]
    with small_disk(tmp_path / "disk", "1g") as disk:
        place = place_for(desk, disk)
        remount(disk, "ro")
        for _ in range(2):
            ran = run(*arguments(kind), cwd=place)
            assert (ran.returncode, ran.stdout) == (2, "")
            [message] = ran.stderr.splitlines()
            assert message.startswith("stance: error: out")
            assert message.endswith(": cannot be written (Read-only file system); choose another place")
            remount(disk, "rw")
            (place / "out").mkdir(exist_ok=True)
            remount(disk, "ro")
        remount(disk, "rw")
        go_on(place, kind, undisturbed[kind][0])
        remount(disk, "ro")
        assert "cannot be written (Read-only file system)" in run(*arguments(kind), cwd=place).stderr
        remount(disk, "rw")


@if_mounting
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "rows.parquet"])
def test_a_full_disk_leaves_an_older_file_alone(desk: Path, tmp_path: Path, name: str) -> None:
    with small_disk(tmp_path / "disk", "1m") as disk:
        (disk / name).write_bytes(b"older")
        ran = run("score", desk / "articles.jsonl", "-o", name, cwd=disk)
        assert ran.returncode == 2
        assert ran.stderr.splitlines()[-1].startswith(f"stance: error: {name}: cannot be written (No space left")
        assert (disk / name).read_bytes() == b"older"
        assert {path.name for path in disk.iterdir()} <= {name, f"{name}.rejects.jsonl"}
