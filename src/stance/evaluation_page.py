"""An evaluation, its figures and errors → one HTML page that holds everything, runs nothing and loads nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stance.evaluation import Estimate, Evaluation

_FIELD_ROWS: Final = 50
# Code points that XML and HTML do not allow.
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class ReportError:
    """One wrong decision as the report shows it.

    Attributes
    ----------
    text
        The statement; empty where only its place is known.
    place
        Where it stands: a row id, or a path and locator.
    label, kind, probability
        As in `stance.evaluation.ErrorRow`.
    contributions
        Features and what each adds to the label's score.
    """

    text: str
    place: str
    label: str
    kind: str
    probability: float
    contributions: Sequence[tuple[str, float]] = ()


def build_page(
    evaluation: Evaluation,
    figures: Sequence[str],
    errors: Sequence[ReportError],
    title: str,
    by: Mapping[str, Evaluation] | None,
    by_name: str,
) -> str:
    """Return the page; `figures` are finished HTML, everything else is escaped here."""
    body = [_measures(evaluation)]
    if by:
        body.append(_fields(evaluation, by, by_name))
    body += [*figures, _errors(errors)]
    signature = (
        f'<p class="signature"><code>{safe(evaluation.signature_line)}</code></p>' if evaluation.signature else ""
    )
    return _PAGE.format(
        title=safe(title),
        style=_STYLE,
        f1=_cell(evaluation.macro_f1),
        average_precision=_cell(evaluation.mean_average_precision),
        rows=f"{evaluation.rows:,}",
        notes=safe(evaluation.notes),
        signature=signature,
        body="\n".join(body),
    )


def figure_section(svg: str, heading: str, caption: str) -> str:
    """Return a section with one inline SVG; the arguments are finished HTML."""
    scroller = f'<div class="wide" tabindex="0" role="group" aria-label="{heading}, figure">{svg}</div>'
    return f"<section><h2>{heading}</h2>\n<figure>{scroller}<figcaption>{caption}</figcaption></figure></section>"


def safe(text: str) -> str:
    """Escape `text` for HTML and XML, inside and outside attributes."""
    return escape(printable(text))


def printable(text: str) -> str:
    """Replace what neither HTML nor XML can hold by U+FFFD."""
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)


def _table(caption: str, head: Sequence[str], rows: Sequence[str], foot: str = "", kind: str = "") -> str:
    """Return a table whose first column names its rows; `caption` is also the name of its scrolling frame."""
    heads = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    lines = "\n".join(rows)
    footer = f"<tfoot>{foot}</tfoot>" if foot else ""
    return (
        f'<div class="wide" tabindex="0" role="group" aria-label="{caption}">'
        f'<table class="{kind}"><caption>{caption}</caption><thead><tr>{heads}</tr></thead>\n'
        f"<tbody>{lines}</tbody>{footer}</table></div>"
    )


def _row(name: str, cells: Sequence[str]) -> str:
    found = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr><th scope="row" dir="auto">{safe(name)}</th>{found}</tr>'


def _cell(estimate: Estimate) -> str:
    value, _, interval = str(estimate).partition(" ")
    return f"{value}<small>{interval}</small>" if interval else value


def _measures(evaluation: Evaluation) -> str:
    head = ["label", "precision", "recall", "F1", "average precision", "Brier score", "Brier skill"]
    head += ["calibration error", "support"]
    rows = [
        _row(
            entry.label,
            [
                *(_cell(entry.precision), _cell(entry.recall), _cell(entry.f1), _cell(entry.average_precision)),
                *(_cell(entry.brier), _cell(entry.brier_skill), _cell(entry.calibration_error)),
                f"{entry.support:,}",
            ],
        )
        for entry in evaluation.labels
    ]
    means = ["", "", _cell(evaluation.macro_f1), _cell(evaluation.mean_average_precision), "", "", "", ""]
    table = _table("Measures of each label, with 95% intervals", head, rows, _row("macro", means))
    return f"<section><h2>Measures</h2>\n{table}\n{_GLOSSARY}</section>"


def _fields(evaluation: Evaluation, by: Mapping[str, Evaluation], name: str) -> str:
    head = [safe(name), "rows", "macro F1", "mean AP"]
    head += [f"F1 <bdi>{safe(entry.label)}</bdi>" for entry in evaluation.labels]
    rows = []
    for value, found in list(by.items())[:_FIELD_ROWS]:
        cells = [f"{found.rows:,}", _cell(found.macro_f1), _cell(found.mean_average_precision)]
        rows.append(_row(value, cells + [_cell(entry.f1) for entry in found.labels]))
    left = len(by) - len(rows)
    note = f"<p>The {left:,} values with the fewest rows are left out.</p>" if left > 0 else ""
    table = _table(f"Measures by {safe(name)}, with 95% intervals", head, rows)
    return f"<section><h2>By {safe(name)}</h2>\n{table}{note}</section>"


def _errors(errors: Sequence[ReportError]) -> str:
    if not errors:
        return "<section><h2>Errors</h2><p>No wrong decision is listed.</p></section>"
    rows = []
    for error in errors:
        text = safe(error.text) if error.text else '<span class="quiet">The text is not kept here.</span>'
        why = "".join(
            f'<li><b class="{"minus" if weight < 0 else "plus"}">{_signed(weight)}</b> <bdi>{safe(feature)}</bdi></li>'
            for feature, weight in error.contributions
        )
        cells = [
            f'<span class="tag">{safe(error.kind)}</span>',
            f"{error.probability:.3f}",
            f'<p dir="auto">{text}</p><p class="place">{safe(error.place)}</p>',
            f"<ul>{why}</ul>" if why else '<span class="quiet">–</span>',
        ]
        rows.append(_row(error.label, cells))
    head = ["label", "decision", "probability", "statement and its place", "what adds to the score"]
    table = _table("Wrong decisions and the features behind them", head, rows, kind="errors")
    return f"<section><h2>Errors</h2>\n{table}</section>"


def _signed(weight: float) -> str:
    return f"{weight:+z.2f}".replace("-", "\N{MINUS SIGN}")


# Scripts, frames and everything remote are forbidden by the page itself, whatever a text might smuggle in.
_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header><h1 dir="auto">{title}</h1>
<dl class="figures"><div><dt>macro F1</dt><dd>{f1}</dd></div><div><dt>mean average precision</dt>
<dd>{average_precision}</dd></div><div><dt>rows</dt><dd>{rows}</dd></div></dl>
<p class="quiet">{notes}</p>{signature}</header>
<main>
{body}
</main>
</body>
</html>
"""

_GLOSSARY: Final = """<details><summary>What the measures mean</summary><dl class="terms">
<dt>precision</dt><dd>Share of right decisions among the rows that were given the label.</dd>
<dt>recall</dt><dd>Share of the label's true rows that were given it.</dd>
<dt>F1</dt><dd>Harmonic mean of precision and recall.</dd>
<dt>average precision</dt><dd>Precision, averaged over recall as the threshold falls; needs no threshold.</dd>
<dt>Brier score</dt><dd>Mean squared distance between probability and truth; 0 is best.</dd>
<dt>Brier skill</dt><dd>1 is perfect, 0 no better than always saying the base rate.</dd>
<dt>calibration error</dt><dd>Mean distance between probability and share of true rows over ten bins that hold equally
many rows. Resampling adds noise to it, so its interval lies high.</dd>
<dt>support</dt><dd>True rows of the label.</dd>
<dt>macro</dt><dd>Plain mean over the labels that have true rows.</dd>
<dt>–</dt><dd>Undefined: no true row, or the label was never given.</dd></dl></details>"""

_STYLE: Final = """
:root { color-scheme: light dark; --page: #fff; --ink: #1f2428; --quiet: #626a73; --line: #d5dade;
  --series: #0072b2; --accent: #c04f00 }
@media (prefers-color-scheme: dark) { :root { --page: #14171a; --ink: #e4e7ea; --quiet: #9aa3ac; --line: #363c43;
  --series: #56b4e9; --accent: #ff9d5c } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem clamp(1rem, 4vw, 3rem) 4rem; background: var(--page);
  color: var(--ink); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif }
h1 { margin: 0 0 1rem; font-size: 1.7rem; line-height: 1.25; overflow-wrap: anywhere }
h2 { margin: 2.75rem 0 .75rem; padding-top: .75rem; border-top: 1px solid var(--line); font-size: 1.2rem }
small, .quiet, .place, caption, figcaption { color: var(--quiet) }
.figures { display: flex; flex-wrap: wrap; gap: 1rem 3rem; margin: 0 0 1rem }
.figures dt { color: var(--quiet); font-size: .85rem }
.figures dd { margin: 0; font-size: 1.6rem; font-weight: 600; font-variant-numeric: tabular-nums }
.figures small { margin-left: .5rem; font-size: .85rem; font-weight: 400 }
.signature { font-size: .85rem; overflow-wrap: anywhere }
.wide { overflow-x: auto }
.wide:focus-visible, summary:focus-visible { outline: 2px solid var(--series); outline-offset: 2px }
table { width: 100%; border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums }
caption { padding-bottom: .4rem; text-align: start; font-size: .85rem }
th, td { padding: .45rem .6rem; text-align: end; vertical-align: top }
th:first-child, td:first-child { padding-inline-start: 0; text-align: start }
thead th { border-bottom: 2px solid var(--line); vertical-align: bottom; font-weight: 600 }
tbody tr { border-bottom: 1px solid var(--line) }
tbody th, tfoot th { font-weight: 600; overflow-wrap: break-word }
tfoot tr { border-top: 1px solid var(--quiet) }
td small { display: block; font-size: .75rem; white-space: nowrap }
details { margin-top: .75rem; font-size: .9rem }
summary { cursor: pointer }
.terms { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: .5rem 0 }
.terms dt { font-weight: 600 }
.terms dd { margin: 0 }
figure { margin: 0 }
figure svg { display: block; width: 100%; height: auto }
figure svg text { font-family: inherit !important }
figcaption { max-width: 48rem; margin-top: .5rem; font-size: .85rem }
.errors th, .errors td { text-align: start }
.errors td:nth-child(3) { text-align: end }
.errors td:nth-child(4) { width: 48% }
.errors p { margin: 0; overflow-wrap: anywhere; white-space: pre-line }
.errors .place { font-size: .8rem }
.errors ul { display: flex; flex-wrap: wrap; gap: .25rem .75rem; margin: 0; padding: 0; list-style: none }
.errors li { overflow-wrap: anywhere }
.tag { white-space: nowrap }
.plus { color: var(--series) }
.minus { color: var(--accent) }
@media (max-width: 48rem) { .errors thead { position: absolute; clip-path: inset(50%) }
  .errors tr { display: flex; flex-wrap: wrap; padding: .5rem 0 } .errors th, .errors td { padding: 0 1rem .25rem 0 }
  .errors td:nth-child(n + 4) { width: 100% } }
@media print { body { max-width: none; padding: 0 } .wide { overflow: visible } tr, figure { break-inside: avoid } }
"""
