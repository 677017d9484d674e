"""An output folder: parts that are written whole and then entered into the manifest.

Whatever ends a run, a part that the manifest does not list is written anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Final

from stance.feed import Block, Feed
from stance.files import sync_folder, whole_file
from stance.inputs import Input
from stance.manifest import Manifest
from stance.outputs import reject_line
from stance.records import InputError, Reject, RunError

# What begins with _ or . is no data to those who read a folder of parquet files.
REJECTS: Final = "_rejects"


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

    Raises
    ------
    InputError
        As `Manifest` does, or if the folder cannot be written.
    """

    def __init__(
        self, folder: Path, kind: str, settings: dict[str, Any], inputs: Sequence[Input], name: str = ""
    ) -> None:
        self.folder, self._kind = folder, kind
        self._dash = f"{name}-" if name else ""
        self._manifest = Manifest(folder, name, {"format": kind, **settings}, inputs)
        try:
            (folder / REJECTS).mkdir(exist_ok=True)
            sync_folder(folder)
            for left in folder.glob(f"**/.part-{self._dash}[0-9]*"):
                left.unlink()
        except OSError as error:
            self._manifest.close()
            raise InputError(f"{folder}: cannot be written ({error.strerror}); choose another place") from error

    def __enter__(self) -> PartFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self._manifest.close()

    @property
    def parts(self) -> list[dict[str, Any]]:
        """The lines of the manifest for the parts that are whole."""
        return self._manifest.parts

    @property
    def ended(self) -> dict[str, Any] | None:
        """The closing line of the manifest, None where the run has not come to its end."""
        return self._manifest.ended

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
        with self._telling():
            self._manifest.add(line)

    def end(self, counts: dict[str, int]) -> None:
        """Enter that the run has come to its end."""
        with self._telling():
            self._manifest.add({"ended": True, **counts})

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
