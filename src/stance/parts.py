"""An output folder: parts that are written whole, and the manifest that says what they hold.

The manifest is a journal of JSON lines: what the run is, what it reads, then a line for each part, added when the part
has its name. Whatever ends a run, the parts that the manifest lists are whole, and a part that it does not list is
written anew.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Final

from stance.feed import Block, Feed
from stance.files import sync_folder, whole_file
from stance.inputs import Input
from stance.outputs import reject_line
from stance.records import InputError, Reject, RunError

FORMAT: Final = 1
# What begins with _ or . is no data to those who read a folder of parquet files.
REJECTS: Final = "_rejects"
_PIECE: Final = 1 << 20


class Written:
    """A binary stream that counts what goes through it.

    Attributes
    ----------
    size, sha256
        Bytes written so far, and their checksum.
    """

    # What a library that writes to it asks for.
    closed = False

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: Any) -> int:
        """Write bytes."""
        view = memoryview(data)
        self._hash.update(view)
        self.size += view.nbytes
        self._stream.write(view)
        return view.nbytes

    @property
    def sha256(self) -> str:
        """Checksum of what was written."""
        return self._hash.hexdigest()

    def flush(self) -> None:
        """Do nothing: the file is flushed when it is whole."""

    def tell(self) -> int:
        """Return how much was written."""
        return self.size


class Part:
    """A part that is being written: its rows, and the rejects that belong to it.

    Attributes
    ----------
    rows
        Takes the rows.
    rejects
        What the rejects were written to; None where there is none.
    """

    def __init__(self, rows: IO[bytes], open_rejects: Callable[[], IO[bytes]]) -> None:
        self.rows = Written(rows)
        self.rejects: Written | None = None
        self._open_rejects = open_rejects

    def reject(self, reject: Reject) -> None:
        """Write a reject."""
        if self.rejects is None:
            self.rejects = Written(self._open_rejects())
        self.rejects.write(reject_line(reject))


class PartFolder:
    """Parts in a folder, made or gone on with.

    Parameters
    ----------
    folder
        The folder; made where it is not there.
    kind
        Ending of the parts.
    settings
        What the rows depend on. A run that has other settings cannot go on with the folder.
    inputs
        What is read; the same holds for it.
    name
        Of several runs that write to one folder, the name of this one.

    Attributes
    ----------
    parts
        The lines of the manifest for the parts that are whole.
    ended
        The closing line of the manifest, None where the run has not come to its end.

    Raises
    ------
    InputError
        If the folder holds something else, another run is at work there, what was written is damaged, or settings
        or inputs differ.
    """

    def __init__(
        self, folder: Path, kind: str, settings: dict[str, Any], inputs: Sequence[Input], name: str = ""
    ) -> None:
        self.folder, self._kind = folder, kind
        self._dash = f"{name}-" if name else ""
        self.manifest = folder / f"_manifest{'-' if name else ''}{name}.jsonl"
        self.parts: list[dict[str, Any]] = []
        self.ended: dict[str, Any] | None = None
        header = {"manifest": FORMAT, "run": name, "format": kind, **settings}
        read = [about_input(each) for each in inputs]
        begun = f".{self.manifest.name}."
        try:
            (folder / REJECTS).mkdir(parents=True, exist_ok=True)
            if not self.manifest.exists():
                others = (path for path in folder.iterdir() if not path.name.startswith((begun, REJECTS)))
                if not name and any(others):
                    raise InputError(
                        f"{folder}: holds files but no manifest of a run; name an empty folder, or --append-to this one"
                    )
                with whole_file(self.manifest, durable=True) as stream:
                    stream.writelines(map(_line, (header, *read)))
                sync_folder(folder.parent)
            # Without a buffer, what could not be written is not tried again behind our back.
            self._journal = self.manifest.open("r+b", buffering=0)
        except OSError as error:
            raise InputError(f"{folder}: cannot be written ({error.strerror}); choose another place") from error
        try:
            self._lock()
            self._go_on(header, read)
            for left in (*folder.glob(f"{begun}*"), *folder.glob(f"**/.part-{self._dash}[0-9]*")):
                left.unlink()
        except BaseException:
            self._journal.close()
            raise

    def __enter__(self) -> PartFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self._journal.close()

    def _lock(self) -> None:
        # Where there are no such locks, nothing keeps two runs apart; they go away with the process, however it ends.
        try:
            import fcntl
        except ImportError:
            return
        try:
            fcntl.flock(self._journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # One that began in the same moment may have put its own manifest in the place of this one.
            mine = os.fstat(self._journal.fileno()).st_ino == self.manifest.stat().st_ino
        except OSError:
            mine = False
        if not mine:
            raise InputError(f"{self.folder}: another run is writing there; wait for its end")

    def _go_on(self, header: dict[str, Any], read: list[dict[str, Any]]) -> None:
        lines: list[Any] = []
        whole = 0
        with self.manifest.open("rb") as stream:
            for raw in stream:
                # A line that was being written when the run was ended has no end; it is the last one.
                if raw.endswith(b"\n"):
                    try:
                        lines.append(json.loads(raw))
                    except ValueError:
                        lines.append(None)
                    whole += len(raw)
        if not lines or not isinstance(lines[0], dict) or lines[0].get("manifest") != FORMAT:
            raise InputError(f"{self.manifest}: is no manifest of this version; name an empty folder")
        if not all(isinstance(line, dict) for line in lines):
            raise InputError(f"{self.manifest}: is damaged; begin again in an empty folder")
        self._compare(lines[0], header, [line for line in lines if "input" in line], read)
        self.parts = [line for line in lines if "part" in line]
        self.ended = next((line for line in lines if "ended" in line), None)
        for part in self.parts:
            for file, size, sha256 in ((part["file"], part["bytes"], part["sha256"]), *part.get("rejects_file", ())):
                self._check(self.folder / file, size, sha256)
        self._journal.seek(whole)
        self._journal.truncate()

    def _compare(
        self, old: dict[str, Any], new: dict[str, Any], old_read: list[dict[str, Any]], new_read: list[dict[str, Any]]
    ) -> None:
        remedy = "go on with what it was begun with, or name an empty folder"
        for key in sorted({*old, *new}):
            if old.get(key) != new.get(key):
                values = f"{_short(old.get(key))}, now {_short(new.get(key))}"
                raise InputError(f"{self.folder}: was begun with another {key} ({values}); {remedy}")
        for before, now in zip(old_read, new_read, strict=False):
            if before["input"] != now["input"]:
                names = f"{before['input']} where {now['input']} is now"
                raise InputError(f"{self.folder}: was begun with other inputs ({names}); {remedy}")
            if before != now:
                raise InputError(f"{now['input']}: has changed since {self.folder} was begun; {remedy}")
        if len(old_read) != len(new_read):
            counts = f"{len(old_read):,}, now {len(new_read):,}"
            raise InputError(f"{self.folder}: was begun with another number of inputs ({counts}); {remedy}")

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

    def skip(self, feed: Feed) -> None:
        """Pass over what the parts hold.

        Raises
        ------
        InputError
            If it is not what they were made of.
        """
        for part in self.parts:
            if feed.skip(part["articles"]) != part["digest"] or list(feed.place) != part["to"]:
                raise InputError(
                    f"{self.folder}: the input of {part['file']} has changed since; name an empty folder to begin again"
                )

    @contextmanager
    def part(self, number: int) -> Iterator[Part]:
        """Write a part; when the block ends without an error, it and its rejects have their names.

        Parameters
        ----------
        number
            How many parts are whole.

        Raises
        ------
        RunError
            If it cannot be written.
        """
        rejects = self.folder / self._rejects_name(number)
        with self._telling(), ExitStack() as stack:
            rows = stack.enter_context(whole_file(self.folder / self._name(number), durable=True))
            part = Part(rows, lambda: stack.enter_context(whole_file(rejects, durable=True)))
            yield part
            if part.rejects is None:
                rejects.unlink(missing_ok=True)

    def add(self, number: int, part: Part, block: Block, counts: dict[str, int], **more: Any) -> None:
        """Enter a part into the manifest.

        Parameters
        ----------
        number, part
            The part that was written.
        block
            Its last block.
        counts
            What came of its records.
        more
            Whatever else belongs to it.

        Raises
        ------
        RunError
            If that cannot be written.
        """
        line = {
            "part": number, "file": self._name(number), "bytes": part.rows.size, "sha256": part.rows.sha256,
            "from": list(block.start), "to": list(block.end), **counts, "digest": block.digest, **more,
        }  # fmt: skip
        if part.rejects is not None:
            line["rejects_file"] = [[self._rejects_name(number), part.rejects.size, part.rejects.sha256]]
        self._append(line)
        self.parts.append(line)

    def end(self, counts: dict[str, int]) -> None:
        """Enter that the run has come to its end."""
        self.ended = {"ended": True, **counts}
        self._append(self.ended)

    def _append(self, line: dict[str, Any]) -> None:
        with self._telling():
            at, content = self._journal.tell(), _line(line)
            try:
                if self._journal.write(content) != len(content):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(self._journal.fileno())
            except OSError:
                self._journal.seek(at)
                self._journal.truncate()
                raise

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except (OSError, InputError) as error:
            if isinstance(error, InputError):
                raise RunError(str(error)) from error
            raise RunError(f"{self.folder}: cannot be written ({error.strerror})") from error

    def state(self) -> str:
        """Say what there is."""
        return f"{len(self.parts):,} part{' is' if len(self.parts) == 1 else 's are'} whole in {self.folder}"

    def _name(self, number: int) -> str:
        return f"part-{self._dash}{number:05d}.{self._kind}"

    def _rejects_name(self, number: int) -> str:
        return f"{REJECTS}/part-{self._dash}{number:05d}.jsonl"


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
