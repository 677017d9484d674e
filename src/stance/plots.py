"""An evaluation → figures (PNG, SVG) and the HTML page that holds them."""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stance.evaluation_page import ReportError, build_page, figure_section, printable, safe
from stance.files import write_whole
from stance.measures import precision_recall
from stance.records import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from stance.evaluation import Evaluation, Scored
    from stance.measures import Bools, Floats, Integers

__all__ = ["ReportError", "write_report"]
# Blue and vermilion of the Okabe-Ito palette, which people with any colour vision tell apart.
_INK, _QUIET, _SERIES, _ACCENT = "#1f2428", "#626a73", "#0072b2", "#d55e00"
# The page swaps them for its own, so that figures follow its light and dark colours.
_PAGE_COLOURS: Final = {
    _INK: "currentColor",
    _QUIET: "var(--quiet)",
    _SERIES: "var(--series)",
    _ACCENT: "var(--accent)",
}
# Any, as the type that matplotlib wants differs between its versions.
_STYLE: Final[Any] = {
    "svg.hashsalt": "stance",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 9,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlepad": 18,
    "axes.edgecolor": _QUIET,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": _INK,
    "xtick.color": _QUIET,
    "xtick.labelcolor": _INK,
    "ytick.color": _QUIET,
    "ytick.labelcolor": _INK,
    "legend.frameon": False,
    "legend.fontsize": 8,
}
# Three panels fill the page's width.
_ENLARGED: Final = 1.15
_COLUMNS: Final = 3
_PANEL: Final = 3.2
_TENTHS: Final = np.linspace(0, 1, 11)
_CURVE_POINTS: Final = 400
_SHARES_UP_TO: Final = 8
# The strongest tint of a cell: ink stays legible on it, on a light page and on a dark one.
_TINT: Final = 0.55


def write_report(
    folder: Path,
    evaluation: Evaluation,
    scored: Scored,
    errors: Sequence[ReportError],
    title: str,
    by: Mapping[str, Evaluation] | None = None,
    by_name: str = "field value",
) -> Path:
    """Write ``report.html`` and its figures as PNG and SVG files into `folder`, which is made if need be.

    Parameters
    ----------
    folder
        Files of the same names in it are replaced.
    evaluation, scored
        The measures, and the rows they were taken from.
    errors
        Listed in the order given.
    title
        Heading of the page.
    by, by_name
        Evaluations of single field values, as `stance.evaluation.by_field` returns them, and what the field is called.

    Returns
    -------
    Path
        The page. Equal arguments give equal files; every file appears whole or not at all.

    Raises
    ------
    InputError
        If matplotlib is not installed, or the folder cannot be written.
    """
    files: dict[str, bytes] = {}
    sections = []
    for name, heading, caption, draw in _FIGURES:
        png, svg = _render(draw, scored)
        files |= {f"{name}.png": png, f"{name}.svg": svg}
        sections.append(figure_section(_inline(svg.decode("utf-8"), name, heading), heading, caption))
    files["report.html"] = build_page(evaluation, sections, errors, title, by, by_name).encode("utf-8")
    for name, content in files.items():
        write_whole(folder / name, content)
    return folder / "report.html"


def _render(draw: Callable[[Figure, Scored], None], scored: Scored) -> tuple[bytes, bytes]:
    """Return PNG and SVG; neither depends on the time, the user's matplotlib settings or a display."""
    try:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError(
            "report: figures need matplotlib, which is not installed; install the plots extra (stance-news[plots])"
        ) from error
    import warnings

    with mpl.rc_context(), warnings.catch_warnings():
        # A label in a script that the PNG font lacks is no reason to warn: the SVG and the page show it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        figure = Figure(layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure, scored)
        png, svg = BytesIO(), BytesIO()
        figure.savefig(png, format="png", dpi=160, metadata={"Software": None})
        # Dates and version numbers would make equal figures differ.
        metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(svg, format="svg", metadata=metadata)
    return png.getvalue(), svg.getvalue()


def _inline(svg: str, name: str, heading: str) -> str:
    """Fit an SVG file into a page: no prologue, ids of its own, the page's colours instead of a white ground."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r' (id="|xlink:href="#)', rf" \g<1>{name}-", svg).replace("url(#", f"url(#{name}-")
    svg = svg.replace("fill: #ffffff", "fill: none")
    for colour, own in _PAGE_COLOURS.items():
        svg = svg.replace(colour, own)
    points = float(re.findall(r' width="([\d.]+)pt"', svg)[0]) * _ENLARGED
    style = f"max-width: {points:.0f}pt; min-width: min(34rem, {points:.0f}pt)"
    return svg.replace("<svg", f'<svg role="img" aria-label="{safe(heading)}" style="{style}"', 1)


def _panels(figure: Figure, scored: Scored, heights: tuple[float, ...] = (1.0,)) -> list[list[Axes]]:
    """Return, for each label, one plot above the other in the given heights; three labels a line."""
    count = len(scored.labels)
    columns = min(_COLUMNS, count)
    lines = -(-count // columns)
    figure.set_size_inches(_PANEL * columns, (_PANEL + 0.2) * sum(heights) * lines)
    plots = figure.subplots(lines * len(heights), columns, squeeze=False, height_ratios=heights * lines)
    panels = []
    for number in range(lines * columns):
        line, column = divmod(number, columns)
        panel = list(plots[line * len(heights) : (line + 1) * len(heights), column])
        for plot in panel:
            plot.set_visible(number < count)
        if number < count:
            panel[0].set_title(_short(scored.labels[number], 28))
            panels.append(panel)
    return panels


def _short(label: str, width: int) -> str:
    line = " ".join(printable(label).split())
    return line if len(line) <= width else line[: width - 1] + "…"


def _subtitle(plot: Axes, text: str) -> None:
    plot.text(0, 1.02, text, transform=plot.transAxes, fontsize=8, color=_QUIET, va="bottom")


def _unit_square(plot: Axes) -> None:
    plot.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xticks=_TENTHS[::2], yticks=_TENTHS[::2])
    plot.grid(color=_QUIET, alpha=0.2, linewidth=0.6)
    plot.set_axisbelow(True)


def _draw_curves(figure: Figure, scored: Scored) -> None:
    weights = scored.row_weights
    for column, (plot,) in enumerate(_panels(figure, scored)):
        truth, given = scored.truth[:, column], scored.given[:, column]
        _unit_square(plot)
        plot.set(xlabel="recall", ylabel="precision")
        if not truth.any():
            _subtitle(plot, "no true rows, so no curve")
            continue
        base = np.average(truth, weights=weights)
        precision, recall = precision_recall(truth, scored.probabilities[:, column], weights)
        kept = np.unique(np.minimum(np.searchsorted(recall, np.linspace(0, 1, _CURVE_POINTS)), len(recall) - 1))
        steps = np.append(0, recall[kept]), np.append(precision[0], precision[kept])
        plot.step(*steps, where="pre", color=_SERIES, linewidth=1.8, label="all thresholds")
        plot.axhline(base, color=_QUIET, linestyle=(0, (4, 3)), linewidth=1, label="base rate")
        subtitle = "the label was never given"
        if given.any():
            point = np.average(given[truth], weights=weights[truth]), np.average(truth[given], weights=weights[given])
            plot.plot(*point, "D", color=_ACCENT, markersize=7, clip_on=False, label="decisions as given")
            subtitle = f"decisions: precision {point[1]:.2f}, recall {point[0]:.2f}"
        _subtitle(plot, subtitle)
    _legend(figure, 1 if len(scored.labels) == 1 else 3)


def _draw_reliability(figure: Figure, scored: Scored) -> None:
    weights = scored.row_weights
    for column, (plot, below) in enumerate(_panels(figure, scored, (1.0, 0.32))):
        truth, probabilities = scored.truth[:, column], scored.probabilities[:, column]
        _unit_square(plot)
        plot.set(ylabel="share of true rows")
        plot.tick_params(labelbottom=False)
        plot.plot([0, 1], [0, 1], color=_QUIET, linestyle=(0, (4, 3)), linewidth=1, label="perfect calibration")
        tenth = np.minimum((probabilities * 10).astype(np.int64), 9)
        for number in np.unique(tenth):
            held = tenth == number
            share, low, high = _wilson(truth[held], weights[held])
            middle = np.average(probabilities[held], weights=weights[held])
            plot.plot([middle, middle], [low, high], color=_SERIES, linewidth=1.4, solid_capstyle="butt")
            plot.plot(middle, share, "o", color=_SERIES, markersize=5, label="share, with 95% interval")
        counts = np.bincount(tenth, minlength=10)
        below.bar(_TENTHS[:-1] + 0.05, counts, width=0.09, color=_SERIES, alpha=_TINT)
        below.set(yscale="log", xlim=(-0.02, 1.02), ylim=(0.5, 2.0 * counts.max()), xlabel="probability", ylabel="rows")
        powers = 10 ** np.arange(len(str(counts.max())))
        below.set_xticks(_TENTHS[::2])
        below.set_yticks(powers, [f"{power:,}" for power in powers])
        below.minorticks_off()
        _subtitle(
            plot,
            f"mean probability {np.average(probabilities, weights=weights):.3f}, "
            f"true {np.average(truth, weights=weights):.3f}",
        )
    _legend(figure, 1 if len(scored.labels) == 1 else 3)


def _wilson(truth: Bools, weights: Floats) -> tuple[float, float, float]:
    """Return the share of true rows with its 95% Wilson interval; unequal weights count as fewer rows."""
    share, z = float(np.average(truth, weights=weights)), 1.96
    rows = float(weights.sum() ** 2 / (weights**2).sum())
    centre = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * float(np.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows)))
    return share, max(centre - half, 0.0), min(centre + half, 1.0)


def _legend(figure: Figure, columns: int) -> None:
    entries: dict[str, Artist] = {}
    for plot in figure.axes:
        for handle, text in zip(*plot.get_legend_handles_labels(), strict=True):
            entries.setdefault(text, handle)
    if entries:
        figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=columns)


def _draw_confusion(figure: Figure, scored: Scored) -> None:
    if scored.exclusive:
        size = len(scored.labels)
        figure.set_size_inches(max(4.0, 0.75 * size + 2.2), max(3.4, 0.75 * size + 1.6))
        plot = figure.subplots()
        counts = scored.truth.T.astype(np.int64) @ scored.given.astype(np.int64)
        names = [_short(label, 24) for label in scored.labels]
        _draw_matrix(plot, counts, names, names)
        if size > 2:
            plot.tick_params(axis="x", labelrotation=40)
            for text in plot.get_xticklabels():
                text.set(horizontalalignment="right", rotation_mode="anchor")
        return
    for column, (plot,) in enumerate(_panels(figure, scored)):
        truth, given = scored.truth[:, column], scored.given[:, column]
        counts = np.array([[(real & said).sum() for said in (given, ~given)] for real in (truth, ~truth)])
        _draw_matrix(plot, counts, ["given", "not given"], ["true", "not true"])
        _subtitle(plot, f"{truth.sum():,} true of {len(truth):,} rows")


def _draw_matrix(plot: Axes, counts: Integers, columns: Sequence[str], rows: Sequence[str]) -> None:
    """Draw counts as cells tinted by their share of the row; rectangles, as an image would not follow the page."""
    from matplotlib.patches import Rectangle

    size = len(counts)
    for row, column in np.ndindex(*counts.shape):
        count, total = int(counts[row, column]), int(counts[row].sum())
        share = count / total if total else 0.0
        cell = Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=_SERIES, alpha=_TINT * share, edgecolor="none")
        plot.add_patch(cell)
        text = f"{count:,}" + (f"\n{share:.0%}" if total and size <= _SHARES_UP_TO else "")
        plot.text(column, row, text, ha="center", va="center", linespacing=1.4)
    plot.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5), aspect="equal", xlabel="decision", ylabel="truth")
    plot.set_xticks(range(size), columns)
    plot.set_yticks(range(size), rows)
    plot.tick_params(length=0)
    plot.vlines(np.arange(size + 1) - 0.5, -0.5, size - 0.5, color=_QUIET, linewidth=0.6, alpha=0.5)
    plot.hlines(np.arange(size + 1) - 0.5, -0.5, size - 0.5, color=_QUIET, linewidth=0.6, alpha=0.5)
    plot.spines[:].set_visible(False)


_CURVES_CAPTION: Final = (
    "Precision at each recall as the threshold falls. The diamond marks the decisions as given, the dashed line the "
    "base rate, which is the precision of guessing."
)
_RELIABILITY_CAPTION: Final = (
    "Rows in tenths of the probability: the share of true rows among them with its 95% Wilson interval, above the "
    "number of rows on a logarithmic scale. Points on the dashed line are perfectly calibrated."
)
_CONFUSION_CAPTION: Final = (
    "Numbers of rows, without weights; percentages and tints are shares of one line of a matrix."
)
_FIGURES: Final = (
    ("precision-recall", "Precision and recall", _CURVES_CAPTION, _draw_curves),
    ("reliability", "Calibration", _RELIABILITY_CAPTION, _draw_reliability),
    ("confusion", "Confusion", _CONFUSION_CAPTION, _draw_confusion),
)
