"""The index of articles: copies are found, strangers are not, and the file outlives whatever ends a run."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stance import duplicates
from stance.duplicates import DuplicateIndex, signature
from stance.records import InputError
from stance.signatures import PERMUTATIONS

PLACES: Final = "Velmar Ostrand Kelhaven Mirov Tarn Brisby Lund-Aren Sorvik Peltra Dunmoor".split()
PEOPLE: Final = "Oda Renn|Ivo Marsk|Lena Torvald|Piet Hollis|Sara Quen|Jonas Wick|Mira Dahl|Emil Storm".split("|")
BODIES: Final = "council|harbour board|ministry|teachers' union|water company|court|rail operator|clinic".split("|")
VERBS: Final = "rejected|welcomed|postponed|attacked|defended|leaked|signed|questioned|withdrew|rewrote".split("|")
THINGS: Final = (
    "the ferry contract|a plan for 40 flats|the budget|new tram lines|the report on floods|a strike vote|"
    "the sale of the old mill|a treaty on fishing|the school merger|a ban on night flights|the tax on wells"
).split("|")
REASONS: Final = (
    "after a night of talks|because of rising costs|despite protests|days before the vote|in a letter to staff|"
    "as the river rose again|while auditors were still counting|for the second time this year"
).split("|")
BOILERPLATE: Final = (
    "\n\nReporting by the Velmar desk of Northern Wire; editing by the night desk. Northern Wire is not responsible "
    "for the content of other pages. All rights reserved by Northern Wire, Dock Street 4, Velmar."
)


@cache
def article(number: int, paragraphs: int = 8) -> str:
    """An invented report, another one for each number, with what its agency prints under all."""
    chance = np.random.default_rng(number)
    choices = (PLACES, PEOPLE, BODIES, VERBS, THINGS, REASONS, range(999))
    text = []
    for picks in chance.integers(1 << 30, size=(4 * paragraphs, len(choices))).tolist():
        place, person, body, verb, thing, reason, day = (
            each[pick % len(each)] for each, pick in zip(choices, picks, strict=True)
        )
        text.append(f"The {body} of {place} {verb} {thing} {reason}, {person} said on day {day}.")
    return "\n\n".join(" ".join(text[start : start + 4]) for start in range(0, len(text), 4)) + BOILERPLATE


def edited(text: str, share: float) -> str:
    chance = np.random.default_rng(len(text))
    return " ".join("another" if chance.random() < share else word for word in text.split(" "))


COPIES: Final = {
    "the same": lambda text: text,
    "headline": lambda text: f"Nothing decided yet as talks go on in the north\n\n{text}",
    "agency": lambda text: f"BRISBY (Island Press) - {text.replace(BOILERPLATE, '')}\n\n(Island Press, ed. MD)",
    "dropped": lambda text: "\n\n".join(text.split("\n\n")[:3] + text.split("\n\n")[4:]),
    "added": lambda text: f"{text}\n\nThe weather office in Tarn expects snow above 600 metres until the weekend.",
    "cut": lambda text: text[: len(text) * 3 // 4],
    "edited": lambda text: edited(text, 0.03),
    "set otherwise": lambda text: text.upper().replace(" ", "  ").replace(".", " …").replace(",", " –"),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "seen.sqlite"


@pytest.fixture
def index(path: Path) -> Iterator[DuplicateIndex]:
    with DuplicateIndex(path) as index:
        yield index


def add(index: DuplicateIndex, numbers: range, part: int = 0) -> list[str | None]:
    return [index.find_or_add(signature(article(number)), str(number), part) for number in numbers]


def refused(path: Path, run: str = "") -> str:
    with pytest.raises(InputError) as caught:
        DuplicateIndex(path, run).close()
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A small file system of its own."""
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("only root may mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


# What is a copy


def test_distinct_articles_of_an_agency_are_never_joined(index: DuplicateIndex) -> None:
    assert add(index, range(1_500)) == [None] * 1_500
    assert index.count() == 1_500


@pytest.mark.parametrize("kind", COPIES)
def test_copies_are_found(index: DuplicateIndex, kind: str) -> None:
    add(index, range(200))
    found = [index.find_or_add(signature(COPIES[kind](article(each))), "copy", 0) for each in range(200)]
    assert found == [str(each) for each in range(200)]
    assert index.count() == 200, "a copy is not stored"


def test_a_resemblance_of_six_tenths_is_found(index: DuplicateIndex) -> None:
    chance = np.random.default_rng(6)
    missed = 0
    for number in range(1_000):
        values = chance.integers(0, 1 << 16, PERMUTATIONS, dtype=np.uint16)
        copy = np.where(chance.random(PERMUTATIONS) < 0.6, values, values + 1)
        index.find_or_add(values.tobytes(), str(number), 0)
        missed += index.find_or_add(copy.tobytes(), "copy", 0) != str(number)
    # Independent values scatter by a fifth more than those of a text.
    assert missed < 25


def test_the_most_alike_is_named_and_the_earliest_of_equals(index: DuplicateIndex) -> None:
    text = article(1)
    # Both are like the third, but not one another.
    first, second = edited(text, 0.09), f"{text[: len(text) * 4 // 7]}{article(2)}"
    assert index.find_or_add(signature(second), "second", 0) is None
    assert index.find_or_add(signature(first), "first", 0) is None
    assert index.find_or_add(signature(edited(first, 0.01)), "copy", 0) == "first"


def test_groups_do_not_grow_by_chains(index: DuplicateIndex) -> None:
    paragraphs = [article(number, 1) for number in range(30)]
    found = [
        index.find_or_add(signature(" ".join(paragraphs[start : start + 10])), str(start), 0) for start in range(20)
    ]
    assert found[:2] == [None, "0"]
    assert found[10] != "0"
    assert index.count() > 2


@pytest.mark.parametrize("text", ["No", "Velmar votes", "Oda Renn denied it", "Oda Renn denied it on Tuesday evening"])
def test_short_texts(index: DuplicateIndex, text: str) -> None:
    assert index.find_or_add(signature(text), "first", 0) is None
    assert index.find_or_add(signature(f"- {text.upper()}!"), "second", 0) == "first"
    assert index.find_or_add(signature(f"{text.partition(' ')[0]} Ivo Marsk"), "third", 0) is None
    assert index.find_or_add(signature(article(1)), "fourth", 0) is None


def test_an_article_without_a_word_repeats_none(index: DuplicateIndex) -> None:
    assert [index.find_or_add(signature("* * *"), "a", 0) for _ in range(2)] == [None, None]
    assert index.count() == 0


def test_ids_of_any_characters(index: DuplicateIndex) -> None:
    for number, name in enumerate(("", "É/漢 '; --", "a\0b", "🛳" * 500, "line\nbreak")):
        assert index.find_or_add(signature(article(number)), name, 0) is None
        assert index.find_or_add(signature(article(number)), "copy", 0) == name
    index.find_or_add(signature(article(9)), "\ud800", 0)
    assert index.find_or_add(signature(article(9)), "copy", 0) == "\ufffd"


@settings(max_examples=60)
@given(texts=st.lists(st.text() | st.sampled_from([article(n, 1) for n in range(4)]), max_size=8))
def test_an_article_is_always_a_copy_of_itself(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    with DuplicateIndex(tmp_path_factory.mktemp("index") / "seen") as index:
        for number, text in enumerate(texts):
            made = signature(text)
            first = index.find_or_add(made, str(number), 0)
            again = index.find_or_add(made, "again", 0)
            assert again == (None if not made else str(number) if first is None else first)


def test_a_band_that_all_share_hides_no_copy(index: DuplicateIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(8)
    compared: list[int] = []
    taken = duplicates.values_of
    monkeypatch.setattr(duplicates, "values_of", lambda kept: compared.append(len(kept)) or taken(kept))
    shared = chance.integers(0, 1 << 16, PERMUTATIONS, dtype=np.uint16)
    own = chance.integers(0, 1 << 16, (2_000, PERMUTATIONS), dtype=np.uint16)
    stored = np.where(chance.random(own.shape) < 0.25, shared, own)
    stored[:, :4] = shared[:4]
    copies = np.where(chance.random(own.shape) < 0.75, stored, own + 1)
    for number, values in enumerate(stored):
        assert index.find_or_add(values.tobytes(), str(number), 0) is None
    found = [index.find_or_add(values.tobytes(), "copy", 0) for values in copies]
    assert sum(name == str(number) for number, name in enumerate(found)) > 1_990
    assert max(compared) <= 2 * PERMUTATIONS * 32


# Parts and runs


def test_rewinding_forgets_a_part_and_all_after_it(path: Path) -> None:
    with DuplicateIndex(path) as index:
        for part in range(4):
            add(index, range(part * 10, part * 10 + 10), part)
        index.commit()
        index.rewind(2)
        assert index.count() == 20
    with DuplicateIndex(path) as index:
        assert index.count() == 20
        assert add(index, range(40), 2) == [*map(str, range(20)), *[None] * 20]
        index.rewind(0)
        assert index.count() == 0
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT * FROM bands UNION ALL SELECT * FROM late_bands").fetchall() == []
    connection.close()


@pytest.mark.parametrize("late", [0, 10_000, 10**9])
def test_rewinding_many_articles(index: DuplicateIndex, monkeypatch: pytest.MonkeyPatch, late: int) -> None:
    monkeypatch.setattr(duplicates, "_LATE_ROWS", late)
    chance = np.random.default_rng(4)
    for number in range(2_500):
        index.find_or_add(chance.bytes(2 * PERMUTATIONS), str(number), number // 100)
        if number % 100 == 99:
            index.commit()
    index.rewind(1)
    assert index.count() == 100
    chance = np.random.default_rng(4)
    found = [index.find_or_add(chance.bytes(2 * PERMUTATIONS), "again", 1) for _ in range(2_500)]
    assert found == [*map(str, range(100)), *[None] * 2_400]


def test_runs_share_a_file(path: Path) -> None:
    with DuplicateIndex(path, "first") as index:
        add(index, range(10), 5)
        index.commit()
    with DuplicateIndex(path, "second") as index:
        assert index.count() == 0
        assert add(index, range(5, 15), 5) == [*map(str, range(5, 10)), *[None] * 5]
        index.rewind(0)
        assert index.count() == 0
        assert add(index, range(1)) == ["0"]
    with DuplicateIndex(path, "first") as index:
        assert index.count() == 10
        assert add(index, range(12, 13)) == [None]


def test_what_is_not_committed_is_forgotten(path: Path) -> None:
    with DuplicateIndex(path) as index:
        add(index, range(3))
        index.commit()
        assert add(index, range(3, 5)) == [None] * 2
        assert add(index, range(3, 5)) == ["3", "4"], "seen before it is committed"
    with DuplicateIndex(path) as index:
        assert index.count() == 3
    assert [each.name for each in path.parent.iterdir()] == [path.name], "closed, it is one file"


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_killed_run_leaves_what_it_had_committed(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import numpy as np; from stance.duplicates import DuplicateIndex\n"
        "index, chance = DuplicateIndex(Path(sys.argv[1])), np.random.default_rng(1)\n"
        "def add(start, end):\n"
        "    for number in range(start, end): index.find_or_add(chance.bytes(256), str(number), number // 500)\n"
        "add(0, 1000); index.commit(); index._connection.execute('PRAGMA cache_size = 10'); add(1000, 2000)\n"
        "print('half', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"half\n"
        assert "is locked" in refused(path)
        run.send_signal(signal.SIGKILL)
    assert path.with_name(f"{path.name}-wal").stat().st_size > 500_000, "killed with half a part in the log"
    chance = np.random.default_rng(1)
    with DuplicateIndex(path) as index:
        assert index.count() == 1_000
        index.rewind(1)
        found = [index.find_or_add(chance.bytes(256), "again", 1) for _ in range(1_001)]
    assert found == [*map(str, range(500)), *[None] * 501]
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


# Bad files and places


def test_a_file_that_is_no_index_is_left_as_it_is(path: Path) -> None:
    path.write_text("notes of mine\n" * 200)
    assert "choose another file" in refused(path)
    assert path.read_text() == "notes of mine\n" * 200
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE notes (text)")
    connection.close()
    before = path.read_bytes()
    assert "no index of articles" in refused(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("setting", ["format", "permutations", "shingle", "bands"])
def test_an_index_of_other_settings_is_refused(path: Path, setting: str) -> None:
    DuplicateIndex(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE settings SET value = value + 1 WHERE name = ?", (setting,))
    connection.close()
    assert "another version" in refused(path)


def test_a_damaged_file_is_an_input_error(path: Path) -> None:
    with DuplicateIndex(path) as index:
        add(index, range(200))
        index.commit()
    whole = path.read_bytes()
    found = 0
    for keep in range(0, len(whole), 4_096):
        # From here on a page of rubbish, or nothing at all.
        for damaged in (whole[:keep] + b"\xa5" * 4_096 + whole[keep + 4_096 :], whole[:keep] if keep else b"\xa5"):
            path.write_bytes(damaged)
            said = ""
            try:
                with DuplicateIndex(path) as index:
                    add(index, range(0, 220, 40))
                    index.rewind(0)
            except InputError as error:
                said = str(error)
            assert said.startswith(f"{path}: ") or not said
            assert "\n" not in said
            found += bool(said)
    assert found > len(whole) // 4_096


def test_places_that_cannot_be_used(path: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("a file, not a folder")
    for place in (tmp_path / "folder", tmp_path / "file" / "below", tmp_path / ("long" * 100), Path("/proc/1/seen")):
        assert "choose another place" in refused(place)
    DuplicateIndex(tmp_path / "new" / "folder" / "seen").close()
    with DuplicateIndex(path):
        assert "wait until the other run" in refused(path)
    DuplicateIndex(path).close()


def test_a_name_that_means_memory_to_sqlite_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    DuplicateIndex(Path(":memory:")).close()
    assert (tmp_path / ":memory:").stat().st_size


def test_a_signature_of_another_kind_is_refused(index: DuplicateIndex) -> None:
    with pytest.raises(InputError, match="3 bytes instead of 256"):
        index.find_or_add(b"abc", "a", 0)


def test_a_closed_index_says_so(path: Path) -> None:
    index = DuplicateIndex(path)
    index.close()
    index.close()
    for use in (index.commit, index.count, lambda: index.rewind(0), lambda: add(index, range(1))):
        with pytest.raises(InputError, match="closed"):
            use()


@pytest.mark.skipif(sys.platform != "linux", reason="file systems of Linux")
def test_a_read_only_place(path: Path) -> None:
    DuplicateIndex(path).close()
    with mounted(path.parent / "mount", "size=4m") as mount:
        shutil.copy(path, mount / "seen")
        subprocess.run(["mount", "-o", "remount,ro", mount], check=True)
        assert refused(mount / "seen")
        assert refused(mount / "new")


@pytest.mark.skipif(sys.platform != "linux", reason="file systems of Linux")
def test_a_full_disk(path: Path) -> None:
    with mounted(path.parent / "mount", "size=2m") as mount, DuplicateIndex(mount / "seen") as index:
        chance = np.random.default_rng(1)
        index.find_or_add(chance.bytes(256), "kept", 0)
        index.commit()

        def fill() -> None:
            for number in range(100_000):
                index.find_or_add(chance.bytes(256), str(number), 1)
                if number % 100 == 99:
                    index.commit()

        with pytest.raises(InputError, match=r"seen: .* full.*; make room or choose another place") as caught:
            fill()
        assert "\n" not in str(caught.value)
        index.close()
        with DuplicateIndex(mount / "seen") as again:
            assert again.count() % 100 == 1
            assert again.find_or_add(np.random.default_rng(1).bytes(256), "copy", 1) == "kept"


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_a_file_that_may_grow_no_further(path: Path) -> None:
    code = (
        "import resource, signal, sys; from pathlib import Path; import numpy as np\n"
        "from stance.duplicates import DuplicateIndex; from stance.records import InputError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)); chance = np.random.default_rng(1)\n"
        "try:\n"
        "    with DuplicateIndex(Path(sys.argv[1])) as index:\n"
        "        for number in range(10_000):\n"
        "            index.find_or_add(chance.bytes(256), str(number), 0)\n"
        "            if number % 100 == 99: index.commit()\n"
        "except InputError as error: print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert run.stdout.startswith(f"{path}: ")
    assert run.stdout.endswith("make room or choose another place\n")
    assert run.stdout.count("\n") == 1
    with DuplicateIndex(path) as index:
        assert index.count() > 100
        assert index.count() % 100 == 0


def test_nothing_depends_on_when_rows_are_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(0)
    # Many share the first band, so that the look-up in it is cut short.
    crowd = chance.integers(0, 65_536, (60, PERMUTATIONS)).astype("<u2")
    crowd[:, :2] = 7
    asked = crowd.copy()
    asked[:, 2:40] = chance.integers(0, 65_536, (60, 38))
    answers = []
    for late in (10, 200, 10_000):
        monkeypatch.setattr(duplicates, "_LATE_ROWS", late)
        with DuplicateIndex(tmp_path / f"{late}.sqlite") as index:
            found = []
            for number, values in enumerate([*crowd, *asked]):
                found.append(index.find_or_add(values.tobytes(), str(number), number // 10))
                if number % 10 == 9:
                    index.commit()
            answers.append(found)
    assert answers[0] == answers[1] == answers[2]
    assert any(answer is not None for answer in answers[0])
