"""Where the rows of a run go, by the options of the command line."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stance.records import InputError

if TYPE_CHECKING:
    from stance.scoring import Shape


@dataclass(frozen=True)
class Target:
    """Where rows go: a file, a folder of parts, or stdout where there is neither.

    Attributes
    ----------
    kind
        ``jsonl``, ``csv``, ``parquet``, or ``scored`` for a table that people read.
    file, folder
        The place.
    append
        Whether the folder holds the rows of others.
    """

    kind: str
    file: Path | None = None
    folder: Path | None = None
    append: bool = False

    def rejects(self, named: Path | None) -> Path | None:
        """Return where rejects go: to a file of a name, or beside an output file."""
        from stance.outputs import rejects_beside

        return rejects_beside(self.file) if named is None and self.file is not None else named


def target_of(output: str | None, to: str | None, append_to: Path | None, as_json: bool) -> Target:
    """Return what ``--output``, ``--to``, ``--append-to`` and ``--json`` say together.

    Raises
    ------
    InputError
        If they contradict each other.
    """
    from stance.outputs import OUTPUT_FORMATS, output_format

    if as_json and (append_to is not None or output not in (None, "-")):
        raise InputError("--json: prints rows; leave it out where they go to a file or folder")
    if append_to is not None:
        if output is not None or to not in (None, "parquet"):
            raise InputError("--append-to: adds parquet files to that folder; leave --output and --to out")
        return Target("parquet", folder=append_to, append=True)
    if output == "":
        raise InputError("--output: is empty; name a file, a folder or -")
    path = None if output in (None, "-") else Path(str(output))
    ending = path.suffix.lower().lstrip(".") if path else ""
    if path is None or (ending in OUTPUT_FORMATS and not str(output).endswith("/")):
        if to is not None:
            raise InputError("--to: is the format of the parts of a folder; name a folder with --output")
        if path is not None:
            return Target(ending, file=path)
        return Target("jsonl" if as_json or output is not None else "scored")
    if not path.is_dir() and (ending or path.exists()) and not str(output).endswith("/"):
        output_format(path)
    return Target(to or "jsonl", folder=path)


def check_target(target: Target, shape: Shape, rejects: Path | None) -> None:
    """Check before the work that rows of this shape, and rejects, can go where they are to go.

    Raises
    ------
    InputError
        If they cannot.
    """
    if target.file is not None:
        # Found out only when the file is put in its place, this would cost the whole run.
        if target.file.is_dir():
            raise InputError(f"{target.file}: cannot be written (it is a folder); choose another name")
        if rejects is not None and os.path.realpath(rejects) == os.path.realpath(target.file):
            raise InputError(f"{rejects}: rows and rejects would go to one file; give --rejects another name")
    if str(rejects) == "-":
        raise InputError("--rejects: goes to a file; name one")
    refused_to = target.rejects(rejects)
    if refused_to is not None and refused_to.is_dir():
        raise InputError(f"{refused_to}: cannot be written (it is a folder); give --rejects another name")
    if rejects is not None and target.folder is not None:
        raise InputError(f"--rejects: the rejects of a folder go to {target.folder}/_rejects; leave the option out")
    if target.kind == "parquet":
        from stance.columnar import require_arrow

        require_arrow()
    if shape.nested and target.kind in ("csv", "scored"):
        raise InputError("--nested: a row cannot hold a list in csv or in a table; use jsonl or parquet")
    if shape.with_text and not shape.nested:
        raise InputError("--with-text: would repeat the article in every row; use it with --nested")
    if shape.duplicates and target.kind == "scored":
        raise InputError("--dedupe: marks rows, and a table has no place for that; use --output or --json")
