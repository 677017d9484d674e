import numpy as np
from numpy.typing import NDArray

def json_lines(
    head: bytes,
    text: str,
    spans: list[tuple[int, int, str]],
    probabilities: NDArray[np.float64],
    given: NDArray[np.uint8],
    names: list[str],
    tail: bytes,
    only_labelled: bool,
) -> bytes: ...
