"""Drawing what to annotate next: a part at random from everything, the rest where a model says that it pays.

Every stratum is a simple random sample of its own, so the probability that a row is drawn is known exactly:
``1 - product over the strata that hold it of (1 - wanted / members)``. Its inverse is the weight of the row.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from stance.features import FAMILIES
from stance.records import DataError, InputError
from stance.rows import checked_string, read_jsonl, statement_id

if TYPE_CHECKING:
    from stance.model import Model

RANDOM: Final = "random"
# What is taken over from a candidate, beside its text.
PLACE_FIELDS: Final[tuple[str, ...]] = ("id", "origin", "commit", "path", "locator", "date", "source")
RANDOM_SHARE: Final = 0.2
# What the rest is shared out by: rows above the threshold, rows under it that could be above, and rows far under it
# that hold a cue which few others have.
KINDS: Final = (("+", 0.35), ("~", 0.45), ("-", 0.20))
# Uncertain is what reaches this share of the threshold.
UNCERTAIN: Final = 0.1
# A cue is rare that at most this share of the candidates has.
RARE: Final = 0.0005
_CLASS: Final = FAMILIES.index("class")
_CHUNK: Final = 4_000

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Stratum:
    """Candidates of one kind, and how many of them are wanted; `name` is what ``draw`` says in the row."""

    name: str
    members: Integers
    wanted: int


@dataclass(frozen=True, eq=False)
class Figures:
    """What a model says of n candidates.

    Attributes
    ----------
    probabilities
        Shape (n, labels).
    rare_cue
        Whether the candidate holds a rare cue of a class that counts for the label, shape (n, labels).
    """

    probabilities: Floats
    rare_cue: Bools


@dataclass(frozen=True, eq=False)
class Drawn:
    """m rows drawn.

    Attributes
    ----------
    rows
        Numbers of the candidates in random order, shape (m,).
    draws
        Name of the first stratum that took each row.
    chances
        Probability that the row is drawn, above 0, at most 1, shape (m,).
    strata
        What was drawn from.
    """

    rows: Integers
    draws: tuple[str, ...]
    chances: Floats
    strata: tuple[Stratum, ...]


def read_ids(paths: Iterable[Path]) -> set[str]:
    """Return the ids of all rows of JSONL files."""
    return {str(record.get("id")) for path in paths for _, record in read_jsonl(path)}


def read_candidates(paths: Iterable[Path], known: set[str]) -> list[dict[str, Any]]:
    """Return the rows of JSONL files that can be drawn: with ``text``, not known, each wording once.

    A row without ``id`` gets that of its text.

    Raises
    ------
    DataError
        If a row has no text, its id is not that of the text, or no row is left.
    """
    read: list[tuple[dict[str, Any], str]] = []
    for path in paths:
        for place, record in read_jsonl(path):
            text = checked_string(record.get("text"), "text", place)
            if not text.strip():
                raise DataError(f"{place}: text is blank; give each row its sentence")
            made = statement_id(text)
            if record.setdefault("id", made) != made:
                raise DataError(
                    f"{place}: id {record['id']!r} is not {made!r}, the first 12 hex digits of the SHA-1 of the text "
                    "with its white space folded; correct it or leave it out"
                )
            # Syndicated copies differ in stops and capitals; reading one of them is enough.
            read.append((record, " ".join(re.findall(r"\w+", text.casefold())) or text))
    met = {wording for record, wording in read if record["id"] in known}
    rows: list[dict[str, Any]] = []
    for record, wording in read:
        if wording not in met:
            met.add(wording)
            rows.append({name: record[name] for name in ("text", *PLACE_FIELDS) if name in record})
    if not rows:
        raise DataError("no candidates: every row of the files is known already; give other files")
    return rows


def look(texts: Sequence[str], model: Model, progress: Callable[[int, int], None] | None = None) -> Figures:
    """Score candidates and find their rare cues, on all cores.

    Parameters
    ----------
    texts
        The candidates; a blank one is an error.
    model
        Says how probable each label is, and by its weights which cue classes count for it.
    progress
        Called with the number of candidates done and to be done.
    """
    from joblib import Parallel, delayed

    chunks = [texts[start : start + _CHUNK] for start in range(0, len(texts), _CHUNK)]
    scores: list[Floats] = []
    cues: list[list[tuple[str, str]]] = []
    for found, held in Parallel(n_jobs=-1, return_as="generator")(delayed(_look)(chunk, model) for chunk in chunks):
        scores.append(found)
        cues += held
        if progress:
            progress(len(cues), len(texts))
    rows_with = Counter(cue for held in cues for cue in held)
    most = RARE * len(texts)
    featurizer = model.featurizer
    counts_for = {
        name: model.weights[[featurizer.bucket(_CLASS, (name,))]][0] > 0 for name in {name for name, _ in rows_with}
    }
    rare_cue = np.zeros((len(texts), len(model.labels.names)), dtype=np.bool_)
    for row, held in enumerate(cues):
        for cue in held:
            if rows_with[cue] <= most:
                rare_cue[row] |= counts_for[cue[0]]
    return Figures(model.calibrate(np.concatenate(scores)), rare_cue)


def make_strata(
    figures: Figures, names: Sequence[str], thresholds: Floats, size: int, favour: Mapping[str, float]
) -> tuple[Stratum, ...]:
    """Share a batch out: `RANDOM_SHARE` at random from everything, the rest by label and kind.

    Parameters
    ----------
    figures
        Of all n candidates.
    names, thresholds
        The labels of the model.
    size
        Rows wanted in all.
    favour
        Label to how much it gets compared with the others, which have 1.

    Returns
    -------
    tuple of Stratum
        The random one first. What a stratum has not enough members for goes to the later ones of its label.

    Raises
    ------
    InputError
        If more rows are wanted than there are candidates, or nothing is favoured.
    """
    count = len(figures.probabilities)
    if not 1 <= size <= count:
        raise InputError(f"a batch of {size} rows cannot be drawn from {count} candidates; ask for fewer")
    at_random = max(round(RANDOM_SHARE * size), 1)
    strata = [Stratum(RANDOM, np.arange(count), at_random)]
    total = sum(favour.get(name, 1.0) for name in names)
    if not total > 0:
        raise InputError("every label is favoured with 0, so there is nothing to look for; give one a larger number")
    for column, name in enumerate(names):
        chance, threshold = figures.probabilities[:, column], thresholds[column]
        likely = chance >= threshold
        uncertain = ~likely & (chance >= UNCERTAIN * threshold)
        rare = ~likely & ~uncertain & figures.rare_cue[:, column]
        quota = favour.get(name, 1.0) / total * (size - at_random)
        carried = 0.0
        for (sign, share), chosen in zip(KINDS, (likely, uncertain, rare), strict=True):
            members = np.flatnonzero(chosen)
            wanted = min(round(quota * share + carried), len(members))
            carried += quota * share - wanted
            if wanted:
                strata.append(Stratum(f"{name}{sign}", members, wanted))
    return tuple(strata)


def draw(strata: Sequence[Stratum], seed: int) -> Drawn:
    """Draw from each stratum on its own; a row that several strata take counts once.

    Parameters
    ----------
    strata
        The first one that takes a row names its draw.
    seed
        Of the random numbers.
    """
    random = np.random.default_rng(seed)
    count = 1 + max(int(stratum.members.max()) for stratum in strata)
    missed = np.ones(count)
    draws: dict[int, str] = {}
    for stratum in strata:
        missed[stratum.members] *= 1.0 - stratum.wanted / len(stratum.members)
        for row in random.choice(stratum.members, stratum.wanted, replace=False).tolist():
            draws.setdefault(row, stratum.name)
    rows = random.permutation(np.array(sorted(draws), dtype=np.int64))
    return Drawn(rows, tuple(draws[row] for row in rows.tolist()), 1.0 - missed[rows], tuple(strata))


def _look(texts: Sequence[str], model: Model) -> tuple[Floats, list[list[tuple[str, str]]]]:
    """Return scores, and for each text its cues as (class, words)."""
    featurizer = model.featurizer
    scores = np.empty((len(texts), len(model.labels.names)))
    cues: list[list[tuple[str, str]]] = []
    for number, text in enumerate(texts):
        tokens = featurizer.tokens(text)
        buckets: set[int] = set()
        held: dict[tuple[str, str], Any] = {}
        for family, parts, first, last in featurizer.features(tokens):
            buckets.add(featurizer.bucket(family, parts))
            if family == _CLASS and len(parts) == 1:
                held[parts[0], " ".join(token.text for token in tokens[first : last + 1])] = None
        scores[number] = model.sums(sorted(buckets))
        cues.append(list(held))
    return scores, cues
