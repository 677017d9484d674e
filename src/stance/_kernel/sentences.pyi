from collections.abc import Callable
from typing import TypeVar

from stance._kernel.boundaries import Splitter

_Record = TypeVar("_Record")

def statement_spans(
    splitter: Splitter, text: str, is_dateline: Callable[[str], bool]
) -> list[tuple[int, int, str]]: ...
def statements(record: type[_Record], text: str, spans: list[tuple[int, int, str]]) -> tuple[_Record, ...]: ...
