"""A column of Apache Arrow made by hand, with nothing but the standard library: also one that breaks the rules."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_void_p, pointer, py_object
from typing import Any, Final


class Schema(Structure):
    pass


class Array(Structure):
    pass


class Stream(Structure):
    pass


RELEASE: Final = CFUNCTYPE(None, c_void_p)
Schema._fields_ = [
    *((name, c_char_p) for name in ("format", "name", "metadata")),
    *((name, c_int64) for name in ("flags", "n_children")),
    ("children", c_void_p),
    ("dictionary", c_void_p),
    ("release", RELEASE),
    ("private_data", c_void_p),
]
Array._fields_ = [
    *((name, c_int64) for name in ("length", "null_count", "offset", "n_buffers", "n_children")),
    ("buffers", POINTER(c_void_p)),
    ("children", c_void_p),
    ("dictionary", c_void_p),
    ("release", RELEASE),
    ("private_data", c_void_p),
]
GET_SCHEMA: Final = CFUNCTYPE(c_int, c_void_p, POINTER(Schema))
GET_NEXT: Final = CFUNCTYPE(c_int, c_void_p, POINTER(Array))
Stream._fields_ = [
    ("get_schema", GET_SCHEMA),
    ("get_next", GET_NEXT),
    ("get_last_error", c_void_p),
    ("release", RELEASE),
    ("private_data", c_void_p),
]
_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype, _new_capsule.argtypes = py_object, (c_void_p, c_char_p, c_void_p)


class Column:
    """Texts as one array, or as a stream of one array a chunk; `released` counts what was given back.

    Parameters
    ----------
    chunks
        Texts of each chunk; None is a null.
    wide
        Offsets of 64 bits (large_string) instead of 32.
    offsets
        These instead of the right ones.
    changes
        Fields of every array that are set to something else.
    """

    def __init__(
        self,
        *chunks: list[str | None],
        wide: bool = False,
        form: bytes = b"",
        offsets: Sequence[int] = (),
        **changes: Any,
    ) -> None:
        self.released = 0
        self._release = RELEASE(self._count)
        self._kept: list[Any] = []
        self.schema = Schema(form or (b"U" if wide else b"u"), b"", None, 0, 0, None, None, self._release, None)
        self.arrays = [self._array(chunk, wide, offsets) for chunk in chunks]
        for array in self.arrays:
            for name, value in changes.items():
                setattr(array, name, value)

    def _count(self, _: int) -> None:
        self.released += 1

    def _array(self, texts: list[str | None], wide: bool, wrong: Sequence[int]) -> Array:
        raw = [(text or "").encode() for text in texts]
        offsets = wrong or [sum(map(len, raw[:number])) for number in range(len(raw) + 1)]
        bits = sum((text is not None) << number for number, text in enumerate(texts))
        buffers = (
            ctypes.create_string_buffer(bits.to_bytes(len(texts) // 8 + 1, "little")),
            ((c_int64 if wide else ctypes.c_int32) * len(offsets))(*offsets),
            ctypes.create_string_buffer(b"".join(raw) or b"\0"),
        )
        places = (c_void_p * 3)(*map(ctypes.addressof, buffers))
        self._kept.append((buffers, places))
        return Array(len(texts), texts.count(None), 0, 3, 0, places, None, None, self._release, None)

    def capsule(self, content: Structure, name: bytes) -> Any:
        self._kept += [content, name]
        return _new_capsule(ctypes.addressof(content), name, None)


class OneArray(Column):
    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[Any, Any]:
        return self.capsule(self.schema, b"arrow_schema"), self.capsule(self.arrays[0], b"arrow_array")


class OneStream(Column):
    """Hands over its chunks one by one; `fails_at` is the number of the one that it cannot hand over."""

    fails_at: int = -1
    is_taken: bool = False

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        done = iter(range(len(self.arrays)))

        def get_schema(_: int, out: Any) -> int:
            ctypes.memmove(out, pointer(self.schema), ctypes.sizeof(Schema))
            return 0

        def get_next(_: int, out: Any) -> int:
            number = next(done, None)
            if number is None:
                ctypes.memset(out, 0, ctypes.sizeof(Array))
            elif number == self.fails_at:
                return 5
            else:
                ctypes.memmove(out, pointer(self.arrays[number]), ctypes.sizeof(Array))
            return 0

        release = RELEASE() if self.is_taken else self._release
        stream = Stream(GET_SCHEMA(get_schema), GET_NEXT(get_next), None, release, None)
        self._kept.append((get_schema, get_next))
        return self.capsule(stream, b"arrow_array_stream")
