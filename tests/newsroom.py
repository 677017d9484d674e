"""Articles by the thousand, and a disk that is small: what the tests of long runs work on."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

COMMAND: Final = [sys.executable, "-m", "stance"]
PEOPLE: Final = (
    "The harbour master",
    "A spokeswoman for the dairy union",
    "Governor Ilse Brandt",
    "The island's council",
)
PLACES: Final = ("Port Amsel", "Lower Karvia", "the Tessin flats", "Great Holm", "Varnby")
MATTERS: Final = ("the ferry accounts", "the new salt tax", "a fire at the grain store", "the fishing quota", "the dam")
SENTENCES: Final = (
    "{who} denied on {day} that anyone in {place} had been paid for {matter}.",
    "{who} accused officials in {place} of hiding what they knew about {matter}.",
    "{who} urged both sides to return to the table and talk about {matter}.",
    "Work on {matter} will go on in {place} until the end of the month.",
    "“We were told nothing about {matter},” said a teacher who has lived in {place} for {number} years.",
    "It rained in {place} for {number} hours, and {matter} was forgotten for a while.",
    "{who} is to speak in {place} on {day} about {matter}, and {number} people are expected.",
    "Of {number} letters that came in about {matter}, most were from {place}.",
)
DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")


def article_text(chance: random.Random, sentences: int = 20) -> str:
    """Make up an article."""
    paragraphs = []
    for _ in range(max(1, sentences // 4)):
        lines = [
            chance.choice(SENTENCES).format(
                who=chance.choice(PEOPLE),
                place=chance.choice(PLACES),
                matter=chance.choice(MATTERS),
                day=chance.choice(DAYS),
                number=chance.randrange(3, 900),
            )
            for _ in range(4)
        ]
        paragraphs.append(" ".join(lines))
    return "\n\n".join(paragraphs)


def write_articles(path: Path, count: int, *, seed: int = 1, sentences: int = 20) -> None:
    """Write articles as JSONL; now and then a line is no article, and an article comes a second time."""
    chance = random.Random(seed)
    texts: list[str] = []
    with path.open("w", encoding="utf-8") as stream:
        for number in range(count):
            if number % 171 == 170:
                stream.write(chance.choice(('{"text": 5}\n', "{bad\n", '{"text": " "}\n', "[1]\n")))
                continue
            text = article_text(chance, sentences)
            if number % 50 == 49:
                text = f"{chance.choice(texts)} Copy {number}."
            elif len(texts) < 500:
                texts.append(text)
            record = {
                "id": f"a{number}",
                "text": text,
                "date": f"2026-03-{1 + number % 28:02}",
                "source": "Amsel Post",
            }
            stream.write(json.dumps(record) + "\n")


def manifest_of(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a manifest that are whole."""
    path = folder / "_manifest.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def parts_of(folder: Path) -> list[dict[str, Any]]:
    """Return the parts that a manifest lists."""
    return [line for line in manifest_of(folder) if "part" in line]


def content_of(folder: Path) -> dict[str, bytes]:
    """Return what an output folder holds, part by part, and check that it holds nothing else."""
    parts = parts_of(folder)
    names = [part["file"] for part in parts]
    names += [name for part in parts for name, _, _ in part.get("rejects_file", ())]
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there - {"_manifest.jsonl"} - {name for name in there if name.startswith("_duplicates")} == set(names)
    return {name: (folder / name).read_bytes() for name in names}


def run(*arguments: str | Path, cwd: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, timeout=300, check=False, **options
    )


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a file system of a given size; only root may, and nobody else can make writes really fail for everyone."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    """Change a mounted file system, such as its size or whether it can be written."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def can_mount() -> bool:
    """Whether this process may mount a file system."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    tried = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
    return tried.returncode == 0


def workers_of(process: int) -> list[int]:
    """Return the processes that do the work of another."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            command = (entry / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue
        if parent == process and b"loky" in command and b"resource_tracker" not in command:
            found.append(int(entry.name))
    return found
