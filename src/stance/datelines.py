"""The date line that an article may open with: what counts as one, and which day it names."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH: Final = (
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_DATE: Final = re.compile(
    r"(?<![\w/.-])(?:([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})"
    rf"|([0-9]{{1,2}})(?:st|nd|rd|th)?(?: of)?[ -]{_MONTH}\.?,?[ -]([0-9]{{4}})"
    rf"|{_MONTH}\.? ([0-9]{{1,2}})(?:st|nd|rd|th)?,? ([0-9]{{4}})"
    r"|([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([0-9]{4}))(?![0-9/-])",
    re.IGNORECASE,
)
_TIME: Final = re.compile("T?[0-9]{1,4}(?:Z|am|pm)?", re.IGNORECASE)
_DATE_WORDS: Final = frozenset(
    "date dated posted published publication updated modified created issued released last first on at of time local "
    "gmt utc est edt et cst cdt ct pst pdt pt cet cest bst msk ist jst t z a p m am pm h hrs "
    "monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun".split()
)


def is_dateline(line: str) -> bool:
    """Whether `line` holds a date and nothing more than a time, a place or names, and words such as *posted*."""
    dates = dates_in(line)
    if not dates:
        return False
    first = dates[0][0]
    place = line[:first].rstrip()
    rest = _DATE.sub(" ", line[first:])
    # "MOSCOW, 23 Nov 2021": a few capitalised words, set off from the date by punctuation.
    names = [word for word in re.findall(r"[^\W_]+", place) if word.lower() not in _DATE_WORDS]
    named = len(names) <= 4 and all(word[0].isupper() for word in names) and (not names or place[-1] in ",|–—-:·(/")
    return named and all(word.lower() in _DATE_WORDS or _TIME.fullmatch(word) for word in re.findall(r"[^\W_]+", rest))


def dates_in(line: str) -> list[tuple[int, str]]:
    """Return where each date of a line starts, and the day as ``YYYY-MM-DD``, empty where it is ambiguous."""
    return [(match.start(), found) for match in _DATE.finditer(line) if (found := _iso(match)) is not None]


def _iso(match: re.Match[str]) -> str | None:
    year, month, day, day_b, name_b, year_b, name_c, day_c, year_c, one, two, year_d = match.groups()
    if year_b or year_c:
        name = (name_b or name_c).lower()
        return _checked(year_b or year_c, _MONTHS.index(name[:3]) + 1, day_b or day_c)
    if year:
        return _checked(year, month, day)
    day_first, month_first = _checked(year_d, two, one), _checked(year_d, one, two)
    if day_first and month_first and day_first != month_first:
        return ""
    return day_first or month_first


def _checked(year: str, month: str | int, day: str) -> str | None:
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return None
