"""The command that labels articles in bulk."""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from stance.display import counted, print_article, scoring_progress, shown
from stance.inputs import FORMATS
from stance.options import EXISTING, load_model, model_options
from stance.records import InputError
from stance.targets import Target, check_target, target_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stance.batch import Summary
    from stance.duplicates import DuplicateIndex
    from stance.feed import Feed
    from stance.inputs import Input
    from stance.model import Model
    from stance.records import Reject
    from stance.runs import Run
    from stance.scoring import Scored, Shape

REJECTS_EXIT: Final = 1
# Rejects that are told one by one; all of them stand in the file.
TOLD_REJECTS: Final = 20
# A message may repeat what a file holds, and that may be long.
LONGEST_MESSAGE: Final = 1000
PART_MEGABYTES: Final = 32


@click.command(short_help="Label all statements of articles.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@model_options
@click.option(
    "-o", "--output", metavar="PATH",
    help="Write rows here: a file ending in .jsonl, .csv or .parquet, a folder for parts, - for JSONL on stdout.",
)  # fmt: skip
@click.option("--to", type=click.Choice(["jsonl", "csv", "parquet"]), help="Format of the parts of a folder; jsonl.")
@click.option("--append-to", type=EXISTING, metavar="FOLDER", help="Add parts to a folder of parquet files.")
@click.option("--json", "as_json", is_flag=True, help="Print rows as JSONL instead of a table.")
@click.option(
    "--rejects", type=EXISTING, help="Where articles that cannot be read go; OUTPUT.rejects.jsonl if left out."
)
@click.option("--max-rejects", type=click.IntRange(0), metavar="N", help="Stop at one reject more than this.")
@click.option("--strict", is_flag=True, help="Stop at the first reject.")
@click.option("--format", "kind", type=click.Choice(FORMATS), help="Format of the input, whatever its ending.")
@click.option("--text-column", help="Column or field with the text.")
@click.option("--id-column", help="Column or field with the article's id.")
@click.option("--date-column", help="Column or field with the date.")
@click.option("--source-column", help="Column or field with the source.")
@click.option("--only-labelled", is_flag=True, help="Leave out statements without a label.")
@click.option("--nested", is_flag=True, help="One row an article, with a list of its statements.")
@click.option("--with-text", is_flag=True, help="With --nested: the article's text, which offsets count in.")
@click.option("--any-language", is_flag=True, help="Label articles that are not in English, too.")
@click.option("--dedupe", is_flag=True, help="Mark near-identical articles with the first of them (duplicate_of).")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="Processes.")
@click.option(
    "--part-size", default=PART_MEGABYTES, show_default=True, type=click.IntRange(1, 4096), metavar="MB",
    help="Megabytes of input for each part of a folder.",
)  # fmt: skip
def score(
    inputs: tuple[str, ...],
    folder: Path | None,
    thresholds: tuple[str, ...],
    output: str | None,
    to: str | None,
    append_to: Path | None,
    as_json: bool,
    rejects: Path | None,
    max_rejects: int | None,
    strict: bool,
    kind: str | None,
    text_column: str | None,
    id_column: str | None,
    date_column: str | None,
    source_column: str | None,
    only_labelled: bool,
    nested: bool,
    with_text: bool,
    any_language: bool,
    dedupe: bool,
    jobs: int,
    part_size: int,
) -> None:
    """Label every statement of articles: files, folders, globs, - for stdin.

    Files are txt, md, html, jsonl, csv, parquet and warc, each also packed (.gz, .zst). Without --output, a table for
    people goes to stdout. A run into a folder can be ended at any moment: the same command goes on with it.
    """
    from stance.articles import check_inputs
    from stance.batch import Plan, Scorer
    from stance.feed import Feed
    from stance.inputs import find_inputs
    from stance.parts import REJECTS
    from stance.reading import Columns
    from stance.runs import Run, settings_of
    from stance.scoring import Shape

    target = target_of(output, to, append_to, as_json)
    shape = Shape(only_labelled, nested, with_text, dedupe)
    check_target(target, shape, rejects)
    model = load_model(folder, thresholds)
    columns = Columns(text=text_column, id=id_column, date=date_column, source=source_column)
    own = [path for path in (target.file, target.folder, target.rejects(rejects)) if path is not None]
    found = find_inputs(inputs, kind, leave_out=own)
    if target.append and any(each.path is None for each in found):
        raise InputError("--append-to: one feed cannot be told from the next; save it to a file, and name that")
    check_inputs(found, columns)
    plan = Plan(folder, tuple(model.thresholds.tolist()), columns, target.kind, shape, any_language)
    with ExitStack() as stack:
        scorer = Scorer(plan, model)
        stack.callback(scorer.close)
        feed = Feed(found, columns)
        refused = _Refused(stack, rejects, target)
        # A bar would run through rows that go to the same screen.
        to_screen = target.file is None and target.folder is None and sys.stdout.isatty()
        report = stack.enter_context(scoring_progress(feed.meter.total, wanted=not to_screen))
        run = Run(
            scorer,
            jobs=jobs,
            on_reject=refused.take,
            on_progress=lambda counts, read: report(counts.articles, read),
            most_rejects=0 if strict else max_rejects,
        )
        if target.folder is not None:
            where: Path | None = target.folder / REJECTS
            _to_folder(
                stack, run, feed, target.folder, target, settings_of(scorer, part_size << 20, kind, found), found
            )
        else:
            where = refused.path
            _to_stream(stack, run, feed, target, shape, jobs)
    _tell(run.counts, where, any_language=any_language)
    if run.counts.rejects:
        sys.exit(REJECTS_EXIT)


def _to_folder(
    stack: ExitStack,
    run: Run,
    feed: Feed,
    where: Path,
    target: Target,
    settings: dict[str, Any],
    found: Sequence[Input],
) -> None:
    from stance.manifest import about_input
    from stance.parts import PartFolder
    from stance.runs import INDEX

    name = ""
    if target.append:
        from stance.arrow_rows import check_folder

        check_folder(where, run.scorer.model, run.scorer.plan.shape)
        # The same command goes on with its own parts, and leaves those of others alone.
        described = json.dumps([settings, [about_input(each) for each in found]], sort_keys=True)
        name = f"r{hashlib.sha256(described.encode()).hexdigest()[:8]}"
    folder = stack.enter_context(PartFolder(where, target.kind, settings, found, name))
    index = _index(stack, where / INDEX, name) if run.scorer.plan.shape.duplicates else None
    if folder.ended is not None:
        click.echo(f"{where}: this run is complete already; nothing was added", err=True)
    elif folder.parts:
        click.echo(f"{where}: going on after {counted(len(folder.parts), 'part')}", err=True)
    run.to_folder(feed, folder, part_bytes=settings["part_bytes"], index=index)


def _to_stream(stack: ExitStack, run: Run, feed: Feed, target: Target, shape: Shape, jobs: int) -> None:
    from stance.feed import BLOCK_BYTES
    from stance.files import whole_file

    # Whoever reads what is printed gets each article as it comes.
    block_bytes = BLOCK_BYTES if target.file is not None or jobs > 1 else 0
    if target.kind == "scored":
        scorer = run.scorer

        def put(pieces: list[Scored]) -> None:
            for scored in pieces:
                _print(scored, scorer.model, shape)

        run.each(feed.blocks(block_bytes=block_bytes), put)
        sys.stdout.flush()
        return
    index = None
    if shape.duplicates:
        place = stack.enter_context(tempfile.TemporaryDirectory(prefix="stance-"))
        index = _index(stack, Path(place) / "index.sqlite", "")
    if target.file is None:
        run.to_stream(feed, sys.stdout.buffer, block_bytes=block_bytes, index=index)
    else:
        with whole_file(target.file) as stream:
            run.to_stream(feed, stream, block_bytes=block_bytes, index=index)


def _print(scored: Scored, model: Model, shape: Shape) -> None:
    from stance.scoring import rows_of

    print_article(scored.article, list(rows_of(scored, model, shape)))


def _index(stack: ExitStack, path: Path, name: str) -> DuplicateIndex:
    from stance.duplicates import DuplicateIndex

    return stack.enter_context(DuplicateIndex(path, name))


class _Refused:
    """Tells rejects, and writes them to the file beside an output file."""

    def __init__(self, stack: ExitStack, rejects: Path | None, target: Target) -> None:
        from stance.outputs import RejectWriter

        self._told = 0
        # A folder keeps the rejects of each part with it.
        self._writer = stack.enter_context(RejectWriter(rejects, beside=target.file))
        self.path = self._writer.path

    def take(self, reject: Reject) -> None:
        self._told += 1
        if self._told <= TOLD_REJECTS:
            click.echo(shown(f"reject: {reject.place}: {reject.reason}", LONGEST_MESSAGE), err=True)
        elif self._told == TOLD_REJECTS + 1:
            click.echo("reject: further ones are not told one by one", err=True)
        self._writer.write(reject)


def _tell(counts: Summary, where: Path | None, *, any_language: bool) -> None:
    kept = f", in {where}" if where is not None and counts.rejects else ""
    more: list[Any] = []
    if counts.foreign:
        more.append(f"{counted(counts.foreign, 'article')} not in English{'' if any_language else ' and not labelled'}")
    if counts.duplicates:
        more.append(f"{counted(counts.duplicates, 'article')} much like an earlier one")
    click.echo(
        f"{counted(counts.articles, 'article')} in = {counts.scored:,} out + "
        f"{counted(counts.rejects, 'reject')}{kept}; {counted(counts.statements, 'statement')}, "
        f"{counts.labelled:,} with a label{''.join(f'; {each}' for each in more)}",
        err=True,
    )
