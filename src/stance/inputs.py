"""Which files a run reads, and the names that their articles go by."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from stance.records import InputError

FORMATS: Final = ("txt", "md", "html", "jsonl", "csv", "parquet", "warc")
_ALSO: Final = {"htm": "html", "xhtml": "html", "ndjson": "jsonl"}
_PACKINGS: Final = {"gz": "gz", "zst": "zst", "zstd": "zst"}
_ENDINGS: Final = f".{', .'.join(FORMATS)} (or these with .gz or .zst)"
# One file, one article.
_SINGLE: Final = ("txt", "md", "html")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Input(NamedTuple):
    """One thing to read: a file, or stdin where `path` is None; the name of its articles; its format, "" if unknown."""

    path: Path | None
    name: str
    kind: str

    @property
    def place(self) -> str:
        """What rejects and messages call it."""
        return "stdin" if self.path is None else without_surrogates(str(self.path))


def without_surrogates(text: str) -> str:
    """Return `text` with each lone surrogate, which no file can hold, read as U+FFFD."""
    return _SURROGATE.sub("\ufffd", text) if has_surrogates(text) else text


def has_surrogates(text: str) -> bool:
    """Return whether there are lone surrogates in a text: what is no UTF-8, read with their help."""
    if text.isascii():
        return False
    try:
        text.encode()  # Several times as fast as looking for them.
    except UnicodeEncodeError:
        return True
    return False


def find_inputs(
    inputs: Iterable[str | Path], input_format: str | None, *, leave_out: Iterable[Path] = ()
) -> list[Input]:
    """Expand files, folders, globs and ``-``.

    Parameters
    ----------
    inputs
        As the user named them.
    input_format
        The format of all of them, whatever their endings; None where the endings tell.
    leave_out
        Files, and folders with all that is in them, that folders and globs pass over: what the run itself writes.

    Returns
    -------
    list of Input
        Each file once, with the shortest name that no other file of the list has.

    Raises
    ------
    InputError
        If an input does not exist, matches nothing, or its ending tells no format, there is no such format, or a
        file that is to be left out is named.
    """
    if input_format not in (None, *FORMATS):
        raise InputError(f"{input_format}: no such input format; use {', '.join(FORMATS)}")
    passed_over = {_real(path) for path in leave_out}
    found: list[tuple[Path | None, list[str]]] = []
    for each in map(str, inputs):
        named = Path(each)
        if each != "-" and _real(named) in passed_over and named.exists():
            raise InputError(f"{without_surrogates(each)}: is both input and output; write to another place")
        some = list(_find(each, input_format))
        # A file that is named is meant, wherever it lies.
        if not named.is_file():
            some = [one for one in some if one[0] is None or not _is_in(one[0], passed_over)]
        if not some:
            raise InputError(f"{without_surrogates(each)}: no file in it ends in {_ENDINGS}; check the path")
        found += some
    named_once = _with_unique_names(found)
    return [Input(path, name, input_format or (format_of(path) if path else "")) for path, name in named_once]


def format_of(path: Path) -> str:
    """Return the format that a file's ending tells, without that of its packing; ``""`` for any other ending."""
    suffixes = [suffix.lower().lstrip(".") for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _PACKINGS:
        suffixes.pop()
    ending = _ALSO.get(suffixes[-1], suffixes[-1]) if suffixes else ""
    return ending if ending in FORMATS else ""


def packing_of(path: Path) -> str:
    """Return how a file's ending says that it is packed: ``"gz"``, ``"zst"`` or ``""``."""
    return _PACKINGS.get(path.suffix.lower().lstrip("."), "")


def _real(path: Path) -> Path:
    # Path.resolve refuses links that lead to each other, some versions with an error of its own.
    return Path(os.path.realpath(path))


def _is_in(path: Path, passed_over: set[Path]) -> bool:
    whole = _real(path)
    return whole in passed_over or any(folder in passed_over for folder in whole.parents)


def _find(name: str, input_format: str | None) -> Iterator[tuple[Path | None, list[str]]]:
    """Yield paths with the names that their articles may go by, the shortest first."""
    if name == "-":
        yield None, ["stdin"]
        return
    path = Path(name)
    if path.is_dir():
        for each in sorted(_inside(path, input_format)):
            if not any(part.startswith(".") for part in each.relative_to(path).parts):
                yield each, _names(each, each.relative_to(path), input_format)
        return
    if not path.exists() and glob.has_magic(name):
        matches = sorted(Path(each) for each in glob.glob(name, recursive=True))  # noqa: PTH207 - absolute patterns too
        if not matches:
            raise InputError(f"{name}: matches no file; check the pattern")
        for each in matches:
            if each.is_file() and (format_of(each) or input_format):
                yield each, _names(each, Path(each.name), input_format)
        return
    if not path.exists():
        raise InputError(f"{without_surrogates(name)}: no such file or folder; check the path")
    if not (format_of(path) or input_format):
        raise InputError(f"{name}: unknown ending; use {_ENDINGS}, or say --format")
    yield path, _names(path, Path(path.name), input_format)


def _inside(folder: Path, input_format: str | None) -> Iterator[Path]:
    """Yield the files of a folder, and the folders in it that cannot be read: these become rejects."""
    closed: list[OSError] = []
    for place, _, names in os.walk(folder, onerror=closed.append):
        for each in (Path(place, name) for name in names):
            if (format_of(each) or input_format) and _is_expected(each):
                yield each
    yield from (Path(error.filename) for error in closed)


def _is_expected(path: Path) -> bool:
    # A link that leads nowhere is an article that somebody expects to be read, and so is what one may not look at.
    try:
        return path.is_file() or (path.is_symlink() and not path.exists())
    except OSError:
        return True


def _names(path: Path, inside: Path, input_format: str | None) -> list[str]:
    names = [inside.as_posix(), path.as_posix()]
    if (input_format or format_of(path)) in _SINGLE:
        names.insert(0, _stem(inside))
    return [without_surrogates(name) for name in names]


def _with_unique_names(found: list[tuple[Path | None, list[str]]]) -> list[tuple[Path | None, str]]:
    """Give each file the shortest name that no other file has; a file that is named twice is read once."""
    once = {str(path): (path, names) for path, names in reversed(found)}
    ordered = [once.pop(str(path)) for path, _ in found if str(path) in once]
    counts = Counter(name for _, names in ordered for name in set(names))
    return [(path, next((name for name in names if counts[name] == 1), names[-1])) for path, names in ordered]


def _stem(path: Path) -> str:
    name = path.name
    for suffix in (*(f".{kind}" for kind in _PACKINGS), *(f".{kind}" for kind in (*FORMATS, *_ALSO))):
        if name.lower().endswith(suffix) and name.lower() != suffix:
            name = name[: -len(suffix)]
    return path.with_name(name).as_posix()
