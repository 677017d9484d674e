"""Headers of the pages of a parquet file: how large each page is, before memory is taken for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, Final, NamedTuple

# A header is some dozen bytes, unless somebody keeps the page's smallest and largest text in it.
_HEADER: Final = 1 << 12
_LARGEST_HEADER: Final = 1 << 20
_DICTIONARY: Final = 2
# Places in the header, and of the number of values in what it says of a page of data, of either version.
_KIND, _UNPACKED, _PACKED, _VALUES = 1, 2, 3, 1
_ABOUT_DATA: Final = (5, 8)


class Page(NamedTuple):
    """One page: its size in bytes, unpacked and packed, and the number of its values; 0 where it is a dictionary."""

    size: int
    packed: int
    values: int


def pages_of(stream: IO[bytes], chunk: Any) -> Iterator[Page]:
    """Yield the pages of a column in one row group.

    Parameters
    ----------
    stream
        The file; is left anywhere.
    chunk
        What pyarrow says of the column there.

    Raises
    ------
    OSError
        If a header cannot be read.
    """
    # A dictionary comes first, where there is one; some writers say 0 where there is none.
    at = min(place for place in (chunk.dictionary_page_offset, chunk.data_page_offset) if place)
    end = at + chunk.total_compressed_size
    while at < end:
        header, length = _header(stream, at)
        kind, size, packed = (header.get(place) for place in (_KIND, _UNPACKED, _PACKED))
        if not (isinstance(kind, int) and isinstance(size, int) and isinstance(packed, int)) or size < 0 or packed < 0:
            raise OSError("a page without a valid header")
        about: dict[int, Any] = next(
            (header[place] for place in _ABOUT_DATA if isinstance(header.get(place), dict)), {}
        )
        values = about.get(_VALUES, 0)
        yield Page(size, packed, values if isinstance(values, int) and kind != _DICTIONARY else 0)
        at += length + packed


def _header(stream: IO[bytes], at: int) -> tuple[dict[int, Any], int]:
    size = _HEADER
    while True:
        stream.seek(at)
        raw = stream.read(size)
        try:
            reading = _Compact(raw)
            return reading.structure(0), reading.at
        except IndexError as error:
            if len(raw) < size or size >= _LARGEST_HEADER:
                raise OSError("a page without a valid header") from error
        size = _LARGEST_HEADER


class _Compact:
    """Reads Thrift's compact protocol as far as headers need it: numbers and structures; all else is passed over."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self.at = 0

    def structure(self, depth: int) -> dict[int, Any]:
        found: dict[int, Any] = {}
        field = 0
        if depth > 8:
            raise IndexError
        while head := self._byte():
            field = field + (head >> 4) if head >> 4 else self._number()
            found[field] = self._value(head & 15, depth)
        return found

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (1, 2):
            return kind == 1
        if kind == 3:
            return self._byte()
        if kind in (4, 5, 6):
            return self._number()
        if kind == 12:
            return self.structure(depth + 1)
        if kind == 7:
            self.at += 8
        elif kind == 8:
            length = self._varint()
            self.at += length
        else:
            # Lists, sets and maps stand in no header.
            raise IndexError
        if self.at > len(self._raw):
            raise IndexError
        return None

    def _byte(self) -> int:
        self.at += 1
        return self._raw[self.at - 1]

    def _varint(self) -> int:
        number = shift = 0
        while (byte := self._byte()) & 0x80:
            number |= (byte & 0x7F) << shift
            shift += 7
            if shift > 63:
                raise IndexError
        return number | byte << shift

    def _number(self) -> int:
        number = self._varint()
        return number >> 1 ^ -(number & 1)
