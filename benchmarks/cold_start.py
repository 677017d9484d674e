"""Cold start: a process that predicts one statement, against a process that only imports NumPy.

Both are started in turn, so that whatever else the machine does falls on both; the medians and their ratio count.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "import numpy": [sys.executable, "-c", "import numpy"],
    "stance.predict": [sys.executable, "-c", "import stance; stance.predict('Moscow denied the report.')"],
    "stance predict (command)": [sys.executable, "-m", "stance", "predict", "Moscow denied the report."],
}


def run(command: list[str]) -> tuple[float, float]:
    """Return wall and CPU seconds of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for number in range(rounds + 1):
        for name, command in COMMANDS.items():
            seconds = run(command)
            if number:  # the first round fills the caches
                taken[name].append(seconds)
    base = [statistics.median(each[kind] for each in taken["import numpy"]) for kind in (0, 1)]
    print(f"{'process':<26} {'wall ms':>8} {'ratio':>6} {'CPU ms':>8} {'ratio':>6}   medians of {rounds} rounds")
    for name, each in taken.items():
        wall, cpu = (statistics.median(seconds[kind] for seconds in each) for kind in (0, 1))
        print(f"{name:<26} {wall * 1e3:8.0f} {wall / base[0]:6.2f} {cpu * 1e3:8.0f} {cpu / base[1]:6.2f}")


if __name__ == "__main__":
    main()
