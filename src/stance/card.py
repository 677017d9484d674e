"""The model card: ``README.md`` of a model folder, written from the figures that the model carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stance.model import Model

if TYPE_CHECKING:
    from stance.evaluation import Evaluation

_PROVENANCE = """\
The stand-off rows are sentences of real news and public speech that language models read one by one under the
codebook; one reading, with a blind second reading of 450 rows (Cohen's kappa 0.90 for denial, 0.93 for accusation,
0.98 for dialogue call). The own rows are invented sentences, written and labelled by language models. No person
adjudicated."""

_USE = """\
For finding statements in English news that deny, accuse or call for dialogue, so that a person can read them. A label
says that the sentence reports such an act; it says nothing about whether the claim is true or who is right.
Not for decisions about people without a reader, and not for other languages. Sarcasm, indirect accusation and
readiness for talks that is only hinted at are often missed; `stance explain` shows what a label rests on."""


def model_card(model: Model, held_apart: Evaluation | None) -> str:
    """Return the card as Markdown.

    Parameters
    ----------
    model
        A saved model.
    held_apart
        Its evaluation on the rows that it did not learn from; None leaves that section out.
    """
    about = model.about
    rows, figures = about["rows"], about["figures"]
    lines = [
        f"# Model {model.id}",
        "",
        "A linear model over hashed words, patterns and cue classes. Written by `stance train`; do not edit.",
        "",
        "## Use",
        "",
        _USE,
        "",
        "## What it learned from",
        "",
        f"{rows['standoff']:,} stand-off rows and {rows['own']:,} own rows; {rows['held_apart']:,} are held apart.",
        f"{about['features']:,} features.",
        "",
        _PROVENANCE,
        "",
        "## Calibration and thresholds",
        "",
        f"Fitted out of fold on {figures['calibrated_on']}, each weighted by what it stands for in ordinary news.",
        "*Effective positives* is the number of equally weighted rows that would tell as much.",
        "",
        "| label | threshold | share of news | positives | effective positives |",
        "|---|---|---|---|---|",
    ]
    for name, threshold in zip(model.labels.names, model.thresholds.tolist(), strict=True):
        entry = figures["labels"][name]
        lines.append(
            f"| {name} | {threshold:.3f} | {entry['share_of_news']:.2%} | {entry['positives']:,} "
            f"| {entry['effective_positives']:.0f} |"
        )
    few = [name for name, entry in figures["labels"].items() if entry["few"]]
    if few:
        lines += ["", f"**Few weighted positives: {', '.join(few)}.** Probabilities and threshold are rough there."]
    if held_apart is not None:
        lines += [
            "",
            "## On the rows held apart",
            "",
            "These rows were drawn to be rich in labels, so precision is not that of ordinary news.",
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
