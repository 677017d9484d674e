"""The peak memory of a process that loads a model and judges sentences, against one that only imports NumPy.

    python benchmarks/memory.py [--rounds N]

The sentences are the own statements, some 3,800, all at once. scikit-learn fits on them first, as to read a fitted
pipeline would take a pickle; fastText has 100 figures for each of 200,000 buckets. A ratio is the median of those of
each round.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from measuring import in_turn, is_there, pin, print_table, ratio, run_child

STATEMENTS: Final = "statements.json"
FASTTEXT: Final = "fasttext.bin"


def main() -> None:
    """Measure and print a table, or be one of the processes that are measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        name, folder = arguments.child
        PROCESSES[name](Path(folder))
        return
    pin(1)
    left_out = {"prepare"} if is_there("fasttext") else {"prepare", "fastText"}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--child"]
        run_child([*command, "prepare", folder])
        children = {name: partial(run_child, [*command, name, folder]) for name in PROCESSES if name not in left_out}
        taken = in_turn(children, arguments.rounds)
    memory = {name: [child.memory for child in found] for name, found in taken.items()}
    base = memory["import numpy"]
    rows = [(name, f"{ratio(found, base):.2f}", f"{median(found):.0f}") for name, found in memory.items()]
    print_table((f"memory, medians of {arguments.rounds} rounds", "ratio", "MiB"), rows)


def prepare(folder: Path) -> None:
    """Write what the others read."""
    import peers

    (folder / STATEMENTS).write_text(json.dumps(peers.own_statements()), encoding="utf-8")
    if is_there("fasttext"):
        peers.fasttext().save_model(str(folder / FASTTEXT))


def statements(folder: Path) -> tuple[list[str], list[str]]:
    """Return the texts and one label each."""
    texts, labels = json.loads((folder / STATEMENTS).read_bytes())
    return texts, labels


def numpy_alone(folder: Path) -> None:
    import numpy as np  # noqa: F401

    statements(folder)


def stance_kernel(folder: Path) -> None:
    import stance

    stance.load().probabilities(statements(folder)[0])


def scikit_learn(folder: Path) -> None:
    import peers

    texts, labels = statements(folder)
    peers.hashing().fit(texts, labels).decision_function(texts)


def fasttext(folder: Path) -> None:
    from fasttext import load_model
    from peers import one_line

    texts, _ = statements(folder)
    load_model(str(folder / FASTTEXT)).predict([one_line(text) for text in texts], k=-1)


PROCESSES: Final[dict[str, Callable[[Path], None]]] = {
    "prepare": prepare,
    "import numpy": numpy_alone,
    "stance": stance_kernel,
    "scikit-learn HashingVectorizer 1-3 + linear": scikit_learn,
    "fastText": fasttext,
}

if __name__ == "__main__":
    main()
