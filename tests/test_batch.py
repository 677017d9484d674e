"""Blocks over several processes: in order, and ended at any moment without a word."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from newsroom import write_articles

from stance.batch import Plan, Scorer, outcomes
from stance.feed import Block, Feed
from stance.inputs import find_inputs
from stance.model import Model
from stance.reading import Columns


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("batch")
    write_articles(folder / "a.jsonl", 300, sentences=1)
    return folder


def blocks(desk: Path, block_bytes: int) -> Iterator[Block]:
    return Feed(find_inputs([desk], None), Columns()).blocks(block_bytes=block_bytes)


def scorer(model: Model) -> Scorer:
    return Scorer(Plan(None, tuple(model.thresholds.tolist()), Columns()), model)


def test_several_processes_keep_the_order_of_one(desk: Path, default_model: Model) -> None:
    one, two = (
        [
            (block.start, outcome.pieces, outcome.counts)
            for block, outcome in outcomes(scorer(default_model), blocks(desk, 2_000), jobs)
        ]
        for jobs in (1, 2)
    )
    assert len(one) > 20
    assert one == two


@pytest.mark.parametrize("taken", [1, 2, 5, 13])
def test_what_is_left_half_way_ends_its_processes_without_a_word(desk: Path, default_model: Model, taken: int) -> None:
    # Blocks of one article: processes are done with them as soon as they have them, so that more is always handed out.
    said: list[str] = []
    before, threading.excepthook = threading.excepthook, lambda given: said.append(str(given.exc_value))
    try:
        for _ in range(5):
            running = outcomes(scorer(default_model), blocks(desk, 0), 2)
            for _ in range(taken):
                next(running)
            running.close()
    finally:
        threading.excepthook = before
    assert said == []
    assert not [thread for thread in threading.enumerate() if "ExecutorManager" in thread.name]
