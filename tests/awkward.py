"""Pieces of text that are hard to read the same way twice, and featurizers that read them each in its own way."""

from __future__ import annotations

from typing import Final

from stance.features import FAMILIES, FeatureSettings, Featurizer
from stance.lexicon import Lexicon

QUOTES: Final = "\"'`´‘’‚‛“”„‟′″«»‹›「」『』＂＇｀"
SPACES: Final = " \t\n\r\v\f\x00\x01\x1c\x1f\x7f\x85\xa0\u1680\u2003\u2028\u2029\u202f\u3000"
INVISIBLE: Final = "\u00ad\u200b\u200c\u200d\u200e\u200f\u202e\u2060\ufe0f\ufeff\U000e0100"
MARKS: Final = "\u0300\u0301\u0327\u0328\u0338\u0345\u05b0\u064b\u093f\u20dd\u3099"
LETTERS: Final = (
    *"aAzZéÉèÈñÑçÇøØłŁßẞſKÅıİǅǆǄʼnŉΣσςÏΐЙйЁёҐґמאعهकกあア漢ＡａＺ＜＞｀ⒶⓐⅣⅳﬁﬀ🅰𝐀𝔞𐐀𐐨𞤀ªº²½١۴",
    *(letter + mark for letter in "eEoи" for mark in MARKS[:4]),
)
CONTRACTIONS: Final = tuple(
    (
        "won't can't cannot CANNOT Cannot shan't ain't let's n't didn't DIDN'T don’t it's It’s IT'S he's that's "
        "o'brien's O'Brien's O'BRIEN Iran's NATO's they're we've I'll i'm you'd y'all'd've can'tn't 's 't rock'n'roll "
        "ca\u0301nnot won\u0301't it'\u0301s '\u0301 US's x'm"
    ).split()
)
INITIALS: Final = tuple("U.S. u.s U.S U.S.-led a.b a.b.c. a.bc. a.b.C'd É.U. U.\u0301S. x.y.z) e.g. J. p.m.".split())
NUMBERS: Final = tuple("1,200.5:3 1. .5 3,5, 12:30 1..2 007 '90s 1a a1 ٣٤ ２０ 1,2,3,4".split())
NAMES: Final = tuple(
    (
        "NATO ÉTAT МИД США ΑΣ Σ Ⓐ ẞ STRASSE STRAẞE US us WHO who NOT A I Paris Kyiv Élysée Łódź Dʼun Ǆ ǅungla İSTANBUL "
        "ﬃ 東京 القاهرة ירושלים O’NEILL McLean ＮＡＴＯ 𝐍𝐀𝐓𝐎 EU-NATO"
    ).split()
)
TAGS: Final = tuple(
    "<s> </s> <t> </t> <name> </name> <number> </number> <source> </source> <s>Oslo</s> <s></s> <t>not</t> <S> < > <s "
    "＜s＞ <s><t></s> <s><s></s> <name>x</name> <s/>".split()
)
CUES: Final = tuple(
    "denied deny not never no the it of said claim talks accused blamed called refused ready first we us many both "
    "minister government Minister DENIED Denied knowledge comment".split()
)
PHRASES: Final = (
    "no knowledge of",
    "made that claim",
    "not at all",
    "called on",
    "to the talks",
    "no comment",
    "go to",
)
STOPS: Final = (
    *".!?…:;,-—–()[]{}*#@/_%&+=|~^$\\•·¿¡。、؟۔।",
    "...",
    "?!",
    '."',
    ".'",
    ".)",
    "' ",
    ' "',
    "\r\n",
    "\n\n",
    "--",
)
ODD: Final = (
    "\ud800",
    "\udc00",
    "\udfff",
    "\U0010ffff",
    "\ufffe",
    "🏽",
    "👩\u200d🚀",
    "🇺🇦",
    "a" * 9,
    "x" * 64,
    "é" * 40,
    " " * 70,
)

PIECES: Final[tuple[str, ...]] = tuple(
    dict.fromkeys(
        (
            *CUES, *PHRASES, *CONTRACTIONS, *INITIALS, *NUMBERS, *NAMES, *TAGS, *STOPS, *QUOTES, *SPACES, *INVISIBLE,
            *MARKS, *LETTERS, *ODD,
        )
    )
)  # fmt: skip

SENTENCES: Final = (
    "The minister denied on Tuesday that he had ever signed the paper. ",
    "“We won’t sit down with them,” said Élodie Ménard’s envoy. ",
    "NATO and the U.S. accused the Government of Meren of breaking the truce 1,200.5 times. ",
    "Meren Rejects Claims That Its Army Shelled The Harbour ",
    "'It is not true,' she told O'Brien's paper; 'nobody was there.' ",
    "МИД отрицает: «этого не было». ",
    "He called on both sides to return to the table — and they're ready, he'd heard. ",
)

WORDS: Final = {
    "deny": ["deny", "denies", "denied", "made that claim"],
    "claim": ["claim", "claims", "cannot"],
    "talks": ["talks", "called on", "to the talks", "go to"],
    "say": ["said", "told", "called"],
    "first": ["we", "us", "i"],
    "negation": ["not", "never", "no", "not at all"],
    "function": "a all and by did first in it is now of on that the then they this to was we were will who".split(),
}
MANY_CLASSES: Final = tuple(f"c{number}" for number in range(9))


def small(bits: int, lexicon: Lexicon, *marks: str) -> Featurizer:
    return Featurizer(lexicon, FeatureSettings(dict.fromkeys(FAMILIES, bits), marks))


def made_featurizers() -> dict[str, Featurizer]:
    """Return featurizers of all kinds; with small tables nearly every bucket has several features."""
    plain = Lexicon.from_classes(WORDS)
    framed = Lexicon.from_classes(WORDS, ["say", "talks", "first"])
    bare = Lexicon.from_classes({name: words for name, words in WORDS.items() if name in {"deny", "claim", "talks"}})
    many = Lexicon.from_classes(
        {name: ["not", "denied", "us", "no comment", "no knowledge of", "ready"][number // 3 :] for number, name in
         enumerate(MANY_CLASSES)} | {"function": ["us", "ready", "the", "knowledge"], "first": ["us", "we"]},
        ["c1", "c5"],
    )  # fmt: skip
    return {
        "plain": Featurizer(plain),
        "framed": Featurizer(framed),
        "bare": Featurizer(bare),
        "many classes": Featurizer(many),
        "only frames": small(8, Lexicon.from_classes(WORDS, WORDS)),
        "no classes": small(5, Lexicon.from_classes({})),
        "a class without words": small(6, Lexicon.from_classes({"deny": [], "function": ["the"]})),
        "1 bit": small(1, framed),
        "3 bits": small(3, plain),
        "6 bits": small(6, many),
        "marks": Featurizer(framed, FeatureSettings(marks=("s", "t", "name", "number", "source"))),
        "marks, 4 bits": small(4, bare, "number", "S", "s"),
    }
