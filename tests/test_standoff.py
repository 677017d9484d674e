from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance import matrix as matrix_room
from stance import standoff
from stance.dataset import is_held_apart
from stance.features import FAMILIES, FeatureSettings, Featurizer
from stance.labels import Label, LabelSet
from stance.lexicon import Lexicon
from stance.matrix import MIN_ROWS, MIN_ROWS_OF_NGRAMS, FeatureMatrix, make_matrix, read_matrix, write_matrix
from stance.neighbours import jaccard
from stance.records import DataError, InputError
from stance.rows import statement_id
from stance.standoff import StandoffRow, extract, joined_groups, read_rows, read_standoff

LABELS = LabelSet((Label("denial"), Label("accusation")))
FEATURIZER = Featurizer(Lexicon.from_classes({"deny": ["denied", "denies"], "claim": ["report"]}))
TEXTS = [f"The {who} denied a {what} about the {where} bridge." for who in ("mayor", "smith", "guild", "ferryman")
         for what in ("report", "tale") for where in ("old", "new", "stone")]  # fmt: skip


def row(text: str, /, **other: Any) -> dict[str, Any]:
    number = TEXTS.index(text) if text in TEXTS else 99
    made: dict[str, Any] = {"id": statement_id(text), "origin": "o/r", "commit": "c0", "path": f"p/{number}.txt"}
    made |= {"locator": f"line {number}", "date": "2021-11-23", "source": "The Bridge", "draw": "random", "round": 2}
    return {**made, "weight": 12.5, "borderline": number % 2 == 0, "labels": ["denial"] * (number % 3 > 0), **other}


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    content = "".join(json.dumps(each) + "\n" for each in rows).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def texts_file(path: Path, texts: Sequence[str] = TEXTS) -> Path:
    return write_rows(path, [{"id": statement_id(text), "text": text} for text in texts])


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A stand-off folder with all texts, made from files beside it."""
    rows = write_rows(tmp_path / "rows.jsonl", [row(text) for text in TEXTS])
    texts = texts_file(tmp_path / "texts.jsonl.gz")
    extract(tmp_path / "standoff", FEATURIZER, LABELS, label_files=[rows], text_files=[texts])
    return tmp_path / "standoff"


# Extraction.


def test_what_goes_in_comes_back(made: Path) -> None:
    found = read_standoff(made, LABELS)
    by_id = {statement_id(text): text for text in TEXTS}
    assert [each.id for each in found.rows] == sorted(by_id)
    assert [each.to_json() for each in found.rows] == [row(by_id[name]) for name in sorted(by_id)]
    expected, _, _ = make_matrix([by_id[name] for name in sorted(by_id)], FEATURIZER)
    for name in ("indptr", "indices", "counts", "near"):
        np.testing.assert_array_equal(getattr(found.matrix, name), getattr(expected, name))
        assert getattr(found.matrix, name).dtype == getattr(expected, name).dtype
    assert found.matrix.fingerprint == FEATURIZER.fingerprint
    assert found.digest() == read_standoff(made, LABELS).digest()


def test_a_second_run_gives_the_same_bytes(tmp_path: Path, made: Path) -> None:
    before = content(made)
    texts, rows = tmp_path / "texts.jsonl.gz", tmp_path / "rows.jsonl"
    done: list[tuple[int, int]] = []
    again = extract(made, FEATURIZER, LABELS, text_files=[texts], progress=lambda *at: done.append(at))
    assert (again.added, again.replaced, again.rows) == (0, 0, len(TEXTS))
    assert content(made) == before
    assert done[-1] == (len(TEXTS), len(TEXTS))
    same = extract(made, FEATURIZER, LABELS, label_files=[rows], text_files=[texts])
    assert (same.added, same.replaced) == (0, len(TEXTS))
    assert content(made) == before


def test_rows_are_added_and_replaced(tmp_path: Path, made: Path) -> None:
    other = "Nobody in the valley mends the stone bridge."
    new = [row(TEXTS[0], labels=["accusation", "denial"], draw="uncertain"), row(other, text=other, labels=[])]
    file = write_rows(tmp_path / "new.jsonl.gz", new)
    files = [tmp_path / "texts.jsonl.gz", file]
    done = extract(made, FEATURIZER, LABELS, label_files=[file], text_files=files)
    assert (done.added, done.replaced, done.rows) == (1, 1, len(TEXTS) + 1)
    rows = {each.id: each for each in read_standoff(made, LABELS).rows}
    assert rows[statement_id(TEXTS[0])].labels == ("denial", "accusation")
    assert rows[statement_id(TEXTS[0])].draw == "uncertain"
    assert rows[statement_id(TEXTS[1])].to_json() == row(TEXTS[1])
    assert rows[statement_id(other)].labels == ()


def test_no_text_is_left_behind(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", [row(text, text=text, note=text) for text in TEXTS])
    folder = tmp_path / "standoff"
    extract(folder, FEATURIZER, LABELS, label_files=[rows], text_files=[rows])
    assert sorted(path.name for path in folder.iterdir()) == ["features.npz", "labels.jsonl"]
    written = (folder / "labels.jsonl").read_text()
    for word in ("mayor", "smith", "guild", "ferryman", "denied", '"text"', '"note"'):
        assert word not in written


def test_missing_texts_are_listed_and_nothing_changes(tmp_path: Path, made: Path) -> None:
    before = content(made)
    texts = texts_file(tmp_path / "few.jsonl", TEXTS[2:])
    with pytest.raises(DataError, match=f"2 of {len(TEXTS)} texts are in none of the files") as caught:
        extract(made, FEATURIZER, LABELS, text_files=[texts])
    assert {statement_id(text) in str(caught.value) for text in TEXTS[:2]} == {True}
    assert content(made) == before


def test_a_long_list_of_missing_texts_is_cut(tmp_path: Path, made: Path) -> None:
    texts = texts_file(tmp_path / "few.jsonl", TEXTS[:2])
    with pytest.raises(DataError, match=", …; name more") as caught:
        extract(made, FEATURIZER, LABELS, text_files=[texts])
    assert sum(statement_id(text) in str(caught.value) for text in TEXTS[2:]) == 20


def changed_text(rows: list[dict[str, Any]]) -> None:
    rows[3]["text"] += "!"


def broken_row(rows: list[dict[str, Any]]) -> None:
    rows[3]["labels"] = ["denail"]


@pytest.mark.parametrize(
    ("change", "message"), [(changed_text, "is not that of the text"), (broken_row, "unknown label")]
)
def test_a_wrong_label_file_changes_nothing(
    tmp_path: Path, made: Path, change: Callable[[list[dict[str, Any]]], None], message: str
) -> None:
    before = content(made)
    rows = [row(text, text=text) for text in TEXTS]
    change(rows)
    file = write_rows(tmp_path / "new.jsonl", rows)
    with pytest.raises(DataError, match=f"new.jsonl:4: .*{message}"):
        extract(made, FEATURIZER, LABELS, label_files=[file], text_files=[tmp_path / "texts.jsonl.gz"])
    assert content(made) == before


def test_a_text_that_is_not_that_of_its_id_is_refused(tmp_path: Path, made: Path) -> None:
    before = content(made)
    wrong = write_rows(tmp_path / "wrong.jsonl", [{"id": statement_id(TEXTS[0]), "text": TEXTS[1]}])
    with pytest.raises(DataError, match=r"wrong\.jsonl:1: id .* is not that of the text"):
        extract(made, FEATURIZER, LABELS, text_files=[tmp_path / "texts.jsonl.gz", wrong])
    assert content(made) == before


def test_other_rows_of_a_text_file_are_passed_over(tmp_path: Path, made: Path) -> None:
    before = content(made)
    strange: list[dict[str, Any]] = [
        {"id": ["a"], "text": "b"},
        {"id": 5},
        {"text": "no id"},
        {"id": statement_id(TEXTS[0]), "text": None},
    ]
    file = write_rows(tmp_path / "strange.jsonl", strange)
    extract(made, FEATURIZER, LABELS, text_files=[file, tmp_path / "texts.jsonl.gz", file])
    assert content(made) == before


def test_a_truncated_text_file_changes_nothing(tmp_path: Path, made: Path) -> None:
    before = content(made)
    whole = tmp_path / "texts.jsonl.gz"
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(whole.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"cut\.jsonl\.gz:\d+: cannot be read"):
        extract(made, FEATURIZER, LABELS, text_files=[cut])
    assert content(made) == before


def test_a_folder_that_cannot_take_the_matrix_keeps_its_labels(tmp_path: Path, made: Path) -> None:
    (made / "features.npz").unlink()
    (made / "features.npz").mkdir()
    before = (made / "labels.jsonl").read_bytes()
    rows = write_rows(tmp_path / "new.jsonl", [row(TEXTS[0], labels=["accusation"])])
    with pytest.raises(InputError, match=r"features\.npz: cannot be written"):
        extract(made, FEATURIZER, LABELS, label_files=[rows], text_files=[tmp_path / "texts.jsonl.gz"])
    assert (made / "labels.jsonl").read_bytes() == before
    assert sorted(path.name for path in made.iterdir()) == ["features.npz", "labels.jsonl"]


def test_nothing_to_extract_is_an_error(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", [row(TEXTS[0])])
    with pytest.raises(DataError, match="no rows to extract"):
        extract(tmp_path / "standoff", FEATURIZER, LABELS, text_files=[rows])
    with pytest.raises(DataError, match="labels without texts"):
        extract(tmp_path / "standoff", FEATURIZER, LABELS, label_files=[rows])
    assert not (tmp_path / "standoff").exists()


# Rows.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": "no"}, "'text' is missing or unknown"),
        ({"id": "0123456789AB"}, "not 12 hex digits"),
        ({"id": "0123456789a"}, "not 12 hex digits"),
        ({"path": None}, "path is NoneType"),
        ({"path": "half \udc00"}, "lone surrogate"),
        ({"weight": 0.5}, "weight 0.5"),
        ({"weight": True}, "weight True"),
        ({"weight": "2"}, "weight '2'"),
        ({"weight": float("nan")}, "weight nan"),
        ({"weight": float("inf")}, "weight inf"),
        ({"weight": 10**400}, "weight 1000"),
        ({"borderline": 1}, "borderline has to be"),
        ({"round": 10**30}, "round is 1"),
        ({"round": True}, "round is True"),
        ({"round": 1.5}, "give a whole number from 0"),
        ({"round": False}, "give a whole number from 0"),
        ({"labels": "denial"}, "not a list"),
        ({"labels": ["dialogue_call"]}, "unknown label"),
    ],
)
def test_a_wrong_row_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = write_rows(tmp_path / "labels.jsonl", [row(TEXTS[0]), row(TEXTS[1], **change)])
    with pytest.raises(DataError, match=f"labels.jsonl:2: .*{message}"):
        read_rows(path, LABELS)


@pytest.mark.parametrize("name", standoff.ROW_FIELDS)
def test_a_stored_row_has_every_field(tmp_path: Path, name: str) -> None:
    short = {key: value for key, value in row(TEXTS[0]).items() if key != name}
    with pytest.raises(DataError, match=f"'{name}' is missing"):
        read_rows(write_rows(tmp_path / "labels.jsonl", [short]), LABELS)


def test_an_unknown_weight_is_null(tmp_path: Path) -> None:
    (found,) = read_rows(write_rows(tmp_path / "labels.jsonl", [row(TEXTS[0], weight=None)]), LABELS)
    assert found.weight is None
    assert found.to_json() == row(TEXTS[0], weight=None)


@pytest.mark.parametrize(
    ("path", "locator", "key"),
    [
        ("2023/feed.json", "entry 4", "o/r 2023/feed.json"),
        ("data/all.csv", "row 17 https://x.example/story", "o/r https://x.example/story"),
        ("data/all.tsv", "row 17", "o/r row 17"),
        ("posts/index.md", "line 3", "o/r line 3"),
        ("posts/myindex.md", "line 3", "o/r posts/myindex.md"),
        ("data/csv/a.txt", "line 3", "o/r data/csv/a.txt"),
    ],
)
def test_the_group_is_the_article(path: str, locator: str, key: str) -> None:
    made = StandoffRow(**{**row(TEXTS[0], path=path, locator=locator), "labels": ()})
    assert made.group_key == key


def test_rows_and_matrix_have_to_match(made: Path) -> None:
    lines = (made / "labels.jsonl").read_text().splitlines(keepends=True)
    (made / "labels.jsonl").write_text("".join(lines[1:]))
    with pytest.raises(DataError, match=f"has {len(TEXTS)} rows, labels.jsonl has {len(TEXTS) - 1}"):
        read_standoff(made, LABELS)


# Groups and the split.


@st.composite
def keys_and_near(draw: st.DrawFn) -> tuple[list[str], list[int]]:
    keys = draw(st.lists(st.sampled_from([f"key {number}" for number in range(12)]), min_size=1, max_size=30))
    return keys, [draw(st.integers(0, number)) for number in range(len(keys))]


@given(keys_and_near())
def test_what_hangs_together_is_one_group(drawn: tuple[list[str], list[int]]) -> None:
    keys, near = drawn
    groups = joined_groups(keys, np.array(near, dtype=np.int32))
    # The slow way: walk from row to row.
    for start in range(len(keys)):
        seen, todo = {start}, [start]
        while todo:
            at = todo.pop()
            for other in range(len(keys)):
                if other not in seen and (keys[other] == keys[at] or near[other] == at or near[at] == other):
                    seen.add(other)
                    todo.append(other)
        assert {number for number, group in enumerate(groups) if group == groups[start]} == seen
        assert groups[start] == min(keys[number] for number in seen)


@given(keys_and_near())
def test_no_group_is_split(drawn: tuple[list[str], list[int]]) -> None:
    keys, near = drawn
    apart = [is_held_apart(group) for group in joined_groups(keys, np.array(near, dtype=np.int32))]
    side: dict[str, bool] = {}
    for number, key in enumerate(keys):
        assert side.setdefault(key, apart[number]) == apart[number]
        assert apart[near[number]] == apart[number]


def test_near_duplicates_share_a_group(tmp_path: Path) -> None:
    words = "the old miller of the upper valley told his three sons that no barge had come down the river since".split()
    texts = [" ".join(words) + " May.", " ".join(words) + " June.", *TEXTS]
    rows = [row(text, text=text, path=f"p/{number}") for number, text in enumerate(texts)]
    file = write_rows(tmp_path / "rows.jsonl", rows)
    extract(tmp_path / "standoff", FEATURIZER, LABELS, label_files=[file], text_files=[file])
    found = read_standoff(tmp_path / "standoff", LABELS)
    group = dict(zip((each.id for each in found.rows), found.groups, strict=True))
    assert group[statement_id(texts[0])] == group[statement_id(texts[1])] == "o/r p/0"
    assert len(set(found.groups)) > 1


# The matrix.


def test_rare_features_are_dropped_and_counted() -> None:
    common, rare = "the harbour is closed", "a heron slept"
    texts = [common] * (MIN_ROWS - 1) + [f"{common} {rare}"]
    matrix, kept, met = make_matrix(texts, FEATURIZER)
    word = FAMILIES.index("word")
    last = set(matrix.indices[matrix.indptr[-2] :].tolist())
    assert FEATURIZER.bucket(word, ("harbour",)) in last
    assert FEATURIZER.bucket(word, ("heron",)) not in last
    assert matrix.counts[-1] == len(FEATURIZER.indices(texts[-1])) > len(last)
    assert kept < met
    assert make_matrix(texts[1:], FEATURIZER)[1] == 0


@given(
    st.lists(st.lists(st.sampled_from("The guild denied a report of new debts . ?".split()), max_size=9), min_size=1)
)
def test_the_matrix_holds_what_is_frequent_and_nothing_else(drawn: list[list[str]]) -> None:
    texts = [" ".join(words) for words in drawn]
    matrix, kept, met = make_matrix(texts, FEATURIZER)
    strings = [{(family, parts) for family, parts, _, _ in FEATURIZER.features(FEATURIZER.tokens(t))} for t in texts]
    word = FAMILIES.index("word")
    frequent = {
        each
        for row in strings
        for each in row
        if sum(each in other for other in strings)
        >= (MIN_ROWS_OF_NGRAMS if each[0] == word and len(each[1]) > 1 else MIN_ROWS)
    }
    assert (kept, met) == (len(frequent), len(set().union(*strings)))
    for number, features in enumerate(strings):
        found = matrix.indices[matrix.indptr[number] : matrix.indptr[number + 1]].tolist()
        assert found == sorted({FEATURIZER.bucket(*each) for each in features & frequent})
        assert matrix.counts[number] == len(FEATURIZER.indices(texts[number]))


def test_ngrams_of_words_have_to_be_commoner() -> None:
    word = FAMILIES.index("word")
    pair = FEATURIZER.bucket(word, ("heron", "nest"))
    for rows, kept in ((MIN_ROWS_OF_NGRAMS - 1, False), (MIN_ROWS_OF_NGRAMS, True)):
        indices = make_matrix(["the heron nest fell"] * rows, FEATURIZER)[0].indices
        assert (pair in indices) == kept
        assert FEATURIZER.bucket(word, ("heron",)) in indices


def test_ngrams_have_to_be_commoner_still_among_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix_room, "ROWS_TO_AN_NGRAM_ROW", 4)
    pair = FEATURIZER.bucket(FAMILIES.index("word"), ("heron", "nest"))
    # One of four in 100 rows are 25.
    for rows, kept in ((24, False), (25, True)):
        texts = ["the heron nest fell"] * rows + ["a lake"] * (100 - rows)
        assert (pair in make_matrix(texts, FEATURIZER)[0].indices) == kept


def test_rows_are_counted_before_hashing() -> None:
    # With one bucket for all words, two rare words fall together; together they are still rare.
    tiny = Featurizer(FEATURIZER.lexicon, FeatureSettings(dict.fromkeys(FAMILIES, 0)))
    word = FAMILIES.index("word")
    assert tiny.bucket(word, ("heron",)) == tiny.bucket(word, ("otter",))
    texts = ["heron"] * (MIN_ROWS - 1) + ["otter"] * (MIN_ROWS - 1)
    matrix, _, _ = make_matrix(texts, tiny)
    for number in range(matrix.rows):
        found = matrix.indices[matrix.indptr[number] : matrix.indptr[number + 1]]
        assert tiny.bucket(word, ("heron",)) not in found
    matrix, _, _ = make_matrix(["heron"] * MIN_ROWS, tiny)
    assert tiny.bucket(word, ("heron",)) in matrix.indices


def test_rows_alike_in_what_is_kept_are_near_duplicates() -> None:
    # Half of each sentence is rare, so that only the other half is seen by a model.
    common = "the council of the lower town has not yet paid the masons for the wall"
    texts = [
        f"{common} {word}s {word}ed {word}ly {word}ing {word}er"
        for word in ("quarr", "plint", "gabbl", "crenell", "corbel")
    ]
    full = [np.array(FEATURIZER.indices(text)) for text in texts]
    assert jaccard(full[0], full[1]) < 0.8
    assert make_matrix(texts, FEATURIZER)[0].near.tolist() == [0] * len(texts)


def test_progress_ends_with_the_last_row() -> None:
    done: list[tuple[int, int]] = []
    make_matrix(["a"] * 1001, FEATURIZER, lambda *at: done.append(at))
    assert done == [(500, 1001), (1000, 1001), (1001, 1001)]


# The matrix file.


def npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asarray(array), allow_pickle=False)
    return stream.getvalue()


def trap_npy(sprung: Path) -> bytes:
    """Return an array file of objects which makes the folder `sprung` when somebody unpickles it."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": (3,)})
    return stream.getvalue() + f"cos\nmkdir\n(S'{sprung}'\ntR.".encode()


def arrays(**changed: Any) -> dict[str, bytes]:
    plain = {
        "indptr": np.array([0, 2, 2, 3], dtype=np.int64),
        "indices": np.array([4, 9, 2], dtype=np.int32),
        "counts": np.array([2, 1, 1], dtype=np.int32),
        "near": np.array([0, 1, 1], dtype=np.int32),
        "fingerprint": np.frombuffer(b"f" * 64, dtype=np.uint8),
    }
    return {name: value if isinstance(value, bytes) else npy(value) for name, value in {**plain, **changed}.items()}


def write_archive(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(f"{name}.npy", data)
    return path


def test_a_plain_matrix_file_is_read(tmp_path: Path) -> None:
    matrix = read_matrix(write_archive(tmp_path / "features.npz", arrays()))
    assert matrix.rows == 3
    assert matrix.indices.tolist() == [4, 9, 2]
    assert matrix.fingerprint == "f" * 64
    np.savez(tmp_path / "plain.npz", **{name: np.load(io.BytesIO(data)) for name, data in arrays().items()})
    assert read_matrix(tmp_path / "plain.npz").near.tolist() == [0, 1, 1]


def test_an_empty_matrix_survives_its_file(tmp_path: Path) -> None:
    matrix, _, _ = make_matrix(["heron", "otter"], FEATURIZER)
    assert len(matrix.indices) == 0
    write_matrix(tmp_path / "features.npz", matrix)
    assert read_matrix(tmp_path / "features.npz").indptr.tolist() == [0, 0, 0]


I32 = np.int32


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"indptr": np.array([0, 2, 2, 3], dtype=I32)}, "indptr is not a row of int64"),
        ({"indices": np.array([4, 9, 2], dtype=np.int64)}, "indices is not a row of int32"),
        ({"indices": np.array([4.0, 9.0, 2.0])}, "not a plain row of integers"),
        ({"indices": np.array([[4, 9, 2]], dtype=I32)}, "not a plain row of integers"),
        ({"indices": np.array(4, dtype=I32)}, "not a plain row of integers"),
        ({"indptr": np.array([], dtype=np.int64)}, "row bounds"),
        ({"indptr": np.array([1, 2, 2, 3])}, "row bounds"),
        ({"indptr": np.array([0, 2, 1, 3])}, "row bounds"),
        ({"indptr": np.array([0, 2, 2, 4])}, "row bounds"),
        ({"indptr": np.array([0, 2**62, -(2**62), 3])}, "row bounds"),
        ({"counts": np.array([2, 1], dtype=I32)}, "do not fit the rows"),
        ({"near": np.array([0, 1, 1, 1], dtype=I32)}, "do not fit the rows"),
        ({"counts": np.array([1, 1, 1], dtype=I32)}, "out of bounds"),
        ({"near": np.array([0, 2, 1], dtype=I32)}, "out of bounds"),
        ({"near": np.array([0, -1, 1], dtype=I32)}, "out of bounds"),
        ({"near": np.array([0, 0, 1], dtype=I32)}, "first row of its cluster"),
        ({"indices": np.array([9, 4, 2], dtype=I32)}, "sorted set"),
        ({"indices": np.array([4, 4, 2], dtype=I32)}, "sorted set"),
        ({"indices": np.array([-4, 9, 2], dtype=I32)}, "sorted set"),
    ],
)
def test_arrays_that_make_no_matrix_are_refused(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    path = write_archive(tmp_path / "features.npz", arrays(**changed))
    with pytest.raises(DataError, match=f"features.npz: .*{message}.*stance extract"):
        read_matrix(path)


def test_objects_are_refused_unopened(tmp_path: Path) -> None:
    changed = trap_npy(tmp_path / "sprung")
    with pytest.raises(DataError, match="not a plain row of integers"):
        read_matrix(write_archive(tmp_path / "features.npz", arrays(near=changed)))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY\x01\x00", b"\x93NUMPY\x02\x00" + b"v\x00" * 40])
def test_an_array_that_is_none_is_refused(tmp_path: Path, damage: bytes) -> None:
    with pytest.raises(DataError, match="not a plain row of integers"):
        read_matrix(write_archive(tmp_path / "features.npz", arrays(near=damage)))


def test_a_header_that_promises_too_much_takes_no_memory(tmp_path: Path) -> None:
    honest = npy(np.zeros(3, dtype=np.int32))
    promised = honest.replace(b"(3,), }          ", b"(999999999999,), }")
    assert len(promised) > 100
    with pytest.raises(DataError, match="3 values where its header says 999999999999"):
        read_matrix(write_archive(tmp_path / "features.npz", arrays(near=promised)))


def test_entries_too_many_too_few_or_too_large_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "features.npz"
    few = {name: data for name, data in arrays().items() if name != "near"}
    for entries in ({}, few, {**arrays(), "extra": b""}):
        with pytest.raises(DataError, match="does not hold the arrays"):
            read_matrix(write_archive(path, entries))
    write_archive(path, arrays())
    monkeypatch.setattr(matrix_room, "LARGEST_ARRAY", 150)
    with pytest.raises(DataError, match="in a fair size"):
        read_matrix(path)


def test_a_damaged_file_is_an_error_wherever_the_damage_is(tmp_path: Path, made: Path) -> None:
    whole = (made / "features.npz").read_bytes()
    path = tmp_path / "features.npz"
    for end in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(DataError, match="cannot be read"):
            read_matrix(path)
    random = np.random.default_rng(1)
    refused = 0
    for place in random.integers(0, len(whole), 400):
        damaged = bytearray(whole)
        damaged[place] ^= int(random.integers(1, 256))
        path.write_bytes(damaged)
        try:
            read_matrix(path)
        except DataError:
            refused += 1
    assert refused > 300


def test_a_missing_matrix_is_named_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such file; restore it, or run `stance extract"):
        read_matrix(tmp_path / "features.npz")
    with pytest.raises(DataError, match="cannot be read"):
        read_matrix(tmp_path)


def test_equal_matrices_give_equal_bytes(tmp_path: Path) -> None:
    matrix, _, _ = make_matrix(TEXTS, FEATURIZER)
    wide = FeatureMatrix(
        matrix.indptr.astype(">i8"), matrix.indices.astype(">i4"), matrix.counts, matrix.near, matrix.fingerprint
    )
    write_matrix(tmp_path / "one.npz", matrix)
    write_matrix(tmp_path / "two.npz", wide)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
