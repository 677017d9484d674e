"""Blocks of records → what came of them, in one process or several, in the order of the blocks."""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from stance.feed import Block
from stance.model import Model
from stance.outputs import encoded
from stance.reading import Columns, Found, Reading
from stance.records import Article, InputError, Reject, RunError, StanceError
from stance.scoring import ENGLISH, PLAIN, Scored, Shape, score_article

# Blocks handed out for each process: enough to keep it busy while a group of rows is packed or a part put on the disk.
_AHEAD: Final = 5


@dataclass
class Summary:
    """Counts of one run: ``articles == scored + rejects``."""

    articles: int = 0
    scored: int = 0
    rejects: int = 0
    statements: int = 0
    labelled: int = 0
    foreign: int = 0
    duplicates: int = 0

    def add(self, other: Summary) -> None:
        """Add the counts of a piece of the run."""
        for name, count in vars(other).items():
            setattr(self, name, getattr(self, name) + count)


@dataclass(frozen=True, slots=True)
class Plan:
    """What every process of a run has to know.

    Attributes
    ----------
    folder
        Folder of the model, None for the default model.
    thresholds
        Its thresholds.
    columns
        Columns or fields of the input.
    kind
        ``jsonl``, ``csv``, ``parquet``, or ``scored``: nothing is encoded.
    shape
        What rows look like.
    any_language
        Whether articles in other languages than English are labelled.
    """

    folder: Path | None
    thresholds: tuple[float, ...]
    columns: Columns
    kind: str = "jsonl"
    shape: Shape = PLAIN
    any_language: bool = False


@dataclass(slots=True)
class Outcome:
    """What came of a block.

    Attributes
    ----------
    pieces
        Rows, encoded: for parquet one record batch, else those of each article where duplicates are looked for.
    marks
        Where duplicates are looked for: id, signature and number of rows of each article.
    rejects
        In their order.
    counts
        Of the block.
    """

    pieces: list[Any] = field(default_factory=list)
    marks: list[tuple[str, bytes, int]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    counts: Summary = field(default_factory=Summary)


class Scorer:
    """Scores blocks, in whichever process it is.

    Parameters
    ----------
    plan
        What is to be made.
    model
        The model that the plan names.
    """

    def __init__(self, plan: Plan, model: Model) -> None:
        self.plan, self.model = plan, model
        self._reading = Reading(plan.columns)

    def close(self) -> None:
        """End what was started for reading."""
        self._reading.close()

    def __call__(self, records: list[Found]) -> Outcome:
        """Score the records of a block."""
        plan, made = self.plan, Outcome()
        articles: list[Article] = []
        for found in records:
            record = self._reading.read(found)
            if isinstance(record, Reject):
                made.rejects.append(record)
            elif plan.kind == "parquet":
                articles.append(record)
            else:
                scored = score_article(record, self.model, any_language=plan.any_language)
                self._count(scored, made)
                made.pieces.append(
                    scored if plan.kind == "scored" else encoded(scored, self.model, plan.kind, plan.shape)
                )
        if articles:
            from stance.arrow_rows import articles_batch, score_batch

            batch = score_batch(
                articles_batch(articles), self.model, plan.shape, any_language=plan.any_language,
                on_scored=lambda scored: self._count(scored, made),
            )  # fmt: skip
            made.pieces.append(batch)
        elif plan.kind in ("jsonl", "csv") and not plan.shape.duplicates:
            # One large piece goes from process to process more quickly than many.
            made.pieces = [b"".join(made.pieces)]
        made.counts.articles, made.counts.rejects = len(records), len(made.rejects)
        return made

    def _count(self, scored: Scored, made: Outcome) -> None:
        counts = made.counts
        labelled = int(scored.given.any(axis=1).sum())
        counts.scored += 1
        counts.statements += len(scored.spans)
        counts.labelled += labelled
        counts.foreign += scored.article.language != ENGLISH
        shape = self.plan.shape
        if shape.duplicates:
            from stance.signatures import signature

            rows = 1 if shape.nested else labelled if shape.only_labelled else len(scored.spans)
            made.marks.append((scored.article.id, signature(scored.article.text), rows))


def outcomes(scorer: Scorer, blocks: Iterable[Block], jobs: int) -> Generator[tuple[Block, Outcome], None, None]:
    """Score blocks; what comes out has the order of what goes in.

    Parameters
    ----------
    scorer
        Does the work where there is one job, and says what others have to do.
    blocks
        Are taken as they are needed, so that there are never many of them in memory.
    jobs
        Processes.

    Raises
    ------
    RunError
        If a process was ended from outside.
    """
    if jobs == 1:
        for block in blocks:
            outcome = scorer(block.records)
            # What is done with takes no memory from what comes next.
            block.records.clear()
            yield block, outcome
        return
    # Threads would have to wait for each other: splitting, parsing and encoding hold the interpreter's lock.
    from joblib.externals.loky import ProcessPoolExecutor
    from joblib.externals.loky.process_executor import BrokenProcessPool

    start = (scorer.plan, scorer.model.id, os.getpid())
    with _without_interrupts():
        executor = ProcessPoolExecutor(max_workers=jobs, initializer=_start_worker, initargs=start)
    waiting: deque[tuple[Block, Any]] = deque()
    failures: list[StanceError] = []
    whole = False
    try:
        for block in _until_failure(blocks, failures):
            # The first one starts the processes, which an interrupt from the keyboard is not meant for.
            with nullcontext() if waiting else _without_interrupts():
                waiting.append((replace(block, records=[]), executor.submit(_work, block.records)))
            if len(waiting) > _AHEAD * jobs:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
        whole = True
        for failure in failures:
            raise failure
    except BrokenProcessPool as error:
        raise RunError("a worker process was ended from outside, or found no memory; use fewer --jobs") from error
    finally:
        if not whole:
            _forget_what_waits(executor)
        executor.shutdown(wait=True, kill_workers=not whole)


def _forget_what_waits(executor: Any) -> None:
    # The thread that hands out work dies of a KeyError where it finds some after it has ended the processes (loky 3.6),
    # and nothing public takes work back from it.
    with suppress(queue.Empty):
        while True:
            executor._work_ids.get_nowait()


def _until_failure(blocks: Iterable[Block], failures: list[StanceError]) -> Iterator[Block]:
    # What was found until then is scored first, as it is where there is one job.
    try:
        yield from blocks
    except StanceError as error:
        failures.append(error)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Ignore interrupts, so that processes which are started do so all their life."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


_worker: Scorer | StanceError | None = None


def _start_worker(plan: Plan, model_id: str, parent: int) -> None:
    global _worker  # noqa: PLW0603 - what a process has for all its blocks
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    from stance.store import load

    try:
        model = load(plan.folder)
        if model.id != model_id:
            raise InputError(f"{plan.folder}: has changed since the run began; start it again")
        _worker = Scorer(plan, replace(model, thresholds=np.array(plan.thresholds)))
    except StanceError as error:
        # Raised here, it would end the process without a word to anybody.
        _worker = error


def _end_with(parent: int) -> None:
    # Killed, the process that hands out the work cannot say so.
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _work(records: list[Found]) -> Outcome:
    if not isinstance(_worker, Scorer):
        raise _worker or RunError("a worker process was not started; start the run again")
    return _worker(records)
