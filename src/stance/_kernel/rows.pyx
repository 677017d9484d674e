# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, embedsignature=True
"""Door to the compiled twin of what `stance.scoring` writes as JSON lines."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libcpp.string cimport string
from libcpp.vector cimport vector

cdef extern from "Python.h":
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    int PyUnicode_KIND(object)
    void* PyUnicode_DATA(object)


cdef extern from "rows.hpp" namespace "stance" nogil:
    cdef cppclass Lines:
        string bytes
        void put(const string&) except +
        void put_number(int64_t) except +
        void put_probability(double) except +
        void put_string[Unit](const Unit*, size_t) except +


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
    cdef string first = head, last = tail
    cdef vector[string] labels, chances
    for name in names:
        labels.push_back(name.encode("utf-8"))
        chances.push_back(f', "p_{name[1:]}: '.encode("utf-8"))
    cdef Py_ssize_t count = len(spans), width = labels.size(), number, label, length = PyUnicode_GET_LENGTH(text)
    cdef Py_ssize_t start, end
    cdef int kind = PyUnicode_KIND(text)
    cdef const void* data = PyUnicode_DATA(text)
    cdef bint is_first
    cdef string opening = b', "statement_no": ', starts = b', "start": ', ends = b', "end": ', texts = b', "text": '
    cdef string opened = b', "labels": [', comma = b", ", closed = b"]"
    if probabilities.shape[0] != count or given.shape[0] != count:
        raise ValueError("as many rows of figures as statements are needed")
    if count and (probabilities.shape[1] != width or given.shape[1] != width):
        raise ValueError("as many columns of figures as labels are needed")
    for number in range(count):
        start, end, _ = spans[number]
        if not 0 <= start <= end <= length:
            raise IndexError("a span lies outside of the text")
        is_first = True
        for label in range(width):
            if given[number, label]:
                is_first = False
        if only_labelled and is_first:
            continue
        lines.put(first)
        lines.put(opening)
        lines.put_number(number)
        lines.put(starts)
        lines.put_number(start)
        lines.put(ends)
        lines.put_number(end)
        lines.put(texts)
        if kind == 1:
            lines.put_string(<const uint8_t*> data + start, end - start)
        elif kind == 2:
            lines.put_string(<const uint16_t*> data + start, end - start)
        else:
            lines.put_string(<const uint32_t*> data + start, end - start)
        lines.put(opened)
        is_first = True
        for label in range(width):
            if given[number, label]:
                if not is_first:
                    lines.put(comma)
                lines.put(labels[label])
                is_first = False
        lines.put(closed)
        for label in range(width):
            lines.put(chances[label])
            lines.put_probability(probabilities[number, label])
        lines.put(last)
    return lines.bytes
