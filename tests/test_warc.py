"""Web archives → pages: what is taken, what is passed over, and damage of every kind, which never raises."""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import tracemalloc
import zlib
from typing import BinaryIO, Final, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance.pages import LARGEST_PAGE
from stance.records import InputError
from stance.warc import WebRecord, read_warc, require_warc

URL: Final = "https://post.example/port"
PAGE: Final = b"<html><body><p>Meren denied it.</p></body></html>"
HTTP: Final = "application/http;msgtype=response"
HTML: Final = "text/html; charset=utf-8"


def record(
    content: bytes, kind: str = "response", content_type: str = "application/http;msgtype=response", **more: str
) -> bytes:
    headers = {
        "WARC-Type": kind,
        "WARC-Target-URI": URL,
        "WARC-Date": "2021-03-04T11:06:07Z",
        "Content-Type": content_type,
        "Content-Length": str(len(content)),
    } | {name.replace("_", "-"): value for name, value in more.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value)
    return f"WARC/1.0\r\n{lines}\r\n".encode() + content + b"\r\n\r\n"


def http(body: bytes = PAGE, content_type: str = HTML, status: str = "200 OK", **more: str) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in more.items())
    return f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n{lines}\r\n".encode() + body


def read(archive: bytes) -> list[WebRecord]:
    found = list(read_warc(io.BytesIO(archive)))
    for each in found:
        assert "\n" not in each.problem
    return found


def one(archive: bytes) -> WebRecord:
    (found,) = read(archive)
    return found


INFO: Final = record(b"software: crawler\r\n", "warcinfo", "application/warc-fields")
GOOD: Final = record(http())


# What is taken


def test_a_response_gives_its_page() -> None:
    assert read(INFO + GOOD) == [WebRecord(2, URL, "2021-03-04", "html", PAGE)]


WRITER: Final = """
import io, sys
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter
url, page = sys.argv[1:]
writer = WARCWriter(sys.stdout.buffer, gzip=False)
headers = StatusAndHeaders("200 OK", [("Content-Type", "text/html")], protocol="HTTP/1.1")
writer.write_record(writer.create_warcinfo_record("a.warc", {"software": "crawler"}))
for number in range(3):
    payload = io.BytesIO(page.encode())
    writer.write_record(writer.create_warc_record(f"{url}/{number}", "response", payload, http_headers=headers))
"""


def test_what_the_library_itself_writes_is_read() -> None:
    # In a process of its own: it leaves temporary files open.
    run = subprocess.run([sys.executable, "-c", WRITER, URL, PAGE.decode()], capture_output=True, check=True)
    found = [(each.number, each.url, each.kind, each.body, each.problem) for each in read(run.stdout)]
    assert found == [(number + 2, f"{URL}/{number}", "html", PAGE, "") for number in range(3)]


@pytest.mark.parametrize(
    ("kind", "content_type", "expected"),
    [
        ("resource", "text/html", "html"),
        ("resource", "application/xhtml+xml; charset=UTF-8", "html"),
        ("conversion", "text/plain", "txt"),
        ("conversion", "Text/Plain;charset=utf-8", "txt"),
    ],
)
def test_resources_and_conversions_are_taken(kind: str, content_type: str, expected: str) -> None:
    found = one(record(PAGE, kind, content_type))
    assert (found.kind, found.body, found.problem) == (expected, PAGE, "")


@pytest.mark.parametrize(
    "passed_over",
    [
        record(b"GET / HTTP/1.1\r\nHost: post.example\r\n\r\n", "request", "application/http;msgtype=request"),
        record(b"fetchTimeMs: 12", "metadata", "application/warc-fields"),
        record(http(), "revisit"),
        record(http(status="404 Not Found")),
        record(http(status="301 Moved")),
        record(http(status="")),
        record(http(content_type="image/png")),
        record(http(content_type="")),
        record(PAGE, "resource", "image/svg+xml"),
        record(b"post.example. 60 IN A 192.0.2.1", "response", "text/dns", WARC_Target_URI="dns:post.example"),
        record(b"", "response"),
        record(b"\x16\x03\x01 no HTTP at all \0\0", "response"),
        record(PAGE, "", "text/html"),
    ],
)
def test_the_rest_is_passed_over_and_counted(passed_over: bytes) -> None:
    assert read(passed_over + GOOD) == [WebRecord(2, URL, "2021-03-04", "html", PAGE)]


def test_a_record_without_place_or_day_is_taken() -> None:
    found = one(record(http(), WARC_Target_URI="", WARC_Date="yesterday"))
    assert found == WebRecord(1, "", "", "html", PAGE)
    assert one(record(http(), WARC_Target_URI=f"<{URL}>")).url == URL


def test_an_empty_archive_holds_nothing() -> None:
    assert read(b"") == read(b"\r\n\r\n") == []


# Encodings of the transfer


def chunks(body: bytes, size: int = 7) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x;a=b\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(PAGE)),
        ("X-GZIP", gzip.compress(PAGE)),
        ("deflate", zlib.compress(PAGE)),
        ("deflate", raw_deflate(PAGE)),
        ("identity", PAGE),
        ("deflate, gzip", gzip.compress(zlib.compress(PAGE))),
        # The archive holds it unpacked already.
        ("gzip", PAGE),
        ("deflate", PAGE),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_content_and_transfer_encoding_are_undone(coding: str, packed: bytes, chunked: bool) -> None:
    more = {"Content_Encoding": coding} | ({"Transfer_Encoding": "chunked"} if chunked else {})
    found = one(record(http(chunks(packed) if chunked else packed, **more)))
    assert (found.body, found.problem) == (PAGE, "")


@pytest.mark.parametrize("body", [PAGE, b"2021\r\nMeren denied it.", b"a\nb", b"", b"Meren"])
def test_a_body_that_is_not_in_chunks_stays_as_it_is(body: bytes) -> None:
    assert one(record(http(body, "text/plain", Transfer_Encoding="chunked"))).body == body


@given(st.binary(max_size=300), st.integers(1, 50))
def test_chunks_are_joined(body: bytes, size: int) -> None:
    assert one(record(http(chunks(body, size), "text/plain", Transfer_Encoding="chunked"))).body == body


@pytest.mark.parametrize(
    ("body", "more", "problem"),
    [
        (PAGE, {"Content_Encoding": "br"}, "content encoding 'br' cannot be read"),
        (b"\x1f\x8b\x08 no gzip", {"Content_Encoding": "gzip"}, "damaged content encoding"),
        (gzip.compress(PAGE)[:-12], {"Content_Encoding": "gzip"}, "damaged content encoding"),
        (chunks(PAGE)[:-20], {"Transfer_Encoding": "chunked"}, "damaged transfer encoding"),
        (chunks(PAGE)[:-5] + b"zz\r\n", {"Transfer_Encoding": "chunked"}, "damaged transfer encoding"),
    ],
)
def test_a_body_that_cannot_be_unpacked_is_a_problem(body: bytes, more: dict[str, str], problem: str) -> None:
    first, second = read(record(http(body, **more)) + GOOD)
    assert (first.number, first.problem) == (1, problem)
    assert second == WebRecord(2, URL, "2021-03-04", "html", PAGE)


def test_a_page_may_have_16_mib_and_no_more() -> None:
    longest = b"x" * LARGEST_PAGE
    first, second = read(record(http(longest)) + record(http(longest + b"x")))
    assert (first.body, first.problem) == (longest, "")
    assert (second.body, second.problem) == (b"x" * 2_000, "longer than 16 MiB")


def test_a_bomb_is_not_unpacked() -> None:
    packer = zlib.compressobj(wbits=31)
    packed = b"".join([packer.compress(b"x" * (1 << 20)) for _ in range(400)]) + packer.flush()
    archive = record(http(packed, Content_Encoding="gzip")) + GOOD
    tracemalloc.start()
    first, second = read(archive)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert first.problem == "longer than 16 MiB"
    assert len(first.body) <= 2_000
    assert second.body == PAGE
    assert peak < 80 << 20


def test_a_second_gzip_layer_is_not_taken_off() -> None:
    # The caller has unpacked the archive and limits how far it may grow.
    (found,) = read(gzip.compress(GOOD))
    assert found.problem.startswith("damaged from here on: ")


# Character sets


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("windows-1251", "Мерен опроверг."),
        ("KOI8-R", "Мерен опроверг."),
        ("iso-8859-1", "José Peña – “no”"),
        ("shift_jis", "否定した。"),
        ("utf-16", "Peña"),
    ],
)
def test_text_with_a_named_character_set_becomes_utf8(charset: str, text: str) -> None:
    body = text.encode("cp1252" if charset == "iso-8859-1" else charset)
    found = one(record(http(body, f'text/plain; charset="{charset}"')))
    assert found.body.decode("utf-8") == text
    assert one(record(body, "conversion", f"text/plain;charset={charset}")).body == found.body
    page = b"<html>" + body if charset != "utf-16" else body
    assert one(record(http(page, f"text/html; charset={charset}"))).body.endswith(found.body)


@pytest.mark.parametrize("charset", ["none-such", "utf-8", "punycode", "unicode_escape", "rot13", "zlib", "idna", ""])
def test_text_of_another_character_set_stays_as_it_is(charset: str) -> None:
    body = "Peña \\x41".encode("latin-1")
    assert one(record(http(body, f"text/plain; charset={charset}"))).body == body


def test_valid_utf8_and_a_page_that_names_its_own_win_over_the_header() -> None:
    assert one(record(http("Peña".encode(), "text/plain; charset=iso-8859-1"))).body == "Peña".encode()
    page = "<html><meta charset=windows-1251><p>Мерен".encode("windows-1251")
    assert one(record(http(page, "text/html; charset=iso-8859-1"))).body == page


# Damage


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (b"garbage\r\n" * 10, "no WARC header where a record should begin"),
        (b"\0" * 5_000, "no WARC header where a record should begin"),
        (b"x" * (3 << 20), "no end of a header within 1 MiB"),
        (b"\r\n" * (1 << 20), "no end of a header within 1 MiB"),
        (b"WARC/1.0\r\n" + b"a: b\r\n" * (1 << 20), "no end of a header within 1 MiB"),
        (b"WARC/1.0\r\n", "a record without a valid Content-Length"),
        (record(http(), Content_Length=""), "a record without a valid Content-Length"),
        (record(http(), Content_Length="-1"), "a record without a valid Content-Length"),
        (record(http(), Content_Length="12x"), "a record without a valid Content-Length"),
        (record(http(), Content_Length="9" * 19), "a record without a valid Content-Length"),
        (record(b"x" * 100, "metadata", "text/plain")[:-50], "the archive ends within a record"),
        (record(b"", "metadata", "text/plain", Content_Length="9" * 18), "the archive ends within a record"),
    ],
)
def test_damage_is_the_last_record(damage: bytes, reason: str) -> None:
    *before, last = read(GOOD + damage + b"")
    assert before == [WebRecord(1, URL, "2021-03-04", "html", PAGE)]
    assert last == WebRecord(last.number, "", "", "txt", b"", f"damaged from here on: {reason}")
    assert last.number in (1, 2)


def test_a_page_cut_off_says_so_before_the_damage() -> None:
    first, last = read(GOOD[:-20])
    assert first.problem == "the archive ends within it"
    assert last.problem == "damaged from here on: the archive ends within a record"


def test_a_length_that_is_too_small_ends_the_archive() -> None:
    first, last = read(record(http(), Content_Length="80") + GOOD)
    assert PAGE.startswith(first.body)
    assert last.problem == "damaged from here on: no WARC header where a record should begin"


class Failing(io.BytesIO):
    """A stream that fails after its last byte, as one that unpacks a damaged file does."""

    def __init__(self, content: bytes, error: Exception) -> None:
        super().__init__(content)
        self._error = error

    def read(self, size: int | None = -1) -> bytes:
        found = super().read(size)
        if not found:
            raise self._error
        return found


@pytest.mark.parametrize("error", [OSError("too far\nunpacked"), EOFError(), zlib.error("Error -3")])
@pytest.mark.parametrize("length", [0, 30, len(GOOD) - 30, len(GOOD)])
def test_an_error_of_the_stream_is_the_last_record(error: Exception, length: int) -> None:
    found = list(read_warc(Failing(GOOD[:length], error)))
    text = " ".join(str(error).split()) or "EOFError"
    assert found[-1].problem == f"damaged from here on: {text}"
    assert len(found) == 1 + (length == len(GOOD))


def test_a_stream_may_give_little_at_a_time() -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 0, 3))

    assert list(read_warc(Slow(INFO + GOOD + GOOD))) == read(INFO + GOOD + GOOD)


@given(st.data())
def test_no_damage_raises_or_goes_on_for_ever(data: st.DataObject) -> None:
    packed = record(http(chunks(gzip.compress(PAGE)), Transfer_Encoding="chunked", Content_Encoding="gzip"))
    archive = bytearray(INFO + GOOD + packed + record("Peña".encode(), "conversion", "text/plain; charset=latin-1"))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(archive)))
        archive[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    found = read(bytes(archive))
    numbers = [each.number for each in found]
    assert numbers == sorted(numbers)
    assert len(found) <= len(archive)


def test_nothing_reaches_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    read(record(http(gzip.compress(PAGE)[:-12], Content_Encoding="gzip")) + GOOD + b"garbage")
    assert capfd.readouterr() == ("", "")


def test_pages_come_one_at_a_time() -> None:
    stream = io.BytesIO(GOOD * 50_000)
    next(iter(read_warc(cast(BinaryIO, stream))))
    assert stream.tell() < 1 << 20


def test_a_missing_library_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    require_warc()
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "modules", {name: each for name, each in sys.modules.items() if name != "warcio"})
    remedy = r"^reading web archives needs warcio; install stance-news\[warc\]$"
    with pytest.raises(InputError, match=remedy):
        require_warc()
    with pytest.raises(InputError, match=remedy):
        next(read_warc(io.BytesIO(GOOD)))
