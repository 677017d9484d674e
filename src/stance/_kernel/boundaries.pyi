import re

class Splitter:
    def __init__(
        self,
        text: str,
        size: int,
        no_abbreviations: frozenset[str],
        abbreviations: frozenset[str],
        zone: re.Pattern[str],
    ) -> None: ...
    def spans(self, start: int, end: int) -> list[tuple[int, int]]: ...
