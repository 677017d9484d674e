"""Files → streams of bytes, unpacked within limits, and how far a run has read."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from stance import limits
from stance.inputs import packing_of
from stance.records import InputError, Reject

BOM: Final = b"\xef\xbb\xbf"
_PIECE: Final = 1 << 18
# Bytes of UTF-8 that begin no character.
_CONTINUING: Final = bytes(range(0x80, 0xC0))
# What is read of a zstd file in one go. All that comes out of it counts as little as it itself does.
_PACKED_PIECE: Final = 1 << 15
# Memory that a zstd file may ask for in order to be unpacked: what its own command line allows.
_ZSTD_WINDOW: Final = 128 << 20
# The frame: magic number, size in one byte, and a last block that says one byte sixteen times. Taken for part of a
# frame that was cut short, it never gives the mark.
_MARK: Final = b"z" * 16
_MARK_FRAME: Final = b"\x28\xb5\x2f\xfd\x20\x10\x83\x00\x00z"

Line = tuple[int, bytes | Reject]


class Meter:
    """Counts the bytes that a run has read of its input, as they lie on disk.

    Attributes
    ----------
    total
        Bytes of all inputs; 0 where that is not known.
    """

    def __init__(self, total: int = 0) -> None:
        self.total = total
        self._before = 0
        self._tell: Callable[[], int] | None = None

    @property
    def done(self) -> int:
        """Bytes read so far."""
        try:
            return self._before + (self._tell() if self._tell else 0)
        except OSError:
            # A pipe does not know.
            return self._before

    @contextmanager
    def counting(self, tell: Callable[[], int]) -> Iterator[None]:
        """Count an open file in, by what `tell` says until the block ends."""
        self._tell = tell
        try:
            yield
        finally:
            self._before = self.done
            self._tell = None


@contextmanager
def opened(path: Path, meter: Meter | None = None) -> Iterator[BinaryIO]:
    """Open a file for reading, unpacked where its ending says that it is packed.

    Reading raises OSError, whatever is wrong with the packing.

    Raises
    ------
    InputError
        If the library that unpacks it is not there.
    OSError
        If the file cannot be opened.
    """
    packing = packing_of(path)
    if packing == "zst":
        require_zstd()
    with path.open("rb") as raw, (meter or Meter()).counting(raw.tell):
        yield io.BufferedReader(_Unpacked(raw, packing), _PIECE) if packing else raw


def require_zstd() -> None:
    """Raise InputError if the library for zstd is not there."""
    from importlib.util import find_spec

    if find_spec("zstandard") is None:
        raise InputError("reading zstd needs zstandard; install stance-news[zstd]")


class _Marked:
    """A zstd file with one more frame, of the mark alone, at its end."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        # In two pieces: one that is a whole frame would be unpacked even after the first bytes of another.
        self._last = [_MARK_FRAME[:4], _MARK_FRAME[4:]]

    def read(self, size: int) -> bytes:
        piece = self._raw.read(size)
        return self._last.pop(0) if not piece and self._last else piece


class _Frames:
    """Unpacks zstd, and tells a file that was cut short, which the library takes for one that is whole.

    Only where the file ends between two frames does the mark that is put behind it come out again.
    """

    def __init__(self, raw: BinaryIO) -> None:
        import zstandard

        unpacker = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._reader = unpacker.stream_reader(
            cast(BinaryIO, _Marked(raw)), read_size=_PACKED_PIECE, read_across_frames=True, closefd=False
        )
        self._held = b""

    def read1(self, size: int) -> bytes:
        while True:
            piece = self._reader.read1(size)
            held = self._held + piece
            if not piece and held != _MARK:
                raise EOFError("it ends within a frame")
            given, self._held = held[: -len(_MARK)], held[-len(_MARK) :]
            if given or not piece:
                return given


class _Unpacked(io.RawIOBase):
    """Unpacks a file, and stops at one that grows beyond all measure or is damaged."""

    def __init__(self, raw: BinaryIO, packing: str) -> None:
        self._raw = raw
        self._errors: tuple[type[Exception], ...] = (EOFError, zlib.error)
        if packing == "zst":
            import zstandard

            self._stream: Any = _Frames(raw)
            self._errors += (zstandard.ZstdError,)
        else:
            self._stream = gzip.GzipFile(fileobj=raw)
        self._came_out = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        try:
            # Asked for more than it has at hand, it would lose what came before the damage.
            piece: bytes = self._stream.read1(min(len(view), _PIECE))
        except self._errors as error:
            raise OSError(str(error) or type(error).__name__) from error
        count = len(piece)
        view[:count] = piece
        self._came_out += count + limits.LINE_WEIGHT * piece.count(b"\n")
        if self._came_out > max(limits.RATIO_COUNTS_FROM, limits.LARGEST_RATIO * self._raw.tell()):
            raise OSError(f"unpacks to more than {limits.LARGEST_RATIO} times its size")
        return count


def lines_of(stream: BinaryIO, place: str, head: bytes = b"") -> Iterator[Line]:
    """Yield numbered lines; one that is too long is passed over, and what cannot be read ends the file.

    Parameters
    ----------
    stream
        What is read.
    place
        Its name in rejects.
    head
        What was read of it before.
    """
    number = 0
    while True:
        number += 1
        try:
            line, newline, head = head.partition(b"\n")
            line += newline or stream.readline(limits.LARGEST_LINE + 1)
            if len(line) > limits.LARGEST_LINE and not line.endswith(b"\n"):
                shown = shown_raw(line)
                while line and not line.endswith(b"\n"):
                    line = stream.readline(limits.LARGEST_LINE + 1)
                yield number, Reject(place, number, f"longer than {limits.LARGEST_LINE >> 20} MiB", shown)
                continue
        except OSError as error:
            yield number, Reject(place, number, f"damaged from here on: {error.strerror or error}")
            return
        if not line:
            return
        if number == 1:
            line = line.removeprefix(BOM)
        yield number, line


def is_too_wide(raw: bytes) -> bool:
    """Return whether bytes of UTF-8 are a third more characters than an article may have, and not all of one byte.

    Once one of them is wide, each takes four bytes of memory, in the line and again in what is made of it.
    """
    most = limits.LARGEST_ARTICLE + limits.LARGEST_ARTICLE // 3
    return len(raw) > most and not raw.isascii() and len(raw.translate(None, _CONTINUING)) > most


def shown_raw(raw: bytes) -> str:
    """Return what a reject shows of a record."""
    return raw[: 4 * limits.SHOWN_RAW].decode("utf-8", "replace")[: limits.SHOWN_RAW]


def size_of(path: Path) -> int:
    """Return a file's size in bytes, 0 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
