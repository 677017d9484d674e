"""The stored training settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stance.records import DataError
from stance.resources import data_path
from stance.settings import Settings, read_settings


def test_there_and_back(tmp_path: Path) -> None:
    settings = Settings(
        regularisation=2,
        regularisation_by_label={"denial": 0.5},
        family_scale={"word": 0, "pair": 1.5},
        own_weight=0.1,
        borderline_weight=1,
        own_rows=1,
        folds=3,
    )
    path = tmp_path / "settings.json"
    path.write_text(json.dumps(settings.to_json()))
    assert read_settings(path) == settings
    assert settings.strength("denial") == 0.5
    assert settings.strength("accusation") == 2


def test_defaults_where_there_is_no_field(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    with pytest.raises(DataError, match="cannot be read"):
        read_settings(path)
    path.write_text('{"folds": 7}')
    assert read_settings(path) == Settings(folds=7)


def test_the_shipped_settings_are_read() -> None:
    assert isinstance(read_settings(data_path("settings.json")), Settings)


WRONG: list[tuple[str, Any]] = [
    *((name, value) for name in ("regularisation", "own_weight", "borderline_weight") for value in (
        0, -1, "8", None, True, [], float("nan"), float("inf")
    )),
    *((name, value) for name in ("folds", "own_rows") for value in (0, -1, 2.5, "5", None, True, float("nan"))),
    ("folds", 1),
    *(("balance", value) for value in (-0.1, 1.1, "1", None, True, float("nan"))),
    *(("marks", value) for value in ("s", 3, None, {"s": 1})),
    *(("regularisation_by_label", value) for value in ({"denial": 0}, {"denial": "1"}, [], None, 3)),
    *(("family_scale", value) for value in (
        {"words": 1}, {"word": -1}, {"word": "1"}, {"word": None}, {"word": float("nan")}, [], ["word"], None, "word"
    )),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_wrong_values(tmp_path: Path, name: str, value: Any) -> None:
    with pytest.raises(DataError, match=rf"settings: {name}.*; give "):
        Settings(**{name: value})
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({name: value}))
    with pytest.raises(DataError, match=name) as caught:
        read_settings(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "{", "[]", "3", "null", '{"folds": 5', '{"fold": 5}', "[" * 100_000, "\ud800"])
def test_wrong_files(tmp_path: Path, content: str) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(DataError) as caught:
        read_settings(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_settings_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_settings(tmp_path)
