"""Hostile tables: csv and parquet."""

from __future__ import annotations

import io
import random
from collections.abc import Iterable
from typing import Any

from hostile.make import MIB, SENTENCE, made, plain

# CSV

ROW: bytes = b'"He denied it."\n'
plain("one-quotation-mark-a-line.csv", "text\n", 'a","\n', 400_000)
plain("quotation-marks-in-front.csv", "text\n", '"a\n', 50_000)
plain("a-quoted-newline-over-and-over.csv", "text\n", '"\n",\n', 50_000)
plain("a-row-of-quoted-newlines.csv", "text\n", '"\n",', 300_000, b'"a"\n' + ROW)
plain("a-cell-of-newlines.csv", 'text\n"', "\n", 1_000_000, b'He denied it."\n' + ROW)
plain("ten-million-cells.csv", "text\n", "a,", 10_000_000, b"a\n" + ROW)
plain("a-million-cells-of-their-own.csv", "text\n", "ああ,", 1_040_000, b"a\n" + ROW)
plain("a-hundred-thousand-columns.csv", "text", ",x", 100_000, b"\na" + b",y" * 100_000 + b"\n" + ROW)
plain("columns-of-one-name.csv", "text", ",text", 500_000, b"\nHe denied it.\n")
plain("a-quotation-mark-at-the-end.csv", "text\n", "He denied it.\n", 20_000, b'"and so on' + b"\nx" * 20_000)
plain("no-newline.csv", "text,", "a", 70 * MIB)
plain("a-header-as-long-as-a-line.csv", "text,", "a", 12 * MIB - 9, "\na,b\n")
plain("not-utf-8.csv", "text,a,b,c,d\n", b"\xff" * (7 * MIB) + b",", 4, b"x\n")
plain(
    "one-wide-character-in-a-long-row.csv",
    "text,a,b,c\n\U0001f6a2,",
    "x" * (10 * MIB) + ",",
    3,
    b"x\nHe denied it.,,,\n",
)
plain("wide-cells.csv", "text,a,b,c\n", "\U0001f6a2" + "x" * (10 * MIB) + ",", 3, b"x\nHe denied it.,,,\n")
plain("a-cell-longer-than-an-article.csv", "text\n", "x", 17 * MIB, b"\n" + ROW)
plain("formulas-over-and-over.csv", "text,statement_no\n", "'=cmd|' /C calc'!A0,1\n", 5_000)
plain("guards.csv", "text,statement_no\n", "'" * MIB, 11, b"=1,1\n")
plain("blank-lines.csv", "text\n", "\n", 2_000_000, ROW)
plain("rows-too-long.csv", "text\n", "a,b\n", 100_000, ROW)


@made("columns-of-their-own.csv")
def _columns() -> Iterable[bytes]:
    yield b"text"
    yield from (b",%07x" % n for n in range(1_000_000))
    yield b"\nHe denied it."
    yield from (b",%07x" % n for n in range(1_000_000))
    yield b"\n"


# Parquet


def parquet(columns: dict[str, Any], **options: Any) -> bytes:
    """Return a parquet file of these columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream, **options)
    return stream.getvalue()


def noise(length: int) -> str:
    """Return a text of letters that does not pack well."""
    return random.Random(length).randbytes(length // 2).hex()


@made("a-text-of-a-hundred-megabytes.parquet")
def _large_text() -> Iterable[bytes]:
    yield parquet({"text": ["He denied it.", noise(100_000_000), "She denied it."]})


@made("a-text-of-half-a-gigabyte.parquet", slow=True)
def _larger_text() -> Iterable[bytes]:
    yield parquet({"text": ["He denied it."] * 99 + ["x" * 500_000_000]}, use_dictionary=False, compression="zstd")


@made("two-texts-in-a-page.parquet", slow=True)
def _large_page() -> Iterable[bytes]:
    yield parquet({"text": [noise(55_000_000), noise(55_000_002)]}, use_dictionary=False)


@made("a-wide-text-in-a-large-page.parquet")
def _wide_page() -> Iterable[bytes]:
    yield parquet(
        {"text": ["\U0001f6a2" + "x" * 90_000_000, "\U0001f6a2" * (11 * MIB)]}, use_dictionary=False, write_batch_size=1
    )


@made("long-texts-not-packed.parquet", slow=True)
def _long_texts() -> Iterable[bytes]:
    texts = [f"{n} {noise(50_000)}" for n in range(4_000)]
    yield parquet({"text": texts}, use_dictionary=False, compression="none")


@made("texts-of-sixty-megabytes.parquet", slow=True)
def _large_texts() -> Iterable[bytes]:
    yield parquet(
        {"text": ["\U0001f6a2" * (11 * MIB)] * 4 + ["é" * (11 * MIB)] * 4}, use_dictionary=False, compression="zstd"
    )


@made("all-the-weight-in-the-last-rows.parquet", slow=True)
def _skewed() -> Iterable[bytes]:
    texts = ["a"] * 20_000 + [f"{n} {'x' * 999_000}" for n in range(100)]
    yield parquet({"text": texts}, use_dictionary=False, compression="zstd", write_batch_size=10)


@made("one-text-of-ten-megabytes-in-every-row.parquet", slow=True)
def _dictionary() -> Iterable[bytes]:
    import pyarrow as pa

    texts = pa.DictionaryArray.from_arrays(
        pa.array([0] * 100_000, pa.int32()), [SENTENCE * (10 * MIB // len(SENTENCE))]
    )
    yield parquet({"text": texts})


@made("ids-of-ten-megabytes.parquet")
def _long_ids() -> Iterable[bytes]:
    import pyarrow as pa

    ids = pa.DictionaryArray.from_arrays(pa.array([0] * 2_000, pa.int32()), ["x" * 10_000_000])
    yield parquet({"text": ["He denied it."] * 2_000, "id": ids})


@made("nulls-alone.parquet")
def _nulls() -> Iterable[bytes]:
    import pyarrow as pa

    yield parquet({"text": pa.nulls(100_000, pa.string())})


@made("a-null-a-row-group.parquet")
def _row_groups() -> Iterable[bytes]:
    yield parquet({"text": ["He denied it.", None] * 5_000}, row_group_size=1)


@made("ten-thousand-columns.parquet")
def _parquet_columns() -> Iterable[bytes]:
    yield parquet({"text": ["He denied it."]} | {f"column {n}": [n] for n in range(10_000)})


@made("rows-of-nothing.parquet")
def _empty_rows() -> Iterable[bytes]:
    yield parquet({"text": [""] * 100_000})


@made("lists-of-lists.parquet")
def _lists() -> Iterable[bytes]:
    yield parquet({"text": ["He denied it."], "id": [[["x" * 1_000] * 1_000] * 20]})


@made("a-binary-id.parquet")
def _binary() -> Iterable[bytes]:
    yield parquet({"text": ["He denied it."] * 3, "id": [b"\xff" * 5_000_000] * 3})


@made("a-footer-of-fifty-megabytes.parquet")
def _footer() -> Iterable[bytes]:
    yield b"PAR1" + b"\x15\x02" * (25 * MIB) + (50 * MIB).to_bytes(4, "little") + b"PAR1"


@made("a-list-of-two-billion-in-the-footer.parquet")
def _lying_footer() -> Iterable[bytes]:
    # Thrift's compact protocol: version 2, then a schema of 2^31 - 1 elements that are not there.
    footer = b"\x15\x04\x19\xfc\xff\xff\xff\xff\x07" + b"\x00" * 20
    yield b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1"
