"""What each feature family brings and costs: training without it, by grouped cross-validation.

    python benchmarks/ablation.py [--data FILE] [--folds N]

Every family in turn gets the scale 0 and the model is trained again. The gain is that of all families over all but
this one, in mean average precision on stand-off rows, out of fold, with a paired bootstrap over groups; beside it on
annotated rows of another file, and how many features a sentence of that file has of the family.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stance import training
from stance.dataset import Annotated, Dataset, load_dataset, read_annotated
from stance.design import Rows, assemble, fold_numbers, scaled, scales, used_columns
from stance.features import FAMILIES, Featurizer
from stance.measures import Floats, average_precision_measurer, paired_bootstrap
from stance.settings import Settings


def main() -> None:
    """Train without each family and print what is missing then."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/gold/dev.jsonl"))
    parser.add_argument("--folds", type=int, default=2)
    arguments = parser.parse_args()
    dataset = load_dataset("data")
    chosen = replace(dataset.settings, folds=arguments.folds)
    tried = read_annotated(arguments.data, dataset.labels) if arguments.data.exists() else []
    featurizer = Featurizer(dataset.lexicon, dataset.settings.features)
    rows = assemble(dataset, featurizer)
    learned = rows[~rows.held_apart]
    folds = fold_numbers(learned.groups, chosen.folds)
    judged = ~learned.own
    truth, groups = learned.truth[judged], learned.groups[judged]
    wanted = np.array([[name in row.labels for name in dataset.labels.names] for row in tried])
    cost = features_by_family(featurizer, [row.text for row in tried or dataset.own])

    whole, on_file = measured(dataset, learned, folds, chosen, tried)
    base = mean_ap(wanted, on_file)
    print(f"all families: {mean_ap(truth, whole[judged]):.4f} out of fold, {base:.4f} on {arguments.data.name}; ")
    print(f"{sum(cost.values()):.1f} features a sentence\n")
    print("| without | features a sentence | mean AP out of fold | gain of the family, probability | on the file |")
    print("|---|---|---|---|---|")
    for family in FAMILIES:
        settings = replace(chosen, family_scale={**chosen.family_scale, family: 0.0})
        found, there = measured(dataset, learned, folds, settings, tried)
        gain = paired_bootstrap(truth, found[judged], whole[judged], "mean_average_precision", groups)
        print(
            f"| {family} | {cost[family]:.1f} | {mean_ap(truth, found[judged]):.4f} "
            f"| {gain.difference:+.4f}, {gain.probability:.2f} | {base - mean_ap(wanted, there):+.4f} |",
            flush=True,
        )


def measured(
    dataset: Dataset, learned: Rows, folds: Any, settings: Settings, tried: list[Annotated]
) -> tuple[Floats, Floats]:
    """Return out-of-fold scores, and those of other rows under a fit on everything."""
    featurizer = Featurizer(dataset.lexicon, settings.features)
    columns = used_columns(learned, settings)
    design = scaled(learned, columns, featurizer.settings, settings)
    jobs = [(None, settings)] + [(fold, settings) for fold in range(settings.folds)]
    fits = training.run_fits(dataset, design, learned, folds, jobs, None)
    weights = np.zeros((featurizer.settings.buckets, len(dataset.labels.names)))
    weights[columns] = (fits[0][0] * scales(columns, featurizer.settings, settings)).T
    found = [featurizer.indices(row.text) for row in tried]
    there = np.array([weights[row].sum(axis=0) / np.sqrt(max(len(row), 1)) + fits[0][1] for row in found])
    return training.scores_out_of_fold(design, folds, fits[1:]), there


def features_by_family(featurizer: Featurizer, texts: list[str]) -> dict[str, float]:
    """Return how many different features of each family a text has on average."""
    counts = np.zeros(len(FAMILIES))
    for text in texts:
        distinct = {(family, parts) for family, parts, _, _ in featurizer.features(featurizer.tokens(text))}
        counts += np.bincount([family for family, _ in distinct], minlength=len(FAMILIES))
    return dict(zip(FAMILIES, counts / max(len(texts), 1), strict=True))


def mean_ap(truth: Any, scores: Floats) -> float:
    """Return the mean average precision over the labels; nan without rows."""
    if not len(truth):
        return float("nan")
    return float(average_precision_measurer(truth, scores)(np.ones((1, len(truth))))[0].mean())


if __name__ == "__main__":
    main()
