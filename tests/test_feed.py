"""Inputs → blocks: bounded by bytes, in order, and the same blocks when a run is gone on with."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from newsroom import write_articles

from stance.feed import Block, Feed, Place
from stance.inputs import find_inputs
from stance.reading import Columns
from stance.records import InputError, Pending

COUNT = 300


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files of several formats."""
    folder = tmp_path_factory.mktemp("feed")
    write_articles(folder / "b.jsonl", COUNT, sentences=8)
    (folder / "c.jsonl.gz").write_bytes(gzip.compress((folder / "b.jsonl").read_bytes()))
    (folder / "a.txt").write_text("He denied it.")
    (folder / "d.csv").write_text("text,id\nHe denied it.,1\nbroken\nThey met.,2\n")
    return folder


def feed(desk: Path) -> Feed:
    return Feed(find_inputs([desk], None), Columns())


def shape(block: Block) -> tuple[int, bool, Place, Place, int, str, int]:
    return (
        block.part,
        block.ends_part,
        block.start,
        block.end,
        block.count,
        block.digest,
        len(block.records),
    )


def test_blocks_hold_all_records_in_order_within_their_bounds(desk: Path) -> None:
    blocks = list(feed(desk).blocks(block_bytes=20_000))
    records = [record for block in blocks for record in block.records]
    assert len(records) == 1 + 2 * COUNT + 3
    lines = [record.line for record in records if isinstance(record, Pending)]
    assert lines == [*range(1, COUNT + 1)] * 2
    weights = [sum(256 + len(getattr(r, "text", getattr(r, "raw", ""))) for r in block.records) for block in blocks]
    assert all(weight < 20_000 + 3_000 for weight in weights)
    assert all(weight >= 20_000 for weight in weights[:-1])
    assert blocks[-1].end == Place(3, 3)
    assert [block.part for block in blocks] == [0] * len(blocks)


def test_a_block_may_be_one_record(desk: Path) -> None:
    assert {len(block.records) for block in feed(desk).blocks(block_bytes=0)} == {1}


def test_what_was_read_is_counted_as_it_lies_on_the_disk(desk: Path) -> None:
    one = feed(desk)
    read = [block.read for block in one.blocks(block_bytes=20_000)]
    assert read == sorted(read)
    assert one.meter.total == one.meter.done == sum(path.stat().st_size for path in desk.iterdir())


@given(part_bytes=st.integers(1, 300_000), which=st.floats(0, 1))
def test_after_any_part_the_blocks_go_on_as_they_would_have(desk: Path, part_bytes: int, which: float) -> None:
    whole = list(feed(desk).blocks(block_bytes=9_000, part_bytes=part_bytes))
    ends = [block for block in whole if block.ends_part]
    if not ends:
        return
    number = int(which * (len(ends) - 1))
    again = feed(desk)
    for block in ends[: number + 1]:
        assert again.skip(block.count) == block.digest
        assert again.place == block.end
    rest = again.blocks(block_bytes=9_000, part_bytes=part_bytes, part=number + 1)
    assert [shape(block) for block in rest] == [shape(block) for block in whole if block.part > number]


@pytest.mark.parametrize("change", [("b.jsonl", 5), ("a.txt", 0), ("d.csv", 9)])
def test_another_content_has_another_digest(desk: Path, tmp_path: Path, change: tuple[str, int]) -> None:
    for path in desk.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    count = 1 + 2 * COUNT + 3
    before = feed(tmp_path).skip(count)
    assert before == feed(desk).skip(count)
    name, at = change
    content = bytearray((tmp_path / name).read_bytes())
    content[at] ^= 1
    (tmp_path / name).write_bytes(content)
    assert feed(tmp_path).skip(count) != before


def test_what_came_before_a_failure_is_handed_over(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\nHe denied it.\n")
    (tmp_path / "b.csv").write_text("nothing\nHe denied it.\n")
    blocks = feed(tmp_path).blocks()
    assert len(next(blocks).records) == 1
    with pytest.raises(InputError, match=r"b\.csv: has no column text"):
        next(blocks)
