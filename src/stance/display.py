"""What people see on a terminal: lines for predictions, reasons and articles, and the progress bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from stance.model import Explanation
    from stance.records import Article, Prediction


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``1 article`` or ``2,300 articles``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def shown(text: str, width: int) -> str:
    """Return a text on one line, without control characters, cut to a width."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return flat if len(flat) <= width else flat[: width - 1] + "…"


def print_prediction(made: Prediction) -> None:
    """Print one line: labels, probabilities, the statement."""
    chances = "  ".join(f"{name} {chance:.3f}" for name, chance in made.probabilities.items())
    click.echo(f"{', '.join(made.labels) or 'none':<24}  {chances}  {shown(made.text, 70)}")


def print_explanation(found: Explanation, label: str, top: int) -> None:
    """Print what counts most for or against a label; the lines sum to the score."""
    made = found.prediction
    given = "given" if label in made.labels else "not given"
    click.echo(f"{label}: probability {made.probabilities[label]:.3f}, score {made.scores[label]:+.3f} ({given})")
    click.echo(f"  {found.intercepts[label]:+8.3f}  intercept")
    listed = found.top(label, top)
    for each in listed:
        words = shown(made.text[each.start : each.end], 44)
        click.echo(f"  {each.weights[label]:+8.3f}  {words:<44}  {' = '.join(each.features)}")
    if rest := len(found.contributions) - len(listed):
        weight = sum(each.weights[label] for each in found.contributions) - sum(each.weights[label] for each in listed)
        click.echo(f"  {weight:+8.3f}  {counted(rest, 'further feature')}")


def print_article(article: Article, rows: list[dict[str, Any]]) -> None:
    """Print an article's name and one line for each of its rows."""
    about = "  ".join(part for part in (article.id, article.date, article.source) if part)
    click.echo(click.style(shown(about, 100), bold=True))
    for row in rows:
        marks = ", ".join(f"{name} {row[f'p_{name}']:.2f}" for name in row["labels"])
        line = f"{row['statement_no'] + 1:>4}  {marks or '·':<32}  {shown(row['text'], 90)}"
        click.echo(line if marks else click.style(line, dim=True))
    click.echo()


@contextmanager
def progress(unit: str, *, wanted: bool = True) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr where that is a terminal; with a total of 0, a count."""
    if not wanted or not sys.stderr.isatty():
        yield lambda done, total: None  # noqa: ARG005
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn(unit), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(unit, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)


@contextmanager
def scoring_progress(total: int, *, wanted: bool = True) -> Iterator[Callable[[int, int], None]]:
    """Show on stderr, where that is a terminal, how far a run is, how fast, and how long it will still take.

    Parameters
    ----------
    total
        Bytes of the input; 0 where that is not known.
    wanted
        Whether to show anything.

    Yields
    ------
    callable
        Takes how many articles were scored, and how many bytes of the input were read.
    """
    if not wanted or not sys.stderr.isatty():
        yield lambda articles, read: None  # noqa: ARG005
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    known = (BarColumn(), TaskProgressColumn(), TransferSpeedColumn(), TimeRemainingColumn()) if total else ()
    columns = (TextColumn("{task.fields[articles]:,} articles"), *known, TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("articles", total=total or None, articles=0)
        yield lambda articles, read: bar.update(task, completed=read, articles=articles)
