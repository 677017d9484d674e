"""Found records → articles: what a record says, and why something can be no article."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from stance import limits
from stance.boundaries import DOTS
from stance.inputs import Input, without_surrogates
from stance.records import Article, InputError, Pending, Reject
from stance.sentences import article_date
from stance.streams import is_too_wide, shown_raw

if TYPE_CHECKING:
    from stance.extraction import Extractor

DEFAULT_COLUMNS: Final = {
    "text": ("text", "content", "body", "article"),
    "id": ("id", "article_id", "url"),
    "date": ("date", "published", "published_at"),
    "source": ("source", "outlet", "publisher"),
}
_FRONT_MATTER: Final = re.compile(r"---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
# Prose between two rules is no front matter; taking it for such would lose it.
_FRONT_LINE: Final = re.compile(r"[\w.-]+[ \t]*:(?:[ \t].*)?|[ \t#-].*|")
# What a row takes beside its text and what it repeats of the article.
_ROW_BYTES: Final = 250
# A control character is six bytes in JSON.
_MOST_BYTES: Final = 6
# Where a statement may end: lines, and the sentences of all scripts.
_ENDS: Final = ".!?:\n\r\v\f\x1c\x1d\x1e\x85"
_WIDE_ENDS: Final = re.compile(
    f"[{DOTS}\u0589\u061d-\u061f\u06d4\u0700-\u0702\u07f9\u0837\u0839\u083d\u083e\u0964\u0965\u104a\u104b\u1362\u1367\u1368"
    "\u166e\u1735\u1736\u1803\u1809\u1944\u1945\u1aa8-\u1aab\u1b5a\u1b5b\u1b5e\u1b5f\u1b7d\u1b7e\u1c3b\u1c3c\u1c7e\u1c7f\u2024"
    "\u2026\u2028\u2029\u203c\u203d\u2047-\u2049\u2e2e\u2e3c\u2e53\u2e54\u3002\ua4ff\ua60e\ua60f\ua6f3\ua6f7\ua876\ua877"
    "\ua8ce\ua8cf\ua92f\ua9c8\ua9c9\uaa5d-\uaa5f\uaaf0\uaaf1\uabeb\ufe52\ufe56\ufe57\uff01\uff0e\uff1f\uff61"
    "\U00010a56\U00010a57\U00010f55-\U00010f59\U00010f86-\U00010f89\U00011047\U00011048\U000110be-\U000110c1"
    "\U00011141-\U00011143\U000111c5\U000111c6\U000111cd\U000111de\U000111df\U00011238\U00011239\U0001123b\U0001123c"
    "\U000112a9\U0001144b\U0001144c\U000115c2\U000115c3\U000115c9-\U000115d7\U00011641\U00011642\U0001173c-\U0001173e"
    "\U00011944\U00011946\U00011a42\U00011a43\U00011a9b\U00011a9c\U00011c41\U00011c42\U00011ef7\U00011ef8\U00011f43"
    "\U00011f44\U00016a6e\U00016a6f\U00016af5\U00016b37\U00016b38\U00016b44\U00016e98\U0001bc9f\U0001da88]"
)


Record = Article | Reject
Found = Article | Reject | Pending


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns or fields to read; where left out, the usual names are tried in order."""

    text: str | None = None
    id: str | None = None
    date: str | None = None
    source: str | None = None

    def chosen(self, present: Iterable[str]) -> dict[str, str | None]:
        """Return the name that stands for each, None where none of the usual names is present."""
        known = set(present)
        names = {}
        for each in fields(self):
            usual = next((name for name in DEFAULT_COLUMNS[each.name] if name in known), None)
            names[each.name] = wanted if (wanted := getattr(self, each.name)) is not None else usual
        return names

    def chosen_of_table(self, present: list[str], place: str) -> dict[str, str | None]:
        """Return the same for a table, whose columns are there for all its rows or for none.

        Raises
        ------
        InputError
            If a named column is missing, or there is none with the text.
        """
        names = self.chosen(present)
        for wanted in names.values():
            if wanted is not None and wanted not in present:
                raise InputError(f"{place}: has no column {wanted!r}; it has {', '.join(present)}")
        if names["text"] is None:
            usual = ", ".join(DEFAULT_COLUMNS["text"])
            raise InputError(f"{place}: has no column {usual}, but {', '.join(present)}; name one with --text-column")
        return names


class Reading:
    """Reads found records; a context, because pages are read by a process of their own.

    Parameters
    ----------
    columns
        Fields of jsonl.
    """

    def __init__(self, columns: Columns | None = None) -> None:
        self._columns = columns or Columns()
        self._extractor: Extractor | None = None

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process that reads pages."""
        if self._extractor is not None:
            self._extractor.close()
            self._extractor = None

    def read(self, found: Found) -> Record:
        """Return the article that a record holds, or the reject that it is."""
        if not isinstance(found, Pending):
            return found
        return _read_json(found, self._columns) if found.kind == "jsonl" else self._read_page(found)

    def _read_page(self, found: Pending) -> Record:
        from stance.extraction import ExtractionError, Extractor

        if self._extractor is None:
            self._extractor = Extractor()
        raw = shown_raw(found.raw)
        try:
            page = self._extractor.extract(found.raw, found.url)
        except ExtractionError as error:
            return Reject(found.place, found.line, str(error), raw)
        about = (found.name, page.date or found.date, page.source)
        return _article(page.text, found.place, found.line, *about, raw, title=page.title)


def read_text(
    raw: bytes, place: str, name: str, line: int, *, with_front_matter: bool = False, date: str = ""
) -> Record:
    """Return the article that bytes of UTF-8 hold; front matter, and where there is none `date`, say what it is."""
    if len(raw) > 4 * limits.LARGEST_ARTICLE:
        return Reject(place, line, _too_long(), shown_raw(raw))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = line or raw[: error.start].count(b"\n") + 1
        return Reject(place, line, f"not valid UTF-8 (byte {error.start})", shown_raw(raw))
    about: dict[str, str] = {}
    front = _FRONT_MATTER.match(text) if with_front_matter else None
    if front and all(_FRONT_LINE.fullmatch(line) for line in front[1].splitlines()):
        pairs = (line.partition(":") for line in front[1].splitlines())
        about = {key.rstrip().lower(): value.strip().strip("\"'") for key, colon, value in pairs if colon}
        text = text[front.end() :]
    found = about.get("id") or name, about.get("date", date), about.get("source", "")
    return _article(text, place, line, *found, shown_raw(raw), title=about.get("title", ""))


def _read_json(found: Pending, columns: Columns) -> Record:
    place, number, line = found.place, found.line, found.raw
    raw = shown_raw(line)
    if len(line) > limits.MOST_VALUES and sum(map(line.count, (b",", b"[", b"{"))) > limits.MOST_VALUES:
        return Reject(place, number, f"holds more than {limits.MOST_VALUES:,} values", raw)
    if is_too_wide(line):
        return Reject(place, number, _too_long(), raw)
    try:
        record = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        return Reject(place, number, f"not valid UTF-8 (byte {error.start})", raw)
    except (ValueError, RecursionError) as error:
        return Reject(place, number, f"not valid JSON ({error})", raw)
    if not isinstance(record, dict):
        return Reject(place, number, f"not a JSON object but {type(record).__name__}", raw)
    names = columns.chosen(record)
    missing = next((field for field in names.values() if field is not None and field not in record), None)
    if missing is not None or names["text"] is None:
        wanted = missing or " or ".join(DEFAULT_COLUMNS["text"])
        return Reject(place, number, f"has no field {wanted}", raw)
    values = {field: "" if name is None else record[name] for field, name in names.items()}
    return from_values(values, names, found, number, raw)


def from_values(
    values: dict[str, Any], names: dict[str, str | None], each: Input | Pending, line: int, raw: str
) -> Record:
    """Make an article of the values of a record; `names` are what the record itself calls them."""
    text = values.pop("text")
    if not isinstance(text, str):
        return Reject(each.place, line, f"{names.get('text', 'text')} is {type(text).__name__}, not a string", raw)
    plain = {}
    for field, value in values.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, str | int | float)):
            called = names.get(field, field)
            return Reject(each.place, line, f"{called} is {type(value).__name__}, not a string or number", raw)
        plain[field] = "" if value is None else without_surrogates(str(value))
    name = plain["id"] or f"{each.name}:{line}"
    return _article(text, each.place, line, name, plain["date"], plain["source"], raw)


def _article(
    text: str, place: str, line: int, name: str, date: str, source: str, raw: str, *, title: str = ""
) -> Record:
    text = without_surrogates(text)
    article = Article(text, name, source, date or article_date(text), title=title)
    reason = refusal(article)
    return Reject(place, line, reason, raw) if reason else article


def refusal(article: Article) -> str:
    """Return why something can be no article, in one line; "" where it can."""
    text = article.text
    if len(text) > limits.LARGEST_ARTICLE:
        return _too_long()
    # NUL and white space alone hold no statement.
    if not text.replace("\0", " ").strip():
        return "blank"
    repeated = 0
    for field in ("id", "date", "source", "title"):
        length = len(getattr(article, field))
        if length > limits.LARGEST_FIELD:
            return f"its {field} is longer than {limits.LARGEST_FIELD:,} characters"
        repeated += length
    # A short text cannot reach the limits, so that it need not be counted.
    if len(text) * (_MOST_BYTES * repeated + _ROW_BYTES) > limits.LARGEST_ROWS:
        about = json.dumps((article.id, article.date, article.source, article.title), ensure_ascii=False)
        row = len(about.encode("utf-8", "replace")) + _ROW_BYTES
        ends = 1 + _ends_in(text, min(limits.MOST_STATEMENTS, limits.LARGEST_ROWS // row) - 1)
        if ends > limits.MOST_STATEMENTS:
            return f"has more than {limits.MOST_STATEMENTS:,} ends of sentences and lines"
        if ends * row > limits.LARGEST_ROWS:
            return f"would make more than {limits.LARGEST_ROWS >> 20} MiB of rows"
    return ""


def _ends_in(text: str, allowed: int) -> int:
    """Return how many ends of sentences and lines a text has, or a number that settles whether more than allowed."""
    ends = sum(map(text.count, _ENDS))
    # Each character that is not ASCII takes a byte more at least. Looking at all of them takes ten times as long.
    most = ends + len(text.encode("utf-8", "surrogatepass")) - len(text)
    if most <= allowed:
        return most
    # One at a time: a list of them could be as long as the text.
    others = () if text.isascii() else _WIDE_ENDS.finditer(text)
    return ends + sum(1 for _ in islice(others, limits.MOST_STATEMENTS))


def _too_long() -> str:
    return f"longer than {limits.LARGEST_ARTICLE >> 20} Mi characters"
