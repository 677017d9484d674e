"""How quick the compiled kernel is, beside its peers and its reference, and what of it costs how much.

    python benchmarks/speed.py [--texts FILE] [--sentences N] [--reference N] [--rounds N]

All on one core and on the same sentences, drawn at random from a file (JSONL with a `text`, also gzip, or one sentence
a line) or, where there is none, the own statements. A ratio is the CPU time a sentence as a multiple of that of
`Model.probabilities` on a list of strings, the median over the rounds; sentences and megabytes (UTF-8) a second are
medians too.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import peers
from ablation import features_by_family
from measuring import OUTSIDE, in_turn, is_there, pin, print_table, ratio, timed

import stance
from stance.features import FAMILIES, FeatureSettings, Featurizer, compiled
from stance.model import Model, Weights
from stance.rows import read_jsonl, read_lines

POOL: Final = OUTSIDE / "pool" / "news.jsonl.gz"
BASE: Final = "stance, list of str"
TABLES: Final = range(16, 23)
FEWEST_BITS: Final = 4

Work = Callable[[], object]


def main() -> None:
    """Measure and print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--sentences", type=int, default=20_000)
    parser.add_argument("--reference", type=int, default=1_000, help="sentences for the readable reference")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    model = stance.load()
    if model.featurizer.kernel is None:
        print("left out: the compiled kernel is not installed, or STANCE_REFERENCE keeps it from being used")
        return
    pin(1)
    texts = drawn_texts(arguments.texts, arguments.sentences)
    size = sum(len(text.encode()) for text in texts) / 1e6
    print(f"{len(texts):,} sentences, {size:.2f} MB; medians of {arguments.rounds} rounds; model {model.id}\n")
    some = texts[: arguments.reference]
    contestants(model, texts, some, arguments.rounds)
    threads(model, texts, arguments.rounds)
    stages(model, texts, arguments.rounds)
    families(model, some)
    tables(model, texts, arguments.rounds)


def drawn_texts(path: Path | None, count: int) -> list[str]:
    """Return so many sentences at random, or all where there are fewer."""
    if path is None and POOL.exists():
        path = POOL
    if path is None:
        texts = peers.own_statements()[0]
    elif ".jsonl" in path.suffixes:
        texts = [record["text"] for _, record in read_jsonl(path)]
    else:
        texts = [line.decode("utf-8").strip() for _, line in read_lines(path)]
    texts = [text for text in texts if text.strip()]
    return random.Random(0).sample(texts, min(count, len(texts)))


def contestants(model: Model, texts: list[str], some: list[str], rounds: int) -> None:
    """Time probabilities from each kind of input, from the reference, and what peers give for them."""
    lines = [peers.one_line(text) for text in texts]
    known, labels = peers.own_statements()
    hashing, tfidf = peers.hashing().fit(known, labels), peers.tfidf().fit(known, labels)
    works: dict[str, Work] = {
        BASE: lambda: model.probabilities(texts),
        "stance, Utf8": partial(model.probabilities, utf8_of(texts)),
        "stance, readable reference": lambda: reference(model, some),
        "scikit-learn HashingVectorizer 1-3 + linear": lambda: hashing.decision_function(texts),
        "scikit-learn TF-IDF words, characters + linear": lambda: tfidf.predict_proba(texts),
    }
    if is_there("pyarrow"):
        import pyarrow as pa

        works["stance, Arrow column"] = partial(model.probabilities, pa.array(texts))
    if is_there("fasttext"):
        fasttext = peers.fasttext()
        works["fastText, dim 100, wordNgrams 2"] = lambda: fasttext.predict(lines, k=-1)
    counts = dict.fromkeys(works, len(texts)) | {"stance, readable reference": len(some)}
    print_speeds(works, counts, texts, rounds)


def reference(model: Model, texts: list[str]) -> object:
    """Do as `Model.probabilities` does without the kernel."""
    return model.calibrate(np.array([model.sums(model.featurizer.indices(text)) for text in texts]))


def utf8_of(texts: list[str]) -> stance.Utf8:
    """Return texts as one buffer."""
    parts = [text.encode() for text in texts]
    return stance.Utf8(b"".join(parts), np.cumsum([0, *map(len, parts)], dtype=np.int64))


def print_speeds(works: Mapping[str, Work], counts: Mapping[str, int], texts: list[str], rounds: int) -> None:
    """Measure in turn and print ratios to the first of them, quickest first."""
    taken = in_turn({name: timed(work) for name, work in works.items()}, rounds)
    each = {name: [seconds / counts[name] for seconds in found] for name, found in taken.items()}
    base = each[next(iter(works))]
    bytes_each = sum(len(text.encode()) for text in texts) / len(texts)
    rows = [
        (name, f"{ratio(found, base):.2f}", f"{1 / median(found):,.0f}", f"{bytes_each / median(found) / 1e6:.2f}")
        for name, found in each.items()
    ]
    rows.sort(key=lambda row: float(row[1]))
    print_table(("from text to probabilities", "ratio", "sentences/s", "MB/s"), rows)


def threads(model: Model, texts: list[str], rounds: int) -> None:
    """Time one thread and two on two cores by the clock on the wall: the kernel lets go of the interpreter lock.

    Where others use the cores too, two threads get little more of them than one: so the quickest rounds stand beside
    the medians, and beside the kernel a function that surely runs without the lock.
    """
    if not pin(2):
        print("left out: two threads, as there is but one core\n")
        return
    half = len(texts) // 2
    control = "SHA-256, as a control"
    parts: dict[str, tuple[Any, Any]] = {
        "list of str": (texts[:half], texts[half:]),
        "Utf8": (utf8_of(texts[:half]), utf8_of(texts[half:])),
        control: (bytes(20_000_000),) * 2,
    }
    works: dict[str, Work] = {}

    def halves_by(mapped: Callable[..., Iterable[object]], name: str) -> None:
        deque(mapped(sha256 if name == control else model.probabilities, parts[name]), maxlen=0)

    with ThreadPoolExecutor(2) as pool:
        for name in parts:
            works[f"{name}, one thread"] = partial(halves_by, map, name)
            works[f"{name}, two threads"] = partial(halves_by, pool.map, name)
        # By the clock on the wall a round is soon disturbed; each is short.
        taken = in_turn({name: timed(work, time.perf_counter) for name, work in works.items()}, 3 * rounds)
    pin(1)
    rows = []
    for name in parts:
        one, two = taken[f"{name}, one thread"], taken[f"{name}, two threads"]
        ratios = f"{ratio(one, two):.2f}", f"{min(one) / min(two):.2f}"
        rows.append(
            (name, *ratios, *("" if name == control else f"{len(texts) / min(each):,.0f}" for each in (one, two)))
        )
    header = "times as quick", "in the quickest rounds", "one, sentences/s", "two, sentences/s"
    print_table(("two threads, wall time", *header), rows)


def stages(model: Model, texts: list[str], rounds: int) -> None:
    """Time what can be called on its own; the passes inside of the kernel have no doors."""
    kernel, scores = model.featurizer.kernel, model.scores(texts)
    assert compiled is not None
    assert kernel is not None
    views = compiled.texts_of(texts)
    works: dict[str, Work] = {
        "all: Model.predict": lambda: model.predict(texts),
        "Model.probabilities": lambda: model.probabilities(texts),
        "Model.scores": lambda: model.scores(texts),
        "views of the strings": partial(compiled.texts_of, texts),
        "features alone, as sorted rows": partial(kernel.rows, views),
        "calibration": partial(model.calibrate, scores),
    }
    taken = in_turn({name: timed(work) for name, work in works.items()}, rounds)
    whole, inner = taken["all: Model.predict"], taken["Model.probabilities"]
    taken["decisions and Prediction records"] = [one - other for one, other in zip(whole, inner, strict=True)]
    rows = [
        (name, f"{ratio(found, inner):.3f}", f"{median(found) / len(texts) * 1e6:.3f}") for name, found in taken.items()
    ]
    print_table(("stage", "ratio to probabilities", "µs a sentence"), rows)


def families(model: Model, texts: list[str]) -> None:
    """Count the features of each family, by the reference; what each is worth, `benchmarks/ablation.py` says."""
    counts = features_by_family(model.featurizer, texts)
    whole = sum(counts.values())
    rows = [(name, f"{counts[name]:.1f}", f"{counts[name] / whole:.1%}") for name in FAMILIES]
    print_table(("family", "features a sentence", "share"), [*rows, ("all", f"{whole:.1f}", "100.0%")])


def tables(model: Model, texts: list[str], rounds: int) -> None:
    """Time tables of weights of other sizes, every bucket of them with random weights; the model has few that count."""
    models = {f"the model, {len(model.weights.buckets):,} rows of it": model}
    for bits in TABLES:
        sized = with_table(model, bits)
        models[f"up to 2^{bits}, all {sized.weights.table:,} rows of it"] = sized
    works = {name: timed(partial(each.probabilities, texts)) for name, each in models.items()}
    taken = in_turn(works, rounds)
    base = next(iter(taken.values()))
    rows = [(name, f"{ratio(each, base):.2f}", f"{len(texts) / median(each):,.0f}") for name, each in taken.items()]
    print_table(("table of weights", "ratio", "sentences/s"), rows)


def with_table(model: Model, bits: int) -> Model:
    """Return the model with random weights in the largest table of up to 2^bits rows, its families in proportion."""
    old = model.featurizer.settings
    by = bits - (old.buckets - 1).bit_length()
    settings = FeatureSettings({name: max(FEWEST_BITS, old.bits[name] + by) for name in FAMILIES}, old.marks)
    shape = settings.buckets, len(model.labels.names)
    values = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    weights = Weights(np.arange(settings.buckets, dtype=np.int32), values, settings.buckets)
    return replace(model, featurizer=Featurizer(model.featurizer.lexicon, settings), weights=weights)


if __name__ == "__main__":
    main()
