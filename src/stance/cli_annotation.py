"""The commands around annotated data: what to annotate next, how annotators agree, features, checks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click

from stance.display import counted, progress
from stance.options import EXISTING, label_numbers, load_model, print_json
from stance.records import InputError
from stance.rows import LAST_ROUND

_ROUND_HELP: Final = "Number of the round; the next one after those of the data folder if left out."
_TEXTS_HELP: Final = "JSONL of id and text; may be repeated."


@click.group(short_help="Draw what to annotate next, and take the answers back.")
def sample() -> None:
    """Draw what to annotate next, numbered for reading, and take the answers back.

    A batch folder holds text: keep it outside the project.
    """


@sample.command(short_help="Draw a batch from sentences that carry no labels yet.")
@click.argument("pools", nargs=-1, required=True, type=EXISTING, metavar="POOL...")
@click.option("--to", "target", required=True, type=EXISTING, help="New folder for the batch.")
@click.option("--size", default=1000, show_default=True, type=click.IntRange(1), help="Rows wanted.")
@click.option("--round", "number", type=click.IntRange(1, LAST_ROUND), help=_ROUND_HELP)
@click.option("--favour", multiple=True, metavar="LABEL=X", help="Give LABEL X times what the others get.")
@click.option("--known", multiple=True, type=EXISTING, metavar="FILE", help="JSONL of ids to leave out; repeatable.")
@click.option(
    "--data", "folder", default="data", show_default=True, type=EXISTING, help="Data folder; its rows stay out."
)
@click.option("--model", "model_folder", type=EXISTING, help="Model folder; the default model if left out.")
@click.option("--part-rows", default=900, show_default=True, type=click.IntRange(1), help="Rows a part.")
@click.option("--twice", default=0.1, show_default=True, type=click.FloatRange(0, 1), help="Share that is read twice.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of the draw.")
def draw(
    pools: tuple[Path, ...],
    target: Path,
    size: int,
    number: int | None,
    favour: tuple[str, ...],
    known: tuple[Path, ...],
    folder: Path,
    model_folder: Path | None,
    part_rows: int,
    twice: float,
    seed: int,
) -> None:
    """Draw a batch from JSONL files of sentences (also .gz) and number it for reading.

    Each row needs its `text`; `origin`, `path` and `locator` say where it stands, and rows of one path stay together
    when training splits them; `commit`, `date` and `source` are kept too. An `id` is made from the text where it is
    missing.

    A fifth is drawn at random from everything; the rest, for each label, from likely (+) and uncertain (~) sentences
    and from unlikely ones with a rare cue (-). Every row keeps the inverse of the probability with which it was drawn
    as its weight. The batch holds text: keep it outside the project.
    """
    from stance.labels import read_labels
    from stance.readings import write_batch
    from stance.sampling import draw as draw_rows
    from stance.sampling import look, make_strata, read_candidates, read_ids
    from stance.standoff import read_rows

    labels = read_labels(folder / "labels.toml")
    model = load_model(model_folder, ())
    if labels.exclusive or model.labels.exclusive:
        raise InputError("draws are made for label sets that are not exclusive; draw rows of this one at random")
    standoff = folder / "standoff" / "labels.jsonl"
    annotated = read_rows(standoff, labels) if standoff.exists() else []
    last = max((row.round for row in annotated), default=0)
    if number is not None and number <= last:
        # The weights of a round speak of what the rounds before it have left.
        raise InputError(f"--round {number}: {standoff} has rows of round {last}; give a later one, or none")
    candidates = read_candidates(pools, read_ids(known) | {row.id for row in annotated})
    with progress("candidates") as report:
        figures = look([str(row["text"]) for row in candidates], model, report)
    names = model.labels.names
    favoured = label_numbers("--favour", favour, names, most=1000.0)
    strata = make_strata(figures, names, model.thresholds, size, favoured)
    drawn = draw_rows(strata, seed)
    rows = [
        {**candidates[row], "draw": name, "round": number or last + 1, "weight": 1.0 / chance}
        for row, name, chance in zip(drawn.rows.tolist(), drawn.draws, drawn.chances.tolist(), strict=True)
    ]
    parts, repeats = write_batch(target, rows, seed=seed, part_rows=part_rows, twice=twice)
    for stratum in drawn.strata:
        click.echo(f"  {stratum.name:<20} {stratum.wanted:>7,} of {len(stratum.members):>9,}")
    short = f" ({size:,} wanted; strata overlap or hold too few)" if len(rows) < size else ""
    click.echo(f"{counted(len(rows), 'row')} from {counted(len(candidates), 'candidate')}{short}")
    _print_parts(parts, repeats)


@sample.command(short_help="Put rows whose labels are likely wrong into a batch, to be read once more.")
@click.option("--texts", "text_files", multiple=True, required=True, type=EXISTING, metavar="FILE", help=_TEXTS_HELP)
@click.option("--to", "target", required=True, type=EXISTING, help="New folder for the batch.")
@click.option("--size", default=1000, show_default=True, type=click.IntRange(1), help="Rows wanted.")
@click.option("--data", "folder", default="data", show_default=True, type=EXISTING, help="Data folder.")
@click.option("--part-rows", default=900, show_default=True, type=click.IntRange(1), help="Rows a part.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of the order.")
def recheck(text_files: tuple[Path, ...], target: Path, size: int, folder: Path, part_rows: int, seed: int) -> None:
    """Find stand-off rows whose labels are likely wrong and put them into a batch, to be read once more and blind.

    Likely wrong is what models that have not seen a row find least probable. The answers are taken back with `collect`:
    where the new reading differs from the labels that a row has, a third one decides.
    """
    import random

    from stance.dataset import load_dataset
    from stance.doubts import likely_errors
    from stance.readings import write_batch
    from stance.standoff import find_texts

    dataset = load_dataset(folder)
    with progress("fits") as report:
        doubts = likely_errors(dataset, size=size, progress=report)
    real = dataset.standoff.rows if dataset.standoff else ()
    chosen = [real[doubt.row] for doubt in doubts]
    texts = find_texts([row.id for row in chosen], text_files)
    rows = [
        {**row.to_json(), "before": list(row.labels), "text": text} for row, text in zip(chosen, texts, strict=True)
    ]
    # In the order of doubt a reader would know what to expect.
    random.Random(seed).shuffle(rows)  # noqa: S311
    parts, _ = write_batch(target, rows, seed=seed, part_rows=part_rows, twice=0.0)
    for name in dataset.labels.names:
        click.echo(f"  {name:<20} {sum(doubt.label == name for doubt in doubts):>7,}")
    click.echo(f"{counted(len(rows), 'row')} in {counted(len(parts), 'part')}")
    _print_parts(parts, [])


def _print_parts(parts: list[Path], repeats: list[Path]) -> None:
    """Say what to read and what to do then; `repeats` need another reader."""
    folder = parts[0].parent
    click.echo(f"read {', '.join(path.name for path in parts)} in {folder}, each with its answers in part-NN.answers")
    if repeats:
        names = ", ".join(path.name for path in repeats)
        click.echo(f"give {names} to another reader: {'it repeats' if len(repeats) == 1 else 'they repeat'} rows")
    click.echo(f"then take the answers back: stance sample collect {folder} --to labels.jsonl")


@sample.command(short_help="Take the answers of a batch back.")
@click.argument("batch", type=EXISTING)
@click.option("--to", "target", required=True, type=EXISTING, help="JSONL file for `stance extract --labels`.")
@click.option("--data", "folder", default="data", show_default=True, type=EXISTING, help="Data folder with the labels.")
def collect(batch: Path, target: Path, folder: Path) -> None:
    """Take the answers of a BATCH folder back: settle what was read more than once, ask for a third reading if needed.

    Each part-NN.txt needs its part-NN.answers: lines such as `17 denial` or `17 den acc ?` (beginnings of labels will
    do, ? is borderline), and `end` when all is read; what is not listed carries no label. Where two readings differ or
    one is borderline, a third decides, by majority where there are three. Exit code 1 says that third readings are
    missing.
    """
    from stance.labels import read_labels
    from stance.readings import collect as collect_answers
    from stance.readings import write_readings
    from stance.rows import write_jsonl

    if (
        target.resolve().parent == batch.resolve()
        or target.resolve() == (folder / "standoff" / "labels.jsonl").resolve()
    ):
        raise InputError(f"{target}: would replace what the answers belong to; give --to another place")
    labels = read_labels(folder / "labels.toml")
    collected = collect_answers(batch, labels)
    write_jsonl(target, collected.rows)
    written = write_readings(batch, collected, labels)
    click.echo(
        f"{counted(len(collected.rows), 'row')} in {target}: {collected.twice:,} read twice, {collected.settled:,} "
        f"settled by a third reading, {collected.borderline:,} borderline, "
        f"{collected.changed:,} with other labels than before; readings in "
        f"{', '.join(path.name for path in written)}"
    )
    if collected.open:
        click.echo(
            f"not finished: {counted(len(collected.open), 'row')} left out, because a third reading has to settle "
            f"them; have {batch}/third-NN.txt read, with answers in third-NN.answers, then run this again",
            err=True,
        )
        sys.exit(1)


@click.command(short_help="Say how far annotators agree.")
@click.argument("files", nargs=-1, required=True, type=EXISTING, metavar="FILE FILE...")
@click.option("--data", "folder", default="data", show_default=True, type=EXISTING, help="Data folder with the labels.")
@click.option("--label-field", default="labels", show_default=True, help="Field with the labels.")
@click.option("--resamples", default=1000, show_default=True, type=click.IntRange(1), help="Bootstrap resamples.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of the bootstrap.")
@click.option("--json", "as_json", is_flag=True, help="Print the measures as one JSON object.")
def agreement(
    files: tuple[Path, ...], folder: Path, label_field: str, resamples: int, seed: int, as_json: bool
) -> None:
    """Compare annotators: one JSONL file of id and labels for each; a row that a file lacks is missing there.

    Gives Cohen's kappa and raw agreement with the confusion table of every two, and Krippendorff's alpha over all.
    """
    from stance.agreement import agreement as compare
    from stance.agreement import format_agreement, read_ratings, to_json
    from stance.labels import read_labels

    labels = read_labels(folder / "labels.toml")
    names = [path.name.split(".")[0] for path in files]
    if len(set(names)) < len(names):
        names = [str(path) for path in files]
    found = compare(names, read_ratings(files, labels, label_field), resamples=resamples, seed=seed)
    if as_json:
        print_json(to_json(found))
    else:
        click.echo(format_agreement(found, resamples))


@click.command(short_help="Add stand-off labels and make their features.")
@click.option("--data", "folder", default="data", show_default=True, type=EXISTING, help="Data folder.")
@click.option(
    "--labels", "label_files", multiple=True, type=EXISTING, metavar="FILE", help="JSONL rows to add; may be repeated."
)
@click.option(
    "--texts",
    "text_files",
    multiple=True,
    type=EXISTING,
    metavar="FILE",
    help=_TEXTS_HELP,
)
def extract(folder: Path, label_files: tuple[Path, ...], text_files: tuple[Path, ...]) -> None:
    """Add stand-off labels, and make the feature matrix anew from the texts; no text is stored."""
    from stance.features import Featurizer
    from stance.labels import read_labels
    from stance.lexicon import read_lexicon
    from stance.settings import stored_settings
    from stance.standoff import extract as extract_rows

    labels = read_labels(folder / "labels.toml")
    featurizer = Featurizer(read_lexicon(folder / "lexicon.toml"), stored_settings(folder).features)
    with progress("rows") as report:
        summary = extract_rows(
            folder / "standoff",
            featurizer,
            labels,
            label_files=label_files,
            text_files=text_files,
            progress=report,
        )
    click.echo(
        f"{summary.rows:,} rows ({summary.added:,} added, {summary.replaced:,} replaced, "
        f"{summary.near:,} near-duplicates); {summary.kept:,} of {summary.met:,} features occur often enough to be kept"
    )


@click.command(short_help="Check all annotated data.")
@click.option("--data", "folder", default="data", show_default=True, type=EXISTING, help="Data folder.")
def validate(folder: Path) -> None:
    """Check all annotated data: form, labels, duplicates, places, splits and the feature matrix."""
    from stance.dataset import is_held_apart, load_dataset
    from stance.validation import validate as find_problems

    problems = find_problems(folder)
    for problem in problems:
        click.echo(str(problem))
    if problems:
        raise InputError(f"{folder}: {counted(len(problems), 'problem')}; mend the lines listed above")
    dataset = load_dataset(folder)
    real = dataset.standoff.rows if dataset.standoff else ()
    apart = sum(is_held_apart(group) for group in dataset.groups)
    click.echo(
        f"{folder}: all checks passed; {counted(len(dataset.own), 'own statement')}, "
        f"{counted(len(real), 'stand-off row')}, {apart:,} of them held apart"
    )
    for name in dataset.labels.names:
        own_rows, real_rows = (sum(name in row.labels for row in rows) for rows in (dataset.own, real))
        click.echo(f"  {name:<24} {own_rows:>6,} own {real_rows:>8,} stand-off")


ANNOTATION = (validate, sample, agreement, extract)
