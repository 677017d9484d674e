"""`stance score` over many articles: memory of few and of many, one job and two, and reading alone beside it.

    python benchmarks/batch_run.py [--articles FILE] [--few N] [--many N] [--rounds N]

Articles are JSONL with an `id` and a `text`, also gzip; they are repeated and shuffled, each time under another id,
until there are `--few` and `--many` of them. The runs write parts of parquet to a folder. Few articles are scored with
one job and two in turn, in rounds, and a ratio is the median of those of the rounds; many are scored once with each.
Beside them stand two runs of half the articles each that know nothing of each other, started together, which is what
the machine gains from two processes; and a process that reads the lines and parses the JSON and one that does nothing
but read, on one core. Memory is that of all processes of a run, sampled once a second. Without articles it says so and
ends.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from measuring import OUTSIDE, in_turn, print_table, ratio

ARTICLES: Final = OUTSIDE / "articles" / "briefings.jsonl.gz"
OUT: Final = "out"
READ: Final = "import sys\nfor line in open(sys.argv[1], 'rb'): pass"
PARSE: Final = "import json, sys\nfor line in open(sys.argv[1], 'rb'): json.loads(line)"
# To look at all processes takes a hundredth of a second, which two jobs would have to go without.
BETWEEN_SAMPLES: Final = 1.0


class Tree(NamedTuple):
    """What a process and its children took: seconds by the clock, and MiB of all of them together at their peak."""

    wall: float
    memory: float


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=Path, default=ARTICLES)
    parser.add_argument("--few", type=int, default=20_000)
    parser.add_argument("--many", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if not arguments.articles.exists():
        print(f"left out: {arguments.articles} not found; name a file with --articles")
        return
    with tempfile.TemporaryDirectory() as folder:
        few, many = Path(folder) / "few.jsonl", Path(folder) / "many.jsonl"
        for path, count in ((few, arguments.few), (many, arguments.many)):
            write(arguments.articles, path, count)
            write(arguments.articles, half_of(path), count // 2)
        taken = in_turn(
            {
                **runs_over(few),
                "reading and parsing the JSON": partial(run, (sys.executable, "-c", PARSE, few), folder),
                "reading the lines": partial(run, (sys.executable, "-c", READ, few), folder),
            },
            arguments.rounds,
        )
        large = {name: work() for name, work in runs_over(many).items()}
        large["reading and parsing the JSON"] = run((sys.executable, "-c", PARSE, many), folder)
        sizes = {path: path.stat().st_size / 1e6 for path in (few, many)}
    base = [tree.wall for tree in taken["stance score, one job"]]
    rows = []
    for name, found in taken.items():
        wall = median(tree.wall for tree in found)
        rows.append(
            (
                name,
                f"{ratio(base, [tree.wall for tree in found]):.2f}",
                f"{arguments.few / wall:,.0f}",
                f"{sizes[few] / wall:.1f}",
                f"{median(tree.memory for tree in found):.0f}",
            )
        )
    header = ("times one job", "articles/s", "MB/s", "MiB")
    print_table((f"{arguments.few:,} articles, {sizes[few]:,.0f} MB", *header), rows)
    one = large["stance score, one job"].wall
    memory = {name: median(tree.memory for tree in found) for name, found in taken.items()}
    rows = [
        (
            name,
            f"{one / tree.wall:.2f}",
            f"{arguments.many / tree.wall:,.0f}",
            f"{sizes[many] / tree.wall:.1f}",
            f"{tree.memory:.0f}",
            f"{tree.memory / memory[name]:.2f}" if memory[name] else "",
        )
        for name, tree in large.items()
    ]
    print_table((f"{arguments.many:,} articles, {sizes[many]:,.0f} MB", *header, "MiB, times few"), rows)


def write(source: Path, path: Path, count: int) -> None:
    """Write so many articles, those of a file over and over in another order."""
    opened = gzip.open if source.suffix == ".gz" else open
    with opened(source, "rb") as packed:
        records = [json.loads(line) for line in packed]
    chance = random.Random(0)
    with path.open("w", encoding="utf-8") as stream:
        for number in range(count):
            if not number % len(records):
                chance.shuffle(records)
            record = records[number % len(records)]
            stream.write(json.dumps({"id": f"{number}", "text": record["text"]}, ensure_ascii=False) + "\n")


def half_of(path: Path) -> Path:
    """Return the file that holds half as many articles."""
    return path.with_name(f"half-{path.name}")


def runs_over(path: Path) -> dict[str, Callable[[], Tree]]:
    """Return what scores a file: one job, two, and two runs of their own over half of it each."""
    folder = path.parent
    first, second = (shlex.join(map(str, score(half_of(path), folder / OUT / name, 1))) for name in ("a", "b"))
    side_by_side = ("sh", "-c", f"{first} & first=$!; {second} && wait $first")
    return {
        "stance score, one job": partial(run, score(path, folder / OUT, 1), folder),
        "stance score, two jobs": partial(run, score(path, folder / OUT, 2), folder),
        "two runs of half the articles": partial(run, side_by_side, folder),
    }


def score(path: Path, out: Path, jobs: int) -> list[str | Path]:
    """Return the command that scores a file."""
    return [sys.executable, "-m", "stance", "score", path, "-o", out, "--to", "parquet", "--jobs", str(jobs)]


def run(command: Sequence[str | Path], folder: str | Path) -> Tree:
    """Run a process to its end and measure it with all its children."""
    shutil.rmtree(Path(folder) / OUT, ignore_errors=True)
    (Path(folder) / OUT).mkdir()
    begin, memory = time.perf_counter(), 0.0
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        while True:
            try:
                process.wait(BETWEEN_SAMPLES)
                break
            except subprocess.TimeoutExpired:
                memory = max(memory, memory_of(process.pid))
        wall = time.perf_counter() - begin
        if process.returncode:
            output.seek(0)
            raise SystemExit(f"{' '.join(map(str, command))} failed:\n{output.read().decode()}")
    return Tree(wall, memory)


def memory_of(process: int) -> float:
    """Return the MiB that a process and all below it hold, what they share counted once for each by its share."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(entry.name))
    total, waiting = 0, [process]
    while waiting:
        each = waiting.pop()
        waiting += children.get(each, [])
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
    return total / 1024


if __name__ == "__main__":
    if not Path("/proc/self/smaps_rollup").exists():
        print(f"left out: memory of a tree of processes is read from /proc, which {os.uname().sysname} has not")
    else:
        main()
