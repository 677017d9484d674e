"""A run over many articles, to a file that appears whole or to a folder of parts that can be gone on with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, fields, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from stance.batch import Outcome, Scorer, Summary, outcomes
from stance.feed import BLOCK_BYTES, Block, Feed
from stance.outputs import RowWriter, Stream, TableWriter, with_duplicate
from stance.parts import PartFolder
from stance.records import InputError, Reject, RunError
from stance.scoring import columns_of

if TYPE_CHECKING:
    from stance.duplicates import DuplicateIndex

PART_BYTES: Final = 32 << 20
INDEX: Final = "_duplicates.sqlite"


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
        self, feed: Feed, folder: PartFolder, *, part_bytes: int = PART_BYTES, index: DuplicateIndex | None = None
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
        if folder.ended is not None:
            return
        folder.skip(feed)
        if index is not None:
            index.rewind(len(folder.parts))
        blocks = feed.blocks(part_bytes=part_bytes, part=len(folder.parts))
        try:
            with closing(outcomes(self.scorer, blocks, self._jobs)) as made:
                for first in made:
                    self._write_part(chain([first], made), folder, index)
            folder.end(asdict(self.counts))
        except (InputError, RunError) as error:
            raise RunError(f"{error}; {folder.remedy()}") from error

    def _write_part(
        self, made: Iterator[tuple[Block, Outcome]], folder: PartFolder, index: DuplicateIndex | None
    ) -> None:
        before = replace(self.counts)
        number = len(folder.parts)
        with folder.part(number) as part, _writing(part, self.scorer) as put:
            for block, outcome in made:
                part.rejects += outcome.rejects
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
            if self._most is not None and number > self._most:
                raise RunError(
                    f"{reject.place}: {reject.reason} (reject {number:,}, where --max-rejects is {self._most:,}); "
                    "mend it, or allow more"
                )
        self._on_progress(self.counts, block.read)


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


def settings_of(scorer: Scorer, part_bytes: int, input_format: str | None) -> dict[str, Any]:
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
    }
