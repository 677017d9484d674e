"""Hostile files that are too large to be kept: each function writes one, and says what is wrong with it.

Everything in them is made up, and every run makes the same bytes.
"""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

MIB: Final = 1 << 20
SENTENCE: Final = "The harbour master of Ostrava Bay denied that he had sold the crane. "

Maker = Callable[[], Iterable[bytes]]
# Name of the file → what writes it; those that take more than a few seconds are named in SLOW.
MADE: Final[dict[str, Maker]] = {}
SLOW: Final[set[str]] = set()


def made(*names: str, slow: bool = False) -> Callable[[Maker], Maker]:
    """Register a function that yields the bytes of a file."""

    def register(maker: Maker) -> Maker:
        for name in names:
            assert name not in MADE, name
            MADE[name] = maker
            if slow:
                SLOW.add(name)
        return maker

    return register


def write(name: str, folder: Path) -> Path:
    """Write one of the files into a folder."""
    path = folder / name
    with path.open("wb") as stream:
        stream.writelines(MADE[name]())
    return path


def plain(
    name: str, head: bytes | str, piece: bytes | str, times: int, tail: bytes | str = b"", **options: bool
) -> None:
    """Register a file that repeats one piece between a head and a tail."""

    def maker() -> Iterable[bytes]:
        first, middle, last = (part.encode() if isinstance(part, str) else part for part in (head, piece, tail))
        yield first
        yield from _repeated(middle, times)
        yield last

    made(name, **options)(maker)


def _repeated(piece: bytes, times: int) -> Iterable[bytes]:
    many = max(1, min(times, MIB // max(1, len(piece))))
    whole = piece * many
    for _ in range(times // many):
        yield whole
    yield piece * (times % many)


# Text

plain("one-sentence.txt", "", "word ", 12 * MIB // 5)
plain("one-sentence-of-wide-characters.txt", "", "\U0001f6a2", 12 * MIB)
plain("one-token.md", "", "a", 12 * MIB)
plain("one-token-that-grows-when-folded.txt", "", "\u0130", 12 * MIB)
plain("letters-that-unfold-to-eighteen.txt", "", "\ufdfa", 5 * MIB)
plain("ascii-and-one-wide-character.txt", "\U0001f6a2", SENTENCE, 230_000, slow=True)
plain("longer-than-an-article.txt", "", SENTENCE, 1 + 65 * MIB // len(SENTENCE))
plain("as-many-sentence-ends-as-may-be.txt", "", "He denied it. ", 199_000, slow=True)
plain("one-sentence-end-too-many.txt", "", "He denied it. ", 200_001)
plain("short-statements.txt", "", "Up.\n", 150_000)
plain(
    "ends-in-other-scripts.txt", "", "\u0545\u0589 \u1200\u1362 \u3042\uff61 \u0e5a \u1781\u17d4 \u1019\u104b ", 300_000
)
plain("full-stops.txt", "", ".", 12 * MIB)
plain("combining-marks.txt", "e", "\u0301", 8 * MIB, " denied it.")
plain("right-to-left-marks.txt", "", "\u202eHe\u200f denied\u2067 it \u2066", 500_000)
plain("blank-lines.txt", "", "\n", 5_000_000, "He denied it.")
plain("blank-lines-of-spaces.md", "", " \r\n", 5_000_000, "He denied it.")
plain("page-breaks.txt", "", "\f", 8_000_000, "He denied it.")
plain("carriage-returns-alone.txt", "", "He denied it.\r", 100_000)
plain("spaces.txt", "", " ", 64 * MIB - 20, "He denied it.")
plain("a-tail-of-nul.txt", "He denied it.", "\0", 12 * MIB - 20)
plain("nul-and-nothing-else.txt", "", "\0", 12 * MIB)
plain("control-characters.txt", "", "\x01", 12 * MIB - 20, "\U0001f6a2")
plain("quotation-marks.txt", "", '"', 12 * MIB)
plain("quotations-that-never-close.txt", "", "“He denied it, said “she", 500_000)
plain("brackets.txt", "", "(", 12 * MIB)
plain("initials.txt", "", "A.b.", 49_000)
plain("numbers-with-commas.txt", "", "1,", 8 * MIB)
plain("hyphens.txt", "", "a-", 8 * MIB)
plain("apostrophes.txt", "", "a'", 8 * MIB)
plain("addresses.txt", "", "http://a@b.c", 40_000)
plain("not-utf-8-at-the-very-end.txt", "", SENTENCE, 900_000, b"\xff")
plain("wrapped-in-narrow-lines.txt", "", "he\ndid ", 90_000)
plain("front-matter-that-never-ends.md", "---\n", "a: b\n", 3_000_000)
plain("front-matter-of-a-million-lines.md", "---\n", "a: b\n", 1_000_000, "---\nHe denied it.")
plain("front-matter-with-a-long-id.md", "---\nid: ", "x", 10_000_000, "\n---\nHe denied it.")
plain("rules.md", "", "---\n", 150_000)
plain("headings.md", "", "# ", 8 * MIB)

# JSON lines

DENIED: Final = b'{"text": "He denied it."}\n'
# The same as zstd: one block that is not packed.
DENIED_FRAME: Final = b"\x28\xb5\x2f\xfd\x20" + bytes([len(DENIED), len(DENIED) << 3 | 1, 0, 0]) + DENIED
plain("brackets.jsonl", "", "[", 64 * MIB - 10, b"\n" + DENIED)
plain("lists.jsonl", '{"text": "He denied it.", "more": [', "[],", 64 * MIB // 3 - 100, b"0]}\n" + DENIED)
plain("objects-in-each-other.jsonl", "", '{"text":', 100_000, b'"a"' + b"}" * 100_000 + b"\n" + DENIED)
plain("lists-in-each-other.jsonl", '{"text": "a", "more": ', "[", 400_000, b"]" * 400_000 + b"}\n" + DENIED)
plain("empty-objects.jsonl", '{"text": "He denied it.", "more": [', "{},", 520_000, "0]}\n")
plain("a-number-of-ten-million-digits.jsonl", '{"text": "a", "id": ', "1", 10_000_000, b"}\n" + DENIED)
plain("a-fraction-of-ten-million-digits.jsonl", '{"text": "a", "id": 0.', "1", 10_000_000, b"}\n" + DENIED)
plain("escapes.jsonl", '{"text": "', "\\u0041", 5 * MIB, b'"}\n' + DENIED)
plain("escaped-wide-characters.jsonl", '{"text": "', "\\ud83d\\udea2", 5 * MIB // 2, b'"}\n' + DENIED)
plain("lone-surrogates.jsonl", '{"text": "', "\\ud800", 5 * MIB, b'"}\n' + DENIED)
plain("one-wide-character-in-a-long-line.jsonl", '{"text": "\U0001f6a2', "x", 32 * MIB - 100, b'"}\n' + DENIED)
plain("a-long-line-beside-the-text.jsonl", '{"text": "He denied it.", "a": "\U0001f6a2', "x", 32 * MIB - 100, '"}\n')
plain("a-line-longer-than-a-line.jsonl", '{"text": "', "x", 65 * MIB, b'"}\n' + DENIED)
plain("empty-lines.jsonl", "", "\n", 1_000_000, DENIED)
plain("bad-lines.jsonl", "", "{\n", 50_000, DENIED)
plain("empty-texts.jsonl", "", '{"text":""}\n', 50_000, DENIED)
plain("a-long-id.jsonl", '{"text": "He denied it.", "id": "', "x", 10_000_000, b'"}\n' + DENIED)
plain("a-long-key.jsonl", '{"text": "He denied it.", "', "x", 32_000_000, b'": 1}\n' + DENIED)
plain("a-text-of-other-type.jsonl", '{"text": [', "1,", 1_000_000, b"1]}\n" + DENIED)


@made("keys.jsonl")
def _keys() -> Iterable[bytes]:
    yield b'{"text": "He denied it."'
    yield from (b', "%07d": 0.5' % n for n in range(1_040_000))
    yield b"}\n"


@made("many-keys.jsonl")
def _many_keys() -> Iterable[bytes]:
    yield b'{"text": "He denied it."'
    yield from (b',"%07x":%d.5' % (n, n) for n in range(1_040_000))
    yield b"}\n"


@made("objects-with-a-key-each.jsonl")
def _objects() -> Iterable[bytes]:
    yield b'{"text": "He denied it.", "more": [0'
    yield from (b',{"%06x":%d.5}' % (n, n) for n in range(510_000))
    yield b"]}\n"


@made("fields-that-every-row-repeats.jsonl", slow=True)
def _repeated_fields() -> Iterable[bytes]:
    for field in ("x", "\0", "\U0001f6a2"):
        record = {
            "text": "He denied it. " * 1_300,
            "id": field * 2_000,
            "date": field * 2_000,
            "source": field * 2_000,
        }
        yield json.dumps(record, ensure_ascii=False).encode() + b"\n"


@made("control-characters-twice.jsonl", slow=True)
def _controls() -> Iterable[bytes]:
    text = '"' + "\x7f\\u0001" * 4_600_000 + "\U0001f6a2"
    yield from (f'{{"text": {text}"}}\n'.encode() for _ in range(2))
    wide = '"' + "\x01" * (12 * MIB - 10) + "\U0001f6a2"
    yield from (f'{{"text": {wide}"}}\n'.encode() for _ in range(2))


@made("statements-and-wide-characters-twice.jsonl", slow=True)
def _statements() -> Iterable[bytes]:
    text = ("Il a nié tout cela hier. " + "🚢" * 45) * 150_000
    yield from (json.dumps({"text": text[:7_900_000]}, ensure_ascii=False).encode() + b"\n" for _ in range(2))


@made("an-id-that-every-row-repeats.jsonl")
def _repeated_id() -> Iterable[bytes]:
    yield json.dumps({"text": "He denied it. " * 150_000, "id": "x" * 1_900}).encode() + b"\n" + DENIED


# Packed


def bomb(line: bytes, gigabytes: int = 10) -> Iterable[bytes]:
    """Yield a gzip file of one member that unpacks to some gigabytes of one line over and over."""
    packer = zlib.compressobj(9, wbits=31)
    first = packer.compress(b"text\n") + packer.flush(zlib.Z_FULL_FLUSH)
    # After a full flush, what follows does not refer to what came before, so that the same bytes can stand there again.
    piece = packer.compress(line * (MIB // len(line))) + packer.flush(zlib.Z_FULL_FLUSH)
    yield first
    yield from _repeated(piece, gigabytes << 10)
    yield packer.flush()


def zst_bomb(line: bytes, gigabytes: int = 10) -> Iterable[bytes]:
    """Yield the same as zstd, a thousand frames."""
    import zstandard

    piece = zstandard.compress(line * (10 * MIB // len(line)), 19)
    yield zstandard.compress(b"text\n")
    yield from _repeated(piece, gigabytes * 100)


for _kind in ("txt", "md", "html", "jsonl", "csv", "parquet", "warc"):
    made(f"bomb-of-one-line.{_kind}.gz")(lambda: bomb(bytes(MIB)))
    made(f"bomb-of-one-line.{_kind}.zst")(lambda: zst_bomb(bytes(MIB)))
for _kind in ("jsonl", "csv", "warc"):
    made(f"bomb-of-short-lines.{_kind}.gz", slow=True)(lambda: bomb(b"0" * 15 + b"\n"))
    made(f"bomb-of-short-lines.{_kind}.zst", slow=True)(lambda: zst_bomb(b"0" * 15 + b"\n"))
made("bomb-of-shortest-lines.jsonl.gz")(lambda: bomb(b"0\n"))
made("bomb-of-shortest-lines.jsonl.zst")(lambda: zst_bomb(b"0\n"))
made("bomb-of-blank-lines.jsonl.gz")(lambda: bomb(b"\n"))
made("bomb-of-good-records.jsonl.gz", slow=True)(lambda: bomb(DENIED))
made("bomb-in-a-bomb.jsonl.gz")(lambda: [gzip.compress(b"".join(bomb(bytes(MIB), 1)))])
plain("empty-members.jsonl.gz", "", gzip.compress(b"", mtime=0), 500_000, gzip.compress(DENIED))
plain("a-long-comment.jsonl.gz", b"\x1f\x8b\x08\x10" + bytes(6), "x", 5_000_000)
plain("zeros-after-the-end.jsonl.gz", gzip.compress(DENIED), "\0", 10_000_000)
plain("skippable-frames.jsonl.zst", "", b"\x50\x2a\x4d\x18\0\0\0\0", 500_000, DENIED_FRAME)


@made("empty-frames.jsonl.zst")
def _empty_frames() -> Iterable[bytes]:
    import zstandard

    yield from _repeated(zstandard.compress(b""), 500_000)
    yield zstandard.compress(DENIED)


@made("the-largest-window.jsonl.zst", slow=True)
def _largest_window() -> Iterable[bytes]:
    lines = [b'{"text": "%s"}\n' % random.Random(n).randbytes(MIB // 2).hex().encode() for n in range(130)]
    wide = json.dumps({"text": "\U0001f6a2" * 7_900_000}, ensure_ascii=False).encode()
    yield from _windowed(27, [*lines, wide])


@made("a-giant-window.jsonl.zst")
def _giant_window() -> Iterable[bytes]:
    yield from _windowed(31, [DENIED] * 1_000)


def _windowed(log: int, pieces: Iterable[bytes]) -> Iterable[bytes]:
    import zstandard

    about = zstandard.ZstdCompressionParameters(window_log=log, write_content_size=0, compression_level=1)
    packer = zstandard.ZstdCompressor(compression_params=about).compressobj()
    yield from map(packer.compress, pieces)
    yield packer.flush()
