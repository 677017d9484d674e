from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import numpy as np
import pytest

from stance.evaluation import Scored, Signature, by_field, evaluate
from stance.plots import ReportError, write_report
from stance.records import InputError

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("matplotlib")

HOSTILE = "<script>alert(1)</script>"
LABELS = ("denial", f'{HOSTILE} "a" & $x_', "empty\x00 one")
FIGURES = ("precision-recall", "reliability", "confusion")
VOID = {"meta", "br", "img", "link", "hr", "input"}


def random_scored(labels: tuple[str, ...] = LABELS, *, exclusive: bool = False, rows: int = 200) -> Scored:
    random = np.random.default_rng(0)
    if exclusive:
        probabilities = random.dirichlet([0.5] * len(labels), rows)
        truth = np.eye(len(labels), dtype=bool)[[random.choice(len(labels), p=row) for row in probabilities]]
        return Scored(truth, probabilities, np.eye(len(labels), dtype=bool)[probabilities.argmax(axis=1)], labels)
    probabilities = random.beta(0.5, 1.5, (rows, len(labels)))
    truth = random.random(probabilities.shape) < probabilities
    truth[:, 2:] = False
    return Scored(truth, probabilities, probabilities >= 0.5, labels, weights=np.linspace(0.5, 2, rows))


def write(folder: Path, scored: Scored, errors: tuple[ReportError, ...] = (), title: str = "Made up") -> Path:
    signature = Signature("ab" * 32, HOSTILE, "held-apart", len(scored.truth), 0, "0.1.0")
    return write_report(folder, evaluate(scored, resamples=20, signature=signature), scored, errors, title)


ERRORS = (
    ReportError(f"He said {HOSTILE} & left\ud800\x07.", "own.jsonl:3", "denial", "missed", 0.0312, [(HOSTILE, -1.234)]),
    ReportError("", f"corpus/a.txt#{HOSTILE}", "denial", "false alarm", 0.97, [("denied", 0.5), ("quoted", 0.0)]),
)


class Page(HTMLParser):
    """Reads a page strictly: every element is closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.open[-1] if self.open else "", data.strip()))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scored = random_scored()
    values = ["Asia"] * 120 + [HOSTILE] * 80
    folder = tmp_path_factory.mktemp("report") / "made" / "when missing"
    signature = Signature("ab" * 32, HOSTILE, "held-apart", 200, 0, "0.1.0")
    evaluation = evaluate(scored, resamples=20, signature=signature)
    by = by_field(scored, values, resamples=20)
    return write_report(folder, evaluation, scored, ERRORS, f"Title {HOSTILE}", by, "region")


@pytest.fixture(scope="module")
def page(report: Path) -> Page:
    return Page(report.read_text(encoding="utf-8"))


def test_files(report: Path) -> None:
    from matplotlib.image import imread

    names = {f"{name}.{ending}" for name in FIGURES for ending in ("png", "svg")}
    assert {path.name for path in report.parent.iterdir()} == names | {"report.html"}
    for name in FIGURES:
        image = imread(report.with_name(f"{name}.png"))
        assert min(image.shape[:2]) > 300
        assert image.std() > 0.05
        svg = ET.parse(report.with_name(f"{name}.svg")).getroot()  # noqa: S314
        texts = ["".join(element.itertext()) for element in svg.iter("{http://www.w3.org/2000/svg}text")]
        assert "denial" in texts
        assert f'{HOSTILE} "…' in texts
        assert not list(svg.iter("{http://www.w3.org/2000/svg}image"))


def test_page_runs_and_loads_nothing(page: Page) -> None:
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "iframe", "object", "embed", "link", "img", "form"}
    policy = [
        attributes["content"] for tag, attributes in page.elements if "http-equiv" in attributes and tag == "meta"
    ]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]
    for _, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#")
        assert "url(http" not in (attributes.get("style") or "")


def test_texts_are_escaped_and_shown_as_they_are(report: Path, page: Page) -> None:
    assert "<script" not in report.read_text(encoding="utf-8")
    texts = [text for _, text in page.texts]
    # Title twice, signature, label, text, place, feature, and the field value.
    assert sum(HOSTILE in text for text in texts) >= 8
    assert f"He said {HOSTILE} & left\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}." in texts
    assert ("h1", f"Title {HOSTILE}") in page.texts


def test_page_shows_the_measures_and_the_errors(page: Page) -> None:
    texts = [text for _, text in page.texts]
    assert {"−1.23", "+0.50", "+0.00", "0.031", "0.970", "missed", "false alarm"} <= set(texts)
    assert "The text is not kept here." in texts
    assert "By region" in texts
    assert any(text.startswith("data:abababababab…|model:") for text in texts)
    scored = random_scored()
    assert f"{evaluate(scored, resamples=1).labels[0].f1.value:.3f}" in texts


def test_tables_and_figures_are_named(page: Page) -> None:
    heads = [attributes for tag, attributes in page.elements if tag == "th"]
    assert heads
    assert all(attributes.get("scope") in ("row", "col") for attributes in heads)
    tags = [tag for tag, _ in page.elements]
    assert tags.count("caption") == tags.count("table") == 3
    svgs = [attributes for tag, attributes in page.elements if tag == "svg"]
    assert [attributes.get("role") for attributes in svgs] == ["img"] * 3
    assert all(attributes.get("aria-label") for attributes in svgs)
    assert ("html", {"lang": "en"}) in page.elements
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids)) > 100
    targets = {(attributes.get("xlink:href") or "#")[1:] for _, attributes in page.elements} - {""}
    assert targets
    assert targets <= set(ids)


def test_figures_follow_the_page_colours(report: Path) -> None:
    figures = report.read_text(encoding="utf-8").split("</style>", 1)[1]
    assert "var(--series)" in figures
    assert "currentColor" in figures
    assert "#0072b2" not in figures
    assert "#ffffff" not in figures
    assert "#0072b2" in report.with_name("reliability.svg").read_text(encoding="utf-8")


def test_equal_arguments_give_equal_files(tmp_path: Path) -> None:
    import matplotlib as mpl

    scored = random_scored()
    first = write(tmp_path / "a", scored, ERRORS)
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.hashsalt": None}):
        second = write(tmp_path / "b", scored, ERRORS)
        assert mpl.rcParams["font.size"] == 30
    for path in sorted(first.parent.iterdir()):
        assert path.read_bytes() == second.with_name(path.name).read_bytes(), path.name
    assert "dc:date" not in first.with_name("confusion.svg").read_text(encoding="utf-8")


def test_exclusive_labels_share_one_matrix(tmp_path: Path) -> None:
    labels = ("approve", "demand", "express_intent_to_cooperate", "none")
    scored = random_scored(labels, exclusive=True)
    path = write(tmp_path, scored)
    root = ET.parse(path.with_name("confusion.svg")).getroot()  # noqa: S314
    texts = ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("approve") == 2
    assert texts.count("express_intent_to_coope…") == 2
    matrix = scored.truth.T.astype(int) @ scored.given.astype(int)
    numbers = [text for text in texts if text.isdigit()]
    assert numbers == [str(number) for number in matrix.ravel()]
    assert "No wrong decision is listed." in path.read_text(encoding="utf-8")


def test_two_by_two_matrices_count_rows(tmp_path: Path) -> None:
    truth = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], dtype=bool)[:, None]
    given = np.array([1, 1, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0], dtype=bool)[:, None]
    path = write(tmp_path, Scored(truth, given * 0.9, given, ("denial",)))
    root = ET.parse(path.with_name("confusion.svg")).getroot()  # noqa: S314
    texts = ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert [text for text in texts if text.isdigit()] == ["4", "1", "2", "5"]
    assert [text for text in texts if text.endswith("%")] == ["80%", "20%", "29%", "71%"]


@pytest.mark.parametrize("labels", [("denial",), ("非難", "denial"), tuple(f"label_{number}" for number in range(12))])
def test_any_number_of_labels_in_any_script(tmp_path: Path, labels: tuple[str, ...]) -> None:
    path = write(tmp_path, random_scored(labels, rows=40))
    assert labels[0] in path.with_name("reliability.svg").read_text(encoding="utf-8")


def test_single_row(tmp_path: Path) -> None:
    row = np.array([[True]])
    assert write(tmp_path, Scored(row, np.array([[1.0]]), ~row, ("denial",))).exists()


def test_many_field_values_are_cut(tmp_path: Path) -> None:
    scored = random_scored(("denial", "accusation"), rows=120)
    by = by_field(scored, [f"source {number // 2}" for number in range(120)], resamples=2)
    path = write_report(tmp_path, evaluate(scored, resamples=2), scored, (), "Made up", by)
    page = path.read_text(encoding="utf-8")
    assert "The 10 values with the fewest rows are left out." in page
    assert page.count(">source ") == 50


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be written"):
        write(tmp_path / "file", random_scored(("denial",)))
    assert (tmp_path / "file").read_text(encoding="utf-8") == "kept"


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(InputError, match=r"report\.html: cannot be written"):
        write(tmp_path, random_scored(("denial",)))
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_missing_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match="plots extra"):
        write(tmp_path, random_scored(("denial",)))
    assert not list(tmp_path.iterdir())
