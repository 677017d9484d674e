"""A web page → its main text, found by trafilatura in a child process that may hang or fall without harm to the run."""

from __future__ import annotations

import faulthandler
import json
import os
import re
import signal
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Final

from stance.pages import LARGEST_PAGE, ExtractionError, Page, read_page
from stance.records import InputError

__all__ = [
    "EXTRACTION_BYTES",
    "EXTRACTION_SECONDS",
    "LARGEST_PAGE",
    "ExtractionError",
    "Extractor",
    "Page",
    "require_html",
]

EXTRACTION_SECONDS: Final = 20.0
EXTRACTION_BYTES: Final = 256 << 20
_LARGEST_ANSWER: Final = 8 * LARGEST_PAGE
# The time to import trafilatura, which a page has not to answer for.
_START_SECONDS: Final = 60.0
# What the child needs to say that the limit is too low for anything.
_LEAST_ROOM: Final = 32 << 20
# For a child that has stopped answering to end by itself, with the exit code that tells why.
_END_SECONDS: Final = 5.0
_LENGTH: Final = struct.Struct(">I")
_INSTALL: Final = "reading HTML needs trafilatura; install stance-news[html]"
# trafilatura takes these where it finds them: the text of a page would depend on what else is installed.
_NOT_WANTED: Final = ("brotli", "cchardet", "py3langid")


class _ChildFailedError(ExtractionError):
    """The child ended over a page: perhaps by what the pages before had left in it."""


def require_html() -> None:
    """Make sure that HTML can be read.

    Raises
    ------
    InputError
        If trafilatura is not installed.
    """
    if find_spec("trafilatura") is None:
        raise InputError(_INSTALL)


class Extractor:
    """Finds the main text of web pages, one after the other, for one thread.

    The pages go to a child process, which is started with the first page, kept for the next ones, and replaced where
    it has failed. It ends with `close`, or by itself when this process is gone.

    Parameters
    ----------
    seconds
        Time for one page.
    memory
        Address space of the child, in bytes; not limited where the system cannot do it, as on Windows.
    """

    def __init__(self, *, seconds: float = EXTRACTION_SECONDS, memory: int = EXTRACTION_BYTES) -> None:
        self._seconds = seconds
        self._memory = memory
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Extractor:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def extract(self, html: bytes, url: str = "") -> Page:
        """Find the main text of a page; the same page always gives the same.

        Parameters
        ----------
        html
            The page as it was sent, in any encoding, at most 16 MiB.
        url
            Where it stood; never fetched, only read for its host and date.

        Returns
        -------
        Page

        Raises
        ------
        ExtractionError
            If the page has no main text, or reading it takes too much time or memory, or ends the child.
        InputError
            If trafilatura, or something that it needs, is not installed.
        """
        if len(html) > LARGEST_PAGE:
            raise ExtractionError(f"longer than {LARGEST_PAGE >> 20} MiB")
        if self._child is not None and self._child.poll() is not None:
            self.close()
        fresh = self._child is None
        try:
            answer = self._ask(html, url)
        except _ChildFailedError:
            # In a fresh child it is the page alone that counts.
            if fresh:
                raise
            answer = self._ask(html, url)
        if "reject" in answer:
            raise ExtractionError(answer["reject"])
        return Page(**answer["page"])

    def close(self) -> None:
        """End the child, if there is one; another page would start the next."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            # What was not sent yet cannot be sent any more.
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]

    def _ask(self, html: bytes, url: str) -> dict[str, Any]:
        if self._child is None:
            self._child = self._start()
            answer = self._wait_for(self._child, (), _START_SECONDS)
            if "missing" in answer:
                self.close()
                raise InputError(f"{_INSTALL} ({answer['missing']})")
        answer = self._wait_for(self._child, (json.dumps(url).encode(), html), self._seconds)
        if "memory" in answer:
            self.close()
            raise _ChildFailedError(f"extraction needed more than {self._memory >> 20} MiB")
        return answer

    def _start(self) -> subprocess.Popen[bytes]:
        # The child imports what this process would, but nothing that lies about in the working directory (-P).
        path = os.pathsep.join(filter(None, sys.path))
        try:
            return subprocess.Popen(  # noqa: S603 - this interpreter, this module
                [sys.executable, "-P", "-m", "stance.extraction", str(self._seconds), str(self._memory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                close_fds=True,
                # One heap for all threads: each further one would count 64 MiB of address space.
                env={**os.environ, "PYTHONPATH": path, "MALLOC_ARENA_MAX": "1"},
            )
        except OSError as error:
            raise ExtractionError(f"extraction cannot be started: {error.strerror or error}") from error

    def _wait_for(self, child: subprocess.Popen[bytes], frames: tuple[bytes, ...], seconds: float) -> dict[str, Any]:
        """Send a request and read the answer.

        The child reads all of a request before it writes, so neither waits for the other; when the time is up it is
        killed, which ends any waiting here, on every system.
        """
        late = threading.Event()

        def end() -> None:
            late.set()
            child.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        answer = None
        try:
            with suppress(OSError):
                _send(child.stdin, *frames)  # type: ignore[arg-type]
                answer = _receive(child.stdout, _LARGEST_ANSWER)  # type: ignore[arg-type]
        except BaseException:
            # Interrupted half way, the next page would get the answer to this one.
            self.close()
            raise
        finally:
            timer.cancel()
            timer.join()
        if answer is None:
            with suppress(subprocess.TimeoutExpired):
                child.wait(_END_SECONDS)
        if late.is_set() or answer is None:
            self.close()
        if answer is not None:
            found: dict[str, Any] = json.loads(answer)
            return found
        if late.is_set():
            raise ExtractionError(f"extraction took longer than {seconds:g} s")
        raise _ChildFailedError(f"extraction ended with exit code {child.returncode}")


def _send(stream: IO[bytes], *frames: bytes) -> None:
    for frame in frames:
        stream.write(_LENGTH.pack(len(frame)))
        stream.write(frame)
    stream.flush()


def _receive(stream: IO[bytes], largest: int) -> bytes | None:
    """Read one frame; None where the other side is gone, or sends what it never should."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size or (length := _LENGTH.unpack(head)[0]) > largest:
        return None
    frame = stream.read(length)
    return frame if len(frame) == length else None


# From here on: what runs in the child.


def _serve(seconds: float, memory: int) -> None:
    """Answer requests until stdin is closed, as it is when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # Whatever a library prints must not come between the answers.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    for name in _NOT_WANTED:
        sys.modules[name] = None  # type: ignore[assignment] # importing it now fails
    try:
        import trafilatura
    except ImportError as error:
        _send(answers, json.dumps({"missing": " ".join(str(error).split())}).encode())
        return
    del trafilatura
    # trafilatura catches errors and goes on with half a page, those for want of memory too. So nothing is refused to a
    # page that stays within the limit, and one that went beyond it is found out afterwards.
    _limit_memory(max(memory + memory // 4, _peak() + _LEAST_ROOM))
    _send(answers, b"{}")
    while (url := _receive(requests, LARGEST_PAGE)) is not None:
        # Should the parent be killed over this page, nobody else would end a child that hangs.
        faulthandler.dump_traceback_later(seconds + 10, exit=True, file=nowhere)
        try:
            html = _receive(requests, LARGEST_PAGE)
            answer = _answer(html, json.loads(url)) if html is not None else {}
            html = None
            too_much = _peak() > memory
        except MemoryError:
            too_much = True
        _send(answers, json.dumps({"memory": True} if too_much else answer).encode())
        faulthandler.cancel_dump_traceback_later()
        if too_much:
            return


def _limit_memory(size: int) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    # Some systems know the limit and do not let it be set.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (size if hard == resource.RLIM_INFINITY else min(size, hard), hard))


def _peak() -> int:
    """Return the most address space that this process has had, in bytes; 0 where the system does not tell."""
    with suppress(OSError):
        found = re.search(r"VmPeak:\s+([0-9]+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
        return 1024 * int(found[1]) if found else 0
    return 0


def _answer(html: bytes, url: str) -> dict[str, Any]:
    try:
        return {"page": asdict(read_page(html, url))}
    except ExtractionError as error:
        return {"reject": str(error)}


if __name__ == "__main__":
    _serve(float(sys.argv[1]), int(sys.argv[2]))
