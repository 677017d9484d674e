"""Packed files → lines, within limits, and how far a run has read."""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from stance import limits
from stance.records import Reject
from stance.streams import Meter, is_too_wide, lines_of, opened

GOOD = b"".join(b"%d\n" % n for n in range(1_000))


def lines(path: Path) -> list[bytes | str]:
    """The lines, and the reasons of rejects."""
    with opened(path) as stream:
        return [each.reason if isinstance(each, Reject) else each for _, each in lines_of(stream, "a")]


def test_lines_are_numbered_and_keep_their_ends() -> None:
    assert list(lines_of(io.BytesIO(b"\xef\xbb\xbfa\r\n\nb"), "a")) == [(1, b"a\r\n"), (2, b"\n"), (3, b"b")]


@given(st.binary(max_size=60), st.integers(0, 60))
def test_a_head_that_was_read_before_changes_nothing(content: bytes, size: int) -> None:
    whole = list(lines_of(io.BytesIO(content), "a"))
    assert list(lines_of(io.BytesIO(content[size:]), "a", content[:size])) == whole


@pytest.mark.parametrize("ending", ["gz", "GZ", "zst", "zstd"])
def test_a_packed_file_reads_like_the_plain_one(tmp_path: Path, ending: str) -> None:
    pack = gzip.compress if ending.lower() == "gz" else zstandard.compress
    path = tmp_path / f"a.txt.{ending}"
    path.write_bytes(pack(b"") + pack(GOOD) + pack(b"") + pack(b"end"))
    assert b"".join(map(bytes, lines(path))) == GOOD + b"end"  # type: ignore[arg-type]


@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_what_comes_before_the_damage_is_read(tmp_path: Path, ending: str) -> None:
    pack = gzip.compress if ending == "gz" else zstandard.compress
    path = tmp_path / f"a.{ending}"
    path.write_bytes(pack(GOOD) + pack(os.urandom(1 << 20))[: -(1 << 19)])
    found = lines(path)
    assert found[:1_000] == GOOD.splitlines(keepends=True)
    assert isinstance(found[-1], str)
    assert found[-1].startswith("damaged from here on")


@given(st.integers(0, 20_000), st.booleans())
def test_a_file_that_is_cut_short_is_told(tmp_path_factory: pytest.TempPathFactory, size: int, packed: bool) -> None:
    frame = zstandard.compress(GOOD if packed else os.urandom(20_000))
    path = tmp_path_factory.mktemp("cut") / "a.zst"
    path.write_bytes(frame + frame[: min(size, len(frame) - 1)])
    last = lines(path)[-1]
    assert (isinstance(last, str) and "damaged" in last) == (size > 0)


@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_what_unpacks_to_too_much_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    monkeypatch.setattr(limits, "RATIO_COUNTS_FROM", 1 << 20)
    pack = gzip.compress if ending == "gz" else zstandard.compress
    path = tmp_path / f"a.{ending}"
    path.write_bytes(pack(bytes(1 << 20)))
    assert lines(path) == [bytes(1 << 20)]
    path.write_bytes(pack(bytes(50 << 20)))
    assert lines(path) == ["damaged from here on: unpacks to more than 200 times its size"]


def test_a_line_counts_for_more_than_its_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RATIO_COUNTS_FROM", 1 << 20)
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"\n" * (1 << 18)))
    found = lines(path)
    assert len(found) < (1 << 20) // limits.LINE_WEIGHT + (1 << 18) // limits.LINE_WEIGHT
    assert "200 times" in str(found[-1])


def test_news_may_pack_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RATIO_COUNTS_FROM", 0)
    lines_in = b"".join(b'{"text": "He denied it.", "id": "%x"}\n' % (n * 2654435761) for n in range(20_000))
    path = tmp_path / "a.zst"
    path.write_bytes(zstandard.compress(lines_in, 19))
    assert len(lines(path)) == 20_000


@pytest.mark.parametrize("log", [27, 28])
def test_a_window_is_no_larger_than_it_may_be(tmp_path: Path, log: int) -> None:
    about = zstandard.ZstdCompressionParameters(window_log=log, write_content_size=0)
    packer = zstandard.ZstdCompressor(compression_params=about).compressobj()
    path = tmp_path / "a.zst"
    path.write_bytes(packer.compress(GOOD) + packer.flush())
    assert (len(lines(path)) == 1_000) == (log == 27)


def test_a_long_line_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LARGEST_LINE", 10)
    found = list(lines_of(io.BytesIO(b"a\n" + b"x" * 35 + b"\nb\n" + b"y" * 11), "a"))
    assert [each.reason if isinstance(each, Reject) else each for _, each in found] == [
        b"a\n", "longer than 0 MiB", b"b\n", "longer than 0 MiB",
    ]  # fmt: skip


def test_a_meter_counts_what_lies_on_the_disk(tmp_path: Path) -> None:
    packed = gzip.compress(GOOD)
    (tmp_path / "a.gz").write_bytes(packed)
    (tmp_path / "b").write_bytes(GOOD)
    meter = Meter(len(packed) + len(GOOD))
    for name in ("a.gz", "b"):
        with opened(tmp_path / name, meter) as stream:
            stream.read()
    assert meter.done == meter.total


def test_a_pipe_counts_for_nothing() -> None:
    ours, theirs = os.pipe()
    meter = Meter()
    with os.fdopen(ours, "rb") as stream, os.fdopen(theirs, "wb"), meter.counting(stream.tell):
        assert meter.done == 0
    assert meter.done == 0


@pytest.mark.parametrize(("letter", "wide"), [("x", False), ("é", True), ("\U0001f6a2", True)])
def test_wide_lines_are_counted_in_characters(monkeypatch: pytest.MonkeyPatch, letter: str, wide: bool) -> None:
    monkeypatch.setattr(limits, "LARGEST_ARTICLE", 100)
    assert not is_too_wide((letter * 133).encode())
    assert is_too_wide((letter + "x" * 133).encode()) == wide
