# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, embedsignature=True
"""Door to the compiled twin of `stance.features`: texts in, rows of buckets or scores out, without Python objects."""

from cpython.exc cimport PyErr_CheckSignals
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset, strcmp
from libcpp cimport bool as cbool
from libcpp.memory cimport unique_ptr
from libcpp.string cimport string
from libcpp.utility cimport move
from libcpp.vector cimport vector

import numpy as np

cdef extern from "Python.h":
    bint PyUnicode_Check(object)
    Py_ssize_t PyUnicode_GET_LENGTH(object)
    int PyUnicode_KIND(object)
    void* PyUnicode_DATA(object)
    str PyUnicode_FromKindAndData(int, const void*, Py_ssize_t)
    str PyUnicode_DecodeUTF8(const char*, Py_ssize_t, const char*)

cdef extern from "scores.hpp" namespace "stance" nogil:
    ctypedef enum Form "stance::Form":
        utf8 "stance::Form::utf8"

    cdef struct View:
        const void* data
        size_t length
        Form form

    cdef cppclass Characters:
        Characters(vector[uint32_t]) except +
        vector[uint32_t] from_capitals() except +
        void set_upper(uint32_t, string) except +

    cdef cppclass Cues:
        void add(const string&, uint16_t) except +
        void finish() except +

    cdef cppclass Specification:
        Specification(
            vector[string], vector[int], vector[string], vector[cbool], vector[string], vector[int]
        ) except +
        Cues cues
        uint32_t table

    cdef cppclass Weights:
        Weights(const int32_t*, const float*, size_t, size_t, size_t) except +
        size_t labels()

    cdef struct Calibration:
        vector[double] intercepts
        vector[double] slopes
        vector[double] offsets
        cbool exclusive

    cdef cppclass Worker:
        Worker(const Specification&, const Characters&) except +
        int64_t rows(const View*, int64_t, vector[int32_t]&, int64_t*) except +
        int64_t scores(const View*, int64_t, const Weights&, const Calibration&, double*, double*, int32_t*) except +

cdef extern from *:
    """
    // The C data interface of Apache Arrow, as its specification has it.
    struct ArrowSchema {
        const char *format, *name, *metadata;
        int64_t flags, n_children;
        struct ArrowSchema **children, *dictionary;
        void (*release)(struct ArrowSchema*);
        void* private_data;
    };
    struct ArrowArray {
        int64_t length, null_count, offset, n_buffers, n_children;
        const void** buffers;
        struct ArrowArray **children, *dictionary;
        void (*release)(struct ArrowArray*);
        void* private_data;
    };
    struct ArrowArrayStream {
        int (*get_schema)(struct ArrowArrayStream*, struct ArrowSchema*);
        int (*get_next)(struct ArrowArrayStream*, struct ArrowArray*);
        const char* (*get_last_error)(struct ArrowArrayStream*);
        void (*release)(struct ArrowArrayStream*);
        void* private_data;
    };
    """
    cdef struct ArrowSchema:
        const char* format
        ArrowSchema* dictionary
        void (*release)(ArrowSchema*) noexcept

    cdef struct ArrowArray:
        int64_t length
        int64_t null_count
        int64_t offset
        int64_t n_buffers
        const void** buffers
        void (*release)(ArrowArray*) noexcept

    cdef struct ArrowArrayStream:
        int (*get_schema)(ArrowArrayStream*, ArrowSchema*) noexcept
        int (*get_next)(ArrowArrayStream*, ArrowArray*) noexcept
        void (*release)(ArrowArrayStream*) noexcept


# So many texts are handed over at once; in between, an interrupt is heard.
cdef int64_t BATCH = 1024


class TextError(ValueError):
    """A text is missing or not valid UTF-8; the arguments are its number and what is wrong with it."""


cdef class Texts:
    """Texts as the kernel reads them, where they lie; whatever they lie in is kept alive."""

    cdef vector[View] views
    cdef list owners

    def __cinit__(self):
        self.owners = []

    def __len__(self):
        return <int64_t> self.views.size()

    def __getitem__(self, int64_t number):
        cdef View view = self.views.at(number)
        if view.form == utf8:
            return PyUnicode_DecodeUTF8(<const char*> view.data, <Py_ssize_t> view.length, b"replace")
        return PyUnicode_FromKindAndData(<int> view.form, view.data, <Py_ssize_t> view.length)


def texts_of(list given):
    """Return strings as `Texts`, or the number of the first item that is no string."""
    cdef Texts texts = Texts()
    cdef View view
    cdef Py_ssize_t number
    # A copy, because somebody may change the list while the interpreter lock is released.
    cdef list held = list(given)
    texts.owners.append(held)
    texts.views.reserve(len(held))
    for number in range(len(held)):
        text = held[number]
        if not PyUnicode_Check(text):
            return number
        view.data = PyUnicode_DATA(text)
        view.length = PyUnicode_GET_LENGTH(text)
        view.form = <Form> PyUnicode_KIND(text)
        texts.views.push_back(view)
    return texts


def texts_of_spans(str text, list spans):
    """Return pieces of one string as `Texts`; a span begins with where it starts and ends, in code points."""
    cdef Texts texts = Texts()
    cdef View view
    cdef Py_ssize_t start, end, length = PyUnicode_GET_LENGTH(text)
    cdef int kind = PyUnicode_KIND(text)
    cdef const char* data = <const char*> PyUnicode_DATA(text)
    texts.owners.append(text)
    texts.views.reserve(len(spans))
    view.form = <Form> kind
    for span in spans:
        start, end, _ = <tuple?> span
        if not 0 <= start <= end <= length:
            raise IndexError("a span lies outside of the text")
        view.data = data + kind * start
        view.length = end - start
        texts.views.push_back(view)
    return texts


def texts_of_utf8(const uint8_t[::1] data, const int64_t[::1] offsets):
    """Return texts that lie one after the other, text n from ``offsets[n]`` to ``offsets[n + 1]``, as `Texts`."""
    cdef Texts texts = Texts()
    cdef View view
    cdef Py_ssize_t number
    texts.owners.append((data, offsets))
    if not offsets.shape[0]:
        raise IndexError("offsets has no entry; n texts have n + 1 offsets")
    texts.views.reserve(offsets.shape[0] - 1)
    view.form = utf8
    for number in range(offsets.shape[0] - 1):
        if not 0 <= offsets[number] <= offsets[number + 1] <= data.shape[0]:
            raise IndexError(f"offset {number + 1} lies before the one in front of it or outside of the data")
        view.data = &data[0] + offsets[number] if data.shape[0] else NULL
        view.length = offsets[number + 1] - offsets[number]
        texts.views.push_back(view)
    return texts


cdef class _Chunk:
    """An array that a stream handed over; it is given back when nobody needs it any more."""

    cdef ArrowArray array

    def __cinit__(self):
        memset(&self.array, 0, sizeof(ArrowArray))

    def __dealloc__(self):
        if self.array.release != NULL:
            self.array.release(&self.array)


def texts_of_arrow(column):
    """Return an Arrow column of strings, any object with the Arrow PyCapsule interface, as `Texts`.

    Raises
    ------
    TypeError
        If it is no column of strings.
    TextError
        If a text is null.
    """
    cdef Texts texts = Texts()
    cdef ArrowArrayStream* stream
    cdef ArrowSchema schema
    cdef _Chunk chunk
    if hasattr(column, "__arrow_c_array__"):
        names, array = column.__arrow_c_array__()
        texts.owners.append((names, array))
        _add_chunk(
            texts,
            <ArrowSchema*> PyCapsule_GetPointer(names, "arrow_schema"),
            <ArrowArray*> PyCapsule_GetPointer(array, "arrow_array"),
        )
        return texts
    capsule = column.__arrow_c_stream__()
    stream = <ArrowArrayStream*> PyCapsule_GetPointer(capsule, "arrow_array_stream")
    memset(&schema, 0, sizeof(ArrowSchema))
    if stream.release == NULL or stream.get_schema(stream, &schema) or schema.release == NULL:
        raise TypeError("its schema cannot be read")
    try:
        while True:
            chunk = _Chunk()
            if stream.get_next(stream, &chunk.array):
                raise TypeError("a chunk of it cannot be read")
            if chunk.array.release == NULL:
                return texts
            texts.owners.append(chunk)
            _add_chunk(texts, &schema, &chunk.array)
    finally:
        schema.release(&schema)


cdef _add_chunk(Texts texts, ArrowSchema* schema, ArrowArray* array):
    if schema.release == NULL or array.release == NULL:
        raise TypeError("somebody has taken it already")
    cdef bint is_large = strcmp(schema.format, b"U") == 0
    if schema.dictionary != NULL or not (is_large or strcmp(schema.format, b"u") == 0):
        raise TypeError(f"its type has the Arrow format {schema.format.decode('ascii', 'replace')!r}, not u or U")
    if array.n_buffers != 3 or array.length < 0 or array.offset < 0:
        raise TypeError("it is no whole array of strings")
    cdef const uint8_t* valid = <const uint8_t*> array.buffers[0]
    cdef const int32_t* narrow = <const int32_t*> array.buffers[1]
    cdef const int64_t* wide = <const int64_t*> array.buffers[1]
    cdef const char* data = <const char*> array.buffers[2]
    cdef int64_t number, place, start, end
    cdef View view
    view.form = utf8
    for number in range(array.length):
        place = array.offset + number
        if array.null_count != 0 and valid != NULL and not valid[place >> 3] >> (place & 7) & 1:
            raise TextError(<int64_t> texts.views.size(), "missing (null)")
        if is_large:
            start, end = wide[place], wide[place + 1]
        else:
            start, end = narrow[place], narrow[place + 1]
        if not 0 <= start <= end:
            raise TypeError("its offsets are not in order")
        view.data = data + start
        view.length = end - start
        texts.views.push_back(view)


cdef class Kernel:
    """One lexicon and one set of settings, compiled.

    Parameters
    ----------
    table
        The character table: uint32 of this machine.
    families, bits
        Names of the families and how many buckets each owns, as powers of two.
    classes, frames
        Part of each class (``@deny``), those of the marks last, and whether it is a frame.
    marks
        Names of the marks.
    entries
        Words and phrases of each class but the marks', one a line.
    special
        Numbers of the classes *function*, *first* and *negation*; -1 where there is none.
    """

    cdef unique_ptr[Characters] characters
    cdef unique_ptr[Specification] specification
    cdef list workers

    def __cinit__(self, bytes table, list families, list bits, list classes, list frames, list marks, list entries,
                  list special):
        cdef vector[uint32_t] figures
        figures.resize(len(table) // 4)
        memcpy(figures.data(), <const char*> table, 4 * figures.size())
        self.characters.reset(new Characters(move(figures)))
        # As this Python makes capitals, so that the reference and its twin agree on any version.
        for code in self.characters.get().from_capitals():
            self.characters.get().set_upper(code, chr(code).upper().encode("utf-8"))
        self.specification.reset(
            new Specification(_encoded(families), bits, _encoded(classes), frames, _encoded(marks), special)
        )
        for number, lines in enumerate(entries):
            self.specification.get().cues.add(<string> lines, number)
        self.specification.get().cues.finish()
        self.workers = []

    cdef _Worker hire(self):
        """Return a worker that nobody else has; the interpreter lock keeps two threads from taking the same."""
        return self.workers.pop() if self.workers else _Worker(self)

    def rows(self, Texts texts not None):
        """Return ``(indptr, indices)``, int64 (n + 1,) and int32: the sorted buckets of each text, each once."""
        cdef int64_t count = texts.views.size(), done = 0, batch, broken = -1
        cdef vector[int32_t] indices
        indptr = np.zeros(count + 1, dtype=np.int64)
        cdef int64_t[::1] ends = indptr
        cdef _Worker worker = self.hire()
        while done < count:
            batch = min(BATCH, count - done)
            with nogil:
                broken = worker.worker.get().rows(texts.views.data() + done, batch, indices, &ends[done + 1])
            if broken >= 0:
                break
            done += batch
            PyErr_CheckSignals()
        self.workers.append(worker)
        if broken >= 0:
            raise TextError(done + broken, "not valid UTF-8")
        found = np.empty(indices.size(), dtype=np.int32)
        cdef int32_t[::1] out = found
        if indices.size():
            memcpy(&out[0], indices.data(), 4 * indices.size())
        return indptr, found


cdef list _encoded(list names):
    return [name.encode("utf-8") for name in names]


cdef class _Worker:
    cdef unique_ptr[Worker] worker

    def __cinit__(self, Kernel kernel):
        self.worker.reset(new Worker(kernel.specification.get()[0], kernel.characters.get()[0]))


cdef class Scorer:
    """A kernel with the weights of a model.

    Parameters
    ----------
    kernel
        What turns text into buckets.
    buckets, weights
        int32 (n,), ascending, and float32 (n, labels): the rows of the table that hold any weight.
    intercepts, slopes, offsets
        float64 (labels,).
    exclusive
        Whether probabilities are a softmax over the labels.
    """

    cdef Kernel kernel
    cdef unique_ptr[Weights] weights
    cdef Calibration calibration

    def __cinit__(self, Kernel kernel not None, const int32_t[::1] buckets, const float[:, ::1] weights,
                  const double[::1] intercepts, const double[::1] slopes, const double[::1] offsets, bint exclusive):
        cdef Py_ssize_t used = buckets.shape[0], labels = intercepts.shape[0]
        cdef int64_t table = kernel.specification.get().table
        if weights.shape[0] != used or weights.shape[1] != labels or not slopes.shape[0] == offsets.shape[0] == labels:
            raise ValueError("the weights do not fit the buckets and labels")
        self.kernel = kernel
        self.calibration.intercepts = list(intercepts)
        self.calibration.slopes = list(slopes)
        self.calibration.offsets = list(offsets)
        self.calibration.exclusive = exclusive
        self.weights.reset(
            new Weights(&buckets[0] if used else NULL, &weights[0, 0] if used else NULL, used, table, labels)
        )

    def scores(self, Texts texts not None):
        """Return scores and probabilities, float64 (n, labels), and how many buckets each text has, int32 (n,)."""
        cdef int64_t count = texts.views.size(), done = 0, batch, broken = -1
        scores = np.empty((count, self.weights.get().labels()))
        probabilities = np.empty_like(scores)
        sizes = np.empty(count, dtype=np.int32)
        cdef double[:, ::1] sums = scores
        cdef double[:, ::1] chances = probabilities
        cdef int32_t[::1] counts = sizes
        cdef _Worker worker = self.kernel.hire()
        while done < count:
            batch = min(BATCH, count - done)
            with nogil:
                broken = worker.worker.get().scores(
                    texts.views.data() + done, batch, self.weights.get()[0], self.calibration, &sums[done, 0],
                    &chances[done, 0], &counts[done],
                )
            if broken >= 0:
                break
            done += batch
            PyErr_CheckSignals()
        self.kernel.workers.append(worker)
        if broken >= 0:
            raise TextError(done + broken, "not valid UTF-8")
        return scores, probabilities, sizes
