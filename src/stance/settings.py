"""How a model is trained: the stored settings, ``data/settings.json``."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from stance.features import FAMILIES, MARK, FeatureSettings
from stance.records import DataError


@dataclass(frozen=True)
class Settings:
    """What `stance train` uses and `stance train --search` looks for.

    Attributes
    ----------
    regularisation
        Inverse strength of the L2 penalty (scikit-learn's ``C``), where `regularisation_by_label` has none for a label.
    regularisation_by_label
        Label name to its ``C``.
    family_scale
        Feature family to the factor on its features; a larger one is penalised less. Families left out have 1.
    own_weight
        Weight of an own statement; a stand-off row weighs 1.
    borderline_weight
        Factor on the weight of rows that the annotators marked as borderline.
    own_rows
        Own statements a feature must occur in, where no stand-off row has it.
    precision_by_label
        Label name to the precision, in the natural mix, that its threshold has to reach; the others go by F1.
    balance
        Weight of seldom labels: each row counts by its label's number of rows to the power of minus this; 0 leaves rows
        as they are, 1 makes all labels weigh the same. Probabilities are then those of such a mix.
    marks
        Names of the tags that mark spans, such as ``["s", "t"]`` for ``<s>Paris</s> urged <t>Berlin</t>``; a marked
        span counts as one word, whoever stands in it.
    folds
        Folds of the grouped cross-validation that calibration and search use.
    """

    regularisation: float = 8.0
    regularisation_by_label: Mapping[str, float] = field(default_factory=dict)
    family_scale: Mapping[str, float] = field(default_factory=dict)
    own_weight: float = 0.3
    borderline_weight: float = 0.5
    own_rows: int = 2
    precision_by_label: Mapping[str, float] = field(default_factory=dict)
    balance: float = 0.0
    marks: tuple[str, ...] = ()
    folds: int = 5

    def __post_init__(self) -> None:
        for name, given in (
            ("regularisation_by_label", self.regularisation_by_label),
            ("family_scale", self.family_scale),
            ("precision_by_label", self.precision_by_label),
        ):
            if not isinstance(given, Mapping):
                raise DataError(f"settings: {name} is {type(given).__name__}; give names with numbers")
        if isinstance(self.marks, str) or not isinstance(self.marks, Sequence):
            raise DataError(f"settings: marks is {type(self.marks).__name__}; give a list of names")
        for mark in self.marks:
            if not isinstance(mark, str) or not re.fullmatch(MARK, mark):
                raise DataError(f"settings: mark {mark!r} has to be a word of letters, digits, _ and -")
        object.__setattr__(self, "marks", tuple(self.marks))
        numbers = {
            "regularisation": self.regularisation,
            "own_weight": self.own_weight,
            "borderline_weight": self.borderline_weight,
            **{f"regularisation_by_label.{name}": value for name, value in self.regularisation_by_label.items()},
        }
        for name, value in numbers.items():
            if not _is_number(value) or value <= 0:
                raise DataError(f"settings: {name} is {value!r}; give a number above 0")
        if not _is_number(self.balance) or not 0 <= self.balance <= 1:
            raise DataError(f"settings: balance is {self.balance!r}; give a number from 0 to 1")
        for name, wanted in self.precision_by_label.items():
            if not _is_number(wanted) or not 0 < wanted <= 1:
                raise DataError(f"settings: precision_by_label.{name} is {wanted!r}; give a number above 0, at most 1")
        for family, factor in self.family_scale.items():
            if family not in FAMILIES or not _is_number(factor) or factor < 0:
                raise DataError(
                    f"settings: family_scale {family!r}: {factor!r}; give a number, 0 or more, for one of "
                    f"{', '.join(FAMILIES)}"
                )
        if not _is_number(self.folds) or not isinstance(self.folds, int) or self.folds < 2:
            raise DataError(f"settings: folds is {self.folds!r}; give a whole number, 2 or more")
        if not _is_number(self.own_rows) or not isinstance(self.own_rows, int) or self.own_rows < 1:
            raise DataError(f"settings: own_rows is {self.own_rows!r}; give a whole number, 1 or more")

    @property
    def features(self) -> FeatureSettings:
        """How text becomes features under these settings."""
        return FeatureSettings(marks=self.marks)

    def strength(self, label: str) -> float:
        """Return the ``C`` of a label."""
        return self.regularisation_by_label.get(label, self.regularisation)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain figures."""
        return asdict(self)


def read_settings(path: Path) -> Settings:
    """Read ``settings.json``.

    Raises
    ------
    DataError
        If the file cannot be read, is not a JSON object, or has an unknown field or a wrong value.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the path and its rights") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not valid JSON ({error}); mend it, or remove it to use the defaults") from error
    known = {each.name for each in fields(Settings)}
    if not isinstance(document, dict) or set(document) - known:
        raise DataError(f"{path}: has to be a JSON object with some of the fields {', '.join(sorted(known))}")
    try:
        return Settings(**document)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def stored_settings(folder: Path) -> Settings:
    """Return the settings of a data folder: those of its ``settings.json``, the defaults where it has none."""
    path = folder / "settings.json"
    return read_settings(path) if path.exists() else Settings()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
