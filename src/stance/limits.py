"""How large things may be, in one place. What is larger becomes a reject, before memory is taken for it."""

from __future__ import annotations

from typing import Final

# Code points of an article.
LARGEST_ARTICLE: int = 12 << 20
# Bytes of a line of jsonl, or of a row of csv, which may run over several lines. A line that is not ASCII may have a
# third more characters than an article.
LARGEST_LINE: int = 32 << 20
# Values of a JSON object, cells of a row: some hundred bytes of memory each, so that they count more than bytes do.
MOST_VALUES: int = 1 << 20
# Characters of an article's id, date, source or title, which every row of it repeats.
LARGEST_FIELD: int = 2_000
# Ends of sentences and lines that an article may have; each could be a statement.
MOST_STATEMENTS: int = 200_000
# Bytes of the rows of one article, roughly.
LARGEST_ROWS: int = 64 << 20
# Bytes that come out of a packed file for each that goes in. News packs to a third, a table that repeats itself to a
# fiftieth. Small files are let off: a short one that repeats itself is no danger. A line counts for more than its
# bytes, because each may be a record: what takes the time is the records, and real ones are longer than that.
LARGEST_RATIO: int = 200
RATIO_COUNTS_FROM: int = 64 << 20
LINE_WEIGHT: int = 512
# Bytes of a page of a parquet file, unpacked and packed together: most have 1 MiB, those of DuckDB 100 MB.
LARGEST_TABLE_PAGE: int = 160 << 20
# Characters of a refused record that are kept.
SHOWN_RAW: Final = 2_000
