"""Invented articles for the tests, and what the local scorer says of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

from stance.articles import read_articles
from stance.model import Model
from stance.records import Article, Reject
from stance.scoring import PLAIN, Row, Shape, rows_of, score_article

SENTENCES: Final = (
    "The harbour ministry of Velmora denied that its ships had fired first.",
    "“We never signed that paper,” the envoy of Tarsk said on Tuesday.",
    "Osterland accused its neighbour of moving troops to the river.",
    "The chancellor called for talks before the bridge is closed for good.",
    "It rained for most of the week, and the market opened late.",
    "Café owners in Nürtal — some 300 of them — met Ms. Ødegård at 5 p.m.",
    "The regiment's band played 🎺 until midnight…",
    "Both sides should return to the table, Mr. Quill told reporters, and stay there.",
    "No one was hurt when the crane fell.",
    "Critics blame the mayor’s office for the flood; the mayor rejects that.",
)
# Invented too, in other languages and scripts.
FOREIGN: Final = (
    "Das Ministerium von Velmora hat den Bericht zurückgewiesen. Die Brücke bleibt am Montag und am Dienstag gesperrt.",
    "Le gouvernement de Tarsk a démenti les accusations de ses voisins. Il demande de nouveaux pourparlers.",
    "Министерство Вельморы опровергло сообщение о кораблях. Переговоры начнутся в понедельник утром.",
    "维尔莫拉外交部否认了有关船只的报道。双方将于星期一开始谈判。",
    "نفت وزارة فيلمورا التقرير عن السفن. وستبدأ المحادثات يوم الاثنين.",
)
# What can be no article.
NOTHING: Final = (None, "", "   \n\t ", "\u3000\u2003", "\0 \0")

Record = dict[str, Any]


def records(count: int = 300) -> list[Record]:
    """Return records with ids of their own: every eleventh is no article, every seventh in another language."""
    random = Random(7)
    made = []
    for n in range(count):
        if n % 11 == 5:
            text = NOTHING[n % len(NOTHING)]
        elif n % 7 == 3:
            text = FOREIGN[n % len(FOREIGN)]
        else:
            text = random.choice((" ", "\n\n", "\r\n")).join(random.choices(SENTENCES, k=random.randint(1, 12)))
            text = f"VELMORA CITY, March {1 + n % 28}, 2031\n\n{text}" if n % 3 else text
        date = random.choice((None, "", f"2031-03-{1 + n % 28:02}"))
        made.append({"id": f"№ {n}", "text": text, "date": date, "source": random.choice((None, "Velmora Post", "Ø"))})
    return made


def read_locally(records: list[Record], folder: Path) -> tuple[list[Article], list[Reject]]:
    """Write records to a file, and read it as `stance score` does."""
    file = folder / "articles.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")
    found = list(read_articles([file]))
    return [one for one in found if isinstance(one, Article)], [one for one in found if isinstance(one, Reject)]


def rows_locally(
    articles: list[Article], model: Model, shape: Shape = PLAIN, *, any_language: bool = False
) -> Iterator[Row]:
    for article in articles:
        yield from rows_of(score_article(article, model, any_language=any_language), model, shape)


def in_order(rows: list[Row]) -> list[Row]:
    """Sort rows, which come from Spark in any order."""
    return sorted(rows, key=lambda row: (row["article_id"], row.get("statement_no", 0)))
