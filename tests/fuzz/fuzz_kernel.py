"""Looks for a text that the compiled kernel reads otherwise than its readable reference; `make fuzz` runs it.

    python tests/fuzz/fuzz_kernel.py [SECONDS] [--folder FOLDER] [libFuzzer options]

Inputs that reached something new are kept in build/fuzz/corpus, the one that failed as build/fuzz/crash-*; its path as
an argument runs it again. Coverage is measured of the readable reference.
"""

from __future__ import annotations

import codecs
import sys
from pathlib import Path
from typing import Final

import atheris

HERE: Final = Path(__file__).resolve().parent
FOLDER: Final = HERE.parent.parent / "build" / "fuzz"
SECONDS: Final = 1800
LONGEST_INPUT: Final = 600
TOLERANCE: Final = 1e-9

sys.path.insert(0, str(HERE.parent))
with atheris.instrument_imports(include=["stance"]):
    import numpy as np
    from awkward import PIECES, made_featurizers

    import stance
    from stance import boundaries, sentences
    from stance.features import LONGEST, Featurizer, compiled
    from stance.model import Model, Weights

if compiled is None:
    sys.exit("stance was installed without its kernel, or STANCE_REFERENCE is set: there is nothing to compare")

SHIPPED: Final = stance.load()
FEATURIZERS: Final = (SHIPPED.featurizer, *made_featurizers().values())
ENTRIES: Final = sorted(SHIPPED.featurizer.lexicon.entries, key=lambda entry: (-entry.count(" "), len(entry)))[::9]
DICTIONARY: Final = (*PIECES, *ENTRIES)
FIRST_OF_TWO: Final = 0xF8


def small_model(featurizer: Featurizer) -> Model:
    labels = SHIPPED.labels
    count, chance = len(labels.names), np.random.default_rng(5)
    dense = chance.normal(size=(featurizer.settings.buckets, count)).astype(np.float32)
    dense[chance.random(len(dense)) < 0.3] = 0
    return Model(labels, featurizer, Weights.of(dense), *chance.normal(size=(4, count)))


MODELS: Final = tuple(
    small_model(featurizer) if featurizer.settings.buckets < 10_000 else None for featurizer in FEATURIZERS
)


def put_piece(error: UnicodeError) -> tuple[str, int]:
    """Let a byte that is no UTF-8 stand for a piece of the dictionary: one of the first, or any with the byte after."""
    assert isinstance(error, UnicodeDecodeError)
    here, after = error.object[error.start], error.start + 1
    if here >= FIRST_OF_TWO and after < len(error.object):
        number = (here - FIRST_OF_TWO) * 256 + error.object[after]
        return DICTIONARY[number % len(DICTIONARY)], after + 1
    return DICTIONARY[(here - 0x80) % len(DICTIONARY)], after


codecs.register_error("pieces", put_piece)


def text_of(data: bytes) -> str:
    text = data[1:].decode("utf-8", "pieces")
    if data[0] >= 0xFC:
        # To the length from which on nothing counts, and over it; blanks, as words would take a second.
        text = (("He said it." + " " * 1000) * 9)[: LONGEST - len(text) // 2] + text
    return text


def check_sentences(text: str) -> None:
    assert sentences.statement_spans(text) == sentences.reference_statement_spans(text)
    assert boundaries.sentence_spans(text, 0, len(text)) == boundaries.reference_spans(text, 0, len(text))


def check_features(text: str, number: int) -> None:
    featurizer, model = FEATURIZERS[number], MODELS[number]
    expected = featurizer.indices(text)
    kernel = featurizer.kernel
    whole = [(0, len(text), "body")]
    # The same text by bytes, by pairs and by fours of them, as Python keeps it beside other characters.
    stored = [compiled.texts_of([text])]
    stored += [compiled.texts_of_spans(text + other, whole) for other in ("中", "😀")]
    try:
        raw = text.encode("utf-8")
    except UnicodeEncodeError:
        pass
    else:
        stored.append(compiled.texts_of_utf8(raw, np.array([0, len(raw)])))
    for texts in stored:
        assert kernel.rows(texts)[1].tolist() == expected
    if model is not None:
        sums = model.sums(expected)
        for texts in stored:
            scores, chances, sizes = model._scorer.scores(texts)
            assert sizes[0] == len(expected)
            assert abs(scores[0] - sums).max() < TOLERANCE
            assert abs(chances[0] - model.calibrate(sums[None])[0]).max() < TOLERANCE


def check_utf8(data: bytes, number: int) -> None:
    try:
        data.decode("utf-8")
        valid = True
    except UnicodeDecodeError:
        valid = False
    try:
        FEATURIZERS[number].kernel.rows(compiled.texts_of_utf8(data, np.array([0, len(data)])))
        taken = True
    except compiled.TextError:
        taken = False
    assert taken is valid


def check(data: bytes) -> None:
    if not data:
        return
    text = text_of(data)
    number = data[0] % len(FEATURIZERS)
    try:
        check_features(text, number)
        check_sentences(text)
        check_utf8(data[1:], number)
    except BaseException:
        print(f"featurizer {number}, text {text!a}", file=sys.stderr)
        raise


def main() -> None:
    seconds, folder, options = SECONDS, FOLDER, sys.argv[1:]
    if "--folder" in options:
        place = options.index("--folder")
        folder = Path(options[place + 1]).resolve()
        del options[place : place + 2]
    if options and options[0].isdecimal():
        seconds = int(options.pop(0))
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    words = folder / "words.dict"
    quoted = ("".join(f"\\x{byte:02x}" for byte in piece.encode("utf-8", "surrogatepass")) for piece in PIECES)
    words.write_text("".join(f'"{each}"\n' for each in quoted), encoding="utf-8")
    given = [
        sys.argv[0], f"-max_total_time={seconds}", f"-max_len={LONGEST_INPUT}", f"-dict={words}", "-timeout=60",
        f"-artifact_prefix={folder}/", *options,
    ]  # fmt: skip
    if not any(Path(option).is_file() for option in options):
        given += [str(corpus), str(HERE / "seeds")]
    atheris.Setup(given, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
