# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Compiled twin of `stance.boundaries`: equal spans for any string, without a Python object for each step.

Each method does what the pattern or the function of the same name does there, and its comments say only why it may do
it another way. Characters are judged by the interpreter's own tables, as `re` and `str` judge them.
"""

cimport cython
from cpython.unicode cimport PyUnicode_4BYTE_KIND, PyUnicode_DATA, PyUnicode_FromKindAndData, PyUnicode_KIND, \
    PyUnicode_READ
from libcpp.algorithm cimport lower_bound
from libcpp.vector cimport vector

from stance._kernel.characters cimport is_capital, is_digit, is_dot, is_letter, is_word

ctypedef Py_ssize_t Place
ctypedef vector[Place] Places

# ASCII that is neither masked nor looked at again: everything but white space, quotes, brackets and the full stop.
cdef bint[128] PLAIN
for _code in range(128):
    PLAIN[_code] = chr(_code) == " " or not (chr(_code).isspace() or chr(_code) in "'\"`.()<>{}[]")


cdef inline bint is_opening(Py_UCS4 c) noexcept:
    return c in u"“‘„‚‟‛(" or is_dot(c)


cdef inline bint is_outer_mark(Py_UCS4 c) noexcept:
    """Whether sentencex must not see the mark wherever it stands."""
    return c in u"”\"«»‹›`《》「」" or (c != u"(" and is_opening(c))


cdef inline bint is_bracket(Py_UCS4 c) noexcept:
    return c in u"()（）<>{}[]"


cdef inline bint opens_bracket(Py_UCS4 c) noexcept:
    return c in u"(（<{["


cdef inline Place count_below(Places& places, Place place):
    return lower_bound(places.begin(), places.end(), place) - places.begin()


@cython.final
cdef class Splitter:
    """Finds the sentences of one text's paragraphs; the lists of words, and what is rare, it takes from the reference.

    Parameters
    ----------
    text
        Any string.
    size
        How many characters sentencex is given at a time, at most.
    no_abbreviations, abbreviations
        The words that `_NO_ABBREVIATION` matches, and those that `_ABBREVIATION` matches, folded.
    zone
        The pattern `_ZONE`.
    """

    cdef object text
    cdef int kind
    cdef void* data
    cdef Place size, longest
    cdef frozenset no_abbreviations, abbreviations
    cdef object zone, segment
    # The paragraph, its masked copy, and where its marks stand.
    cdef Place start, length
    cdef vector[Py_UCS4] masked
    cdef Places brackets, stops, openers, curly, straight, bullets
    cdef Places opened, closed, boundaries
    # The gap that was asked for last, and its cut.
    cdef Place low, high, cut
    # The span that may still be lengthened, and those that are complete.
    cdef Place first, last
    cdef Places starts, ends

    def __init__(self, text, Place size, frozenset no_abbreviations, frozenset abbreviations, zone):
        from sentencex import segment

        # Not `str text`, which would refuse its subclasses.
        if not isinstance(text, str):
            raise TypeError(f"a text is a str, not {type(text).__name__}")
        self.text = text
        self.kind = PyUnicode_KIND(text)
        self.data = PyUnicode_DATA(text)
        self.size = size
        self.no_abbreviations = no_abbreviations
        self.abbreviations = abbreviations
        self.longest = max(map(len, no_abbreviations | abbreviations))
        self.zone = zone
        self.segment = segment

    def spans(self, Place start, Place end):
        """Return the spans of the sentences between `start` and `end`, as `reference_spans` does."""
        cdef size_t number
        if not 0 <= start <= end <= len(self.text):
            raise ValueError(f"no paragraph: {start}:{end} of {len(self.text)} characters")
        self.read(start, end)
        return [(self.starts[number], self.ends[number]) for number in range(self.starts.size())]

    cdef int read(self, Place start, Place end) except -1:
        """Fill `starts` and `ends`; all other places are counted from `start` on."""
        cdef Place first = 0, cut, boundary
        cdef size_t bullet = 0
        self.start = start
        self.length = end - start
        self.low = self.high = self.first = self.last = -1
        self.starts.clear()
        self.ends.clear()
        self.mask()
        self.find_quotations()
        self.find_boundaries()
        # Both are in order, and so are the cuts of the boundaries, but for those that are none.
        for boundary in self.boundaries:
            cut = self.place(boundary)
            while bullet < self.bullets.size() and self.bullets[bullet] < cut:
                first = self.cut_at(first, self.bullets[bullet])
                bullet += 1
            first = self.cut_at(first, cut)
        while bullet < self.bullets.size():
            first = self.cut_at(first, self.bullets[bullet])
            bullet += 1
        self.merge(first, self.length)
        if self.first >= 0:
            self.complete()
        return 0

    cdef inline Py_UCS4 at(self, Place place) noexcept:
        return PyUnicode_READ(self.kind, self.data, self.start + place)

    cdef inline bint word_at(self, Place place) noexcept:
        return 0 <= place < self.length and is_word(self.at(place))

    cdef inline bint space_at(self, Place place) noexcept:
        return 0 <= place < self.length and self.at(place).isspace()

    cdef inline bint blank_at(self, Place place) noexcept:
        """Whether there is a blank, or nothing, in the masked copy."""
        return not 0 <= place < self.length or self.masked[place] == u" "

    cdef Place cut_at(self, Place first, Place cut) except -1:
        if first < cut < self.length:
            self.merge(first, cut)
            return cut
        return first

    cdef int complete(self) except -1:
        self.starts.push_back(self.start + self.first)
        self.ends.push_back(self.start + self.last)
        return 0

    # What sentencex is shown.

    cdef int mask(self) except -1:
        cdef Place place
        cdef Py_UCS4 c
        self.masked.resize(self.length)
        self.brackets.clear()
        self.stops.clear()
        self.openers.clear()
        self.curly.clear()
        self.straight.clear()
        self.bullets.clear()
        # Local names, or the compiler has to read the fields again for each character.
        cdef int kind = self.kind
        cdef void* data = self.data
        cdef Place start = self.start
        cdef Py_UCS4* masked = self.masked.data()
        for place in range(self.length):
            c = PyUnicode_READ(kind, data, start + place)
            if c >= 128 or not PLAIN[c]:
                c = self.masked_mark(place, c)
            masked[place] = c
        self.mask_bracketed()
        self.mask_list_marks()
        self.mask_open_brackets()
        self.mask_no_abbreviations()
        return 0

    cdef Py_UCS4 masked_mark(self, Place place, Py_UCS4 c) except? 0:
        """Note where a mark stands, and return what sentencex is shown in its place."""
        if c == u".":
            self.stops.push_back(place)
        elif c == u"'" or c == u"’":
            if c == u"'":
                self.openers.push_back(place)
            if not (self.word_at(place - 1) and self.word_at(place + 1)):
                return u" "
        elif is_bracket(c):
            self.brackets.push_back(place)
        elif is_outer_mark(c):
            if c == u"\"":
                self.straight.push_back(place)
            elif c == u"“" or c == u"”":
                self.curly.push_back(place)
            elif is_dot(c) and self.space_at(place - 1) and self.space_at(place + 1):
                self.bullets.push_back(place)
            if c in u"“„«\"‘":
                self.openers.push_back(place)
            return u" "
        elif c.isspace():
            return u" "
        elif 0xD800 <= c <= 0xDFFF:
            return 0xFFFD
        return c

    cdef int mask_bracketed(self) except -1:
        cdef Place place, end
        # Only round brackets count as ends, so the next one of them is looked for.
        place = -1
        for end in self.brackets:
            if self.masked[end] == u"(":
                place = end
            elif self.masked[end] == u")":
                if place >= 0 and self.is_bracketed(place, end):
                    self.masked[place] = self.masked[end] = u" "
                place = -1
        return 0

    cdef bint is_bracketed(self, Place place, Place end) noexcept:
        cdef Place stop = end - 1
        if place and not (place > 1 and self.masked[place - 1] == u" " and self.masked[place - 2] in u".!?"):
            return False
        if self.masked[stop] == u" ":
            stop -= 1
        return 2 <= stop - place <= 301 and self.masked[stop] in u".!?" and self.blank_at(end + 1)

    cdef int mask_list_marks(self) except -1:
        cdef Place end, place
        for end in self.brackets:
            # The end of the text is no blank here.
            if self.masked[end] == u")" and end + 1 < self.length and self.masked[end + 1] == u" ":
                place = self.list_mark(end)
                while 0 <= place <= end:
                    self.masked[place] = u"X"
                    place += 1
        return 0

    cdef Place list_mark(self, Place end) noexcept:
        """Return where the mark of a list starts that ends in the bracket at `end`; -1 where it is none."""
        cdef Place last = end - 1, first
        cdef bint digits = True, roman = True
        cdef Py_UCS4 c
        if last >= 0 and self.masked[last] == u".":
            last -= 1
        first = last + 1
        while first > 0 and last - first < 7:
            c = self.masked[first - 1]
            if not is_digit(c) and not is_letter(c):
                break
            digits &= is_digit(c)
            roman &= c in u"ivxlcdmIVXLCDM"
            first -= 1
        cdef Place length = last + 1 - first
        if not ((digits and 1 <= length <= 3) or (roman and 1 <= length <= 7)
                or (length == 1 and is_letter(self.masked[first]))):
            return -1
        if first > 0 and self.masked[first - 1] == u"(":
            first -= 1
        return first if self.blank_at(first - 1) else -1

    cdef int mask_open_brackets(self) except -1:
        cdef Place place, open = -1
        cdef Py_UCS4 c
        for place in self.brackets:
            c = self.masked[place]
            if not is_bracket(c):
                continue
            if open >= 0 and (opens_bracket(c) or place - open > 501):
                self.masked[open] = u"="
            open = place if opens_bracket(c) else -1
        if open >= 0:
            self.masked[open] = u"="
        return 0

    cdef int mask_no_abbreviations(self) except -1:
        cdef Place stop, first, after
        cdef Py_UCS4 c
        for stop in self.stops:
            after = stop + 1
            while after < self.length and self.masked[after] == u" ":
                after += 1
            if after == stop + 1 or after == self.length:
                continue
            c = self.masked[after]
            if not c.isalnum() or c.isdecimal():
                continue
            first = stop
            while first > 0 and is_letter(self.masked[first - 1]) and stop - first <= self.longest:
                first -= 1
            if first and (is_word(self.masked[first - 1]) or self.masked[first - 1] in u".'’-"):
                continue
            if self.text[self.start + first : self.start + stop] in self.no_abbreviations:
                for after in range(first, stop):
                    self.masked[after] = u"x"
        return 0

    # Where sentencex begins a new sentence.

    cdef int find_boundaries(self) except -1:
        self.boundaries.clear()
        cdef Place position = 0, count, advanced, blank, number
        cdef bint last
        cdef list pieces
        while position < self.length:
            count = min(self.size, self.length - position)
            last = position + count == self.length
            pieces = self.segment("en", PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, &self.masked[position], count))
            advanced = 0
            for number in range(len(pieces) if last else len(pieces) - 1):
                advanced += len(<str?>pieces[number])
                self.boundaries.push_back(position + advanced)
            if last:
                return 0
            if not advanced:
                blank = count - 1
                while blank > 0 and self.masked[position + blank] != u" ":
                    blank -= 1
                advanced = blank + 1 if blank > 0 else count
            position += advanced
        return 0

    # Where the text is cut.

    cdef int find_quotations(self) except -1:
        cdef Place place, closed, end = 0
        self.opened.clear()
        self.closed.clear()
        for place in self.openers:
            if place < end:
                continue
            closed = self.quotation_end(place)
            if closed:
                self.opened.push_back(place)
                self.closed.push_back(closed)
                end = closed
        return 0

    cdef Place quotation_end(self, Place place) noexcept:
        """Return the end of the quotation that opens at `place`; 0 where there is none."""
        cdef Py_UCS4 mark = self.at(place), c = 0
        if place + 2 >= self.length:
            return 0
        if mark == u"'" or mark == u"‘":
            return self.inner_quotation_end(place, mark)
        if mark == u"\"" and (self.word_at(place - 1) or (place and self.at(place - 1) == mark)):
            return 0
        cdef Place end = place + 1, furthest = min(place + 501, self.length - 1)
        while True:
            c = self.at(end)
            if c == mark or (c in u"“”" and mark in u"“„") or (c == u"»" and mark == u"«"):
                break
            if end == furthest:
                return 0
            end += 1
        if end == place + 1:
            return 0
        if mark == u"\"":
            return 0 if self.space_at(place + 1) or self.space_at(end - 1) or self.word_at(end + 1) else end + 1
        if mark == u"„":
            return end + 1 if c != mark else 0
        return end + 1 if c == (u"”" if mark == u"“" else u"»") else 0

    cdef Place inner_quotation_end(self, Place place, Py_UCS4 mark) noexcept:
        cdef Py_UCS4 closing = u"'" if mark == u"'" else u"’", c
        cdef Place stop
        if self.word_at(place - 1) or (self.space_at(place + 1) if mark == u"‘" else not self.word_at(place + 1)):
            return 0
        for stop in range(place + 2, min(place + 302, self.length - 1)):
            c = self.at(stop - 1)
            if c in u"“”\"" or (c == u"‘" and mark == c):
                return 0
            if self.at(stop + 1) == closing and self.at(stop) in u".,!?…" and not self.word_at(stop + 2):
                return stop + 2
        return 0

    cdef Place place(self, Place boundary) except -1:
        cdef Place low = boundary, high = boundary
        if not self.low <= boundary <= self.high:
            while low and self.masked[low - 1] == u" ":
                low -= 1
            while high < self.length and self.masked[high] == u" ":
                high += 1
            self.low = low
            self.high = high
            self.cut = self.cut_in(low, high)
        return self.cut

    cdef Place cut_in(self, Place low, Place high) except -1:
        """Return the cut in the gap from `low` to `high`, which no white space touches; 0 for none."""
        cdef Place place, cut, quotation, first_blank = -1, last_blank = -1
        cdef bint spaces = low < high
        if self.ends_in_abbreviation(low) or (low == high and not self.is_glued(low)):
            return 0
        if self.ends_in_half_day(low) and self.zone.match(
            self.text, self.start + high, self.start + self.length
        ):
            return 0
        quotation = count_below(self.opened, low) - 1
        if quotation >= 0 and high < self.closed[quotation]:
            return 0
        for place in range(low, high):
            if self.space_at(place):
                last_blank = place
                if first_blank < 0:
                    first_blank = place
            else:
                spaces = False
        if first_blank < 0:
            first_blank = high
        if not spaces and high < self.length and self.at(high).islower():
            return 0
        cut = low
        for place in range(low, high):
            if not self.space_at(place) and self.closes(place, place > first_blank, place > last_blank):
                cut = place + 1
        return cut

    cdef bint ends_in_abbreviation(self, Place low) except -1:
        cdef Place first = low - 1
        if low == 0 or self.at(low - 1) != u".":
            return False
        # Only the length of a list's longest word has to be looked at; nothing folds to more than it was but ligatures.
        while first > 0 and low - first <= self.longest + 1 and is_word(self.at(first - 1)):
            first -= 1
        if not is_capital(self.at(first)) or not (
            first == 0 or self.space_at(first - 1) or self.at(first - 1) in u"(\"'“‘-"
        ):
            return False
        folded = self.text[self.start + first : self.start + low - 1].casefold()
        return len(folded) == low - 1 - first and folded in self.abbreviations

    cdef bint ends_in_half_day(self, Place low) noexcept:
        return (
            low >= 4 and self.at(low - 1) == u"." and self.at(low - 2) in u"mM" and self.at(low - 3) == u"."
            and self.at(low - 4) in u"aApP"
        )

    cdef bint is_glued(self, Place low) noexcept:
        return low < self.length and self.may_end(low) and self.may_begin(low) and not self.is_in_address(low)

    cdef bint may_end(self, Place low) noexcept:
        """Twin of `_GLUED`."""
        cdef Place last = low - 1, bottom = max(0, low - 20)
        if last < 0:
            return False
        if self.at(last) not in u".!?":
            return not self.word_at(last)
        while last >= bottom and self.at(last) in u".!?":
            last -= 1
        return last > bottom and self.at(last).isalnum() and self.at(last - 1).isalnum()

    cdef bint may_begin(self, Place place) noexcept:
        """Twin of `_GLUED_NEXT`."""
        cdef Py_UCS4 c = self.at(place), after = self.at(place + 1) if place + 1 < self.length else u"\0"
        if c > 0x7F or not is_word(c):
            return True
        if c in u"AI" and after == u" ":
            return True
        return is_capital(c) and (u"a" <= after <= u"z" or after in u"'’")

    cdef bint is_in_address(self, Place low) noexcept:
        """Twin of `_ADDRESS`."""
        cdef Place place = low, bottom = max(0, low - 200)
        while place > bottom and not self.space_at(place - 1):
            place -= 1
            if self.at(place) == u"@":
                return True
            if place + 3 <= low and self.at(place) == u":" and self.at(place + 1) == self.at(place + 2) == u"/":
                return True
            if (place + 4 <= low and self.at(place) == self.at(place + 1) == self.at(place + 2) == u"w"
                    and self.at(place + 3) == u"."):
                return True
        return False

    cdef bint closes(self, Place place, bint blank_before, bint glued_after) noexcept:
        cdef Py_UCS4 mark = self.at(place)
        if mark in u"”’)" or (mark == u"“" and blank_before and self.is_stray(place)):
            return True
        if not blank_before and not glued_after:
            return True
        if is_opening(mark) or (blank_before and glued_after):
            return False
        return count_below(self.straight, place) % 2 == 1

    cdef bint is_stray(self, Place place) noexcept:
        cdef Place number = count_below(self.curly, place)
        cdef bint opened = number > 0 and self.at(self.curly[number - 1]) == u"“"
        cdef bint closed = number + 1 < <Place>self.curly.size() and self.at(self.curly[number + 1]) == u"”"
        return opened and not closed

    # Which spans are sentences.

    cdef int merge(self, Place first, Place last) except -1:
        """Twin of one round of `_merge`."""
        cdef Place place
        while first < last and self.space_at(first):
            first += 1
        while first < last and self.space_at(last - 1):
            last -= 1
        if first == last:
            return 0
        if self.first >= 0:
            place = first
            while place < last and not self.at(place).isalnum():
                place += 1
            if place == last or self.is_enumerator():
                self.last = last
                return 0
            self.complete()
        self.first = first
        self.last = last
        return 0

    cdef bint is_enumerator(self) noexcept:
        """Whether the span that may still be lengthened is nothing but the mark of a list."""
        cdef Place place = self.first, core, length
        cdef bint digits = True, lower = True, upper = True
        cdef Py_UCS4 c
        if self.last - self.first > 8:
            return False
        if self.at(place) in u"([":
            place += 1
        core = place
        while place < self.last and (is_digit(self.at(place)) or is_letter(self.at(place))):
            c = self.at(place)
            digits &= is_digit(c)
            lower &= c in u"ivx"
            upper &= c in u"IVX"
            place += 1
        length = place - core
        if not ((digits and 1 <= length <= 3) or ((lower or upper) and 1 <= length <= 5)
                or (length == 1 and is_letter(self.at(core)))):
            return False
        if not 1 <= self.last - place <= 2:
            return False
        return self.at(place) in u".)]" and self.at(self.last - 1) in u".)]"
