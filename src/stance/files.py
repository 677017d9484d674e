"""Writing files so that they appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from stance.records import InputError


@contextmanager
def whole_file(path: Path, *, durable: bool = False) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path` that takes its place when the block ends without an error.

    A link stays a link: what it points to is replaced. Devices and pipes are written directly. A `durable` file is on
    the disk, and not only on its way there, when the block has ended.

    Raises
    ------
    InputError
        If nothing can be written there.
    """
    try:
        target = Path(os.path.realpath(path))
        if target.is_char_device() or target.is_fifo():
            # Replacing /dev/null by a file would break the machine for everyone.
            handle, name = os.open(target, os.O_WRONLY), ""
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); choose another place") from error
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            if durable:
                stream.flush()
                os.fsync(handle)
        if not name:
            return
        # mkstemp makes the file readable by its owner alone; an output has the rights that any new file gets.
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(target)
        if durable:
            sync_folder(target.parent)
    except OSError as error:
        _remove(name)
        raise InputError(f"{path}: cannot be written ({error.strerror}); nothing was changed there") from error
    except BaseException:
        _remove(name)
        raise


def sync_folder(folder: Path) -> None:
    """Have the names of a folder's files written to the disk, where the system can."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _remove(name: str) -> None:
    if name:
        Path(name).unlink(missing_ok=True)


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file whole or not at all; text is written as UTF-8."""
    with whole_file(path) as stream:
        stream.write(content.encode("utf-8") if isinstance(content, str) else content)
