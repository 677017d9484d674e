from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stance.labels import MOST_LABELS, Label, LabelSet, read_labels
from stance.records import DataError

ROOT = Path(__file__).resolve().parent.parent


def label_set(*names: str, **other: Any) -> dict[str, Any]:
    return {"label": [{"name": name} for name in names], **other}


def test_the_shipped_label_set_is_read_in_order() -> None:
    labels = read_labels(ROOT / "data" / "labels.toml")
    assert labels.names == ("denial", "accusation", "dialogue_call")
    assert not labels.exclusive
    assert all(label.title and label.definition and label.cameo for label in labels.labels)
    assert len({label.colour for label in labels.labels}) == 3


def test_a_label_set_survives_its_json_form() -> None:
    labels = LabelSet(
        (
            Label("threat", "Threat", "Somebody threatens.", "#a0B1c2", ("13", "130"), ("THREATEN",)),
            Label("x-2"),
        ),
        exclusive=True,
    )
    assert LabelSet.from_json(labels.to_json()) == labels


def test_most_labels_are_accepted_and_one_more_is_not() -> None:
    names = [f"l{number}" for number in range(MOST_LABELS)]
    assert len(LabelSet.from_json(label_set(*names)).names) == MOST_LABELS
    with pytest.raises(DataError, match="1 to 256"):
        LabelSet.from_json(label_set(*names, "more"))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "1 to 256"),
        ({"label": []}, "1 to 256"),
        ({"label": "denial"}, "1 to 256"),
        ({"label": ["denial"]}, "not a .*table"),
        (label_set("a", colour="#000000"), "unknown key 'colour'"),
        (label_set("a", exclusive=1), "neither true nor false"),
        (label_set("a", exclusive=True), "two labels or more"),
        (label_set("a", "b", "a"), "'a' is listed twice"),
        (label_set("none"), "not exclusive"),
        (label_set("two words"), "'two words'"),
        (label_set("2nd"), "'2nd'"),
        (label_set("a\n"), "has to be a word"),
        ({"label": [{}]}, "label name None"),
        ({"label": [{"name": "a", "color": "#000000"}]}, "unknown key 'color'"),
        ({"label": [{"name": "a", "title": 1}]}, "title is not a string"),
        ({"label": [{"name": "a", "colour": "red"}]}, "#rrggbb"),
        ({"label": [{"name": "a", "cameo": "016"}]}, "cameo is not a list"),
        ({"label": [{"name": "a", "plover": [16]}]}, "plover is not a list of strings"),
    ],
)
def test_a_wrong_label_set_is_refused(document: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        LabelSet.from_json(document)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"exclusive = maybe", "not valid TOML"),
        (b"# \xff", "not valid TOML"),
        (b"a = " + b"[" * 20_000, "not valid TOML"),
        (b"exclusive = false", "1 to 256"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "labels.toml"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_labels(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"labels\.toml: cannot be read"):
        read_labels(tmp_path / "labels.toml")
