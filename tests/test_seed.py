"""The source article, from file to labels."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import stance
from stance.articles import read_articles
from stance.dataset import load_dataset
from stance.records import Article, Prediction

ROOT = Path(__file__).resolve().parent.parent
RUN = 8
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


def test_no_own_statement_holds_words_of_the_article() -> None:
    """Eight words in a row, whatever the case and the punctuation; a statement taken over would be learnt by heart."""

    def runs(text: str) -> set[tuple[str, ...]]:
        words = re.findall(r"\w+", text.casefold())
        return {tuple(words[start : start + RUN]) for start in range(len(words) - RUN + 1)}

    (article,) = read_articles([ROOT / "seeds"])
    assert isinstance(article, Article)
    found = runs(article.text)
    assert len(found) > 300
    own = load_dataset(ROOT / "data", own_only=True).own
    assert [row.id for row in own if runs(row.text) & found] == []
    folded = {" ".join(re.findall(r"\w+", one.text.casefold())) for one in stance.analyze(article.text).statements}
    assert [row.id for row in own if " ".join(re.findall(r"\w+", row.text.casefold())) in folded] == []
