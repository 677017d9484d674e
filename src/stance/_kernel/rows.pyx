# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, embedsignature=True
"""Door to the compiled twin of what `stance.scoring` writes as JSON lines."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libcpp.vector cimport vector

cdef extern from "Python.h":
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    int PyUnicode_KIND(object)
    void* PyUnicode_DATA(object)


cdef extern from "<string_view>" namespace "std" nogil:
    cdef cppclass string_view:
        string_view()
        string_view(const char*, size_t)
        size_t size()

cdef extern from "rows.hpp" namespace "stance" nogil:
    cdef cppclass Lines:
        Lines() except +
        const char* data()
        size_t size()
        void reserve(size_t) except +
        void put(string_view)
        void put_number(int64_t)
        void put_probability(double)
        void put_string[Unit](const Unit*, size_t)

# Room for the numbers, the punctuation and the names of the fields of a row, and for a probability.
cdef size_t FIXED = 160, PROBABILITY = 16


cdef string_view _view(bytes piece):
    return string_view(<const char*> piece, len(piece))


def json_lines(bytes head, str text, list spans, const double[:, ::1] probabilities, const uint8_t[:, ::1] given,
               list names, bytes tail, bint only_labelled):
    """Return the rows of an article as JSON lines.

    Parameters
    ----------
    head, tail
        What each line begins and ends with, such as ``{"article_id": "1"`` and ``, "model": "..."}``.
    text, spans
        The article's text, and ``(start, end, part)`` of each statement.
    probabilities, given
        Shape (statements, labels).
    names
        The labels' names as JSON strings.
    only_labelled
        Leave out statements without a label.
    """
    cdef Lines lines
    cdef string_view first = _view(head), last = _view(tail)
    cdef vector[string_view] labels, chances
    cdef list named = [name.encode("utf-8") for name in names]
    cdef list columns = [b', "p_' + name[1:] + b": " for name in named]
    cdef size_t fixed = FIXED + len(head) + len(tail)
    for name, column in zip(named, columns):
        labels.push_back(_view(name))
        chances.push_back(_view(column))
        fixed += len(name) + 2 + len(column) + PROBABILITY
    cdef Py_ssize_t count = len(spans), width = labels.size(), number, label, length = PyUnicode_GET_LENGTH(text)
    cdef Py_ssize_t start, end, labelled
    cdef int kind = PyUnicode_KIND(text)
    cdef const void* data = PyUnicode_DATA(text)
    if probabilities.shape[0] != count or given.shape[0] != count:
        raise ValueError("as many rows of figures as statements are needed")
    if count and (probabilities.shape[1] != width or given.shape[1] != width):
        raise ValueError("as many columns of figures as labels are needed")
    for number in range(count):
        start, end, _ = <tuple?> spans[number]
        if not 0 <= start <= end <= length:
            raise IndexError("a span lies outside of the text")
        labelled = 0
        for label in range(width):
            labelled += given[number, label]
        if only_labelled and not labelled:
            continue
        lines.reserve(fixed + 6 * (end - start))
        lines.put(first)
        lines.put(string_view(b', "statement_no": ', 18))
        lines.put_number(number)
        lines.put(string_view(b', "start": ', 11))
        lines.put_number(start)
        lines.put(string_view(b', "end": ', 9))
        lines.put_number(end)
        lines.put(string_view(b', "text": ', 10))
        if kind == 1:
            lines.put_string(<const uint8_t*> data + start, end - start)
        elif kind == 2:
            lines.put_string(<const uint16_t*> data + start, end - start)
        else:
            lines.put_string(<const uint32_t*> data + start, end - start)
        lines.put(string_view(b', "labels": [', 13))
        for label in range(width):
            if given[number, label]:
                lines.put(labels[label])
                labelled -= 1
                if labelled:
                    lines.put(string_view(b", ", 2))
        lines.put(string_view(b"]", 1))
        for label in range(width):
            lines.put(chances[label])
            lines.put_probability(probabilities[number, label])
        lines.put(last)
    return lines.data()[:lines.size()]
