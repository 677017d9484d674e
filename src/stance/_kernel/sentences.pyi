from collections.abc import Callable

from stance._kernel.boundaries import Splitter

def statement_spans(
    splitter: Splitter, text: str, is_dateline: Callable[[str], bool]
) -> list[tuple[int, int, str]]: ...
