"""Where the label, lexicon and codebook files and the default model are: in the checkout or packed into the package."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from stance.records import DataError, ModelError

_PACKAGE: Final = Path(__file__).resolve().parent
_PACKED: Final = _PACKAGE / "_packed"
_CHECKOUT: Final = _PACKAGE.parent.parent


def data_path(name: str) -> Path:
    """Return the path of a file that ships in ``data/``.

    Parameters
    ----------
    name
        A file name: ``labels.toml``, ``lexicon.toml`` or ``CODEBOOK.md``; in a checkout anything below ``data/``.

    Raises
    ------
    DataError
        If neither the checkout nor the installed package has it.
    """
    relative = Path("data", name)
    for place in _places(relative):
        if place.exists():
            return place
    raise DataError(
        f"{relative.as_posix()}: found neither {_both(relative)}; restore the file, or install stance-news again"
    )


def default_model_path() -> Path:
    """Return the folder of the default model.

    Raises
    ------
    ModelError
        If neither the checkout nor the installed package has it.
    """
    relative = Path("models", "default")
    for place in _places(relative):
        if (place / "model.json").is_file():
            return place
    raise ModelError(
        f"the default model: found neither {_both(relative)}; run `make train`, or install stance-news again"
    )


def _places(relative: Path) -> tuple[Path, ...]:
    # The checkout goes first: whoever edits its files expects them to be read, whatever else lies about. An installed
    # package must not take the folders around it for a checkout.
    in_checkout = _PACKAGE.parent.name == "src" and (_CHECKOUT / "pyproject.toml").is_file()
    return (_CHECKOUT / relative, _PACKED / relative) if in_checkout else (_PACKED / relative,)


def _both(relative: Path) -> str:
    return f"packed at {_PACKED / relative} nor in a checkout at {_CHECKOUT / relative}"
