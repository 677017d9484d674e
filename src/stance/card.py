"""The model card: ``README.md`` of a model folder, written from the figures that the model carries."""

from __future__ import annotations

import math

from stance.evaluation import Estimate, Evaluation
from stance.model import Model

_CAUTION = """\
For finding such statements, so that a person can read them. A label says that the text reports an act of speaking; it
says nothing about whether a claim is true or who is right. Not for decisions about people without a reader, and not for
other languages or kinds of text than it learned from. `stance explain` shows what a label rests on."""


def model_card(model: Model, held_apart: Evaluation | None, provenance: str = "") -> str:
    """Return the card as Markdown.

    Parameters
    ----------
    model
        A saved model.
    held_apart
        Its evaluation on the rows that it did not learn from; None leaves that section out.
    provenance
        How the labels came about, as the data folder says it.
    """
    about = model.about
    rows, figures = about["rows"], about["figures"]
    # Own rows are no sample of anything, so only stand-off rows can speak for the news.
    real = rows["standoff"] > 0
    share = f"share of {'news' if real else 'rows'}"
    counts = ("positives", "effective positives |")
    lines = [
        f"# Model {model.id}",
        "",
        "A linear model over hashed words, patterns and cue classes. Written by `stance train`; do not edit.",
        "",
        "## Use",
        "",
        f"Gives each statement {'exactly one' if model.labels.exclusive else 'any'} of these labels:",
        "",
        *(f"- `{label.name}`: {label.definition or label.title or label.name}" for label in model.labels.labels),
        "",
        _CAUTION,
        "",
        "## What it learned from",
        "",
        f"{rows['standoff']:,} stand-off rows and {rows['own']:,} own rows; {rows['held_apart']:,} are held apart.",
        f"{about['features']:,} features.",
        *(("", provenance.strip()) if provenance.strip() else ()),
        "",
        "## Calibration and thresholds",
        "",
        f"Fitted out of fold on {figures['calibrated_on']}, "
        + ("each weighted by what it stands for in ordinary news." if real else "so for their mix, not that of news."),
        "Mean probability, Brier skill and slope were measured on folds that the calibration had not seen; a slope of",
        "1 is right. *Effective positives* is the number of equally weighted rows that would tell as much.",
        "",
        " | ".join(("| label", "threshold", share, "mean probability", "Brier skill [95% interval]", "slope", *counts)),
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, threshold in zip(model.labels.names, model.thresholds.tolist(), strict=True):
        entry = figures["labels"][name]
        skill = (
            math.nan if number is None else number for number in (entry["brier_skill"], *entry["brier_skill_interval"])
        )
        lines.append(
            f"| {name} | {threshold:.3f} | {entry['share_of_news']:.2%} | {entry['mean_probability']:.2%} "
            f"| {Estimate(*skill)} | {entry['calibration_slope']:.2f} "
            f"| {entry['positives']:,} | {entry['effective_positives']:.0f} |"
        )
    few = [name for name, entry in figures["labels"].items() if entry["few"]]
    if few:
        lines += ["", f"**Few weighted positives: {', '.join(few)}.** Probabilities and threshold are rough there."]
    if held_apart is not None:
        lines += [
            "",
            "## On the rows held apart",
            "",
            "These rows were drawn to be rich in labels, so precision is not that of ordinary news."
            if real
            else "Precision holds for the mix of labels that these rows have.",
            "",
            "| label | precision | recall | F1 [95% interval] | average precision [95% interval] | rows |",
            "|---|---|---|---|---|---|",
            *(
                f"| {entry.label} | {entry.precision.short} | {entry.recall.short} | {entry.f1} "
                f"| {entry.average_precision} | {entry.support} |"
                for entry in held_apart.labels
            ),
            f"| macro | | | {held_apart.macro_f1} | {held_apart.mean_average_precision} | {held_apart.rows} |",
            "",
            f"`{held_apart.signature_line}`",
        ]
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    lines += [
        "",
        "## Made with",
        "",
        f"Data `{about['data_sha256'][:12]}`, weights `{about['weights_sha256'][:12]}`; {versions}.",
        "",
    ]
    return "\n".join(lines)
