"""The manifest of an output folder: a journal of what a run is, what it reads, and which parts are whole.

It is a file of JSON lines: a header, a line for each input, then a line for each part, added when the part has its
name. Whatever ends a run, the parts that it lists are whole.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from stance.files import sync_folder, whole_file
from stance.inputs import Input
from stance.records import InputError

FORMAT: Final = 1
_PIECE: Final = 1 << 20


class Manifest:
    """A manifest, made or gone on with, and locked for this process.

    Parameters
    ----------
    folder
        The output folder; made where it is not there.
    name
        Of several runs that write to one folder, the name of this one.
    settings
        What the rows depend on. A run that has other settings cannot go on with the folder.
    inputs
        What is read; the same holds for it.

    Attributes
    ----------
    parts
        The lines of the parts that are whole.
    ended
        The closing line, None where the run has not come to its end.

    Raises
    ------
    InputError
        If the folder holds something else, another run is at work there, what was written is damaged, or settings
        or inputs differ.
    """

    def __init__(self, folder: Path, name: str, settings: dict[str, Any], inputs: Sequence[Input]) -> None:
        self._folder = folder
        self._path = folder / f"_manifest{'-' if name else ''}{name}.jsonl"
        self.parts: list[dict[str, Any]] = []
        self.ended: dict[str, Any] | None = None
        header = {"manifest": FORMAT, "run": name, **settings}
        read = [about_input(each) for each in inputs]
        begun = f".{self._path.name}."
        try:
            if not self._path.exists():
                others = folder.iterdir() if folder.exists() and not name else ()
                if any(not path.name.startswith(begun) for path in others):
                    raise InputError(
                        f"{folder}: holds files but no manifest of a run; name an empty folder, or --append-to this one"
                    )
                folder.mkdir(parents=True, exist_ok=True)
                with whole_file(self._path, durable=True) as stream:
                    stream.writelines(map(_line, (header, *read)))
                sync_folder(folder.parent)
            # Without a buffer, what could not be written is not tried again behind our back.
            self._journal = self._path.open("r+b", buffering=0)
        except OSError as error:
            raise InputError(f"{folder}: cannot be written ({error.strerror}); choose another place") from error
        try:
            self._lock()
            self._go_on(header, read)
            for left in folder.glob(f"{begun}*"):
                left.unlink()
        except BaseException:
            self._journal.close()
            raise

    def close(self) -> None:
        """Close it, which lets go of the folder."""
        self._journal.close()

    def add(self, line: dict[str, Any]) -> None:
        """Add the line of a part, or the closing one; it is on the disk afterwards.

        Raises
        ------
        OSError
            If it cannot be written; the manifest is as it was then.
        """
        at, content = self._journal.tell(), _line(line)
        try:
            if self._journal.write(content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._journal.fileno())
        except OSError:
            self._journal.seek(at)
            self._journal.truncate()
            raise
        if "part" in line:
            self.parts.append(line)
        else:
            self.ended = line

    def _lock(self) -> None:
        # Where there are no such locks, nothing keeps two runs apart; they go away with the process, however it ends.
        try:
            import fcntl
        except ImportError:
            return
        try:
            fcntl.flock(self._journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # One that began in the same moment may have put its own manifest in the place of this one.
            mine = os.fstat(self._journal.fileno()).st_ino == self._path.stat().st_ino
        except OSError:
            mine = False
        if not mine:
            raise InputError(f"{self._folder}: another run is writing there; wait for its end")

    def _go_on(self, header: dict[str, Any], read: list[dict[str, Any]]) -> None:
        lines: list[Any] = []
        whole = 0
        with self._path.open("rb") as stream:
            for raw in stream:
                # A line that was being written when the run was ended has no end; it is the last one.
                if raw.endswith(b"\n"):
                    try:
                        lines.append(json.loads(raw))
                    except ValueError:
                        lines.append(None)
                    whole += len(raw)
        if not lines or not isinstance(lines[0], dict) or lines[0].get("manifest") != FORMAT:
            raise InputError(f"{self._path}: is no manifest of this version; name an empty folder")
        if not all(isinstance(line, dict) for line in lines):
            raise InputError(f"{self._path}: is damaged; begin again in an empty folder")
        self._compare(lines[0], header, [line for line in lines if "input" in line], read)
        self.parts = [line for line in lines if "part" in line]
        self.ended = next((line for line in lines if "ended" in line), None)
        for part in self.parts:
            for file, size, sha256 in ((part["file"], part["bytes"], part["sha256"]), *part.get("rejects_file", ())):
                self._check(self._folder / file, size, sha256)
        self._journal.seek(whole)
        self._journal.truncate()

    def _compare(
        self, old: dict[str, Any], new: dict[str, Any], old_read: list[dict[str, Any]], new_read: list[dict[str, Any]]
    ) -> None:
        remedy = "go on with what it was begun with, or name an empty folder"
        for key in sorted({*old, *new}):
            if old.get(key) != new.get(key):
                values = f"{_short(old.get(key))}, now {_short(new.get(key))}"
                raise InputError(f"{self._folder}: was begun with another {key} ({values}); {remedy}")
        for before, now in zip(old_read, new_read, strict=False):
            if before["input"] != now["input"]:
                names = f"{before['input']} where {now['input']} is now"
                raise InputError(f"{self._folder}: was begun with other inputs ({names}); {remedy}")
            if before != now:
                raise InputError(f"{now['input']}: has changed since {self._folder} was begun; {remedy}")
        if len(old_read) != len(new_read):
            counts = f"{len(old_read):,}, now {len(new_read):,}"
            raise InputError(f"{self._folder}: was begun with another number of inputs ({counts}); {remedy}")

    def _check(self, path: Path, size: int, sha256: str) -> None:
        try:
            with path.open("rb") as stream:
                same = os.fstat(stream.fileno()).st_size == size
                found = hashlib.sha256()
                while same and (piece := stream.read(_PIECE)):
                    found.update(piece)
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); begin again in an empty folder") from error
        if not same or found.hexdigest() != sha256:
            raise InputError(f"{path}: is not as it was written; begin again in an empty folder")


def about_input(each: Input) -> dict[str, Any]:
    """Return what tells whether an input is still what it was."""
    if each.path is None:
        return {"input": "stdin"}
    try:
        found = each.path.stat()
    except OSError:
        return {"input": each.place, "bytes": None}
    return {"input": each.place, "bytes": found.st_size, "changed": found.st_mtime_ns}


def _line(record: dict[str, Any]) -> bytes:
    return (json.dumps(record, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
