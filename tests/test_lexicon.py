"""The cue classes: inflection, reading, and what a lexicon file may not hold."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance.lexicon import MAX_PHRASE, Lexicon, inflect_verb, pluralise, read_lexicon
from stance.records import DataError
from stance.resources import data_path
from stance.tokens import tokenise

words: Final = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8)
entries: Final = st.lists(words, min_size=1, max_size=MAX_PHRASE).map(" ".join)


@pytest.mark.parametrize(
    ("base", "forms"),
    [
        ("reject", "reject rejects rejected rejecting"),
        ("deny", "deny denies denied denying"),
        ("accuse", "accuse accuses accused accusing"),
        ("agree", "agree agrees agreed agreeing"),
        ("portray", "portray portrays portrayed portraying"),
        ("dismiss", "dismiss dismisses dismissed dismissing"),
        ("impeach", "impeach impeaches impeached impeaching"),
        ("rebut+", "rebut rebuts rebutted rebutting"),
        ("dye", "dye dyes dyed dyeing"),
        ("y", "y ys yed ying"),
    ],
)
def test_verbs(base: str, forms: str) -> None:
    assert inflect_verb(base) == forms.split()


@pytest.mark.parametrize(
    ("base", "plural"),
    [("lie", "lies"), ("denial", "denials"), ("treaty", "treaties"), ("day", "days"), ("peace talk", "peace talks"),
     ("hoax", "hoaxes"), ("y", "ys")],
)  # fmt: skip
def test_plurals(base: str, plural: str) -> None:
    assert pluralise(base) == plural


def write(folder: Path, content: str) -> Path:
    path = folder / "lexicon.toml"
    path.write_text(content, encoding="utf-8")
    return path


def test_reading(tmp_path: Path) -> None:
    lexicon = read_lexicon(
        write(
            tmp_path,
            """
            [class.deny]
            title = "says it is not so"
            verbs = ["deny", "rebut+"]
            nouns = ["denial"]
            phrases = ["brush~ off", "no-one did"]
            [class.access]
            words = ["entry", "denied"]
            """,
        )
    )
    assert lexicon.classes == ("deny", "access")
    assert lexicon.entries["rebutting"] == (0,)
    assert lexicon.entries["denials"] == (0,)
    assert lexicon.entries["brushed off"] == (0,)
    assert lexicon.entries["no one did"] == (0,), "entries are split at hyphens, as tokens are"
    assert lexicon.entries["denied"] == (0, 1), "a word may belong to several classes"
    assert lexicon.starts == {"brush", "brushes", "brushed", "brushing", "no"}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", r"no \[class\.NAME\] tables"),
        ("class = 3", r"no \[class\.NAME\] tables"),
        ("[class.deny", "not valid TOML"),
        ('[clas.deny]\nwords = ["no"]\n[class.deny]\nwords = ["no"]', "unknown key 'clas'"),
        ('[class]\ndeny = "no"', "'deny' is not a table"),
        ("[class]\ndeny = 3", "'deny' is not a table"),
        ('[class.deny]\nverb = ["deny"]', "unknown key 'verb'"),
        ('[class.deny]\nverbs = "deny"', "verbs is not a list"),
        ("[class.deny]\nverbs = [3]", "3 is not a lower-case word"),
        ('[class.deny]\nwords = ["Deny"]', "'Deny' is not a lower-case word"),
        ('[class.deny]\nwords = ["d\u00e9menti"]', "is not a lower-case word"),
        ('[class.deny]\nwords = [""]', "'' is not a lower-case word"),
        ('[class.deny]\nphrases = ["one two three four five"]', "is not 1 to 4"),
        ('[class.deny]\nnouns = ["rebut+"]', r"'rebut\+' is not 1 to 4"),
        ('[class.deny]\nverbs = ["brush~ off"]', "is not 1 to 4"),
        ('[class."a b"]\nwords = ["no"]', "class name 'a b'"),
        ('[class."\u00e9"]\nwords = ["no"]', "class name"),
    ],
)
def test_what_a_lexicon_may_not_hold(tmp_path: Path, content: str, complaint: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(DataError, match=complaint) as caught:
        read_lexicon(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_missing_and_undecodable_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"lexicon\.toml: cannot be read"):
        read_lexicon(tmp_path / "lexicon.toml")
    (tmp_path / "lexicon.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=r"lexicon\.toml: not valid TOML"):
        read_lexicon(tmp_path / "lexicon.toml")


@given(st.dictionaries(words, st.lists(entries, max_size=4), min_size=1, max_size=4))
def test_json_there_and_back(listed: dict[str, list[str]]) -> None:
    lexicon = Lexicon.from_classes(listed)
    again = Lexicon.from_classes(lexicon.to_json())
    assert again == lexicon
    assert again.starts == lexicon.starts
    assert {name: sorted(set(found)) for name, found in listed.items()} == lexicon.to_json()


def test_the_shipped_lexicon_can_match() -> None:
    # An entry that no tokenised text contains would be dead weight.
    lexicon = read_lexicon(data_path("lexicon.toml"))
    assert {"negation", "function"} <= set(lexicon.classes)
    dead = [entry for entry in lexicon.entries if " ".join(token.text for token in tokenise(entry)) != entry]
    assert not dead
