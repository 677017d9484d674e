"""The model card says what the model is, what it learned from and how good it is, and nothing that it is not."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

import stance
from stance.card import model_card
from stance.dataset import Dataset, is_held_apart
from stance.evaluation import Estimate, Evaluation, evaluate
from stance.labels import LabelSet
from stance.model import Model
from stance.trials import held_apart_trial

ROOT: Final = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def model(small_model: Model, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return stance.save(small_model, tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def measured(model: Model, small_dataset: Dataset) -> Evaluation:
    trial = held_apart_trial(model, small_dataset, "abc")
    return evaluate(trial.scored, resamples=20, signature=trial.signature(model, 0, stance.__version__))


def with_figures(model: Model, **labels: dict[str, Any]) -> Model:
    """Return the model with other figures for some labels."""
    figures = model.about["figures"]
    entries = {name: {**entry, **labels.get(name, {})} for name, entry in figures["labels"].items()}
    return replace(model, about={**model.about, "figures": {**figures, "labels": entries}})


def table_row(card: str, first: str, number: int = 0) -> list[str]:
    """Return the cells of a table's row, the n-th that begins so."""
    lines = [line for line in card.splitlines() if line.startswith(f"| {first} |")]
    return [cell.strip() for cell in lines[number].strip("|").split("|")]


def test_names_the_model_and_its_data(model: Model, small_dataset: Dataset) -> None:
    card = model_card(model, None)
    apart = sum(map(is_held_apart, small_dataset.groups))
    assert card.startswith(f"# Model {model.id}\n")
    assert f"0 stand-off rows and {len(small_dataset.own) - apart:,} own rows; {apart:,} are held apart." in card
    assert f"{model.about['features']:,} features." in card
    assert f"Data `{model.about['data_sha256'][:12]}`, weights `{model.id}`;" in card
    for name, number in model.about["versions"].items():
        assert f"{name} {number}" in card


def test_describes_every_label(model: Model) -> None:
    card = model_card(model, None)
    assert "Gives each statement any of these labels:" in card
    for label in model.labels.labels:
        assert f"- `{label.name}`: {label.definition}\n" in card
    bare = LabelSet(tuple(replace(each, definition="", title="") for each in model.labels.labels), exclusive=True)
    card = model_card(replace(model, labels=bare), None)
    assert "Gives each statement exactly one of these labels:" in card
    assert "- `denial`: denial\n" in card


def test_lists_thresholds_and_positives(model: Model) -> None:
    card = model_card(model, None)
    for name, threshold in zip(model.labels.names, model.thresholds, strict=True):
        entry = model.about["figures"]["labels"][name]
        assert table_row(card, name) == [
            name,
            f"{threshold:.3f}",
            f"{entry['share_of_news']:.2%}",
            f"{entry['mean_probability']:.2%}",
            str(Estimate(entry["brier_skill"], *entry["brier_skill_interval"])),
            f"{entry['calibration_slope']:.2f}",
            f"{entry['positives']:,}",
            f"{entry['effective_positives']:.0f}",
        ]


def test_warns_where_positives_are_few(model: Model) -> None:
    none = {name: {"few": False} for name in model.labels.names}
    assert "Few weighted positives" not in model_card(with_figures(model, **none), None)
    two = none | {"denial": {"few": True}, "dialogue_call": {"few": True}}
    assert "**Few weighted positives: denial, dialogue_call.**" in model_card(with_figures(model, **two), None)


def test_lists_the_measures(model: Model, measured: Evaluation) -> None:
    card = model_card(model, measured)
    for entry in measured.labels:
        assert table_row(card, entry.label, 1) == [
            entry.label,
            entry.precision.short,
            entry.recall.short,
            str(entry.f1),
            str(entry.average_precision),
            str(entry.support),
        ]
    assert table_row(card, "macro")[3:] == [
        str(measured.macro_f1),
        str(measured.mean_average_precision),
        str(measured.rows),
    ]
    assert f"`{measured.signature_line}`" in card
    assert f"model:{model.id}" in measured.signature_line


def test_a_model_that_was_not_measured_claims_nothing(model: Model, measured: Evaluation) -> None:
    assert "## On the rows held apart" in model_card(model, measured)
    card = model_card(model, None)
    assert "## On the rows held apart" not in card
    assert "precision" not in card


def test_repeats_the_provenance_of_the_data(model: Model) -> None:
    words = "Two clerks read every row."
    assert f"\n\n{words}\n\n## Calibration" in model_card(model, None, f"\n{words}\n\n")
    assert words not in model_card(model, None)
    assert model_card(model, None, " \n") == model_card(model, None)


def test_own_rows_do_not_speak_for_the_news(model: Model, measured: Evaluation) -> None:
    card = model_card(model, measured)
    assert "ordinary news" not in card
    assert "share of news" not in card
    real = replace(model, about={**model.about, "rows": {**model.about["rows"], "standoff": 1200}})
    card = model_card(real, measured)
    assert "1,200 stand-off rows" in card
    assert card.count("ordinary news") == 2
    assert "share of news" in card


def test_is_well_formed_markdown(model: Model, measured: Evaluation) -> None:
    card = model_card(model, measured, "Read once.")
    assert card.endswith("\n")
    assert not card.endswith("\n\n")
    assert "\n\n\n" not in card
    for table in re.findall(r"(?:^\|.*\n)+", card, flags=re.MULTILINE):
        lines = table.splitlines()
        assert set(lines[1]) == {"|", "-"}
        assert len({line.count("|") for line in lines}) == 1
    headings = re.findall(r"^## (.*)", card, flags=re.MULTILINE)
    assert headings == [
        "Use",
        "What it learned from",
        "Calibration and thresholds",
        "On the rows held apart",
        "Made with",
    ]


def test_the_shipped_card_belongs_to_the_shipped_model(default_model: Model) -> None:
    shipped = (ROOT / "models" / "default" / "README.md").read_text(encoding="utf-8")
    provenance = (ROOT / "data" / "PROVENANCE.md").read_text(encoding="utf-8")
    without, _, rest = shipped.partition("## On the rows held apart\n")
    assert without + rest[rest.index("## Made with") :] == model_card(default_model, None, provenance)
    assert f"|model:{default_model.id}|split:held-apart|rows:{default_model.about['rows']['held_apart']}|" in rest
