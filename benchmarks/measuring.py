"""What the benchmarks of speed share; measures nothing by itself.

The machine is taken to be shared and noisy. So contestants are pinned to one core and measured in turn, round after
round, CPU time counts wherever it can, and what is reported first is the median of the ratios of each round.
Only the standard library is imported here: on Linux the peak memory of a child is at least that of its parent.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

ROOT: Final = Path(__file__).resolve().parent.parent
OUTSIDE: Final = ROOT.parent / "shared"
CORES: Final = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []

T = TypeVar("T")


class Child(NamedTuple):
    """What one process took: seconds, MiB at its peak, and what it printed."""

    wall: float
    cpu: float
    memory: float
    output: str


def pin(cores: int) -> bool:
    """Keep this process and its children on so many cores; tell whether there are as many."""
    if CORES:
        os.sched_setaffinity(0, CORES[:cores])
    return cores <= (len(CORES) or os.cpu_count() or 1)


def in_turn(contestants: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Return what the contestants measured in each round; a first round, which fills the caches, does not count."""
    taken: dict[str, list[T]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, measure in contestants.items():
            found = measure()
            if number:
                taken[name].append(found)
    return taken


def timed(work: Callable[[], object], clock: Callable[[], float] = time.process_time) -> Callable[[], float]:
    """Return what does the work and returns the seconds that it took."""

    def measure() -> float:
        begin = clock()
        work()
        return clock() - begin

    return measure


def run_child(command: Sequence[str | Path], **environment: str) -> Child:
    """Run a process to its end and measure it alone; one that fails ends all, with what it printed."""
    begin = time.perf_counter()
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        env={**os.environ, **environment},
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{output}")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return Child(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit, output)


def ratio(taken: Sequence[float], base: Sequence[float]) -> float:
    """Return the median of the ratios of the rounds."""
    return statistics.median(one / other for one, other in zip(taken, base, strict=True))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns, the first to the left and the others to the right, and an empty line."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for cells in (header, *rows):
        first, *others = (
            cell.ljust(width) if not number else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        print(first, *others, sep="  ")
    print(flush=True)


def is_there(package: str) -> bool:
    """Whether a peer is installed; where it is not, say so."""
    found = find_spec(package) is not None
    if not found:
        print(f"left out: {package} is not installed; it comes with the extra `bench` (pip install -e '.[bench]')")
    return found
