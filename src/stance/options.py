"""What several commands share: options, the model they name, JSON on stdout."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stance.records import InputError

if TYPE_CHECKING:
    from stance.dataset import RowForm
    from stance.model import Model

EXISTING = click.Path(path_type=Path)


def model_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--model`` and ``--threshold``."""
    command = click.option(
        "--threshold", "thresholds", multiple=True, metavar="LABEL=P", help="Give LABEL from probability P on."
    )(command)
    return click.option("--model", "folder", type=EXISTING, help="Model folder; the default model if left out.")(
        command
    )


def row_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what says how a JSONL file of annotated statements is to be read."""
    for option in (
        click.option("--marks", metavar="A,B", help="Tags that mark spans of the text, such as s,t; see `init`."),
        click.option("--text-field", default="text", show_default=True, help="Its field with the text."),
        click.option("--label-field", default="labels", show_default=True, help="Its field with the labels."),
    ):
        command = option(command)
    return command


def row_form(label_field: str, text_field: str, marks: Sequence[str]) -> RowForm:
    """Return what `row_options` say."""
    from stance.dataset import RowForm

    return RowForm(label_field, text_field, tuple(marks))


def names_in(given: str | None) -> tuple[str, ...]:
    """Return the names that an option of the form ``A,B`` lists."""
    return tuple(name.strip() for name in given.split(",") if name.strip()) if given else ()


def load_model(folder: Path | None, thresholds: tuple[str, ...]) -> Model:
    """Load the model that ``--model`` names, with the thresholds that ``--threshold`` asks for."""
    from dataclasses import replace

    from stance.store import load

    model = load(folder)
    wanted = model.thresholds.copy()
    for name, chance in label_numbers("--threshold", thresholds, model.labels.names, most=1.0).items():
        wanted[model.labels.names.index(name)] = chance
    if thresholds and model.labels.exclusive:
        raise InputError("--threshold: the model's label set is exclusive, so the most probable label is given")
    return replace(model, thresholds=wanted)


def label_numbers(option: str, given: Iterable[str], names: Sequence[str], most: float) -> dict[str, float]:
    """Return what an option of the form ``LABEL=NUMBER`` says; numbers lie from 0 to `most`.

    Raises
    ------
    InputError
        If a label is not among `names`, or a number is none.
    """
    numbers = {}
    for each in given:
        name, equals, value = each.partition("=")
        if name not in names:
            raise InputError(f"{option} {each}: unknown label {name!r}; the labels are {', '.join(names)}")
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not equals or not 0.0 <= number <= most:
            raise InputError(f"{option} {each}: give LABEL=NUMBER with a number from 0 to {most:g}")
        numbers[name] = number
    return numbers


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON object on one line."""
    click.echo(json.dumps(document, ensure_ascii=False))
