"""A web page → its headline, main text, day and source, by trafilatura, in this process.

A page may take any time and memory, and even end the process: `stance.extraction` calls this from a child process.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

LARGEST_PAGE: Final = 16 << 20
# A day that never moves keeps the answer the same tomorrow. Patterns in running text are no publication date.
_DATES: Final = {"original_date": True, "extensive_search": False, "max_date": "2099-12-31"}
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SEPARATOR: Final = r"\s+[-|·»–—]\s+"


@dataclass(frozen=True, slots=True)
class Page:
    """What a web page says.

    Attributes
    ----------
    text
        The title, a blank line, and the main text with one paragraph a line: no menus, comments or tables.
    title
        Its headline; empty where it has none.
    date
        Day of publication as ``YYYY-MM-DD``, as the page's URL or markup has it; that of the last change only where
        it names no other. Empty where it has none.
    source
        Name of the site, else of its host; empty where neither is known.
    """

    text: str
    title: str
    date: str
    source: str


class ExtractionError(Exception):
    """A page that gives no text; says why in one line."""


def read_page(html: bytes, url: str) -> Page:
    """Find the main text of a page.

    Parameters
    ----------
    html
        The page as it was sent, in any encoding.
    url
        Where it stood, or ``""``; only read for its host and date.

    Returns
    -------
    Page

    Raises
    ------
    ExtractionError
        If the page has no main text, or trafilatura stumbles over it.
    """
    from trafilatura import bare_extraction

    try:
        found: Any = bare_extraction(
            html,
            url=url if re.match("https?://", url) else None,
            with_metadata=True,
            include_comments=False,
            # Old sites set their whole page in tables; read as tables, an article would become one line.
            include_tables=False,
            date_extraction_params=_DATES,
        )
    except MemoryError:
        raise
    except Exception as error:
        # Whatever a strange page provokes is that page's reject.
        raise ExtractionError(f"extraction failed ({type(error).__name__})") from error
    text = found.text.strip() if found else ""
    if not text:
        raise ExtractionError("has no main text")
    source = found.sitename or found.hostname or ""
    title, text = _with_title(" ".join((found.title or "").split()), source, text)
    date = found.date if found.date and _DAY.fullmatch(found.date) else ""
    return Page(text, title, date, source)


def _with_title(title: str, source: str, text: str) -> tuple[str, str]:
    """Return the title without the name of the site, and the text with the title once, as its first paragraph."""
    if source:
        title = re.sub(f"{_SEPARATOR}{re.escape(source)}$", "", title)
    if not title:
        return "", text
    first, _, rest = text.partition("\n")
    first = " ".join(first.split())
    # The headline as the reader sees it, where the title of the page is that headline and the name of a section.
    if title.casefold() == first.casefold() or re.match(f"{re.escape(first)}{_SEPARATOR}", title, re.IGNORECASE):
        return first, f"{first}\n\n{rest}".rstrip()
    return title, f"{title}\n\n{text}"
