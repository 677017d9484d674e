"""The commands that make and measure a model; the work is done in the rooms."""

from __future__ import annotations

import json
from pathlib import Path

import click

from stance.display import progress, shown
from stance.options import (
    EXISTING,
    label_numbers,
    load_model,
    model_options,
    names_in,
    print_json,
    row_form,
    row_options,
)
from stance.records import InputError


@click.command(short_help="Train a model from annotated statements.")
@click.option("--data", "folder", default="data", show_default=True, type=EXISTING, help="Data folder.")
@click.option("--output", type=EXISTING, help="Model folder to write; models/default for the data folder `data`.")
@click.option("--settings", "settings_path", type=EXISTING, help="Settings file; DATA/settings.json if left out.")
@click.option(
    "--rows",
    "files",
    multiple=True,
    type=EXISTING,
    metavar="FILE",
    help="JSONL file with more annotated statements.",
)
@row_options
@click.option("--all-rows", is_flag=True, help="Hold no row apart, where the test rows are in another file.")
@click.option("--own-only", is_flag=True, help="Leave the stand-off rows out.")
@click.option(
    "--precision",
    multiple=True,
    metavar="LABEL=P",
    help="Choose LABEL's threshold by the precision P in ordinary news, not by F1.",
)
@click.option("--search", is_flag=True, help="Search for better settings first, and store them.")
@click.option(
    "--report", "report_folder", type=EXISTING, help="Write reliability plots, out of fold, into this folder."
)
def train(
    folder: Path,
    output: Path | None,
    settings_path: Path | None,
    files: tuple[Path, ...],
    label_field: str,
    text_field: str,
    marks: str | None,
    all_rows: bool,
    own_only: bool,
    precision: tuple[str, ...],
    search: bool,
    report_folder: Path | None,
) -> None:
    """Train a model from annotated statements with the stored settings."""
    from dataclasses import replace

    import stance
    from stance.card import model_card
    from stance.dataset import is_held_apart, load_dataset
    from stance.evaluation import Signature, evaluate, format_table
    from stance.files import write_whole
    from stance.search import search as search_settings
    from stance.settings import read_settings, stored_settings
    from stance.store import save
    from stance.training import fit
    from stance.trials import held_apart_trial

    if output is None:
        if folder != Path("data"):
            raise InputError(f"--data {folder}: say with --output where its model goes, such as models/mine")
        output = Path("models/default")
    settings = read_settings(settings_path) if settings_path else stored_settings(folder)
    if marks is not None:
        settings = replace(settings, marks=names_in(marks))
    form = row_form(label_field, text_field, settings.marks)
    dataset = load_dataset(folder, own_only=own_only, files=files, form=form)
    wanted = label_numbers("--precision", precision, dataset.labels.names, most=1.0)
    if wanted:
        settings = replace(settings, precision_by_label={**settings.precision_by_label, **wanted})
    if search:
        with progress("trials") as report:
            settings = search_settings(dataset, settings, progress=report)
        settings_path = settings_path or folder / "settings.json"
        write_whole(settings_path, json.dumps(settings.to_json(), indent=1) + "\n")
        click.echo(f"settings stored in {settings_path}", err=True)
    with progress("fits") as report:
        model, tried = fit(dataset, settings, hold_apart=not all_rows, progress=report)
    for name, chance in settings.precision_by_label.items():
        if not tried.given[:, dataset.labels.names.index(name)].any():
            click.echo(f"{name}: no threshold has a precision of {chance:g}; the label will hardly be given", err=True)
    model = save(model, output)
    data = str(model.about["data_sha256"])
    measured = None
    if all_rows:
        click.echo("nothing measured: no row is held apart; use `stance evaluate` on other rows", err=True)
    elif any(map(is_held_apart, dataset.groups)):
        trial = held_apart_trial(model, dataset, data)
        measured = evaluate(trial.scored, signature=trial.signature(model, 0, stance.__version__))
        click.echo(format_table(measured))
    else:
        click.echo("nothing measured: no row of the dataset is held apart; annotate more groups", err=True)
    origin = folder / "PROVENANCE.md"
    provenance = origin.read_text(encoding="utf-8", errors="replace") if origin.exists() else ""
    write_whole(output / "README.md", model_card(model, measured, provenance))
    click.echo(f"model {model.id} written to {output}", err=True)
    if report_folder is not None:
        from stance.plots import write_report

        signature = Signature(data, model.id, "out-of-fold", len(tried.truth), 0, stance.__version__)
        title = f"Model {model.id}, out of fold, weighted as ordinary news"
        page = write_report(report_folder, evaluate(tried, signature=signature), tried, [], title)
        click.echo(f"report written to {page}", err=True)


@click.command(short_help="Measure a model on annotated rows.")
@click.option(
    "--data",
    "data_path",
    default="data",
    show_default=True,
    type=EXISTING,
    help="Data folder (its held-apart rows), or a JSONL file.",
)
@model_options
@click.option("--by", "by_name", help="Also measure for each value of this field.")
@row_options
@click.option("--report", "report_folder", type=EXISTING, help="Write an HTML report with plots into this folder.")
@click.option(
    "--errors", "error_count", default=10, show_default=True, type=click.IntRange(0), help="Worst errors a label."
)
@click.option("--resamples", default=1000, show_default=True, type=click.IntRange(1), help="Bootstrap resamples.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Seed of the bootstrap.")
@click.option("--json", "as_json", is_flag=True, help="Print the measures as one JSON object.")
def evaluate(
    data_path: Path,
    folder: Path | None,
    thresholds: tuple[str, ...],
    by_name: str | None,
    label_field: str,
    text_field: str,
    marks: str | None,
    report_folder: Path | None,
    error_count: int,
    resamples: int,
    seed: int,
    as_json: bool,
) -> None:
    """Measure a model on annotated rows that it has not learned from."""
    import stance
    from stance.dataset import data_hash, load_dataset
    from stance.evaluation import by_field, format_table, worst_errors
    from stance.evaluation import evaluate as measure
    from stance.trials import error_place, error_reasons, file_trial, held_apart_trial

    model = load_model(folder, thresholds)
    if data_path.is_dir():
        if (label_field, text_field, marks) != ("labels", "text", None):
            raise InputError(f"{data_path} is a folder; --label-field, --text-field and --marks are for a file")
        dataset = load_dataset(data_path)
        trial = held_apart_trial(model, dataset, data_hash(dataset))
    else:
        known = model.featurizer.settings.marks
        if marks is not None and names_in(marks) != known:
            raise InputError(f"--marks {marks}: the model was trained with {','.join(known) or 'none'}; train again")
        trial = file_trial(model, data_path, row_form(label_field, text_field, known))
    signature = trial.signature(model, seed, stance.__version__)
    measured = measure(trial.scored, resamples=resamples, seed=seed, signature=signature)
    by = None
    if by_name:
        values = trial.field_values(by_name)
        by = by_field(trial.scored, values, resamples=resamples, seed=seed, signature=signature)
    errors = worst_errors(trial.scored, error_count) if error_count else []
    if report_folder is not None:
        from stance.plots import ReportError, write_report

        listed = [
            ReportError(
                text=getattr(trial.rows[error.row], "text", ""),
                place=error_place(trial.rows[error.row]),
                label=error.label,
                kind=error.kind,
                probability=error.probability,
                contributions=tuple(error_reasons(model, trial.rows[error.row], error)),
            )
            for error in errors
        ]
        title = f"Model {model.id} on {trial.split}"
        page = write_report(report_folder, measured, trial.scored, listed, title, by, by_name or "field value")
        click.echo(f"report written to {page}", err=True)
    if as_json:
        document = measured.to_json()
        if by is not None:
            document["by"] = {value: each.to_json() for value, each in by.items()}
        print_json(document)
        return
    click.echo(format_table(measured))
    for value, each in (by or {}).items():
        click.echo(f"\n{by_name} = {value}\n")
        click.echo(format_table(each))
    if errors:
        click.echo("\nWorst errors")
    for error in errors:
        row = trial.rows[error.row]
        click.echo(f"\n{error.label}, {error.kind}, probability {error.probability:.3f}: {error_place(row)}")
        if text := getattr(row, "text", ""):
            click.echo(f"  {shown(text, 300)}")
        for name, weight in error_reasons(model, row, error):
            click.echo(f"  {weight:+8.3f}  {name}")


@click.command(short_help="Lay out the data folder of a new codebook.")
@click.argument("folder", type=EXISTING)
@click.option("--labels", metavar="A,B,...", help="Names of the labels, in order.")
@click.option("--rows", "files", multiple=True, type=EXISTING, metavar="FILE", help="Take the labels from this file.")
@row_options
@click.option("--exclusive", is_flag=True, help="Each statement carries exactly one label.")
def init(
    folder: Path,
    labels: str | None,
    files: tuple[Path, ...],
    label_field: str,
    text_field: str,
    marks: str | None,
    exclusive: bool,
) -> None:
    """Lay out the data folder of a new codebook: label set, cue classes, annotation rules, settings.

    With --marks s,t the text "<s>Paris</s> urged <t>Berlin</t> to pay" is read as "<s> urged <t> to pay", and both
    spans are cue classes.
    """
    from stance.layout import labels_in, lay_out

    if (labels is None) == (not files):
        raise InputError("init: name the labels with --labels, or a file that holds them with --rows; one of both")
    names = names_in(labels) or labels_in(files, row_form(label_field, text_field, ()))
    for path in lay_out(folder, names, exclusive=exclusive, marks=names_in(marks)):
        click.echo(path)
    click.echo(
        f"write titles and definitions into {folder / 'labels.toml'}, cue words into {folder / 'lexicon.toml'}, "
        f"annotated statements into {folder / 'statements'}; then `stance train --data {folder} --output MODEL`",
        err=True,
    )


TRAINING = (init, train, evaluate)
