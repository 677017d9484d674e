"""Peers that the benchmarks of speed run beside stance, trained on the own statements of `data/`; measures nothing.

A statement counts with its first label, or as `none`: speed does not depend on how well a peer judges.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from measuring import ROOT


def own_statements() -> tuple[list[str], list[str]]:
    """Return the texts and one label each."""
    from stance.dataset import load_dataset

    own = load_dataset(ROOT / "data", own_only=True).own
    return [row.text for row in own], [(row.labels or ("none",))[0] for row in own]


def hashing() -> Any:
    """Return scikit-learn's hashed 1-3-grams of words and a linear model."""
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.linear_model import SGDClassifier
    from sklearn.pipeline import make_pipeline

    return make_pipeline(HashingVectorizer(ngram_range=(1, 3), n_features=2**18), SGDClassifier(random_state=0))


def tfidf() -> Any:
    """Return TF-IDF of words and characters and logistic regression, the usual strong baseline."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    words = TfidfVectorizer(ngram_range=(1, 2))
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5))
    return make_pipeline(make_union(words, characters), LogisticRegression())


def fasttext(bucket: int = 200_000) -> Any:
    """Train fastText; its `bucket` is 2,000,000 by itself, ten times the memory for as few words as here."""
    from fasttext import train_supervised

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.txt"
        lines = (f"__label__{label} {one_line(text)}\n" for text, label in zip(*own_statements(), strict=True))
        path.write_text("".join(lines), encoding="utf-8")
        return train_supervised(str(path), dim=100, wordNgrams=2, bucket=bucket, epoch=5, thread=1, verbose=0)


def one_line(text: str) -> str:
    """Return a text as fastText takes it."""
    return " ".join(text.split())
