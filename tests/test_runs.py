"""Runs: the same rows whatever the number of jobs, counts that add up, rejects that end a run, duplicates marked."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from newsroom import write_articles

from stance.arrow_rows import articles_batch, schema_of, score_batch
from stance.articles import read_articles
from stance.batch import Plan, Scorer, Summary
from stance.duplicates import DuplicateIndex
from stance.feed import Feed
from stance.inputs import find_inputs
from stance.model import Model
from stance.outputs import TableWriter
from stance.reading import Columns
from stance.records import Article, ModelError, Reject, RunError
from stance.runs import Run
from stance.scoring import Row, Shape, rows_of, score_article

COUNT = 400
FRENCH = "Le ministre a nié toute implication. Il demande aux deux parties de reprendre sans délai les discussions."


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    write_articles(folder / "a.jsonl", COUNT, sentences=8)
    with (folder / "a.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"id": "fr", "text": FRENCH}, ensure_ascii=False) + "\n")
    return folder


@pytest.fixture(scope="module")
def expected(desk: Path) -> list[Article | Reject]:
    return list(read_articles([desk]))


def made(
    model: Model,
    desk: Path,
    kind: str,
    shape: Shape,
    *,
    jobs: int = 1,
    index: DuplicateIndex | None = None,
    **more: Any,
) -> tuple[bytes, Run]:
    plan = Plan(None, tuple(model.thresholds.tolist()), Columns(), kind, shape, more.pop("any_language", False))
    scorer = Scorer(plan, model)
    run = Run(scorer, jobs=jobs, **more)
    stream = io.BytesIO()
    try:
        run.to_stream(Feed(find_inputs([desk], None), plan.columns), stream, block_bytes=40_000, index=index)
    finally:
        scorer.close()
    return stream.getvalue(), run


def rows(content: bytes, kind: str) -> list[Row]:
    if kind == "parquet":
        return pq.read_table(io.BytesIO(content)).to_pylist()
    if kind == "jsonl":
        return [json.loads(line) for line in content.splitlines()]
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


@pytest.mark.parametrize("shape", [Shape(), Shape(only_labelled=True), Shape(nested=True, with_text=True)], ids=str)
@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_rows_are_those_of_the_articles_whatever_the_jobs(
    default_model: Model, desk: Path, expected: list[Article | Reject], kind: str, shape: Shape
) -> None:
    if kind == "csv" and shape.nested:
        return
    one, run = made(default_model, desk, kind, shape)
    articles = [each for each in expected if isinstance(each, Article)]
    scored = [score_article(each, default_model) for each in articles]
    wanted = [row for each in scored for row in rows_of(each, default_model, shape)]
    found = rows(one, kind)
    if kind == "csv":
        assert [(row["article_id"], row["statement_no"], row["labels"]) for row in found] == [
            (row["article_id"], str(row["statement_no"]), "|".join(row["labels"])) for row in wanted
        ]
    else:
        assert found == wanted
    assert run.counts == Summary(
        articles=len(expected),
        scored=len(articles),
        rejects=len(expected) - len(articles),
        statements=sum(len(each.spans) for each in scored),
        labelled=sum(bool(labels) for each in scored for labels in each.given.any(axis=1)),
        foreign=1,
    )
    two, again = made(default_model, desk, kind, shape, jobs=2)
    assert two == one
    assert again.counts == run.counts


def test_any_language(default_model: Model, desk: Path) -> None:
    content, run = made(default_model, desk, "jsonl", Shape(), any_language=True)
    last = rows(content, "jsonl")[-2:]
    assert [row["language"] for row in last] == ["fr", "fr"]
    assert all(row["p_denial"] is not None for row in last)
    assert run.counts.foreign == 1


def test_thresholds_reach_every_process(default_model: Model, desk: Path) -> None:
    from dataclasses import replace

    strict = replace(default_model, thresholds=default_model.thresholds * 0 + 1.0)
    for jobs in (1, 2):
        content, run = made(strict, desk, "jsonl", Shape(only_labelled=True), jobs=jobs)
        assert (content, run.counts.labelled) == (b"", 0)


@pytest.mark.parametrize("jobs", [1, 2])
def test_rejects_come_in_order_and_may_end_a_run(
    default_model: Model, desk: Path, expected: list[Article | Reject], jobs: int
) -> None:
    wanted = [each for each in expected if isinstance(each, Reject)]
    told: list[Reject] = []
    made(default_model, desk, "jsonl", Shape(), jobs=jobs, on_reject=told.append, most_rejects=len(wanted))
    assert told == wanted
    told.clear()
    with pytest.raises(RunError, match=r"a\.jsonl:342: .*reject 2, where --max-rejects is 1"):
        made(default_model, desk, "jsonl", Shape(), jobs=jobs, on_reject=told.append, most_rejects=1)
    assert told == wanted[:2]


def test_progress_is_told(default_model: Model, desk: Path) -> None:
    told: list[tuple[int, int]] = []
    made(default_model, desk, "jsonl", Shape(), on_progress=lambda counts, read: told.append((counts.articles, read)))
    assert told == sorted(told)
    assert len(told) > 5
    assert told[-1] == (COUNT + 1, (desk / "a.jsonl").stat().st_size)


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    texts = {path.id: path.text for path in _distinct()}
    copied = {
        "b": texts["a"].upper(),
        "c": f"LATE EDITION\n\n{texts['a']}",
        "e": texts["d"],
        "f": texts["c1"],
    }
    order = [("a", texts["a"]), ("b", copied["b"]), ("d", texts["d"]), ("c", copied["c"]), ("c1", texts["c1"])]
    order += [("e", copied["e"]), ("f", copied["f"])]
    with (tmp_path / "a.jsonl").open("w", encoding="utf-8") as stream:
        for name, text in order:
            stream.write(json.dumps({"id": name, "text": text}) + "\n")
    return tmp_path


def _distinct() -> Iterator[Article]:
    yield Article(
        "The council of Varnby denied on Monday that it had sold the old tram depot below its worth. "
        "A buyer from Karvia had offered more in spring, two newspapers wrote, and was sent away without a reason. "
        "The mayor said that nobody had been sent away and that the papers would be shown next week.",
        "a",
    )
    yield Article(
        "Rain kept the harvest from starting across the Tessin flats, where farmers have waited since early June. "
        "Their union called on the ministry to sit down with the mills and talk about prices before the month ends. "
        "A spokesman for the mills accused the union of scaring bakers with figures that it had made up.",
        "d",
    )
    yield Article(
        "Great Holm will get a second ferry. It was built in a yard up north, is painted white and green, and takes "
        "ninety cars. The first crossing is planned for the autumn, when the school year has begun and visitors leave.",
        "c1",
    )


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("shape", [Shape(), Shape(only_labelled=True), Shape(nested=True)], ids=str)
def test_duplicates_are_marked_and_kept(
    default_model: Model, copies: Path, tmp_path: Path, kind: str, shape: Shape
) -> None:
    if kind == "csv" and shape.nested:
        return
    from dataclasses import replace

    plain, _ = made(default_model, copies, kind, shape)
    with DuplicateIndex(tmp_path / "index.sqlite") as index:
        marked, run = made(default_model, copies, kind, replace(shape, duplicates=True), jobs=2, index=index)
    found = rows(marked, kind)
    names = {row["article_id"]: row.pop("duplicate_of") or None for row in found}
    known = {"a": None, "b": "a", "c": "a", "c1": None, "d": None, "e": "d", "f": "c1"}
    assert names == {name: known[name] for name in names}
    assert len(names) >= 5
    assert found == rows(plain, kind)
    assert run.counts.duplicates == 4


def test_a_worker_says_why_it_cannot_begin(default_model: Model, desk: Path, tmp_path: Path) -> None:
    plan = Plan(tmp_path / "nowhere", tuple(default_model.thresholds.tolist()), Columns())
    run = Run(Scorer(plan, default_model), jobs=2)
    with pytest.raises(ModelError, match=r"nowhere/model\.json: no such file"):
        run.to_stream(Feed(find_inputs([desk], None), plan.columns), io.BytesIO())


def test_many_articles_of_a_table_do_not_wait_in_memory(default_model: Model) -> None:
    shape = Shape(nested=True, with_text=True)
    article = Article("They met in Varnby, and it rained. " * 20_000, "x", language="en")
    batch = score_batch(articles_batch([article]), default_model, shape)
    stream = io.BytesIO()
    writer = TableWriter(stream, schema_of(default_model, shape))
    for _ in range(1 + (64 << 20) // batch.nbytes):
        writer.put(batch)
    assert stream.tell() > 1_000
    writer.drop()
