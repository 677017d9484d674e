"""Near-duplicates among sets of features, found by MinHash and then checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

ALIKE: Final = 0.8
_BANDS: Final = 12
_BAND_ROWS: Final = 4
_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)


def near_duplicates(
    sets: Sequence[NDArray[Any]], alike: float = ALIKE, known: NDArray[np.int32] | None = None
) -> NDArray[np.int32]:
    """Return for each set the number of the first one of its cluster of near-duplicates; its own where it has none.

    Parameters
    ----------
    sets
        Sorted sets of integers; empty ones have no near-duplicates.
    alike
        Least Jaccard similarity of near-duplicates. Candidates share one of twelve bands of four MinHash values,
        which pairs of similarity 0.8 miss once in 500 times and pairs of 0.9 hardly ever.
    known
        Clusters to start from, as an earlier call returned them, shape (n,).

    Returns
    -------
    ndarray of int32, shape (n,)
        Clusters grow by single links: a chain of near-duplicates is one cluster.
    """
    first = np.arange(len(sets), dtype=np.int32) if known is None else known.astype(np.int32)

    def join(one: int, two: int) -> None:
        low, high = sorted((int(first[one]), int(first[two])))
        if low != high:
            first[first == high] = low

    # Only one of several equal sets is compared any further, so that a thousand copies make no million comparisons.
    distinct: dict[bytes, int] = {}
    for number, members in enumerate(sets):
        if len(members):
            join(distinct.setdefault(members.tobytes(), number), number)
    filled = list(distinct.values())
    if not filled:
        return first
    signatures = _signatures([sets[number] for number in filled])
    for band in range(_BANDS):
        part = np.ascontiguousarray(signatures[:, band * _BAND_ROWS : (band + 1) * _BAND_ROWS])
        meeting: dict[bytes, list[int]] = {}
        for number, key in zip(filled, part, strict=True):
            others = meeting.setdefault(key.tobytes(), [])
            for other in others:
                if first[number] != first[other] and jaccard(sets[number], sets[other]) >= alike:
                    join(number, other)
            others.append(number)
    return first


def jaccard(one: NDArray[Any], two: NDArray[Any]) -> float:
    """Return the share that two sorted sets have in common, 0 to 1."""
    common = len(np.intersect1d(one, two, assume_unique=True))
    return common / max(len(one) + len(two) - common, 1)


def _signatures(sets: Sequence[NDArray[Any]]) -> NDArray[np.uint64]:
    """Return MinHash signatures of sets that are not empty, shape (n, bands * rows)."""
    members = np.concatenate(sets).astype(np.uint64)
    starts = np.concatenate([[0], np.cumsum([len(each) for each in sets])[:-1]])
    columns = []
    for seed in range(_BANDS * _BAND_ROWS):
        mixed = (members + np.uint64(seed * 2 + 1)) * _FACTOR
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(0xD6E8FEB86659FD93 + 2 * seed)
        mixed ^= mixed >> np.uint64(32)
        columns.append(np.minimum.reduceat(mixed, starts))
    return np.stack(columns, axis=1)
