"""What more annotation brings: one model a round, each trained on the rows of that round and of all before.

Every model is measured on the held-apart stand-off rows of all rounds and, where it is there, on a file of annotated
sentences::

    python benchmarks/curve.py --data dev.jsonl
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import stance
from stance.dataset import is_held_apart, load_dataset
from stance.design import Rows, assemble
from stance.evaluation import Scored, evaluate, paired_bootstrap
from stance.features import Featurizer
from stance.measures import Bools, Floats
from stance.model import Model
from stance.training import fit_rows
from stance.trials import file_trial


def main() -> None:
    """Train, measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/gold/dev.jsonl"))
    arguments = parser.parse_args()
    dataset = load_dataset("data")
    rows = assemble(dataset, Featurizer(dataset.lexicon))
    held = rows[rows.held_apart & ~rows.own]
    groups = [group for group in dataset.standoff.groups if is_held_apart(group)] if dataset.standoff else []
    print(
        "| rows of | stand-off rows | held apart: mean AP | macro F1 | gain in mean AP, P | file: mean AP | macro F1 |"
    )
    print("|---|---|---|---|---|---|---|")
    before: Floats | None = None
    for number in (0, *np.unique(rows.rounds[~rows.own])):
        learned = rows[~rows.held_apart & (rows.own | (rows.rounds <= number))]
        if not number:
            learned = rows[~rows.held_apart & rows.own]
        model, _ = fit_rows(dataset, learned, dataset.settings)
        chances = probabilities(model, held)
        found = evaluate(scored(model, held.truth, chances, groups), resamples=1)
        gain = "–"
        if before is not None:
            change = paired_bootstrap(held.truth, before, chances, "mean_average_precision", groups)
            gain = f"{change.difference:+.3f}, {change.probability:.2f}"
        before = chances
        outside = "not there | –"
        if arguments.data.exists():
            measured = evaluate(file_trial(model, arguments.data).scored, resamples=1)
            outside = f"{measured.mean_average_precision.short} | {measured.macro_f1.short}"
        print(
            f"| {f'rounds 1 to {number}' if number else 'own statements only'} | {int((~learned.own).sum()):,} "
            f"| {found.mean_average_precision.short} | {found.macro_f1.short} | {gain} | {outside} |",
            flush=True,
        )
    print(f"\nstance {stance.__version__}, data {dataset.standoff.digest()[:12] if dataset.standoff else ''}")


def probabilities(model: Model, rows: Rows) -> Floats:
    """Return the probabilities of rows of which only the features are there."""
    sums = rows.features @ model.weights.astype(np.float64) / np.sqrt(np.maximum(rows.counts, 1))[:, None]
    return model.calibrate(sums + model.intercepts)


def scored(model: Model, truth: Bools, chances: Floats, groups: list[str]) -> Scored:
    """Return rows with the labels that the model gives them."""
    return Scored(truth, chances, model.decide(chances), model.labels.names, groups)


if __name__ == "__main__":
    main()
