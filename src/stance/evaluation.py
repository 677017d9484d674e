"""Decisions and probabilities against the truth → measures with bootstrap intervals, comparisons, worst errors."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from stance import measures
from stance.measures import PairedDifference, Scored, paired_bootstrap
from stance.records import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stance.measures import Floats

__all__ = [
    "ErrorRow",
    "Estimate",
    "Evaluation",
    "LabelEvaluation",
    "PairedDifference",
    "Scored",
    "Signature",
    "by_field",
    "evaluate",
    "format_table",
    "paired_bootstrap",
    "worst_errors",
]
UNDEFINED: Final = "\N{EN DASH}"
_WIDTH: Final = 100


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure with its 95% interval; all three are NaN where the measure is undefined."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Write it as ``0.812 [0.781, 0.843]``, without the interval where no resample defines it."""
        return self.short if math.isnan(self.low) else f"{self.short} [{self.low:z.3f}, {self.high:z.3f}]"

    @property
    def short(self) -> str:
        """The value alone, three decimals."""
        return UNDEFINED if math.isnan(self.value) else f"{self.value:z.3f}"

    def to_json(self) -> dict[str, float | None]:
        """Return plain numbers, None for what is undefined."""
        return {name: None if math.isnan(number) else float(number) for name, number in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class LabelEvaluation:
    """The measures of one label; `support` counts its true rows, without weights."""

    label: str
    precision: Estimate
    recall: Estimate
    f1: Estimate
    average_precision: Estimate
    brier: Estimate
    brier_skill: Estimate
    calibration_error: Estimate
    support: int


_MEASURES: Final = tuple(field.name for field in fields(LabelEvaluation) if field.name not in ("label", "support"))


@dataclass(frozen=True, slots=True)
class Signature:
    """What was measured on what: hashes of data and model, name of the split, rows, seed, version of stance."""

    data: str
    model: str
    split: str
    rows: int
    seed: int
    version: str

    def line(self, resamples: int) -> str:
        """Return one line; hashes are cut to twelve digits."""
        data, model = (
            name[:12] + "…" if re.fullmatch("[0-9a-f]{16,}", name) else name for name in (self.data, self.model)
        )
        return (
            f"data:{data}|model:{model}|split:{self.split}|rows:{self.rows}|seed:{self.seed}"
            f"|resamples:{resamples}|stance:{self.version}"
        )


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Measures of every label, their means, and how they were made.

    Attributes
    ----------
    labels
        One entry a label, in the order of the label set.
    macro_f1, mean_average_precision
        Means over the labels that have true rows.
    rows, groups
        How many rows, and how many groups the bootstrap drew from.
    resamples, seed
        Settings of the bootstrap.
    signature
        As the caller gave it.
    """

    labels: tuple[LabelEvaluation, ...]
    macro_f1: Estimate
    mean_average_precision: Estimate
    rows: int
    groups: int
    resamples: int
    seed: int
    signature: Signature | None = None

    @property
    def signature_line(self) -> str:
        """The signature on one line; empty where the caller gave none."""
        return self.signature.line(self.resamples) if self.signature else ""

    @property
    def notes(self) -> str:
        """What a reader of the figures has to know, in one or two sentences."""
        drawn = f"{self.rows} rows" if self.groups == self.rows else f"{self.groups} groups of {self.rows} rows"
        text = f"Intervals: 95%, percentile bootstrap of {drawn}, {self.resamples} resamples."
        held = sum(entry.support > 0 for entry in self.labels)
        if held < len(self.labels):
            text += f" The macro row covers the {held} of {len(self.labels)} labels that have true rows."
        return text

    def to_json(self) -> dict[str, Any]:
        """Return plain dicts, numbers and strings; None for what is undefined."""
        labels = {
            entry.label: {name: getattr(entry, name).to_json() for name in _MEASURES} | {"support": entry.support}
            for entry in self.labels
        }
        return {
            "labels": labels,
            "macro_f1": self.macro_f1.to_json(),
            "mean_average_precision": self.mean_average_precision.to_json(),
            "rows": self.rows,
            "groups": self.groups,
            "resamples": self.resamples,
            "seed": self.seed,
            "signature": asdict(self.signature) if self.signature else None,
        }


def evaluate(scored: Scored, *, resamples: int = 1000, seed: int = 0, signature: Signature | None = None) -> Evaluation:
    """Measure `scored`, each measure with a 95% percentile bootstrap interval.

    Precision is undefined where a label was never given; recall, F1 and average precision where it has no true row;
    the Brier skill score (1 - Brier score / that of always saying the base rate) where all rows are alike. Means are
    taken over the labels that have true rows. The calibration error is the mean distance, over ten bins of equal
    mass, between mean probability and share of true rows; equal probabilities share a bin, and resamples keep the
    bins. Resampling adds noise to that distance, so its interval lies high. An interval uses the resamples in which
    its measure is defined.

    Parameters
    ----------
    scored
        n rows, L labels.
    resamples
        How often groups are drawn with replacement, at least 1.
    seed
        Fixes the draws.
    signature
        Kept in the result.

    Raises
    ------
    InputError
        If `resamples` is below 1.
    """
    truth, given, probabilities, weights = scored.truth, scored.given, scored.probabilities, scored.row_weights
    measurers = {
        "precision": measures.precision_measurer(truth, given),
        "recall": measures.recall_measurer(truth, given),
        "f1": measures.f1_measurer(truth, given),
        "average_precision": measures.average_precision_measurer(truth, probabilities),
        "brier": measures.brier_measurer(truth, probabilities),
        "brier_skill": measures.brier_skill_measurer(truth, probabilities),
        "calibration_error": measures.calibration_measurer(truth, probabilities, weights),
    }
    numbers = measures.group_numbers(scored.groups, len(truth))
    drawn: dict[str, list[Floats]] = {name: [] for name in measurers}
    for draw in measures.draw_weights(numbers, weights, resamples, seed):
        for name, measure in measurers.items():
            drawn[name].append(measure(draw))
    draws = {name: np.concatenate(found) for name, found in drawn.items()}
    values = {name: measure(weights[None, :])[0] for name, measure in measurers.items()}

    entries = tuple(
        LabelEvaluation(
            label=label,
            support=int(truth[:, column].sum()),
            **{name: _estimate(values[name][column], draws[name][:, column]) for name in measurers},
        )
        for column, label in enumerate(scored.labels)
    )
    macro_f1, mean_average_precision = (
        _estimate(measures.mean_defined(values[name]), measures.mean_defined(draws[name]))
        for name in ("f1", "average_precision")
    )
    return Evaluation(
        labels=entries,
        macro_f1=macro_f1,
        mean_average_precision=mean_average_precision,
        rows=len(truth),
        groups=int(numbers.max()) + 1,
        resamples=resamples,
        seed=seed,
        signature=signature,
    )


def _estimate(value: Floats, draws: Floats) -> Estimate:
    point = float(value)
    return Estimate(point, *(measures.interval(draws) if not math.isnan(point) else (math.nan, math.nan)))


def by_field(
    scored: Scored,
    values: Sequence[str | None],
    *,
    resamples: int = 1000,
    seed: int = 0,
    signature: Signature | None = None,
) -> dict[str, Evaluation]:
    """Evaluate the rows of each field value by themselves.

    Parameters
    ----------
    values
        One a row; None and blank strings count as ``"(none)"``.

    Returns
    -------
    dict
        Field value to its evaluation, most rows first, then by name.

    Raises
    ------
    InputError
        If there is not one value for each row.
    """
    if len(values) != len(scored.truth):
        raise InputError(f"evaluation: {len(values)} field values for {len(scored.truth)} rows; give one for each row")
    rows: dict[str, list[int]] = {}
    for row, value in enumerate(values):
        rows.setdefault((value or "").strip() or "(none)", []).append(row)
    ordered = sorted(rows.items(), key=lambda item: (-len(item[1]), item[0]))
    return {
        value: evaluate(
            scored.take(np.array(found)),
            resamples=resamples,
            seed=seed,
            signature=signature and replace(signature, rows=len(found)),
        )
        for value, found in ordered
    }


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """A wrong decision: row number, label, ``"missed"`` or ``"false alarm"``, and the label's probability there."""

    row: int
    label: str
    kind: Literal["missed", "false alarm"]
    probability: float


def worst_errors(scored: Scored, limit: int = 20) -> list[ErrorRow]:
    """Return the wrong decisions whose probability is farthest from the truth, at most `limit` a label."""
    found = []
    for column, label in enumerate(scored.labels):
        truth, probability = scored.truth[:, column], scored.probabilities[:, column]
        wrong = np.flatnonzero(truth != scored.given[:, column])
        worst = wrong[np.argsort(-np.abs(truth - probability)[wrong], kind="stable")][:limit]
        found += [
            ErrorRow(int(row), label, "missed" if truth[row] else "false alarm", float(probability[row]))
            for row in worst
        ]
    return found


def format_table(evaluation: Evaluation) -> str:
    """Return the measures as aligned plain text without colour, 100 columns wide; long label names are cut."""
    from textwrap import wrap

    from rich.cells import cell_len, set_cell_size

    heads = ("precision", "recall", "F1 [95% interval]", "AP [95% interval]", "Brier", "ECE", "support")
    rows = [("label", *heads)]
    rows += [
        (
            entry.label,
            *(entry.precision.short, entry.recall.short, str(entry.f1), str(entry.average_precision)),
            *(entry.brier.short, entry.calibration_error.short, str(entry.support)),
        )
        for entry in evaluation.labels
    ]
    rows.append(("macro", "", "", str(evaluation.macro_f1), str(evaluation.mean_average_precision), "", "", ""))

    names, *columns = zip(*rows, strict=True)
    widths = [max(map(len, column)) for column in columns]
    wanted = max(map(cell_len, names))
    gap = "  " if wanted + sum(widths) + 2 * len(widths) <= _WIDTH else " "
    room = min(wanted, _WIDTH - sum(widths) - len(gap) * len(widths))
    lines = []
    for name, *cells in rows:
        cut = name if cell_len(name) <= room else set_cell_size(name, room - 1).rstrip() + "…"
        numbers = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        lines.append(gap.join((set_cell_size(cut, room), *numbers)).rstrip())
    rule = "─" * max(map(cell_len, lines))
    lines = [lines[0], rule, *lines[1:-1], rule, lines[-1], "", *wrap(evaluation.notes, _WIDTH)]
    if evaluation.signature:
        lines.append(evaluation.signature_line)
    return "\n".join(lines) + "\n"
