"""`stance score` from file to file, beside sentencex alone, and which of its stages takes how long.

    python benchmarks/score_run.py [--articles FILE] [--limit N] [--rounds N]

Articles are JSONL with a `text`, also gzip. Both are processes of their own, in turn, on one core, and read the same
file that is not packed: `stance score FILE -o OUT.jsonl`, and one that reads the JSON and splits whole articles with
`sentencex.segment`, nothing more. CPU time counts; a ratio is the median of those of each round. The stages are timed
in this process, article by article, with the calls that the command makes. Without articles it says so and ends.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Final, TypeVar

from measuring import OUTSIDE, Child, in_turn, pin, print_table, ratio, run_child

ARTICLES: Final = OUTSIDE / "articles" / "briefings.jsonl.gz"
SEGMENT: Final = """
import json, sys, time
from sentencex import segment
taken = 0
for line in open(sys.argv[1], "rb"):
    text = json.loads(line)["text"]
    begin = time.process_time()
    segment("en", text)
    taken += time.process_time() - begin
print(taken)
"""

T = TypeVar("T")


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=Path, default=ARTICLES)
    parser.add_argument("--limit", type=int, help="articles; all of them if left out")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if not arguments.articles.exists():
        print(f"left out: {arguments.articles} not found; name a file with --articles")
        return
    pin(1)
    with tempfile.TemporaryDirectory() as folder:
        articles, out = Path(folder) / "articles.jsonl", Path(folder) / "out.jsonl"
        opened = gzip.open if arguments.articles.suffix == ".gz" else open
        with opened(arguments.articles, "rb") as packed, articles.open("wb") as stream:
            stream.writelines(islice(packed, arguments.limit))
        children = {
            "stance score": partial(run_child, [sys.executable, "-m", "stance", "score", articles, "-o", out]),
            "sentencex alone": partial(run_child, [sys.executable, "-c", SEGMENT, articles]),
        }
        # All children go first: on Linux the peak memory of one is at least that of this process.
        taken = in_turn(children, arguments.rounds)
        found = in_turn({"stages": partial(stages, articles, out)}, max(1, arguments.rounds // 2))["stages"]
        texts = [json.loads(line)["text"] for line in articles.read_bytes().splitlines()]
        with out.open("rb") as stream:
            statements = sum(1 for _ in stream)
    size = sum(len(text.encode("utf-8", "replace")) for text in texts) / 1e6
    print(f"{len(texts):,} articles, {statements:,} statements, {size:.1f} MB; {arguments.rounds} rounds\n")
    print_runs(taken, (len(texts), statements, size))
    print_stages(found)


def print_runs(taken: dict[str, list[Child]], amounts: tuple[float, ...]) -> None:
    """Print what the processes took, and the calls of sentencex in one of them."""
    cpu = {name: [child.cpu for child in found] for name, found in taken.items()}
    cpu["only its calls of segment"] = [float(child.output.split()[-1]) for child in taken["sentencex alone"]]
    score = cpu["stance score"]
    rows = []
    for name, found in cpu.items():
        speeds = (f"{amount / median(found):,.{digits}f}" for amount, digits in zip(amounts, (0, 0, 2), strict=True))
        memory = f"{median(child.memory for child in taken[name]):.0f}" if name in taken else ""
        rows.append((name, f"{ratio(score, found):.2f}", f"{median(found):.2f}", *speeds, memory))
    print_table(("process", "stance score is", "CPU s", "articles/s", "statements/s", "MB/s", "peak MiB"), rows)


def print_stages(found: list[dict[str, float]]) -> None:
    """Print the median seconds of each stage and its share."""
    wholes = [sum(each.values()) for each in found]
    rows = [
        (name, f"{ratio([each[name] for each in found], wholes):.1%}", f"{median(each[name] for each in found):.2f}")
        for name in found[0]
    ]
    print_table(("stage", "share", "CPU s"), [*rows, ("all", "100.0%", f"{median(wholes):.2f}")])


def stages(articles: Path, out: Path) -> dict[str, float]:
    """Score a file as the command does, and return the CPU seconds of each stage."""
    import stance
    from stance.articles import read_articles
    from stance.languages import language_of
    from stance.records import Reject
    from stance.scoring import Scored, json_lines
    from stance.sentences import statement_spans

    taken: dict[str, float] = {}

    def timed(stage: str, work: Callable[[], T]) -> T:
        begin = time.process_time()
        found = work()
        taken[stage] = taken.get(stage, 0.0) + time.process_time() - begin
        return found

    model = timed("loading the model", stance.load)
    records = read_articles([articles])
    with out.open("wb") as stream:
        while article := timed("reading and parsing JSON", lambda: next(records, None)):
            if isinstance(article, Reject):
                continue
            language = timed("language", partial(language_of, article.text))
            spans = timed("splitting", partial(statement_spans, article.text))
            scores, chances = timed("scoring", partial(model.span_figures, article.text, spans))
            given = timed("deciding", partial(model.decide, chances))
            scored = Scored(replace(article, language=language), spans, scores, chances, given)
            lines = timed("making rows", partial(json_lines, scored, model))
            timed("writing", partial(stream.write, lines))
    return taken


if __name__ == "__main__":
    main()
