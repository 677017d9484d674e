"""A run over many articles, to a file that appears whole or to a folder of parts that can be gone on with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, fields, replace
from importlib.metadata import version
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from stance.batch import Outcome, Scorer, Summary, outcomes
from stance.feed import BLOCK_BYTES, Block, Feed
from stance.inputs import Input
from stance.outputs import RowWriter, Stream, TableWriter, with_duplicate
from stance.parts import PartFolder
from stance.records import InputError, Reject, RunError
from stance.scoring import columns_of

if TYPE_CHECKING:
    from stance.duplicates import DuplicateIndex

INDEX: Final = "_duplicates.sqlite"


class TooManyRejectsError(RunError):
    """A run was told to stop at so many rejects."""


class Run:
    """Scores a feed.

    Parameters
    ----------
    scorer
        Says what is made of an article.
    jobs
        Processes that make it.
    on_reject
        Is handed each reject, after what came before it was written.
    on_progress
        Is told after each block: the counts so far, and how many bytes of the input were read.
    most_rejects
        One more ends the run; None where there may be any number.

    Attributes
    ----------
    scorer
        As passed in.
    counts
        What came of the run so far.
    """

    def __init__(
        self,
        scorer: Scorer,
        *,
        jobs: int = 1,
        on_reject: Callable[[Reject], object] = lambda _: None,
        on_progress: Callable[[Summary, int], object] = lambda *_: None,
        most_rejects: int | None = None,
    ) -> None:
        self.counts = Summary()
        self.scorer, self._jobs, self._most = scorer, jobs, most_rejects
        self._on_reject, self._on_progress = on_reject, on_progress

    def each(
        self, blocks: Iterable[Block], put: Callable[[list[Any]], object], index: DuplicateIndex | None = None
    ) -> None:
        """Hand over the rows of every block.

        Raises
        ------
        RunError
            If there are more rejects than there may be, or a process was ended from outside.
        """
        with closing(outcomes(self.scorer, blocks, self._jobs)) as made:
            for block, outcome in made:
                self._take(block, outcome, put, index)

    def to_stream(
        self, feed: Feed, stream: Stream, *, block_bytes: int = BLOCK_BYTES, index: DuplicateIndex | None = None
    ) -> None:
        """Write all rows to one open stream; raises what `each` raises."""
        with _writing(stream, self.scorer) as put:
            self.each(feed.blocks(block_bytes=block_bytes), put, index)

    def to_folder(
        self, feed: Feed, folder: PartFolder, *, part_bytes: int, index: DuplicateIndex | None = None
    ) -> None:
        """Write what is left to the parts of a folder.

        Parameters
        ----------
        feed
            From its beginning; what the folder's parts hold is passed over.
        folder
            Where the parts go.
        part_bytes
            Bytes of the input for each part.
        index
            Of the articles in the folder.

        Raises
        ------
        InputError
            If the input is not what the parts were made of.
        RunError
            As `each` does, or if something cannot be written; the parts until then stay.
        """
        for part in folder.parts:
            self.counts.add(_counts_in(part))
        if folder.ended is not None and feed.can_be_told:
            return
        folder.skip(feed)
        if folder.ended is not None:
            if next(feed.blocks(), None) is not None:
                raise InputError(f"{folder.folder}: was made of another input; name an empty folder")
            return
        if index is not None:
            index.rewind(len(folder.parts))
            known = folder.parts[-1]["index"] if folder.parts else 0
            if index.count() != known:
                counts = f"{index.count():,} articles, and not the {known:,} of the parts that are whole"
                raise InputError(f"{folder.folder / INDEX}: holds {counts}; begin again in an empty folder")
        self._check_rejects(self.counts.rejects, "what was done before")
        blocks = feed.blocks(part_bytes=part_bytes, part=len(folder.parts))
        try:
            with closing(outcomes(self.scorer, blocks, self._jobs)) as made:
                for first in made:
                    self._write_part(chain([first], made), folder, index)
            folder.end(asdict(self.counts))
        except TooManyRejectsError as error:
            raise RunError(f"{error}; {folder.state()}") from error
        except (InputError, RunError) as error:
            raise RunError(f"{error}; {folder.state()}: the same command goes on from there") from error

    def _write_part(
        self, made: Iterator[tuple[Block, Outcome]], folder: PartFolder, index: DuplicateIndex | None
    ) -> None:
        before = replace(self.counts)
        number = len(folder.parts)
        with folder.part(number) as part, _writing(part.rows, self.scorer) as put:
            for block, outcome in made:
                for reject in outcome.rejects:
                    part.reject(reject)
                self._take(block, outcome, put, index)
                if block.ends_part:
                    break
        more = {}
        if index is not None:
            # Entries that the manifest does not know of yet are forgotten when the run is gone on with.
            index.commit()
            more["index"] = index.count()
        counts = {name: count - getattr(before, name) for name, count in asdict(self.counts).items()}
        folder.add(number, part, block, counts, **more)

    def _take(
        self, block: Block, outcome: Outcome, put: Callable[[list[Any]], object], index: DuplicateIndex | None
    ) -> None:
        if index is not None:
            _mark(outcome, index, self.scorer.plan.kind, block.part)
        before = self.counts.rejects
        self.counts.add(outcome.counts)
        put(outcome.pieces)
        outcome.pieces = []
        for number, reject in enumerate(outcome.rejects, before + 1):
            self._on_reject(reject)
            self._check_rejects(number, f"{reject.place}: {reject.reason}")
        self._on_progress(self.counts, block.read)

    def _check_rejects(self, number: int, what: str) -> None:
        if self._most is not None and number > self._most:
            most = f"reject {number:,}, where --max-rejects is {self._most:,}"
            raise TooManyRejectsError(f"{what} ({most}); mend it, or allow more")


@contextmanager
def _writing(stream: Stream, scorer: Scorer) -> Iterator[Callable[[list[Any]], None]]:
    """Open a writer of a plan's rows, which ends the file where no error does."""
    plan, model = scorer.plan, scorer.model
    writer: RowWriter | TableWriter
    if plan.kind == "parquet":
        from stance.arrow_rows import schema_of

        writer = TableWriter(stream, schema_of(model, plan.shape))
    else:
        writer = RowWriter(stream, plan.kind, columns_of(model, plan.shape))

    def put(pieces: list[Any]) -> None:
        for piece in pieces:
            writer.put(piece)
        # Someone may be waiting at the other end.
        stream.flush()

    try:
        yield put
        writer.close()
    except BaseException:
        writer.drop()
        raise


def _mark(made: Outcome, index: DuplicateIndex, kind: str, part: int) -> None:
    """Fill ``duplicate_of`` in, and count."""
    names = [index.find_or_add(signature, name, part) for name, signature, _ in made.marks]
    made.counts.duplicates = sum(name is not None for name in names)
    if kind == "parquet":
        import pyarrow as pa

        for n, batch in enumerate(made.pieces):
            values = [name for name, (_, _, rows) in zip(names, made.marks, strict=True) for _ in range(rows)]
            column = pa.array(values, pa.string())
            made.pieces[n] = batch.set_column(batch.num_columns - 1, batch.schema.field("duplicate_of"), column)
    else:
        pairs = zip(made.pieces, names, strict=True)
        made.pieces = [with_duplicate(piece, kind, name) if name is not None else piece for piece, name in pairs]


def _counts_in(part: dict[str, Any]) -> Summary:
    return Summary(**{each.name: part[each.name] for each in fields(Summary)})


def settings_of(scorer: Scorer, part_bytes: int, input_format: str | None, inputs: Iterable[Input]) -> dict[str, Any]:
    """Return all that the rows of a run depend on beside its inputs, as it stands in a manifest."""
    from stance import __version__

    plan, model = scorer.plan, scorer.model
    return {
        "stance": __version__,
        "model": model.id,
        "weights_sha256": model.about.get("weights_sha256", ""),
        "thresholds": dict(zip(model.labels.names, plan.thresholds, strict=True)),
        "input_format": input_format,
        "columns": asdict(plan.columns),
        "shape": asdict(plan.shape),
        "any_language": plan.any_language,
        "part_bytes": part_bytes,
        "libraries": {name: version(name) for name in _libraries(plan.kind, inputs)},
    }


def _libraries(kind: str, inputs: Iterable[Input]) -> list[str]:
    """Name those whose version may show in a row."""
    pages = any(each.kind in ("html", "warc") for each in inputs)
    return [*(["pyarrow"] if kind == "parquet" else []), *(["trafilatura"] if pages else [])]
