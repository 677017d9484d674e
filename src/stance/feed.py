"""Inputs → blocks of records, bounded by bytes: the pieces of work of a run, the same however often it is begun."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple

from stance.articles import find_records
from stance.inputs import Input
from stance.reading import Columns, Found
from stance.records import Article, Pending, StanceError
from stance.streams import Meter, size_of

BLOCK_BYTES: Final = 1 << 20
# A record weighs more than its text, so that a million empty ones are no single block.
_RECORD_BYTES: Final = 256


class Place(NamedTuple):
    """A place in the inputs: that many inputs are behind it, and that many records of the next."""

    input: int
    record: int


@dataclass(frozen=True, slots=True)
class Block:
    """Records that are scored in one go.

    Attributes
    ----------
    records
        At least one.
    part
        The part of the output that they belong to.
    ends_part
        Whether they are the last that do, if more records follow.
    start, end
        Where the part starts, and where these end.
    count, digest
        Records of the part so far, and, where there is more than one part, what tells whether they are still the same
        another time.
    read
        Bytes of the input read so far.
    """

    records: list[Found]
    part: int
    ends_part: bool
    start: Place
    end: Place
    count: int
    digest: str
    read: int


class Feed:
    """The records of all inputs in their order.

    Parameters
    ----------
    inputs
        What is read.
    columns
        Columns or fields.

    Attributes
    ----------
    meter
        How many bytes were read, of how many.
    can_be_told
        Whether a change of the inputs shows in their sizes and times; that of stdin does not.
    place
        Where it stands.
    """

    def __init__(self, inputs: Sequence[Input], columns: Columns) -> None:
        sizes = [size_of(each.path) if each.path else 0 for each in inputs]
        # What comes through a pipe may be of any length, so that a total would be wrong.
        self.meter = Meter(0 if any(each.path is None for each in inputs) else sum(sizes))
        self.can_be_told = all(each.path for each in inputs)
        self.place = Place(0, 0)
        self._records = self._found(inputs, columns)
        self._failure: StanceError | None = None

    def _found(self, inputs: Sequence[Input], columns: Columns) -> Iterator[Found]:
        for number, each in enumerate(inputs):
            self.place = Place(number, 0)
            for record in find_records(each, columns, self.meter):
                self.place = Place(number, self.place.record + 1)
                yield record

    def skip(self, count: int) -> str:
        """Pass over records and return their digest."""
        digest = _Digest()
        for record in islice(self._records, count):
            digest.add(record)
        return digest.text

    def blocks(self, *, block_bytes: int = BLOCK_BYTES, part_bytes: int = 0, part: int = 0) -> Iterator[Block]:
        """Yield the blocks of what is left.

        Parameters
        ----------
        block_bytes
            A block is full when its records weigh as much: their bytes, or characters where they are texts already,
            and 256 for each. With 0, each has one.
        part_bytes
            A part is full when its blocks weigh as much; with 0, there is one part.
        part
            Number of the part that begins here.
        """
        start, weight, count, digest = self.place, 0, 0, _Digest()
        records: list[Found] = []
        block_weight = 0
        for record in self._before_failure():
            records.append(record)
            count += 1
            if part_bytes:
                digest.add(record)
            block_weight += _weight(record)
            if block_weight < block_bytes:
                continue
            weight += block_weight
            full = bool(part_bytes) and weight >= part_bytes
            yield Block(records, part, full, start, self.place, count, digest.text, self.meter.done)
            records, block_weight = [], 0
            if full:
                part += 1
                start, weight, count, digest = self.place, 0, 0, _Digest()
        if records:
            yield Block(records, part, False, start, self.place, count, digest.text, self.meter.done)
        if self._failure is not None:
            raise self._failure

    def _before_failure(self) -> Iterator[Found]:
        # What was found until then is scored first.
        try:
            yield from self._records
        except StanceError as error:
            self._failure = error


def _weight(record: Found) -> int:
    content = record.text if isinstance(record, Article) else record.raw
    return _RECORD_BYTES + len(content)


class _Digest:
    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, record: Found) -> None:
        if isinstance(record, Pending):
            pieces = [record.raw]
        elif isinstance(record, Article):
            pieces = [each.encode("utf-8", "replace") for each in (record.id, record.source, record.date, record.text)]
        else:
            pieces = [f"{record.line} {record.reason}".encode("utf-8", "replace")]
        for piece in pieces:
            self._hash.update(b"%d:" % len(piece))
            self._hash.update(piece)

    @property
    def text(self) -> str:
        return self._hash.hexdigest()[:32]
