"""Thin commands over the rooms. Data goes to stdout, messages and progress to stderr."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from stance.display import counted, print_article, print_explanation, print_prediction, progress, shown
from stance.inputs import without_surrogates
from stance.records import InputError, StanceError

if TYPE_CHECKING:
    from stance.model import Model

DONE, REJECTS, WRONG = 0, 1, 2
TOP_FEATURES: Final = 8
# A message may repeat what a file holds, and that may be long.
LONGEST_MESSAGE: Final = 1000

_EXISTING = click.Path(path_type=Path)


class _Commands(click.Group):
    """Lists commands in the order of a user's day instead of by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; click itself would end a closed pipe in silence and with an exit code of its own."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            _drop_output()
            raise InputError("output: the pipe was closed early; what was printed before is valid") from error


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        import stance

        click.echo(f"stance {stance.__version__}")
        ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version, help="Print the version."
)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Find denials, accusations and calls for dialogue in news text."""
    if os.environ.get("NO_COLOR"):
        ctx.color = False


def model_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--model`` and ``--threshold``."""
    command = click.option(
        "--threshold", "thresholds", multiple=True, metavar="LABEL=P", help="Give LABEL from probability P on."
    )(command)
    return click.option("--model", "folder", type=_EXISTING, help="Model folder; the default model if left out.")(
        command
    )


@cli.command(short_help="Label single statements.")
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@model_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a statement.")
def predict(texts: tuple[str, ...], folder: Path | None, thresholds: tuple[str, ...], as_json: bool) -> None:
    """Label statements: each TEXT is one; without TEXT, or with -, each line of stdin.

    A statement is a sentence; of one longer than 8,192 characters only the beginning counts.
    """
    model = _load(folder, thresholds)
    found = False
    for text in _statements(texts):
        found = True
        made = model.predict(text)
        if as_json:
            document = {
                "text": made.text, "labels": made.labels, "probabilities": made.probabilities, "scores": made.scores,
            }  # fmt: skip
            _print_json(document)
        else:
            print_prediction(made)
    if not found:
        raise InputError("no statement: stdin is empty; pass a TEXT or pipe one statement a line")


@cli.command(short_help="Say what a statement's labels rest on.")
@click.argument("text")
@model_options
@click.option("--label", "only", help="Explain this label alone.")
@click.option("--top", default=TOP_FEATURES, show_default=True, type=click.IntRange(1), help="Features a label.")
@click.option("--json", "as_json", is_flag=True, help="Print all features as one JSON object.")
def explain(
    text: str, folder: Path | None, thresholds: tuple[str, ...], only: str | None, top: int, as_json: bool
) -> None:
    """Say which words and patterns speak for and against each label of TEXT (- for stdin)."""
    model = _load(folder, thresholds)
    names = model.labels.names
    if only is not None and only not in names:
        raise InputError(f"--label {only}: unknown label; the model has {', '.join(names)}")
    text = _decoded(sys.stdin.buffer.read(), 1).strip() if text == "-" else without_surrogates(text)
    found = model.explain(text)
    made = found.prediction
    wanted = (only,) if only else names

    def only_named(weights: dict[str, float]) -> dict[str, float]:
        return {name: weights[name] for name in wanted}

    if as_json:
        listed = [
            {"features": each.features, "start": each.start, "end": each.end, "weights": only_named(each.weights)}
            for each in found.contributions
        ]
        _print_json(
            {
                "text": made.text, "labels": made.labels, "probabilities": made.probabilities, "scores": made.scores,
                "intercepts": only_named(found.intercepts), "contributions": listed,
            }
        )  # fmt: skip
        return
    for name in wanted:
        print_explanation(found, name, top)


@cli.command(short_help="Label all statements of articles.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@model_options
@click.option("-o", "--output", type=_EXISTING, help="Write rows here: .jsonl or .csv; - for JSONL on stdout.")
@click.option("--json", "as_json", is_flag=True, help="Print rows as JSONL instead of a table.")
@click.option(
    "--rejects", type=_EXISTING, help="Where articles that cannot be read go; OUTPUT.rejects.jsonl if left out."
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["txt", "md", "jsonl", "csv"]),
    help="Format of the input, whatever its ending.",
)
@click.option("--text-column", help="Column or field with the text.")
@click.option("--id-column", help="Column or field with the article's id.")
@click.option("--date-column", help="Column or field with the date.")
@click.option("--source-column", help="Column or field with the source.")
@click.option("--only-labelled", is_flag=True, help="Leave out statements without a label.")
def score(
    inputs: tuple[str, ...],
    folder: Path | None,
    thresholds: tuple[str, ...],
    output: Path | None,
    as_json: bool,
    rejects: Path | None,
    kind: str | None,
    text_column: str | None,
    id_column: str | None,
    date_column: str | None,
    source_column: str | None,
    only_labelled: bool,
) -> None:
    """Label every statement of articles: files (txt, md, jsonl, csv, each also .gz), folders, globs, - for stdin.

    Without --output, a table for people goes to stdout.
    """
    from contextlib import ExitStack

    from stance.articles import Columns, Reject, read_articles
    from stance.records import Article
    from stance.scoring import RejectWriter, Row, RowWriter, Summary, columns_of, score_records

    model = _load(folder, thresholds)
    columns = Columns(text=text_column, id=id_column, date=date_column, source=source_column)
    target = None if output is None or str(output) == "-" else output
    if rejects is not None and target is not None and rejects.resolve() == target.resolve():
        raise InputError(f"{rejects}: rows and rejects would go to one file; give --rejects another name")
    with ExitStack() as stack:
        writer: RowWriter | None = None
        if target is not None:
            writer = stack.enter_context(RowWriter(target, columns_of(model)))
        elif output is not None or as_json:
            writer = stack.enter_context(RowWriter(sys.stdout.buffer, columns_of(model)))
        refused = stack.enter_context(RejectWriter(rejects, beside=target))
        # A bar would run through rows that go to the same screen.
        report = stack.enter_context(progress("articles", wanted=target is not None or not sys.stdout.isatty()))

        def on_article(article: Article, rows: list[Row]) -> None:
            wanted = [row for row in rows if row["labels"]] if only_labelled else rows
            if writer:
                writer.write(wanted)
            else:
                print_article(article, wanted)

        def on_reject(reject: Reject) -> None:
            click.echo(shown(f"reject: {reject.place}: {reject.reason}", LONGEST_MESSAGE), err=True)
            refused.write(reject)

        def on_progress(summary: Summary) -> None:
            report(summary.articles, 0)

        own = [path for path in (target, refused.path) if path is not None]
        records = read_articles(list(inputs), columns=columns, input_format=kind, leave_out=own)
        summary = score_records(records, model, on_article=on_article, on_reject=on_reject, on_progress=on_progress)
        if target is None:
            sys.stdout.flush()
    where = f", in {refused.path}" if refused.path is not None and summary.rejects else ""
    click.echo(
        f"{counted(summary.articles, 'article')} in = {summary.scored:,} out + "
        f"{counted(summary.rejects, 'reject')}{where}; {counted(summary.statements, 'statement')}, "
        f"{summary.labelled:,} with a label",
        err=True,
    )
    if summary.rejects:
        sys.exit(REJECTS)


@cli.command(short_help="Train a model from annotated statements.")
@click.option("--data", "folder", default="data", show_default=True, type=_EXISTING, help="Data folder.")
@click.option("--output", type=_EXISTING, help="Model folder to write; models/default for the data folder `data`.")
@click.option("--settings", "settings_path", type=_EXISTING, help="Settings file; DATA/settings.json if left out.")
@click.option("--own-only", is_flag=True, help="Leave the stand-off rows out.")
@click.option("--search", is_flag=True, help="Search for better settings first, and store them.")
def train(folder: Path, output: Path | None, settings_path: Path | None, own_only: bool, search: bool) -> None:
    """Train a model from annotated statements with the stored settings."""
    import stance
    from stance.card import model_card
    from stance.dataset import is_held_apart, load_dataset
    from stance.evaluation import evaluate, format_table
    from stance.files import write_whole
    from stance.search import search as search_settings
    from stance.settings import read_settings
    from stance.store import save
    from stance.trials import held_apart_trial

    if output is None:
        if folder != Path("data"):
            raise InputError(f"--data {folder}: say with --output where its model goes, such as models/mine")
        output = Path("models/default")
    dataset = load_dataset(folder, own_only=own_only)
    settings = read_settings(settings_path) if settings_path else dataset.settings
    if search:
        with progress("trials") as report:
            settings = search_settings(dataset, settings, progress=report)
        settings_path = settings_path or folder / "settings.json"
        write_whole(settings_path, json.dumps(settings.to_json(), indent=1) + "\n")
        click.echo(f"settings stored in {settings_path}", err=True)
    with progress("fits") as report:
        model = save(stance.train(dataset, settings, progress=report), output)
    measured = None
    if any(map(is_held_apart, dataset.groups)):
        trial = held_apart_trial(model, dataset, str(model.about["data_sha256"]))
        measured = evaluate(trial.scored, signature=trial.signature(model, 0, stance.__version__))
        click.echo(format_table(measured))
    else:
        click.echo("nothing measured: no row of the dataset is held apart; annotate more groups", err=True)
    origin = folder / "PROVENANCE.md"
    provenance = origin.read_text(encoding="utf-8", errors="replace") if origin.exists() else ""
    write_whole(output / "README.md", model_card(model, measured, provenance))
    click.echo(f"model {model.id} written to {output}", err=True)


@cli.command(short_help="Measure a model on annotated rows.")
@click.option(
    "--data",
    "data_path",
    default="data",
    show_default=True,
    type=_EXISTING,
    help="Data folder (its held-apart rows), or a JSONL file.",
)
@model_options
@click.option("--by", "by_name", help="Also measure for each value of this field.")
@click.option("--label-field", default="labels", show_default=True, help="Field with the labels, for a file.")
@click.option("--report", "report_folder", type=_EXISTING, help="Write an HTML report with plots into this folder.")
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

    model = _load(folder, thresholds)
    if data_path.is_dir():
        if label_field != "labels":
            raise InputError(f"--label-field {label_field}: {data_path} is a folder; only a file may have other fields")
        dataset = load_dataset(data_path)
        trial = held_apart_trial(model, dataset, data_hash(dataset))
    else:
        trial = file_trial(model, data_path, label_field)
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
        _print_json(document)
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


@cli.command(short_help="Add stand-off labels and make their features.")
@click.option("--data", "folder", default="data", show_default=True, type=_EXISTING, help="Data folder.")
@click.option(
    "--labels", "label_files", multiple=True, type=_EXISTING, metavar="FILE", help="JSONL rows to add; may be repeated."
)
@click.option(
    "--texts",
    "text_files",
    multiple=True,
    type=_EXISTING,
    metavar="FILE",
    help="JSONL of id and text; may be repeated.",
)
def extract(folder: Path, label_files: tuple[Path, ...], text_files: tuple[Path, ...]) -> None:
    """Add stand-off labels, and make the feature matrix anew from the texts; no text is stored."""
    from stance.features import Featurizer
    from stance.labels import read_labels
    from stance.lexicon import read_lexicon
    from stance.standoff import extract as extract_rows

    labels = read_labels(folder / "labels.toml")
    featurizer = Featurizer(read_lexicon(folder / "lexicon.toml"))
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


@cli.command(short_help="Check all annotated data.")
@click.option("--data", "folder", default="data", show_default=True, type=_EXISTING, help="Data folder.")
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


def main() -> NoReturn:
    """Run a command; a user's mistake ends in one line and exit code 2."""
    # A stream that the caller closed is None; it then is as empty as /dev/null.
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w" if number else "r", encoding="utf-8"))  # noqa: PTH123, SIM115
    # Articles are UTF-8 whatever the locale says; what cannot be written is replaced instead of ending a run.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    # Ended from outside, a run still takes its unfinished files away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        code = cli.main(standalone_mode=False, prog_name="stance")
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else DONE)
    except StanceError as error:
        _fail(str(error))
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(WRONG)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "stance"
        _fail(f"{error.format_message().rstrip('.')}; see `{command} --help`")
    except click.ClickException as error:
        _fail(error.format_message())
    except click.Abort:
        _fail("interrupted; finished files are whole, unfinished ones were not written", 130)
    except MemoryError:
        _fail("not enough memory; split the input")
    except OSError as error:
        if error.filename is None:
            _drop_output()
        _fail(f"{error.filename or 'output'}: {error.strerror or error}; check the place and its rights")


def _drop_output() -> None:
    """Send what is still to be printed nowhere; else Python complains once more when it closes stdout."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _fail(message: str, code: int = WRONG) -> NoReturn:
    click.echo(f"stance: error: {shown(message, LONGEST_MESSAGE)}", err=True)
    sys.exit(code)


def _load(folder: Path | None, thresholds: tuple[str, ...]) -> Model:
    from dataclasses import replace

    from stance.store import load

    model = load(folder)
    wanted = model.thresholds.copy()
    for each in thresholds:
        name, equals, value = each.partition("=")
        if name not in model.labels.names:
            raise InputError(
                f"--threshold {each}: unknown label {name!r}; the model has {', '.join(model.labels.names)}"
            )
        try:
            chance = float(value)
        except ValueError:
            chance = -1.0
        if not equals or not 0.0 <= chance <= 1.0:
            raise InputError(f"--threshold {each}: give LABEL=P with P from 0 to 1")
        wanted[model.labels.names.index(name)] = chance
    if thresholds and model.labels.exclusive:
        raise InputError("--threshold: the model's label set is exclusive, so the most probable label is given")
    return replace(model, thresholds=wanted)


def _statements(texts: tuple[str, ...]) -> Iterator[str]:
    for text in texts or ("-",):
        if text != "-":
            yield without_surrogates(text)
            continue
        # Line by line, so that a feed that never ends is answered as it comes.
        for number, line in enumerate(sys.stdin.buffer, 1):
            if line.strip():
                yield _decoded(line, number).strip("\r\n")


def _decoded(raw: bytes, line: int) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line += raw[: error.start].count(b"\n")
        raise InputError(f"stdin:{line}: not valid UTF-8; convert the text first") from error


def _print_json(document: dict[str, Any]) -> None:
    click.echo(json.dumps(document, ensure_ascii=False))
