"""TF-IDF with logistic regression against stance, trained on the same rows and calibrated in the same way.

The stand-off rows carry no text, so this needs it from elsewhere::

    python benchmarks/accuracy.py --texts annotated.jsonl.gz pool.jsonl.gz --data dev.jsonl

Without these files it says so and ends.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy import sparse

import stance
from stance import training
from stance.dataset import load_dataset
from stance.design import assemble, fold_numbers
from stance.evaluation import Scored, evaluate, format_table, paired_bootstrap
from stance.features import Featurizer
from stance.model import calibrated
from stance.rows import read_jsonl
from stance.trials import file_trial

POOLS = [Path("../shared/annotated/train.jsonl.gz"), Path("../shared/pool/news.jsonl.gz")]


def main() -> None:
    """Train, measure and print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, nargs="*", default=POOLS)
    parser.add_argument("--data", type=Path, default=Path("../shared/gold/dev.jsonl"))
    arguments = parser.parse_args()
    missing = [path for path in (*arguments.texts, arguments.data) if not path.exists()]
    if missing:
        print(f"left out: {', '.join(map(str, missing))} not found; name the files with --texts and --data")
        return

    dataset = load_dataset("data")
    wanted = {row.id for row in dataset.standoff.rows} if dataset.standoff else set()
    records = (record for path in arguments.texts for _, record in read_jsonl(path))
    texts = {record["id"]: record["text"] for record in records if record["id"] in wanted}
    model = stance.load()
    trial = file_trial(model, arguments.data, "labels")
    scored = tfidf(dataset, texts, [row.text for row in trial.rows], trial.scored)
    for name, each in (("TF-IDF + logistic regression", scored), (f"stance {model.id}", trial.scored)):
        print(f"\n{name}\n")
        print(format_table(evaluate(each, signature=trial.signature(model, 0, stance.__version__))))
    gain = paired_bootstrap(scored.truth, scored.given, trial.scored.given, "macro_f1", scored.groups)
    low, high = gain.interval
    print(
        f"\nmacro F1, stance minus TF-IDF: {gain.difference:+.3f} [{low:+.3f}, {high:+.3f}], "
        f"better with probability {gain.probability:.3f}"
    )


def tfidf(dataset: stance.Dataset, texts: dict[str, str], tried: list[str], frame: Scored) -> Scored:
    """Train the peer on the training rows of `dataset` and try it on the texts of `frame`."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    settings = dataset.settings
    rows = assemble(dataset, Featurizer(dataset.lexicon))
    used = ~rows.held_apart
    learned = rows[used]
    real = dataset.standoff.rows if dataset.standoff else ()
    known = [*(texts[row.id] for row in real), *(row.text for row in dataset.own)]
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    design = sparse.csr_matrix(vectorizer.fit_transform([known[number] for number in np.flatnonzero(used)]))
    folds = fold_numbers(learned.groups, settings.folds)
    jobs = [(None, settings)] + [(fold, settings) for fold in range(settings.folds)]
    fits = training.run_fits(dataset, design, learned, folds, jobs, None)
    out_of_fold = training.scores_out_of_fold(design, folds, fits[1:])
    found = training.calibrated_rows(dataset, learned, out_of_fold, folds, settings)
    coefficients, intercepts = fits[0]
    scores = vectorizer.transform(tried) @ coefficients.T + intercepts
    probabilities = calibrated(scores, found.slopes, found.offsets, exclusive=dataset.labels.exclusive)
    return Scored(frame.truth, probabilities, probabilities >= found.thresholds, frame.labels, frame.groups)


if __name__ == "__main__":
    main()
