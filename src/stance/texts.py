"""What a caller passes as statements → texts: strings, an Arrow column, or UTF-8 with offsets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeGuard

import numpy as np
from numpy.typing import NDArray

from stance._kernel import twin
from stance.records import InputError

if TYPE_CHECKING:
    from stance._kernel.features import Texts

_compiled: Final = twin("features")


@dataclass(frozen=True, slots=True, eq=False)
class Utf8:
    """Texts in one buffer, as columnar files hold them; the compiled kernel reads them where they lie.

    Attributes
    ----------
    data
        UTF-8: any object that gives its bytes as one buffer (bytes, memoryview, mmap, uint8 array).
    offsets
        int64, shape (n + 1,): text n is ``data[offsets[n]:offsets[n + 1]]``.
    """

    data: Any
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return max(len(self.offsets) - 1, 0)

    def parts(self) -> tuple[memoryview, NDArray[np.int64]]:
        """Return the data as bytes, and the offsets as the array that they have to be.

        Raises
        ------
        InputError
            If they are anything else.
        """
        try:
            data = memoryview(self.data)
            # A view of nothing can have any shape, and not all of these can be cast.
            data = data.cast("B") if data.nbytes else memoryview(b"")
        except TypeError as error:
            raise InputError(f"Utf8: data: {error}; pass one buffer of bytes") from None
        offsets = np.asarray(self.offsets)
        if offsets.ndim != 1 or not len(offsets) or not np.can_cast(offsets.dtype, np.int64):
            raise InputError("Utf8: the offsets are no row of whole numbers; n texts have n + 1 of them, as int64")
        return data, np.ascontiguousarray(offsets, dtype=np.int64)

    def decoded(self) -> list[str]:
        """Return the texts as strings.

        Raises
        ------
        InputError
            If the offsets are not in order or lie outside of the data, or a text is not valid UTF-8.
        """
        data, offsets = self.parts()
        if offsets[0] < 0 or offsets[-1] > len(data) or (offsets[1:] < offsets[:-1]).any():
            raise InputError("Utf8: the offsets are not in order; they go from 0 to the size of the data")
        texts: list[str] = []
        for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
            try:
                texts.append(str(data[start:end], "utf-8"))
            except UnicodeDecodeError:
                raise no_utf8(len(texts)) from None
        return texts


Given = Iterable[str] | Utf8


def is_column(texts: object) -> TypeGuard[Any]:
    """Whether something is a column of Apache Arrow: one with the PyCapsule interface."""
    return hasattr(texts, "__arrow_c_array__") or hasattr(texts, "__arrow_c_stream__")


def checked_texts(texts: Given) -> list[str]:
    """Return the texts as a list of strings, or say which of them is no statement."""
    listed = listed_texts(texts)
    for number, text in enumerate(listed):
        if not isinstance(text, str):
            raise no_string(number, text)
        if not text.strip():
            raise blank(number)
    return listed


def listed_texts(texts: Given) -> list[Any]:
    """Return the texts as a list, not looked at one by one."""
    if isinstance(texts, Utf8):
        return texts.decoded()
    if is_column(texts):
        # Its items are scalars of its own; each of these libraries names one of two ways to plain strings.
        for name in ("to_pylist", "to_list"):
            if hasattr(texts, name):
                return _column_items(texts, name)
    # Strings and bytes are iterable too, but their single characters are no statements.
    if isinstance(texts, str | bytes | bytearray | memoryview) or not isinstance(texts, Iterable):
        raise InputError(f"got {type(texts).__name__}, not an iterable of strings; put a single statement into a list")
    return list(texts)


def compiled_texts(texts: Given) -> Texts:
    """Return the texts as the compiled kernel reads them; not all that is wrong with them is known by then."""
    if _compiled is None:
        raise InputError("the compiled kernel is not in use; unset STANCE_REFERENCE, or install stance with a compiler")
    if isinstance(texts, Utf8):
        try:
            found: Texts = _compiled.texts_of_utf8(*texts.parts())
        except IndexError as error:
            raise InputError(f"Utf8: {error}; offsets go from 0 to the size of the data") from None
        return found
    if is_column(texts):
        try:
            found = _compiled.texts_of_arrow(texts)
        except _compiled.TextError as error:
            raise broken(error) from None
        except (TypeError, ValueError) as error:
            raise InputError(f"the column: {error}; cast it to strings (utf8 or large_utf8)") from None
        return found
    listed = listed_texts(texts)
    made: Texts | int = _compiled.texts_of(listed)
    if isinstance(made, int):
        raise no_string(made, listed[made])
    return made


def broken(error: ValueError) -> InputError:
    """Say of the kernel's error which text is none."""
    number, problem = error.args
    return InputError(f"text {number} is {problem}; convert it or leave it out")


def _column_items(column: Any, name: str) -> list[Any]:
    try:
        return list(getattr(column, name)())
    except UnicodeDecodeError:
        for number in range(len(column)):
            try:
                getattr(column[number : number + 1], name)()
            except UnicodeDecodeError:
                raise no_utf8(number) from None
        raise


def no_utf8(number: int) -> InputError:
    """Say that the bytes of a text are no text."""
    return InputError(f"text {number} is not valid UTF-8; convert it or leave it out")


def no_string(number: int, text: object) -> InputError:
    """Say that a text is no string."""
    return InputError(f"text {number} is {type(text).__name__}, not a string; convert it or leave it out")


def blank(number: int) -> InputError:
    """Say that a text is blank."""
    return InputError(f"text {number} is blank; leave blank texts out")
