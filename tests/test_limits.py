"""The limits are those that the documentation states."""

from __future__ import annotations

from pathlib import Path

from stance import limits, pages
from stance.extraction import EXTRACTION_BYTES, EXTRACTION_SECONDS

DOCS = (Path(__file__).resolve().parent.parent / "docs" / "scoring.md").read_text(encoding="utf-8")


def test_the_documentation_states_every_limit() -> None:
    section = DOCS.partition("\n## Limits\n")[2].partition("\n## ")[0]
    for wanted in (
        f"{limits.LARGEST_ARTICLE >> 20} Mi characters",
        f"{limits.LARGEST_LINE >> 20} MiB, {limits.MOST_VALUES:,} values",
        f"{limits.LARGEST_FIELD:,} characters each",
        f"| {limits.MOST_STATEMENTS:,} |",
        f"about {limits.LARGEST_ROWS >> 20} MiB",
        f"{limits.LARGEST_RATIO} times what goes in, from {limits.RATIO_COUNTS_FROM >> 20} MiB on",
        f"{limits.LARGEST_TABLE_PAGE >> 20} MiB",
        f"{pages.LARGEST_PAGE >> 20} MiB; {EXTRACTION_SECONDS:.0f} s and {EXTRACTION_BYTES >> 20} MiB",
        f"{limits.SHOWN_RAW:,} characters",
    ):
        assert wanted in section, wanted
