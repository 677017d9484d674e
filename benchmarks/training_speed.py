"""How quick training is: features of the own statements beside scikit-learn's, and whole runs without the kernel.

    python benchmarks/training_speed.py [--rounds N] [--runs N]

Text becomes rows of features by `Featurizer.rows`, which training and extraction use, and by HashingVectorizer of
1-3-grams. A whole run is `stance train --own-only` in a process of its own, evaluation and all, once with the kernel
and once on the readable reference. All on one core, in CPU time, in turn; a ratio is the median of those of each round.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from functools import partial
from statistics import median

from measuring import ROOT, in_turn, pin, print_table, ratio, run_child, timed


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--runs", type=int, default=3, help="rounds of whole runs")
    arguments = parser.parse_args()
    pin(1)
    assembling(arguments.rounds)
    whole_runs(arguments.runs)


def assembling(rounds: int) -> None:
    """Time the way from text to a matrix."""
    import peers

    from stance.dataset import load_dataset
    from stance.features import Featurizer

    texts, _ = peers.own_statements()
    dataset = load_dataset(ROOT / "data", own_only=True)
    featurizer = Featurizer(dataset.lexicon, dataset.settings.features)
    hashing = peers.hashing()[0]
    works = {
        "stance, Featurizer.rows": timed(partial(featurizer.rows, texts)),
        "scikit-learn, HashingVectorizer 1-3": timed(partial(hashing.transform, texts)),
    }
    taken = in_turn(works, rounds)
    base = next(iter(taken.values()))
    rows = [(name, f"{ratio(each, base):.2f}", f"{len(texts) / median(each):,.0f}") for name, each in taken.items()]
    print_table((f"from text to features, {rounds} rounds", "ratio", "statements/s"), rows)


def whole_runs(rounds: int) -> None:
    """Time the command."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "stance", "train", "--own-only", "--output", folder]
        children = {
            "stance train --own-only": partial(run_child, command),
            "on the readable reference": partial(run_child, command, STANCE_REFERENCE="1"),
        }
        taken = {name: [child.cpu for child in found] for name, found in in_turn(children, rounds).items()}
    base = next(iter(taken.values()))
    rows = [(name, f"{ratio(each, base):.2f}", f"{median(each):.1f}") for name, each in taken.items()]
    print_table((f"whole run, {rounds} rounds", "ratio", "CPU s"), rows)


if __name__ == "__main__":
    main()
