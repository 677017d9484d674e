"""Web archives → the pages in them, one at a time; damage ends an archive, never a run."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import IO, Any, Final

from stance.pages import LARGEST_PAGE
from stance.records import InputError

_SHOWN: Final = 2_000
_MOST_HEADERS: Final = 1 << 20
_BLOCK: Final = 1 << 16
_TYPES: Final = ("response", "resource", "conversion")
_KINDS: Final = {"text/html": "html", "application/xhtml+xml": "html", "text/plain": "txt"}
_NUMBER: Final = re.compile("[0-9]{1,18}")
_DAY: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T|\Z)")
_CHARSET: Final = re.compile(r""";\s*charset\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE)
# Python knows more encodings than the web, and not all of them are harmless: punycode takes quadratic time.
_WEB_CHARSETS: Final = re.compile(
    "(?:us-)?ascii|utf-?(?:8|16|32)|iso-?(?:8859|2022)|latin|windows-|cp|koi8|gb|big5|shift|sjis|euc|mac|tis"
)
_CHUNK: Final = re.compile(rb"(?:\r?\n)?([0-9a-fA-F]{1,8})[ \t]*(?:;[^\n]{0,999})?\r?\n")
# zlib's window bits: gzip; zlib, and what is sent for it without a header.
_WINDOWS: Final = {"gzip": (31,), "x-gzip": (31,), "deflate": (15, -15)}


@dataclass(frozen=True, slots=True)
class WebRecord:
    """One page of a web archive.

    Attributes
    ----------
    number
        Position among all records of the archive, from 1.
    url
        Where the page stood; empty where the record does not say.
    date
        Day of its capture, ``YYYY-MM-DD``, or empty.
    kind
        ``"html"`` or ``"txt"``.
    body
        The page without transfer and content encoding. Plain text is UTF-8 where its character set was named.
    problem
        Why the body is not the whole page, in one line; it is then cut to 2,000 bytes. Empty where all is well.
    """

    number: int
    url: str
    date: str
    kind: str
    body: bytes
    problem: str = ""


class _DamagedError(Exception):
    """The archive cannot be read on."""


class _BodyError(Exception):
    """One body cannot be given whole."""


def require_warc() -> None:
    """Make sure that web archives can be read.

    Raises
    ------
    InputError
        If warcio is not installed.
    """
    if find_spec("warcio") is None:
        raise InputError("reading web archives needs warcio; install stance-news[warc]")


def read_warc(stream: IO[bytes]) -> Iterator[WebRecord]:
    """Read the pages of a web archive in order.

    Pages are the records of type response, resource and conversion that hold HTML or plain text and, where they
    came by HTTP, have status 200. All others are passed over.

    Parameters
    ----------
    stream
        A WARC file, already decompressed.

    Yields
    ------
    WebRecord
        Where the archive is damaged, the last one says so and what follows it is lost.

    Raises
    ------
    InputError
        If warcio is not installed.
    """
    require_warc()
    from warcio.limitreader import LimitReader
    from warcio.statusandheaders import StatusAndHeadersParser, StatusAndHeadersParserException

    # warcio's own iterator writes to stderr, unpacks a second time, and gathers a line of any length; its parser of
    # headers does not.
    parser = StatusAndHeadersParser(["WARC/"])
    reader = _Reader(stream)
    number = 0
    try:
        while line := reader.first_line():
            number += 1
            headers = parser.parse(reader, line)
            length = headers.get_header("Content-Length", "").strip()
            if not _NUMBER.fullmatch(length):
                raise _DamagedError("a record without a valid Content-Length")
            content = LimitReader(reader, int(length))
            page = _page(headers, content, number)
            while content.read(_BLOCK):
                pass
            if page:
                yield page if not content.limit else _cut(page, "the archive ends within it")
            if content.limit:
                raise _DamagedError("the archive ends within a record")
    except StatusAndHeadersParserException:
        yield _damage(number, "no WARC header where a record should begin")
    except (_DamagedError, OSError, EOFError, zlib.error) as error:
        yield _damage(number, " ".join(str(error).split())[:200] or type(error).__name__)


class _Reader:
    """Reads blocks and lines, and no more than 1 MiB of headers: a file without line ends is not gathered whole."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._block = b""
        self._at = 0
        self._headers_left = 0

    def first_line(self) -> bytes:
        """Return the first line of the next record; empty at the end."""
        self._headers_left = _MOST_HEADERS
        while (line := self.readline()) and not line.strip():
            pass
        return line

    def read(self, size: int) -> bytes:
        if self._at == len(self._block):
            self._block, self._at = self._stream.read(_BLOCK), 0
        taken = self._block[self._at : self._at + size]
        self._at += len(taken)
        return taken

    def readline(self, limit: int = _MOST_HEADERS) -> bytes:
        pieces: list[bytes] = []
        while limit and (piece := self.read(1)):
            end = self._block.find(b"\n", self._at - 1) + 1 or len(self._block)
            piece += self.read(min(end - self._at, limit - 1)) if end > self._at else b""
            pieces.append(piece)
            limit -= len(piece)
            self._headers_left -= len(piece)
            if self._headers_left < 0:
                raise _DamagedError(f"no end of a header within {_MOST_HEADERS >> 20} MiB")
            if piece.endswith(b"\n"):
                break
        return b"".join(pieces)


def _page(headers: Any, content: Any, number: int) -> WebRecord | None:
    """Return the page that a record holds; None where it holds none."""
    from warcio.statusandheaders import StatusAndHeadersParser

    record_type = headers.get_header("WARC-Type", "")
    if record_type not in _TYPES:
        return None
    url = headers.get_header("WARC-Target-URI", "").strip("<> ")
    content_type, coding, transfer = headers.get_header("Content-Type", ""), "", ""
    if record_type == "response" and (content_type.startswith("application/http") or url.startswith("http")):
        try:
            sent = StatusAndHeadersParser([], verify=False).parse(content)
        except EOFError:
            return None
        if sent.statusline.split(" ")[0] != "200":
            return None
        content_type = sent.get_header("Content-Type", "")
        coding, transfer = sent.get_header("Content-Encoding", ""), sent.get_header("Transfer-Encoding", "")
    kind = _KINDS.get(content_type.partition(";")[0].strip().lower())
    if kind is None:
        return None
    day = _DAY.match(headers.get_header("WARC-Date", ""))
    page = WebRecord(number, url, day[1] if day else "", kind, _read(content, LARGEST_PAGE + 1))
    try:
        body = _short(page.body)
        if "chunked" in transfer.lower():
            body = _without_chunks(body)
        for name in reversed(coding.lower().split(",")):
            body = _inflated(body, name.strip())
        return replace(page, body=_short(_in_utf8(body, content_type, kind)))
    except _BodyError as error:
        return _cut(page, str(error))


def _read(content: Any, size: int) -> bytes:
    pieces: list[bytes] = []
    while size and (piece := content.read(min(size, _BLOCK))):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _short(body: bytes) -> bytes:
    if len(body) > LARGEST_PAGE:
        raise _BodyError(f"longer than {LARGEST_PAGE >> 20} MiB")
    return body


def _cut(page: WebRecord, problem: str) -> WebRecord:
    return replace(page, body=page.body[:_SHOWN], problem=problem)


def _damage(number: int, reason: str) -> WebRecord:
    return WebRecord(max(number, 1), "", "", "txt", b"", f"damaged from here on: {reason}")


def _without_chunks(raw: bytes) -> bytes:
    """Join the chunks of HTTP's transfer encoding; many archives hold the body joined, and the header as it was."""
    pieces: list[bytes] = []
    at = 0
    while match := _CHUNK.match(raw, at):
        size = int(match[1], 16)
        if not size:
            return b"".join(pieces)
        pieces.append(raw[match.end() : match.end() + size])
        at = match.end() + size
    if len(pieces) < 2 and at < len(raw):
        return raw
    raise _BodyError("damaged transfer encoding")


def _inflated(raw: bytes, coding: str) -> bytes:
    if coding in ("", "identity", "none"):
        return raw
    if coding not in _WINDOWS:
        raise _BodyError(f"content encoding {coding[:40]!r} cannot be read")
    for bits in _WINDOWS[coding]:
        unpacker = zlib.decompressobj(bits)
        try:
            body = unpacker.decompress(raw, LARGEST_PAGE + 1)
        except zlib.error:
            continue
        if len(body) <= LARGEST_PAGE and not unpacker.eof:
            raise _BodyError("damaged content encoding")
        return _short(body)
    # Some archives hold the body unpacked, and the header as it was.
    if raw.lstrip().startswith(b"<"):
        return raw
    raise _BodyError("damaged content encoding")


def _in_utf8(body: bytes, content_type: str, kind: str) -> bytes:
    """Return text in UTF-8, if its character set is named and fits; a page that names its own stays as it is."""
    named = _CHARSET.search(content_type)
    if not named or (kind == "html" and b"charset" in body[:_SHOWN].lower()):
        return body
    name = named[1].lower()
    if not _WEB_CHARSETS.match(name) or (not body.isascii() and _decoded(body, "utf-8") is not None):
        return body
    # What calls itself Latin-1 on the web is Windows-1252.
    names = ("cp1252", "latin-1") if name in ("iso-8859-1", "latin-1", "latin1", "us-ascii", "ascii") else (name,)
    found = next((text for each in names if (text := _decoded(body, each)) is not None), None)
    return body if found is None else found.encode("utf-8", "replace")


def _decoded(body: bytes, name: str) -> str | None:
    try:
        return body.decode(name)
    except (LookupError, ValueError):
        return None
