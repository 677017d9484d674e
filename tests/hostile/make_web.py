"""Hostile web pages and web archives."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable

from hostile.make import MIB, SENTENCE, bomb, made, plain

START = f"<!DOCTYPE html><html><head><title>Crane</title></head><body><article><p>{SENTENCE}</p>"
END = f"<p>{SENTENCE}</p></article></body></html>"

plain("tags-in-each-other.html", START, "<div>", 100_000, END)
plain("bold-in-each-other.html", START, "<b><i>", 100_000, SENTENCE + END)
plain("tables-in-each-other.html", START, "<table><tr><td>", 30_000, END)
plain("paragraphs.html", START, "<p>He denied it.", 100_000, END, slow=True)
plain("paragraphs-of-a-letter.html", START, "<p>a", 500_000, END)
plain("a-long-attribute.html", START + '<p class="', "x", 15 * MIB, '">' + END)
plain("many-attributes.html", START + "<p", " a", 1_000_000, ">" + END)
plain("attributes-of-their-own.html", START + "<p", " a=b c=d", 200_000, ">" + END)
plain("an-image-in-the-page.html", START + '<img src="data:image/png;base64,', "iVBORw0KGgo", 950_000, '">' + END)
plain("entities.html", START + "<p>", "&amp;&#x1f6a2;&nosuch;", 500_000, END)
plain("a-comment-that-never-ends.html", START + "<!--", " - ", 5_000_000)
plain("comments.html", START, "<!-- -->", 1_000_000, END)
plain("links.html", START, '<a href="/crane">The crane.</a> ', 200_000, END)
plain("links-that-never-close.html", START, "<a href=x>", 100_000, END)
plain("a-title-as-large-as-the-page.html", "<title>", "Crane - ", 1_900_000, "</title>" + START + END)
plain("a-title-of-spaces.html", "<title>a", " ", 10_000_000, "b</title>" + START + END)
plain(
    "a-headline-and-its-site.html",
    f'<meta property="og:site_name" content="{"-" * 2_000}"><title>',
    " - ",
    200_000,
    f"</title>{START}{END}",
)
plain("one-paragraph.html", START + "<p>", "word ", 3 * MIB, END)
plain("line-breaks.html", START, "<br>", 1_000_000, END)
plain("dates.html", START, "<time>1 1 2020 12.12.2020 2020-", 100_000, END)
plain("a-date-of-digits.html", START + '<meta name="date" content="', "2020-01-", 1_000_000, '">' + END)
plain(
    "metadata.html",
    "<head>" + '<meta property="og:title" content="Crane">' * 100_000,
    "<meta name=author content=a>",
    100_000,
    START + END,
)
plain(
    "json-in-the-page.html",
    START + '<script type="application/ld+json">{"@type":"NewsArticle","a":',
    "[",
    1_000_000,
    "</script>" + END,
)
plain(
    "json-with-quotes.html",
    START + '<script type="application/ld+json">{"@type":"NewsArticle","articleBody":"',
    '\\"',
    5_000_000,
    '"}</script>' + END,
)
plain("angle-brackets.html", START, "<", 10_000_000, END)
plain("processing.html", START, "<?x", 1_000_000, END)
plain("nul.html", START + "<p>", "a\0", 5_000_000, END)
plain("longer-than-a-page.html", START, "<p>" + SENTENCE, 300_000, END)
plain("framesets.html", "<html>", "<frameset><frame src=a>", 100_000, "</html>")
plain("forms-in-each-other.html", START, "<form><input><select><option>", 100_000, END)
plain("lists-in-each-other.html", START, "<ul><li>", 50_000, SENTENCE + END)
plain("quotations-in-each-other.html", START, "<blockquote><p>He denied it.</p>", 20_000, END)


@made("a-page-of-utf-16.html")
def _utf16() -> Iterable[bytes]:
    yield (START + "<p>He denied it.</p>" * 1_000 + END).encode("utf-16")


@made("a-page-of-utf-32.html")
def _utf32() -> Iterable[bytes]:
    yield (START + "<p>He denied it.</p>" * 1_000 + END).encode("utf-32")


# Web archives

PAGE = (START + END).encode()
HTTP = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"


def record(content: bytes, *, kind: str = "response", length: int | None = None, more: bytes = b"") -> bytes:
    """Return a record of a web archive."""
    head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: http://harbour.example/crane\r\n".encode()
    head += b"WARC-Date: 2020-01-02T03:04:05Z\r\nContent-Type: application/http; msgtype=response\r\n" + more
    size = len(content) if length is None else length
    return head + f"Content-Length: {size}\r\n\r\n".encode() + content + b"\r\n\r\n"


GOOD = record(HTTP + b"\r\n" + PAGE)


@made("a-body-that-unpacks-to-a-gigabyte.warc")
def _body_bomb() -> Iterable[bytes]:
    yield record(HTTP + b"Content-Encoding: gzip\r\n\r\n" + b"".join(bomb(bytes(MIB), 1))) + GOOD


@made("a-body-packed-a-hundred-times.warc")
def _many_codings() -> Iterable[bytes]:
    body = PAGE
    for _ in range(100):
        body = gzip.compress(body, 1, mtime=0)
    yield record(HTTP + b"Content-Encoding: " + b"gzip, " * 99 + b"gzip\r\n\r\n" + body) + GOOD


@made("a-hundred-thousand-codings.warc")
def _identities() -> Iterable[bytes]:
    yield record(HTTP + b"Content-Encoding: " + b"," * 900_000 + b"gzip\r\n\r\n" + gzip.compress(PAGE)) + GOOD


@made("chunks-of-a-byte.warc")
def _chunks() -> Iterable[bytes]:
    body = b"".join(b"1\r\n%c\r\n" % byte for byte in PAGE * 20) + b"1\r\na\r\n" * 2_000_000 + b"0\r\n\r\n"
    yield record(HTTP + b"Transfer-Encoding: chunked\r\n\r\n" + body) + GOOD


@made("a-chunk-of-four-gigabytes.warc")
def _large_chunk() -> Iterable[bytes]:
    yield record(HTTP + b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n" + PAGE) + GOOD


@made("a-record-of-a-petabyte.warc")
def _petabyte() -> Iterable[bytes]:
    yield GOOD + record(HTTP + b"\r\n" + PAGE * 1_000, length=10**15)


plain("tiny-records.warc", "", record(b"", kind="warcinfo"), 100_000, GOOD)
plain("records-of-no-page.warc", "", record(b"HTTP/1.1 404 No\r\n\r\n"), 50_000, GOOD)
plain("pages-without-a-text.warc", "", record(HTTP + b"\r\n<html></html>"), 300, GOOD)
plain("plain-text-records.warc", "", record(HTTP.replace(b"html", b"plain") + b"\r\nHe denied it."), 5_000)
plain("blank-lines.warc", "", "\r\n", 5_000_000, GOOD)
plain("a-header-that-never-ends.warc", "WARC/1.0\r\nX: ", "x", 50 * MIB)
plain("header-lines-that-never-end.warc", "WARC/1.0\r\n", "X: y\r\n", 5_000_000)
plain("headers-that-go-on.warc", "WARC/1.0\r\nX: y\r\n", " z\r\n", 200_000, GOOD)
plain("no-line-ends.warc", "", "x", 100 * MIB)
plain("a-header-of-http-that-never-ends.warc", "", record(HTTP + b"X: " + b"y" * (20 * MIB)), 1, GOOD)
plain("header-lines-of-http.warc", "", record(HTTP + b"X: y\r\n" * 150_000 + b"\r\n" + PAGE), 1, GOOD)
plain("a-large-record-of-no-page.warc", "", record(bytes(300 * MIB), kind="resource"), 1, GOOD)
plain("pages-as-large-as-may-be.warc", "", record(HTTP + b"\r\n" + PAGE + b" " * (16 * MIB - len(PAGE))), 3, GOOD)
made("zlib-body.warc")(
    lambda: [record(HTTP + b"Content-Encoding: deflate\r\n\r\n" + zlib.compress(bytes(200 * MIB))), GOOD]
)
