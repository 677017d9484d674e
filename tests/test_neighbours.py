from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stance.neighbours import ALIKE, jaccard, near_duplicates

Numbers = NDArray[np.int32]


def members(*numbers: int) -> Numbers:
    return np.array(sorted(numbers), dtype=np.int32)


def clusters(sets: list[Numbers], alike: float = ALIKE) -> list[int]:
    """Single linkage over every pair, the slow and certain way."""
    first = list(range(len(sets)))
    for one in range(len(sets)):
        for two in range(one):
            a, b = set(sets[one].tolist()), set(sets[two].tolist())
            if a and b and len(a & b) / len(a | b) >= alike:
                low, high = sorted((first[one], first[two]))
                first = [low if name == high else name for name in first]
    return first


# Families of sets that differ little, so that near-duplicates are common.
@st.composite
def families(draw: st.DrawFn) -> list[Numbers]:
    sets: list[Numbers] = []
    for family in range(draw(st.integers(1, 4))):
        whole = list(range(family * 100, family * 100 + draw(st.integers(1, 40))))
        for _ in range(draw(st.integers(1, 5))):
            without = draw(st.sets(st.sampled_from(whole), max_size=4))
            sets.append(members(*(number for number in whole if number not in without)))
    return draw(st.permutations(sets))


@given(families())
def test_clusters_are_those_of_all_pairs(sets: list[Numbers]) -> None:
    found, certain = near_duplicates(sets), clusters(sets)
    # Nothing is joined that is not alike, and what is missed is at most one link in hundreds.
    joined = [(one, two) for one in range(len(sets)) for two in range(one) if found[one] == found[two]]
    assert all(certain[one] == certain[two] for one, two in joined)
    for one in range(len(sets)):
        for two in range(one):
            if jaccard(sets[one], sets[two]) >= 0.93:
                assert found[one] == found[two]


def test_hardly_any_pair_is_missed() -> None:
    random = np.random.default_rng(7)
    sets: list[Numbers] = []
    for _ in range(1500):
        whole = random.choice(1 << 20, size=60, replace=False).astype(np.int32)
        # 57 of 63 numbers in common: a similarity of 0.905.
        other = np.concatenate([whole[3:], random.choice(1 << 20, size=3) + (1 << 20)]).astype(np.int32)
        sets += [np.unique(whole), np.unique(other)]
    found = near_duplicates(sets)
    pairs = found.reshape(-1, 2)
    assert (pairs[:, 0] == np.arange(0, 3000, 2)).all()
    assert (pairs[:, 0] == pairs[:, 1]).mean() > 0.995


def test_a_chain_is_one_cluster_named_after_its_first_set() -> None:
    chain = [np.arange(start, start + 40, dtype=np.int32) for start in (8, 4, 0)]
    assert jaccard(chain[0], chain[2]) < ALIKE < jaccard(chain[0], chain[1])
    alone = members(1000, 1001)
    assert near_duplicates([alone, *chain]).tolist() == [0, 1, 1, 1]


def test_equal_sets_meet_whatever_their_number() -> None:
    sets = [members(1, 2, 3), members(4), members(1, 2, 3), members(4), members(1, 2, 3)] * 2000
    assert near_duplicates(sets).tolist() == [0, 1, 0, 1, 0] * 2000


def test_empty_sets_are_near_nothing() -> None:
    empty = members()
    assert near_duplicates([]).tolist() == []
    assert near_duplicates([empty, empty]).tolist() == [0, 1]
    assert near_duplicates([empty, members(5), empty, members(5)]).tolist() == [0, 1, 2, 1]


def test_the_bound_is_the_callers() -> None:
    one, two = np.arange(0, 20, dtype=np.int32), np.arange(1, 20, dtype=np.int32)
    assert near_duplicates([one, two], alike=0.95).tolist() == [0, 0]
    assert near_duplicates([one, two], alike=0.96).tolist() == [0, 1]


def test_known_clusters_stay_and_grow() -> None:
    sets = [members(1, 2), members(3, 4), members(5, 6), members(5, 6)]
    known = np.array([0, 1, 0, 3], dtype=np.int32)
    assert near_duplicates(sets, known=known).tolist() == [0, 1, 0, 0]
    assert known.tolist() == [0, 1, 0, 3]


@given(st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)))
def test_jaccard_is_the_share_in_common(one: set[int], two: set[int]) -> None:
    expected = len(one & two) / len(one | two) if one | two else 0.0
    assert jaccard(members(*one), members(*two)) == expected
