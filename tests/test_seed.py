"""The source article, from file to labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import stance
from stance.articles import read_articles
from stance.records import Article, Prediction

ROOT = Path(__file__).resolve().parent.parent
CASES = [json.loads(line) for line in (ROOT / "tests/cases/seed.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def predictions() -> dict[str, Prediction]:
    (article,) = read_articles([ROOT / "seeds"])
    assert isinstance(article, Article)
    assert article.date == "2021-11-23"
    scored = stance.analyze(article.text)
    assert scored.date == "2021-11-23"
    return {one.text: one.prediction for one in scored.statements if one.prediction is not None}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["begins"])
def test_statement(predictions: dict[str, Prediction], case: dict[str, Any]) -> None:
    (found,) = (made for text, made in predictions.items() if text.lstrip("“").startswith(case["begins"].lstrip("“")))
    assert set(case["labels"]) <= set(found.labels), case["why"]
    assert not set(case["not"]) & set(found.labels), case["why"]
