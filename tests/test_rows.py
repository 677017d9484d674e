from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance.labels import Label, LabelSet
from stance.records import DataError
from stance.rows import checked_labels, checked_string, read_jsonl, statement_id

LABELS = LabelSet((Label("denial"), Label("accusation"), Label("dialogue_call")))
ONE_OF_TWO = LabelSet((Label("threat"), Label("promise")), exclusive=True)


def test_objects_come_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes('\ufeff{"id": "a"}\r\n\n  \n{"id": "Żółw"}'.encode())
    assert list(read_jsonl(path)) == [(f"{path}:1", {"id": "a"}), (f"{path}:4", {"id": "Żółw"})]


def test_gzip_is_read_like_plain_text(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"id": "a"}\n{"id": "b"}\n'))
    assert [record["id"] for _, record in read_jsonl(path)] == ["a", "b"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"id": ', "not valid JSON"),
        (b'{"id": "\xff"}', "not valid JSON"),
        (b"[" * 200_000, "not valid JSON"),
        (b'["a"]', "not a JSON object"),
        (b"null", "not a JSON object"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: bytes, message: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"id": "a"}\n\n' + line + b"\n")
    rows = read_jsonl(path)
    assert next(rows)[1] == {"id": "a"}
    with pytest.raises(DataError, match=message) as caught:
        next(rows)
    assert str(caught.value).startswith(f"{path}:3: ")


def test_a_truncated_or_damaged_gzip_file_is_an_error(tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(b'{"number": %d}\n' % (number * 7919 % 1009) for number in range(2000)))
    path = tmp_path / "rows.jsonl.gz"
    for damaged in (whole[: len(whole) // 2], whole[:-3], whole[:40] + b"\xff" * 40 + whole[80:], b"plain"):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match="cannot be read"):
            list(read_jsonl(path))


def test_a_missing_file_and_a_folder_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        list(read_jsonl(tmp_path / "rows.jsonl"))
    with pytest.raises(DataError, match="cannot be read"):
        list(read_jsonl(tmp_path))


def test_labels_come_in_the_order_of_the_label_set() -> None:
    assert checked_labels(["dialogue_call", "denial"], LABELS, "f:1") == ("denial", "dialogue_call")
    assert checked_labels([], LABELS, "f:1") == ()
    assert checked_labels(["promise"], ONE_OF_TWO, "f:1") == ("promise",)


@pytest.mark.parametrize(
    ("given", "labels", "message"),
    [
        ("denial", LABELS, "str, not a list"),
        (None, LABELS, "NoneType, not a list"),
        (["refusal"], LABELS, "unknown label 'refusal'"),
        ([["denial"]], LABELS, "unknown label"),
        ([1], LABELS, "unknown label 1"),
        (["denial", "denial"], LABELS, "listed twice"),
        ([], ONE_OF_TWO, "0 labels, but the label set is exclusive"),
        (["threat", "promise"], ONE_OF_TWO, "2 labels"),
    ],
)
def test_wrong_labels_are_refused(given: object, labels: LabelSet, message: str) -> None:
    with pytest.raises(DataError, match=f"^f:1: .*{message}"):
        checked_labels(given, labels, "f:1")


def test_a_string_has_to_be_whole() -> None:
    assert checked_string("Łódź 🚢", "text", "f:1") == "Łódź 🚢"
    for value, message in ((5, "int, not a string"), (json.loads('"a\\ud83d"'), "lone surrogate")):
        with pytest.raises(DataError, match=f"^f:1: text .*{message}"):
            checked_string(value, "text", "f:1")


def test_the_id_is_the_sha1_of_the_folded_text() -> None:
    # From `printf 'The port is open.' | sha1sum`.
    assert statement_id("The port is open.") == "224d932e746c"
    assert statement_id("  The\tport\u00a0is\n\nopen. ") == "224d932e746c"
    assert statement_id("The port is open") != "224d932e746c"


@given(st.text(st.characters(exclude_categories=[])))
def test_every_text_has_an_id(text: str) -> None:
    name = statement_id(text)
    assert len(name) == 12
    assert set(name) <= set("0123456789abcdef")
    assert statement_id(f" {text}\n") == name
