# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Compiled twin of `stance.sentences`: equal spans and parts for any string, read in one pass.

Each function does what the pattern or the function of the same name does there.
"""

cimport cython
from cpython.unicode cimport PyUnicode_DATA, PyUnicode_KIND, PyUnicode_READ
from libcpp.algorithm cimport sort
from libcpp.vector cimport vector

from stance._kernel.characters cimport is_digit, is_dot, is_word

cdef enum:
    TITLE_LENGTH = 200
    SUBHEAD_LENGTH = 80
    DATELINE_LENGTH = 120
    LEADING_LINES = 3

ctypedef Py_ssize_t Place


cdef struct Line:
    Place start
    Place end
    bint after_blank
    bint wrapped
    bint dateline


cdef inline bint separates_lines(Py_UCS4 c) noexcept:
    return c in u"\n\r\v\f\x85\u2028\u2029"


cdef inline bint finishes(Py_UCS4 c) noexcept:
    return c in u".!?…:。！？؟۔।"


@cython.final
cdef class _Text:
    """A text, the lines of it that are not blank, and the blocks that no statement may reach across."""

    cdef object text
    cdef int kind
    cdef void* data
    cdef Place length
    cdef vector[Line] lines, blocks

    def __init__(self, text):
        # Not `str text`, which would refuse its subclasses.
        if not isinstance(text, str):
            raise TypeError(f"a text is a str, not {type(text).__name__}")
        self.text = text
        self.kind = PyUnicode_KIND(text)
        self.data = PyUnicode_DATA(text)
        self.length = len(text)

    cdef inline Py_UCS4 at(self, Place place) noexcept:
        return PyUnicode_READ(self.kind, self.data, place)

    cdef int read_lines(self) except -1:
        cdef Place place = 0, end
        cdef int newlines
        cdef bint forced
        cdef Py_UCS4 c, previous
        cdef Line line
        while True:
            # The white space from the end of one line to the start of the next, empty lines and all.
            newlines = 0
            forced = False
            previous = 0
            while place < self.length:
                c = self.at(place)
                if not c.isspace():
                    break
                forced |= c in u"\f\u2029"
                if c in u"\n\r\v\x85\u2028" and not (c == u"\n" and previous == u"\r") and newlines < 2:
                    newlines += 1
                previous = c
                place += 1
            if place == self.length:
                return 0
            end = place
            while end < self.length and not separates_lines(self.at(end)):
                end += 1
            line = Line(place, end, forced or newlines > 1, False, False)
            while self.at(line.end - 1).isspace():
                line.end -= 1
            self.lines.push_back(line)
            place = line.end

    cdef int find_datelines(self, is_dateline) except -1:
        cdef size_t number
        cdef Line* line
        for number in range(min(<size_t>LEADING_LINES, self.lines.size())):
            line = &self.lines[number]
            if line.end - line.start <= DATELINE_LENGTH and self.has_digit(line) and is_dateline(
                self.text[line.start : line.end]
            ):
                line.dateline = True
            elif self.is_finished(line):
                return 0
        return 0

    cdef bint has_digit(self, Line* line) noexcept:
        """Whether there may be a date: a quick look that spares most lines the slow one."""
        cdef Place place
        for place in range(line.start, line.end):
            if is_digit(self.at(place)):
                return True
        return False

    cdef int find_blocks(self) except -1:
        cdef Line* line
        cdef Line* previous
        cdef size_t number
        self.find_wrapped()
        for number in range(self.lines.size()):
            line = &self.lines[number]
            previous = &self.lines[number - 1] if number else NULL
            if previous and previous.wrapped and not (line.after_blank or line.dateline or previous.dateline):
                self.blocks.back().end = line.end
            else:
                self.blocks.push_back(line[0])
        return 0

    cdef int find_wrapped(self) except -1:
        cdef vector[Place] lengths
        cdef Line* line
        cdef Line* following
        cdef size_t number, middle
        cdef Place pairs = 0, length
        cdef double width
        for number in range(1, self.lines.size()):
            line = &self.lines[number - 1]
            following = &self.lines[number]
            if following.after_blank:
                continue
            pairs += 1
            if self.goes_on(line, following):
                line.wrapped = True
                lengths.push_back(line.end - line.start)
        if not lengths.size() > 0.3 * pairs:
            return 0
        sort(lengths.begin(), lengths.end())
        middle = lengths.size() // 2
        width = lengths[middle] if lengths.size() % 2 else (lengths[middle - 1] + lengths[middle]) / 2.0
        for number in range(1, self.lines.size()):
            line = &self.lines[number - 1]
            following = &self.lines[number]
            length = line.end - line.start
            if (not line.wrapped and not following.after_blank and 0.75 * width <= length <= 1.5 * width
                    and self.may_go_on(line, following)):
                line.wrapped = True
        return 0

    cdef bint may_go_on(self, Line* line, Line* following) noexcept:
        return not (
            self.is_heading(line.start, self.length)
            or self.is_heading(following.start, self.length)
            or self.is_bullet(following.start, self.length)
        )

    cdef bint goes_on(self, Line* line, Line* following) noexcept:
        cdef Place place = following.start, end = min(following.end, following.start + 20)
        cdef Py_UCS4 c
        while place < end and not is_word(self.at(place)) and self.at(place) != u"<":
            place += 1
        if place == end:
            return False
        c = self.at(place)
        return (
            c.islower()
            and c.isalnum()
            and not c.isdecimal()
            and not self.is_finished(line)
            and self.may_go_on(line, following)
        )

    cdef bint is_finished(self, Line* line) noexcept:
        """Whether `_FINISHED` is found in the last characters of a line."""
        cdef Place place = line.end
        while place > max(line.start, line.end - 20):
            place -= 1
            if is_word(self.at(place)):
                return False
            if finishes(self.at(place)):
                return True
        return False

    cdef bint is_heading(self, Place start, Place end) noexcept:
        cdef Place place = start
        while place < end and self.at(place) == u"#" and place - start < 6:
            place += 1
        return start < place < end and self.at(place) == u" "

    cdef bint is_bullet(self, Place start, Place end) noexcept:
        return (
            start + 1 < end
            and (self.at(start) in u"-*+>" or is_dot(self.at(start)))
            and self.at(start + 1).isspace()
        )

    cdef bint is_title(self, Line* block, Place longest, bint may_ask) noexcept:
        """Twin of `_is_title` and of `_is_subhead`; a headline may end in a question or an exclamation."""
        cdef Place place, end = block.end
        if self.is_heading(block.start, block.end):
            return True
        if end - block.start > longest or self.is_bullet(block.start, block.end):
            return False
        while end > block.start and self.at(end - 1) in u"\"'”’»)*_ ":
            end -= 1
        if end == block.start or self.at(end - 1) in u".…:;,。–—-" or (not may_ask and self.at(end - 1) in u"!?"):
            return False
        for place in range(block.start, end):
            if self.at(place).isalpha():
                return True
        return False


def statement_spans(splitter, text, is_dateline):
    """Return the start, the end and the part of each statement, as `reference_statement_spans` does.

    Parameters
    ----------
    splitter
        The `Splitter` of `text`.
    text
        Any string.
    is_dateline
        The function of that name of `stance.datelines`.
    """
    cdef _Text read = _Text(text)
    cdef Line* block
    cdef size_t number
    cdef bint titled = False, followed
    cdef str part
    cdef list found = [], pieces
    read.read_lines()
    read.find_datelines(is_dateline)
    read.find_blocks()
    for number in range(read.blocks.size()):
        block = &read.blocks[number]
        if block.dateline:
            found.append((block.start, block.end, "dateline"))
            continue
        pieces = splitter.spans(block.start, block.end)
        part = "body"
        followed = number + 1 < read.blocks.size()
        if followed and not titled and read.is_title(block, TITLE_LENGTH, True):
            part = "title"
        elif followed and number and len(pieces) == 1 and read.is_title(block, SUBHEAD_LENGTH, False):
            part = "subhead"
        titled = True
        for start, end in pieces:
            found.append((start, end, part))
    return found
