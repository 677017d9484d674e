"""A new codebook's data folder: label set, cue classes, annotation rules and settings to begin with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from stance.dataset import RowForm
from stance.files import write_whole
from stance.labels import LabelSet
from stance.records import DataError, InputError
from stance.resources import data_path
from stance.rows import read_jsonl
from stance.settings import Settings

# Told apart by most people with a colour vision deficiency (Okabe and Ito, 2008).
COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")


def lay_out(folder: Path, names: Sequence[str], *, exclusive: bool = False, marks: Sequence[str] = ()) -> list[Path]:
    """Write the files that a new codebook begins with.

    Parameters
    ----------
    folder
        Where they go; made if it does not exist, and empty if it does.
    names
        Label names in order.
    exclusive
        Whether each statement carries exactly one label.
    marks
        Tags that mark spans of a text.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    InputError
        If the folder holds something already.
    DataError
        If a label or mark name has the wrong form.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: holds something already; name a folder that is new or empty")
    labels = LabelSet.from_json({"exclusive": exclusive, "label": [{"name": name} for name in names]})
    settings = Settings(own_weight=1.0, marks=tuple(marks))
    stored = {"own_weight": settings.own_weight, "marks": list(settings.marks)}
    contents = {
        "labels.toml": _labels_file(labels),
        "lexicon.toml": data_path("lexicon.toml").read_text(encoding="utf-8"),
        "settings.json": json.dumps(stored, indent=1) + "\n",
        "CODEBOOK.md": _codebook(labels),
    }
    (folder / "statements").mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        write_whole(folder / name, content)
    return [folder / name for name in contents]


def labels_in(files: Sequence[Path], form: RowForm) -> list[str]:
    """Return the names of all labels in annotated JSONL files, sorted.

    Raises
    ------
    DataError
        If a file cannot be read, or a row lacks the field.
    """
    names: set[str] = set()
    for file in files:
        for place, record in read_jsonl(file):
            given = record.get(form.label_field)
            listed = [given] if isinstance(given, str) else given
            if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
                raise DataError(
                    f"{place}: {form.label_field!r} is neither a label nor a list of labels; "
                    "name the right field with --label-field"
                )
            names.update(listed)
    return sorted(names)


def _labels_file(labels: LabelSet) -> str:
    lines = [
        "# The label set. Its order is the order of all columns; CODEBOOK.md holds the annotation rules.",
        "# exclusive = true means that every statement carries exactly one of the labels.",
        f"exclusive = {'true' if labels.exclusive else 'false'}",
    ]
    for number, name in enumerate(labels.names):
        title = name.replace("_", " ").capitalize()
        lines += ["", "[[label]]", f'name = "{name}"', f'title = "{title}"', 'definition = ""']
        lines += ["cameo = []", "plover = []", f'colour = "{COLOURS[number % len(COLOURS)]}"']
    return "\n".join(lines) + "\n"


def _codebook(labels: LabelSet) -> str:
    carries = "exactly one label" if labels.exclusive else "zero, one or several labels"
    lines = ["# Codebook", "", f"The unit is one sentence of a news text. A sentence carries {carries}.", ""]
    for name in labels.names:
        lines += [f"## {name}", "", "Counts", "- ", "", "Does not count", "- ", ""]
    return "\n".join(lines)
