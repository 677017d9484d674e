from typing import Any

import numpy as np
from numpy.typing import NDArray

class TextError(ValueError): ...

class Texts:
    def __len__(self) -> int: ...
    def __getitem__(self, number: int) -> str: ...

def texts_of(given: list[Any]) -> Texts | int: ...
def texts_of_spans(text: str, spans: list[tuple[int, int, str]]) -> Texts: ...
def texts_of_utf8(data: Any, offsets: NDArray[np.int64]) -> Texts: ...
def texts_of_arrow(column: Any) -> Texts: ...

class Kernel:
    def __init__(
        self,
        table: bytes,
        families: list[str],
        bits: list[int],
        classes: list[str],
        frames: list[bool],
        marks: list[str],
        entries: list[bytes],
        special: list[int],
    ) -> None: ...
    def rows(self, texts: Texts) -> tuple[NDArray[np.int64], NDArray[np.int32]]: ...

class Scorer:
    def __init__(
        self,
        kernel: Kernel,
        buckets: NDArray[np.int32],
        weights: NDArray[np.float32],
        intercepts: NDArray[np.float64],
        slopes: NDArray[np.float64],
        offsets: NDArray[np.float64],
        exclusive: bool,
    ) -> None: ...
    def scores(self, texts: Texts) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32]]: ...
