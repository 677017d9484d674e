"""The challenge suite: how many of its statements get exactly the right labels, by phenomenon.

Every statement is judged by a model that has not learned from its contrast set: once with the other own statements
among the training rows, once with stand-off rows alone. The last lines say what own statements do for real sentences,
out of fold, at several weights.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import stance
from stance.dataset import Dataset, data_hash, load_dataset
from stance.design import Rows, assemble
from stance.features import Featurizer
from stance.measures import Bools, Floats, average_precision_measurer, paired_bootstrap
from stance.model import calibrated
from stance.settings import Settings
from stance.training import calibrated_rows, checked_folds, fit_rows, out_of_fold_scores

WEIGHTS = (0.1, 0.3, 1.0, 3.0)


def main() -> None:
    """Measure and print two tables."""
    dataset = load_dataset("data")
    rows = assemble(dataset, Featurizer(dataset.lexicon))
    both = labels_out_of_fold(dataset, rows, dataset.settings)[rows.own]
    real_only, _ = fit_rows(dataset, rows[~rows.own], dataset.settings)
    alone = real_only.decide(real_only.probabilities([row.text for row in dataset.own]))
    truth = rows.truth[rows.own]
    phenomena = np.array([row.phenomenon for row in dataset.own])
    print("| phenomenon | statements | labels right, stand-off and own rows | stand-off rows alone |")
    print("|---|---|---|---|")
    for name in (*sorted(set(phenomena) - {""}), None):
        chosen = phenomena == name if name else phenomena != ""
        right = [(given[chosen] == truth[chosen]).all(axis=1).mean() for given in (both, alone)]
        print(f"| {name or '**all**'} | {int(chosen.sum()):,} | {right[0]:.2f} | {right[1]:.2f} |")

    print("\n| weight of own statements | mean AP on stand-off rows, out of fold | gain, probability of a gain |")
    print("|---|---|---|")
    learned = rows[~rows.held_apart]
    real = ~learned.own
    # One set of folds for all, so that each row is always judged by a fit on the same other real rows.
    folds = checked_folds(dataset, learned, dataset.settings)
    truth, groups = learned.truth[real], learned.groups[real]
    base = out_of_fold_scores(dataset, learned[real], folds[real], dataset.settings)
    print(f"| none | {mean_average_precision(truth, base):.4f} | |", flush=True)
    for weight in WEIGHTS:
        settings = replace(dataset.settings, own_weight=weight)
        scores = out_of_fold_scores(dataset, learned, folds, settings)[real]
        gain = paired_bootstrap(truth, base, scores, "mean_average_precision", groups)
        print(
            f"| {weight:g} | {mean_average_precision(truth, scores):.4f} "
            f"| {gain.difference:+.4f}, {gain.probability:.2f} |",
            flush=True,
        )
    print(f"\nstance {stance.__version__}, data {data_hash(dataset)[:12]}, settings {dataset.settings.to_json()}")


def labels_out_of_fold(dataset: Dataset, rows: Rows, settings: Settings) -> Bools:
    """Return the labels that each row gets from fits on the other folds, shape (n, labels)."""
    folds = checked_folds(dataset, rows, settings)
    scores = out_of_fold_scores(dataset, rows, folds, settings)
    found = calibrated_rows(dataset, rows, scores, folds, settings)
    return calibrated(scores, found.slopes, found.offsets, exclusive=False) >= found.thresholds


def mean_average_precision(truth: Bools, scores: Floats) -> float:
    """Return the mean over the labels."""
    return float(average_precision_measurer(truth, scores)(np.ones((1, len(truth))))[0].mean())


if __name__ == "__main__":
    main()
