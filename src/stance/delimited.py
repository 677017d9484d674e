"""CSV → rows, each with the line that it begins on; a row that is no CSV costs itself and nothing after it.

And the mark that keeps a spreadsheet from running a cell: our writer puts it there, our reader takes it off.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from typing import Final

from stance import limits
from stance.records import Reject
from stance.streams import Line, is_too_wide, shown_raw

# What may be read once more after rows that are no CSV: so many bytes, and so many times what was read at all. Lines
# can be laid so that from each one row runs to the end of the file, which would take time by the square of its size.
# A line counts for more than its bytes, because short ones take as long.
_AGAIN_FLOOR: Final = 64 << 20
_AGAIN_RATIO: Final = 4
# Between rows they are none; passed over at once, millions of them take no time.
_BLANK: Final = (b"\n", b"\r\n")
# A spreadsheet takes a cell that begins like this for a formula; the quotation mark makes it text again.
# Quotation marks before it count in, so that exactly one of them can be taken off again.
_FORMULA: Final = re.compile("'*[=+\\-@\t\r\0]")
_FIRST: Final = frozenset("'=+-@\t\r\0")


def guarded(cell: str) -> str:
    """Return a cell as no spreadsheet runs it."""
    # Hardly a cell begins like that, and a look at its first character is quicker than the whole answer.
    return f"'{cell}" if cell[:1] in _FIRST and _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """Return what `guarded` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def rows_of_csv(lines: Iterator[Line], place: str) -> Iterator[tuple[int, list[str] | Reject]]:
    """Yield numbered rows.

    After a row that is no CSV, reading goes on with the line after that row's first line: one quotation mark that is
    never closed would otherwise swallow the rest of the file. What is no UTF-8 comes through as lone surrogates.

    Parameters
    ----------
    lines
        Numbered lines, as `lines_of` yields them.
    place
        The file's name in rejects.
    """
    reading = _Reading(lines)
    while True:
        row = problem = None
        # The limit belongs to the whole process, so it is put back before anybody else's code runs.
        limit = csv.field_size_limit(limits.LARGEST_ARTICLE)
        try:
            row = next(csv.reader(reading.take(), strict=True), None)
        except csv.Error as error:
            problem = str(error)
        finally:
            csv.field_size_limit(limit)
        if problem:
            number, line = reading.taken[0]
            last, _ = reading.taken[-1]
            reason = f"not valid CSV ({problem})"
            if not reading.put_back():
                reason = f"not valid CSV: quotation marks are not closed from here to line {last}"
            yield number, Reject(place, number, reason, shown_raw(line))
        elif row is not None:
            yield reading.taken[0][0], row
        elif reading.broken:
            yield reading.broken.popleft()
        else:
            return


class _Reading:
    """Hands out the lines of one row after the other, and takes those back that turned out to be other rows."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._ahead: deque[tuple[int, bytes]] = deque()
        self._read = self._again = 0
        self.taken: list[tuple[int, bytes]] = []
        self.broken: deque[tuple[int, Reject]] = deque()

    def take(self) -> Iterator[str]:
        """Yield the lines of one row; a line that cannot be read ends it and goes to `broken`."""
        self.taken = []
        size = values = 0
        while not self.broken or self._ahead:
            if self._ahead:
                number, line = self._ahead.popleft()
            else:
                following = next(self._lines, None)
                if following is None:
                    return
                number, found = following
                if isinstance(found, Reject):
                    self.broken.append((number, found))
                    return
                line = found
                self._read += len(line) + limits.LINE_WEIGHT
            if not self.taken and line in _BLANK:
                continue
            self.taken.append((number, line))
            size += len(line)
            values += 1 + line.count(b",")
            if size > limits.LARGEST_LINE:
                raise csv.Error(f"a row longer than {limits.LARGEST_LINE >> 20} MiB")
            if is_too_wide(line):
                raise csv.Error(f"longer than {limits.LARGEST_ARTICLE >> 20} Mi characters")
            if values > limits.MOST_VALUES:
                raise csv.Error(f"a row of more than {limits.MOST_VALUES:,} cells and lines")
            yield line.decode("utf-8", "surrogateescape")

    def put_back(self) -> bool:
        """Give the lines after a row's first line back to be read anew, unless that was done too often."""
        rest = self.taken[1:]
        size = sum(len(line) + limits.LINE_WEIGHT for _, line in rest)
        if self._again + size > max(_AGAIN_FLOOR, _AGAIN_RATIO * self._read):
            return False
        self._again += size
        self._ahead.extendleft(reversed(rest))
        return True
