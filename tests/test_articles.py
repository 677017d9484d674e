"""Article files → articles and rejects: every format, every kind of bad input, and nothing lost on the way."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import sys
import tempfile
import tracemalloc
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from stance import limits
from stance.articles import read_articles
from stance.limits import LARGEST_ARTICLE, SHOWN_RAW
from stance.reading import Columns, refusal
from stance.records import Article, InputError, Reject
from stance.sentences import statement_spans

TEXT: Final = "Meren denied it."
Write = Callable[[str, bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return write_file


def read(*paths: str | Path, **options: Any) -> list[Article | Reject]:
    return list(read_articles(paths, **options))


def one(*paths: str | Path, **options: Any) -> Article:
    (article,) = read(*paths, **options)
    assert isinstance(article, Article), article
    return article


def rejected(*paths: str | Path, **options: Any) -> Reject:
    (reject,) = read(*paths, **options)
    assert isinstance(reject, Reject), reject
    assert reject.reason
    assert "\n" not in reject.reason
    return reject


def outcome(*paths: str | Path, **options: Any) -> list[str | int]:
    """The text of each article, the line of each reject, in order."""
    return [item.text if isinstance(item, Article) else item.line for item in read(*paths, **options)]


def line_of(**record: Any) -> bytes:
    return json.dumps(record).encode() + b"\n"


# Formats


def test_a_text_file_is_an_article(write: Write) -> None:
    article = one(write("meren.txt", f"23 Nov 2021\r\n\r\n{TEXT}\r\n".encode()))
    assert article == Article(f"23 Nov 2021\r\n\r\n{TEXT}\r\n", id="meren", date="2021-11-23")


def test_text_is_never_normalised(write: Write) -> None:
    text = "e\u0301 é ﬁ\u00a0 \r\r\n\u2028\x0c\0 A\u030a"
    assert one(write("a.txt", text.encode())).text == text


def test_a_byte_order_mark_is_dropped_once(write: Write) -> None:
    assert one(write("a.txt", "\ufeff\ufeffA".encode())).text == "\ufeffA"
    assert one(write("a.jsonl", b"\xef\xbb\xbf" + line_of(text="A"))).text == "A"
    assert one(write("a.csv", b"\xef\xbb\xbftext\nA\n")).text == "A"


def test_front_matter_is_taken_from_a_markdown_file(write: Write) -> None:
    front = (
        b"---\nid: m-1\ntitle: 'Meren: no'\nDate: \"2021-11-23\"\nsource: Daily\ntags:\n  - a\n---\n# Head\n\nText.\n"
    )
    assert one(write("a.md", front)) == Article("# Head\n\nText.\n", "m-1", "Daily", "2021-11-23", title="Meren: no")
    assert one(write("a.txt", front)).text.startswith("---\nid")


@pytest.mark.parametrize("text", ["---\nHe said: no.\n---\nRest.", "---\nid: a\nnever closed", "--- \n\ntext\n"])
def test_rules_around_prose_are_no_front_matter(write: Write, text: str) -> None:
    assert one(write("a.md", text.encode())).text == text


def test_a_json_record_gives_its_fields(write: Write) -> None:
    path = write("a.jsonl", line_of(text=TEXT, id=7, date="2021", source="Daily") + b"\n" + line_of(body="B"))
    first, second = read(path)
    assert first == Article(TEXT, "7", "Daily", "2021")
    assert second == Article("B", "a.jsonl:3", "", "")


def test_a_csv_row_gives_its_fields(write: Write) -> None:
    path = write("a.csv", b'outlet,content,url,published\r\nDaily,"A ""b"",\r\nC",u/1,2021\r\n\r\n,D,,\r\n')
    first, second = read(path)
    assert first == Article('A "b",\r\nC', "u/1", "Daily", "2021")
    assert second == Article("D", "a.csv:5", "", "")


PAGE: Final = (
    f"<html><head><title>Meren</title></head><body><article><p>{TEXT} It did so twice.</p></article></body></html>"
)
RECORD: Final = (
    "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://meren.example/1\r\nWARC-Date: 2021-11-23T01:02:03Z\r\n"
    "Content-Type: application/http\r\nContent-Length: {}\r\n\r\n{}\r\n\r\n"
)


def archive(*pages: str) -> bytes:
    sent = [f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{page}" for page in pages]
    return "".join(RECORD.format(len(each.encode()), each) for each in sent).encode()


def parquet(**columns: list[Any]) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream)
    return stream.getvalue()


@pytest.mark.parametrize("packing", ["gz", "GZ", "zst", "zstd"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", TEXT.encode()),
        ("a.md", TEXT.encode()),
        ("a.html", PAGE.encode()),
        ("a.jsonl", line_of(text=TEXT)),
        ("a.csv", f"text\n{TEXT}\n".encode()),
        ("a.parquet", parquet(text=[TEXT])),
        ("a.warc", archive(PAGE)),
    ],
)
def test_every_format_may_be_packed(write: Write, name: str, content: bytes, packing: str) -> None:
    plain = one(write(name, content))
    pack = gzip.compress if packing.lower() == "gz" else zstandard.compress
    packed = one(write(f"{name}.{packing}", pack(content)))
    assert TEXT in plain.text
    assert plain.text == packed.text
    assert plain.id.partition(".")[0] == packed.id.partition(".")[0]


def test_other_endings_of_the_same_formats(write: Write) -> None:
    for ending in ("htm", "xhtml", "HTM"):
        assert TEXT in one(write(f"a.{ending}", PAGE.encode())).text
    assert one(write("a.ndjson", line_of(text=TEXT))).id == "a.ndjson:1"
    assert TEXT in one(write("a.htm.gz", gzip.compress(PAGE.encode()))).text


def test_a_page_gives_its_fields(write: Write) -> None:
    article = one(write("meren.html", PAGE.encode()))
    assert (article.id, article.title) == ("meren", "Meren")
    assert article.text.startswith(f"Meren\n\n{TEXT}")
    reject = rejected(write("b.html", b"<html></html>"))
    assert (reject.line, reject.raw) == (0, "<html></html>")


def test_an_archive_gives_its_pages(write: Write) -> None:
    first, second, third = read(write("a.warc", archive(PAGE, "<html></html>", PAGE) + b"rubbish\r\n\r\n"))[:3]
    assert isinstance(first, Article)
    assert (first.id, first.date) == ("http://meren.example/1", "2021-11-23")
    assert isinstance(second, Reject)
    assert second.line == 2
    assert isinstance(third, Article)
    assert outcome(write("b.warc", archive(PAGE) + b"rubbish\r\n\r\n"))[1:] == [2]


@pytest.mark.parametrize("default", ["text", "content", "body", "article"])
def test_the_usual_text_columns_are_tried(write: Write, default: str) -> None:
    assert one(write("a.csv", f"x,{default}\n1,{TEXT}\n".encode())).text == TEXT
    assert one(write("a.jsonl", line_of(**{"x": 1, default: TEXT}))).text == TEXT


def test_named_columns_win_over_the_usual_ones(write: Write) -> None:
    columns = Columns(text="t", id="i", date="d", source="s")
    record = {"text": "no", "id": "no", "date": "no", "source": "no", "t": TEXT, "i": "1", "d": "2", "s": "3"}
    rows = f"{','.join(record)}\n{','.join(record.values())}\n".encode()
    expected = Article(TEXT, "1", "3", "2")
    assert one(write("a.jsonl", line_of(**record)), columns=columns) == expected
    assert one(write("a.csv", rows), columns=columns) == expected


def test_the_format_may_be_told(write: Write) -> None:
    assert one(write("feed.log", line_of(text=TEXT)), input_format="jsonl").text == TEXT


# Formula guards

GUARDED: Final = ("=1+1", "+1", "-1", "@a", "\tA", "\rA", "\0A")


@pytest.mark.parametrize("cell", GUARDED)
def test_the_guard_of_our_own_csv_writer_is_taken_off(write: Write, cell: str) -> None:
    table = io.StringIO(newline="")
    csv.writer(table).writerows([["text", "id", "statement_no"], [f"'{cell} x", f"'{cell}", "0"]])
    article = one(write("a.csv", table.getvalue().encode()))
    assert article.text == f"{cell} x"
    assert article.id == cell


def test_other_leading_quote_marks_stay(write: Write) -> None:
    assert one(write("a.csv", b"text,statement_no\n'No' he said,0\n")).text == "'No' he said"
    # In a file that is not ours, the mark belongs to the text.
    assert one(write("a.csv", b"text\n'- quoted' he said\n")).text == "'- quoted' he said"
    assert one(write("a.jsonl", line_of(text="'=1"))).text == "'=1"


# Folders, globs, stdin, names


def test_a_folder_is_read_to_the_bottom_in_order(write: Write, tmp_path: Path) -> None:
    for name in ("b.txt", "a/z.md", "a/y.jsonl", "c.pdf", ".hidden.txt", ".git/x.txt"):
        write(name, line_of(text=TEXT))
    assert [item.id for item in read(tmp_path) if isinstance(item, Article)] == ["a/y.jsonl:1", "a/z", "b"]


def test_ids_are_unique_where_file_names_are_not(write: Write, tmp_path: Path) -> None:
    paths = [write("a/x.txt", b"A"), write("b/x.txt", b"B"), write("b/x.md", b"C")]
    paths += [write(name, line_of(text=TEXT)) for name in ("a/feed.jsonl", "b/feed.jsonl")]
    for inputs in ([tmp_path], paths):
        ids = [item.id for item in read(*inputs) if isinstance(item, Article)]
        assert len(set(ids)) == len(ids) == len(paths)


def test_a_file_that_is_named_twice_is_read_once(write: Write, tmp_path: Path) -> None:
    path = write("a.txt", b"A")
    assert outcome(path, path, tmp_path, str(tmp_path / "*.txt")) == ["A"]


def test_globs(write: Write, tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt", "c/d.txt", "e.pdf"):
        write(name, name.encode())
    assert outcome(str(tmp_path / "*")) == ["a.txt", "b.txt"]
    assert outcome(str(tmp_path / "**" / "*.txt")) == ["a.txt", "b.txt", "c/d.txt"]


def test_a_name_that_looks_like_a_glob_is_a_file_first(write: Write) -> None:
    assert outcome(write("a[1].txt", b"A")) == ["A"]


@pytest.mark.parametrize("peeks", [True, False])
@pytest.mark.parametrize(
    ("content", "ids"),
    [
        (line_of(text="A") + line_of(text="B"), ["stdin:1", "stdin:2"]),
        (b"\n \r\n" + line_of(text="A"), ["stdin:3"]),
        (b"\xef\xbb\xbf" + line_of(text="A"), ["stdin:1"]),
        (b"A {text}", ["stdin"]),
        (b"[1]", ["stdin"]),
    ],
)
def test_stdin_tells_its_format(
    monkeypatch: pytest.MonkeyPatch, content: bytes, ids: list[str], *, peeks: bool
) -> None:
    stream: Any = io.BufferedReader(io.BytesIO(content)) if peeks else io.BytesIO(content)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stream))
    assert [item.id for item in read("-") if isinstance(item, Article)] == ids


def test_stdin_keeps_its_first_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbf \n A\n")))
    assert one("-").text == " \n A\n"


def test_stdin_in_a_named_format(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"text,id\nA,1\n")))
    assert one("-", input_format="csv") == Article("A", "1")


# Bad usage


@pytest.mark.parametrize("name", ["missing.txt", "missing", "no*.txt"])
def test_an_input_that_does_not_exist_is_bad_usage(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=name.replace("*", r"\*")):
        read(tmp_path / name)


def test_a_folder_without_articles_is_bad_usage(write: Write) -> None:
    with pytest.raises(InputError, match="no file in it ends in"):
        read(write("only/a.pdf", b"").parent)


def test_an_ending_that_tells_nothing_is_bad_usage(write: Write) -> None:
    with pytest.raises(InputError, match=r"a\.pdf"):
        read(write("a.pdf", b""))


def test_an_unknown_format_is_bad_usage(write: Write) -> None:
    with pytest.raises(InputError, match="xml"):
        read(write("a.txt", b"A"), input_format="xml")


@pytest.mark.parametrize("field", ["text", "id", "date", "source"])
def test_a_csv_without_a_named_column_is_bad_usage_at_once(write: Write, field: str) -> None:
    items = read_articles(
        [write("ok.txt", b"A"), write("b.csv", b"text,other\nA,B\n")], columns=Columns(**{field: "lacking"})
    )
    with pytest.raises(InputError, match=r"b\.csv.*lacking.*text, other"):
        next(items)


def test_a_csv_without_a_text_column_is_bad_usage(write: Write) -> None:
    with pytest.raises(InputError, match=r"b\.csv.*one, two"):
        read(write("b.csv", b"one,two\nA,B\n"))


# Bad records: each is one reject, and the records around it are kept


GOOD: Final = line_of(text="before"), line_of(text="after")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'{"text": "A"', "JSON"),
        (b"[1, 2]", "object"),
        (b'"A"', "object"),
        (b"null", "object"),
        (b'{"other": "A"}', "text"),
        (b'{"text": 7}', "string"),
        (b'{"text": null}', "string"),
        (b'{"text": ["A"]}', "string"),
        (b'{"text": ""}', "blank"),
        (b'{"text": " \\n\\u2003"}', "blank"),
        (b'{"text": "\xff"}', "UTF-8"),
        (b'{"text": "\xed\xa0\x80"}', "UTF-8"),
        ('{"text": "A"}'.encode("utf-16"), "UTF-8"),
        (b'{"text": "A", "id": {"a": 1}}', "id"),
        (b'{"text": "A", "id": true}', "id"),
        (b'{"text": "A", "date": [2021]}', "date"),
        (b"[" * 100_000, "JSON"),
        (b'{"text": "A", "id": ' + b"9" * 10_000 + b"}", "JSON"),
    ],
)
def test_a_bad_json_record_is_one_reject(write: Write, bad: bytes, reason: str) -> None:
    path = write("a.jsonl", GOOD[0] + bad.replace(b"\n", b"") + b"\n" + GOOD[1])
    before, reject, after = read(path)
    assert isinstance(before, Article)
    assert isinstance(after, Article)
    assert isinstance(reject, Reject)
    assert (reject.source, reject.line) == (str(path), 2)
    assert reason in reject.reason
    assert len(reject.raw) <= SHOWN_RAW
    assert reject.raw[:1] in ("{", "[", '"', "n", "\ufffd")
    reject.raw.encode()


@pytest.mark.parametrize("field", ["text", "id", "date", "source"])
def test_a_json_record_without_a_named_key_is_a_reject(write: Write, field: str) -> None:
    reject = rejected(write("a.jsonl", line_of(text="A")), columns=Columns(**{field: "lacking"}))
    assert "lacking" in reject.reason


@pytest.mark.parametrize(
    "bad",
    [
        b"A,1,more\n",
        b"A\n",
        b'"A" B,1\n',
        b"\xff,1\n",
        b'"",1\n',
        b'" ",1\n',
    ],
)
def test_a_bad_csv_row_is_one_reject(write: Write, bad: bytes) -> None:
    assert outcome(write("a.csv", b"text,id\nbefore,1\n" + bad + b"after,2\n")) == ["before", 3, "after"]


def test_a_quotation_mark_that_is_never_closed_costs_one_row(write: Write) -> None:
    rows = b"".join(b"row %d,x\n" % number for number in range(200))
    found = outcome(write("a.csv", b'text,id\n"open,1\n' + rows + b'"B\nC",2\nlast,3\n"open,4\nend,5\n'))
    assert found == [2, *(f"row {number}" for number in range(200)), "B\nC", "last", 206, "end"]


def test_nul_bytes_in_a_csv_are_read(write: Write) -> None:
    assert outcome(write("a.csv", b"text,id\nA\0B,1\n\0,2\nC,3\n")) == ["A\0B", 3, "C"]


def test_a_csv_field_may_be_larger_than_the_usual_limit(write: Write) -> None:
    limit = csv.field_size_limit()
    text = "x" * (limit + 1)
    assert outcome(write("a.csv", f'text\n"{text}"\nB\n'.encode())) == [text, "B"]
    assert csv.field_size_limit() == limit


def test_a_csv_field_over_our_limit_is_one_reject(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LARGEST_ARTICLE", 1_000)
    assert outcome(write("a.csv", b"text\nA\n" + b"x" * 1_001 + b'\nB\n"' + b"y\n" * 600 + b'"\nC\n'))[:4] == [
        "A",
        3,
        "B",
        5,
    ]


@pytest.mark.parametrize("header", [b'"text,id\n', b'"text" x,id\n'])
def test_a_csv_whose_header_cannot_be_read_is_bad_usage(write: Write, header: bytes) -> None:
    items = read_articles([write("ok.txt", b"A"), write("a.csv", header + b"text,1\n")])
    with pytest.raises(InputError, match=r"a\.csv: its first line"):
        next(items)


def test_a_csv_without_a_header_line_is_a_reject(write: Write) -> None:
    assert rejected(write("a.csv", b"")).line == 0
    assert read(write("b.csv", b"text\n")) == []


@pytest.mark.parametrize("name", ["a.txt", "a.md"])
@pytest.mark.parametrize(("content", "line"), [(b"A\nB\xffC", 2), (b"", 0), (b" \r\n\t", 0), (b"\xef\xbb\xbf", 0)])
def test_a_bad_text_file_is_one_reject(write: Write, name: str, content: bytes, line: int) -> None:
    assert rejected(write(name, content)).line == line


def test_front_matter_without_a_text_is_a_reject(write: Write) -> None:
    assert "blank" in rejected(write("a.md", b"---\nid: a\n---\n\n")).reason


def test_a_packed_file_that_is_cut_short_keeps_what_came_before(write: Write) -> None:
    noise = os.urandom(5_000).hex()
    lines = [line_of(text=f"row {number}") for number in range(20)]
    packed = gzip.compress(b"".join(lines) + line_of(text=noise))
    assert outcome(write("a.jsonl.gz", packed[:-3_000])) == [*(f"row {number}" for number in range(20)), 21]
    packed = gzip.compress(b"text\nA\nB\n" + noise.encode())
    assert outcome(write("a.csv.gz", packed[:-3_000])) == ["A", "B", 4]
    assert rejected(write("a.txt.gz", packed[:-3_000])).line == 0


@pytest.mark.parametrize("name", ["a.txt.gz", "a.jsonl.gz", "a.csv.gz"])
@pytest.mark.parametrize("content", [b"plain", b"\x1f\x8b", gzip.compress(b"text\n")[:12]])
def test_a_file_that_is_no_archive_is_one_reject(write: Write, name: str, content: bytes) -> None:
    rejected(write(name, content))


def test_an_archive_with_a_wrong_checksum_is_told(write: Write) -> None:
    packed = bytearray(gzip.compress(line_of(text=TEXT)))
    packed[-8] ^= 1
    article, reject = read(write("a.jsonl.gz", bytes(packed)))
    assert isinstance(article, Article)
    assert isinstance(reject, Reject)


def test_a_damaged_archive_in_a_csv_row_that_is_still_open(write: Write) -> None:
    packed = gzip.compress(b'text\nA\n"open\nB\n' + os.urandom(5_000).hex().encode())
    assert outcome(write("a.csv.gz", packed[:-3_000])) == ["A", 3, "B", 5]


def test_a_link_that_leads_nowhere_is_a_reject_in_a_folder(write: Write, tmp_path: Path) -> None:
    write("b.txt", b"B")
    (tmp_path / "a.txt").symlink_to(tmp_path / "gone.txt")
    assert outcome(tmp_path) == [0, "B"]


def test_a_file_that_vanishes_is_a_reject(write: Write) -> None:
    paths = [write("a.txt", b"A"), write("b.txt", b"B"), write("c.txt", b"C")]
    items = read_articles(paths)
    next(items)
    paths[1].unlink()
    reject, after = items
    assert isinstance(reject, Reject)
    assert isinstance(after, Article)


def test_a_named_pipe_in_a_folder_does_not_block(write: Write, tmp_path: Path) -> None:
    write("b.txt", b"B")
    os.mkfifo(tmp_path / "a.txt")
    assert outcome(tmp_path) == ["B"]


# Sizes


def test_an_article_of_ten_megabytes_in_one_line_is_read(write: Write) -> None:
    text = "word " * 2_000_000
    assert one(write("a.txt", text.encode())).text == text
    assert one(write("a.jsonl", line_of(text=text))).text == text
    assert one(write("a.csv", f"text\n{text}\n".encode())).text == text


@pytest.mark.parametrize("letter", ["x", "é", "😀"])
def test_a_larger_article_is_one_reject(write: Write, monkeypatch: pytest.MonkeyPatch, letter: str) -> None:
    monkeypatch.setattr(limits, "LARGEST_ARTICLE", 1_000)
    fits, over = letter * 1_000, letter * 1_001
    for name, wrapped in (("a.txt", "{}"), ("a.jsonl", '{{"text": "{}"}}\n'), ("a.csv", "text\n{}\n")):
        assert one(write(name, wrapped.format(fits).encode())).text == fits
        rejected(write(name, wrapped.format(over).encode()))
        rejected(write(name, wrapped.format(letter * 9_999).encode()))


def test_a_line_that_is_too_long_is_one_reject(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LARGEST_LINE", 100)
    long = b"x" * 5_000 + b"\n"
    assert outcome(write("a.jsonl", GOOD[0] + long + GOOD[1])) == ["before", 2, "after"]
    assert outcome(write("a.csv", b"text\nA\n" + long + b"B\n")) == ["A", 3, "B"]
    assert outcome(write("b.csv", b'text\nA\n"open\n' + long + b"B\n")) == ["A", 3, 4, "B"]


def test_a_small_archive_that_unpacks_to_much_is_read_in_bounded_memory(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LARGEST_ARTICLE", 100_000)
    monkeypatch.setattr(limits, "LARGEST_LINE", 100_000)
    packed = gzip.compress(b"text\n" + b"x" * 30_000_000)
    paths = [write(name, packed) for name in ("a.txt.gz", "a.jsonl.gz", "a.csv.gz")]
    tracemalloc.start()
    try:
        found = read(*paths)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(isinstance(item, Reject) for item in found) == len(found) == 4
    assert peak < 5_000_000


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
def test_a_record_file_is_never_held_whole(write: Write, name: str) -> None:
    row = "x" * 1_000
    lines = [b"text\n"] if name == "a.csv" else []
    lines += [f"{row}\n".encode() if name == "a.csv" else line_of(text=row)] * 10_000
    path = write(name, b"".join(lines))
    tracemalloc.start()
    try:
        assert sum(isinstance(item, Article) for item in read_articles([path])) == 10_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


def test_rejects_show_no_more_than_they_may(write: Write) -> None:
    bad = ("\U0001f600" * 5_000).encode()
    assert len(rejected(write("a.jsonl", bad)).raw) == SHOWN_RAW
    assert len(rejected(write("a.txt", bad + b"\xff")).raw) == SHOWN_RAW
    assert len(rejected(write("a.csv", b"text\n" + bad + b",\n")).raw) == SHOWN_RAW


def test_an_article_of_too_many_sentences_or_lines_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LARGEST_ROWS", 100)
    monkeypatch.setattr(limits, "MOST_STATEMENTS", 10)
    # Whatever cuts a text in two counts, in every script.
    sample = [c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c)[0] in "PSZ" or c < " "]
    cutting = [
        c for c in sample if any(len(statement_spans(t)) > 1 for t in (f"Yes{c} No.", f"是{c}不", f"Yes {c} No."))
    ]
    assert len(cutting) > 150
    assert [c for c in cutting if "more than 10" not in refusal(Article(f"a {c} " * 10))] == []


@pytest.mark.parametrize(("letter", "size"), [("x", 1), ("é", 2), ("\0", 6), ("\U0001f6a2", 4)])
def test_what_every_row_repeats_counts_as_it_is_written(
    monkeypatch: pytest.MonkeyPatch, letter: str, size: int
) -> None:
    article = Article("Up. " * 1_000, id=letter * 1_000)
    monkeypatch.setattr(limits, "LARGEST_ROWS", 1_000 * (1_000 * size + 400))
    assert not refusal(article)
    monkeypatch.setattr(limits, "LARGEST_ROWS", 1_000 * 1_000 * size)
    assert "of rows" in refusal(article)


def test_the_largest_article_leaves_room_for_ten_megabytes() -> None:
    assert LARGEST_ARTICLE >= 10 * 1024 * 1024


# Surrogates


def test_lone_surrogates_are_read_as_replacement_characters(write: Write) -> None:
    record = rb'{"text": "A\ud800B \ud83d\ude00 \udfff", "id": "\ud800", "date": "\ud800", "source": "\ud800"}'
    assert one(write("a.jsonl", record)) == Article("A\ufffdB 😀 \ufffd", "\ufffd", "\ufffd", "\ufffd")


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="these file systems take no such names")
def test_a_file_name_that_is_not_utf8_can_be_written_out(tmp_path: Path) -> None:
    for ending, content in (("txt", b"A"), ("jsonl", line_of(text="A")), ("md", b"\xff")):
        path = os.fsencode(tmp_path) + b"/n\xff." + ending.encode()
        Path(os.fsdecode(path)).write_bytes(content)
    found = read(tmp_path)
    assert len(found) == 3
    for item in found:
        (item.id if isinstance(item, Article) else item.source).encode()


# Whatever the bytes are


@given(st.binary(max_size=300) | st.lists(st.sampled_from([*b'"\n,{}:text\\\r\0\xff\xef\xbb\xbf=', 0x61])).map(bytes))
def test_any_bytes_are_articles_and_rejects(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    for name, body in (
        ("a.txt", content),
        ("a.md", b"---\n" + content),
        ("a.txt.gz", content),
        ("a.jsonl", content),
        ("a.csv", b"text,id\n" + content),
        ("a.csv.gz", gzip.compress(b"text\n" + content)[:-4]),
    ):
        (folder / name).write_bytes(body)
    found = read(folder)
    for item in found:
        json.dumps(item.text if isinstance(item, Article) else item.raw, ensure_ascii=False).encode()
    lines = sum(bool(line.strip()) for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n"))
    of_jsonl = [
        item
        for item in found
        if (item.id.startswith("a.jsonl:") if isinstance(item, Article) else item.source.endswith("a.jsonl"))
    ]
    assert len(of_jsonl) == lines


@pytest.mark.skipif(sys.platform == "win32", reason="has no such rights")
def test_what_may_not_be_read_is_a_reject_in_a_folder() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        folder.chmod(0o755)
        for name in ("closed", "names-alone"):
            (folder / name).mkdir()
            (folder / name / "a.txt").write_text("A")
        (folder / "b.txt").write_text("B")
        (folder / "c.txt").write_text("C")
        (folder / "c.txt").chmod(0)
        (folder / "closed").chmod(0)
        (folder / "names-alone").chmod(0o644)
        # Root may read everything.
        before = os.geteuid()
        os.seteuid(before or 65_534)
        try:
            found = read(folder)
        finally:
            os.seteuid(before)
            (folder / "closed").chmod(0o700)
            (folder / "names-alone").chmod(0o700)
    told = {Path(each.source).relative_to(folder).as_posix(): each.reason for each in found if isinstance(each, Reject)}
    assert told == dict.fromkeys(("c.txt", "closed", "names-alone/a.txt"), "cannot be read: Permission denied")
    assert [each.text for each in found if isinstance(each, Article)] == ["B"]
