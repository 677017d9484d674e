"""The command line, and the commands that use a model. Data goes to stdout, messages and progress to stderr."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from stance.cli_scoring import LONGEST_MESSAGE, score
from stance.display import print_explanation, print_prediction, shown
from stance.inputs import without_surrogates
from stance.options import load_model, model_options, print_json
from stance.records import InputError, StanceError

DONE, WRONG = 0, 2
TOP_FEATURES: Final = 8


class _Commands(click.Group):
    """Lists commands in the order of a user's day instead of by name, and loads those that are not asked for last."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        self._load_all()
        return list(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name; those that use a model do not wait for the others."""
        if cmd_name not in self.commands:
            self._load_all()
        return super().get_command(ctx, cmd_name)

    def _load_all(self) -> None:
        from stance.cli_annotation import ANNOTATION
        from stance.cli_training import TRAINING

        for command in (*TRAINING, *ANNOTATION):
            self.add_command(command)

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
        from stance.features import compiled

        engine = "compiled kernel" if compiled else "readable reference, which is slower: no compiled kernel is in use"
        click.echo(f"stance {stance.__version__} ({engine})")
        ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Print the version, and whether the compiled kernel is in use.",
)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Find denials, accusations and calls for dialogue in news text."""
    if os.environ.get("NO_COLOR"):
        ctx.color = False


@cli.command(short_help="Label single statements.")
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@model_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a statement.")
def predict(texts: tuple[str, ...], folder: Path | None, thresholds: tuple[str, ...], as_json: bool) -> None:
    """Label statements: each TEXT is one; without TEXT, or with -, each line of stdin.

    A statement is a sentence; of one longer than 8,192 characters only the beginning counts.
    """
    model = load_model(folder, thresholds)
    found = False
    for text in _statements(texts):
        found = True
        made = model.predict(text)
        if as_json:
            document = {
                "text": made.text, "labels": made.labels, "probabilities": made.probabilities, "scores": made.scores,
            }  # fmt: skip
            print_json(document)
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
    model = load_model(folder, thresholds)
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
        print_json(
            {
                "text": made.text, "labels": made.labels, "probabilities": made.probabilities, "scores": made.scores,
                "intercepts": only_named(found.intercepts), "contributions": listed,
            }
        )  # fmt: skip
        return
    for name in wanted:
        print_explanation(found, name, top)


cli.add_command(score)


def main() -> NoReturn:
    """Run a command; a user's mistake ends in one line and exit code 2."""
    # NumPy would start threads for products of matrices, which no command makes, and a short one takes a fifth longer.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
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
