"""Cold start: a process that predicts one statement, against a process that only imports NumPy.

    python benchmarks/cold_start.py [--rounds N]

All are started in turn, on one core, so that whatever else the machine does falls on all; a ratio is the median of
those of each round. scikit-learn fits on three statements, as to read a fitted pipeline would take a pickle: its
imports outweigh that by far. fastText reads a small model of its own, of 20,000 buckets.
"""

from __future__ import annotations

import argparse
import compileall
import sys
import tempfile
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

from measuring import in_turn, is_there, pin, print_table, ratio, run_child

import stance

BASE: Final = "import numpy"
STATEMENT: Final = "Moscow denied the report."
STANCE: Final = f"import stance; stance.predict({STATEMENT!r})"
HASHING: Final = f"""
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import make_pipeline
made = make_pipeline(HashingVectorizer(ngram_range=(1, 3), n_features=2**18), SGDClassifier())
made.fit(["It denied that.", "It accused them.", "It rained."], ["denial", "accusation", "none"])
made.predict([{STATEMENT!r}])
"""
TRAIN: Final = f"""
import sys
sys.path.append({str(Path(__file__).parent)!r})
import peers
peers.fasttext(bucket=20_000).save_model(sys.argv[1])
"""
FASTTEXT: Final = f"import fasttext, sys; fasttext.load_model(sys.argv[1]).predict({STATEMENT!r}, k=-1)"


def main() -> None:
    """Print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    pin(1)
    # As pip leaves the packages that it installs, so that no start translates their sources.
    compileall.compile_dir(Path(stance.__file__).parent, quiet=1)
    python = [sys.executable, "-c"]
    children = {
        BASE: partial(run_child, [*python, "import numpy"]),
        "pass": partial(run_child, [*python, "pass"]),
        "stance.predict": partial(run_child, [*python, STANCE]),
        "stance.predict, readable reference": partial(run_child, [*python, STANCE], STANCE_REFERENCE="1"),
        "stance predict (command)": partial(run_child, [sys.executable, "-m", "stance", "predict", STATEMENT]),
        "scikit-learn, HashingVectorizer + SGD": partial(run_child, [*python, HASHING]),
    }
    with tempfile.TemporaryDirectory() as folder:
        if is_there("fasttext"):
            model = Path(folder) / "model.bin"
            run_child([*python, TRAIN, model])
            children["fastText"] = partial(run_child, [*python, FASTTEXT, model])
        taken = in_turn(children, rounds)
    rows = []
    for name, each in taken.items():
        wall, cpu = ([[child[kind] for child in found] for found in (each, taken[BASE])] for kind in (0, 1))
        rows.append((name, *(text for found in (cpu, wall) for text in (f"{ratio(*found):.2f}", ms(found[0])))))
    print_table((f"process, {rounds} rounds", "CPU ratio", "ms", "wall ratio", "ms"), rows)


def ms(seconds: list[float]) -> str:
    """Return the median in milliseconds."""
    return f"{median(seconds) * 1e3:.0f}"


if __name__ == "__main__":
    main()
