"""A model folder comes back as it was saved, and whatever is wrong with one is said in one line."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from safetensors.numpy import save as to_bytes

import stance
from stance import files, store
from stance.features import FAMILIES, VERSION, FeatureSettings, Featurizer
from stance.labels import Label, LabelSet
from stance.lexicon import Lexicon
from stance.model import Model, Weights
from stance.records import ModelError
from stance.store import JSON_NAME, WEIGHTS_NAME, load, save

LEXICON: Final = Lexicon.from_classes({"deny": ["denied"], "negation": ["not"], "function": ["the"]}, ["deny"])
BITS: Final = dict.fromkeys(FAMILIES, 4)
TEXTS: Final = ["Moscow denied it.", "“Café”, he said — and left!", "\u200b", "\ud800 not denied"]


def made_model(bits: dict[str, int] = BITS) -> Model:
    labels = LabelSet((Label("a", title="Ä", colour="#112233", cameo=("016",)), Label("b")))
    featurizer = Featurizer(LEXICON, FeatureSettings(bits))
    weights = np.random.default_rng(3).normal(size=(featurizer.settings.buckets, 2)).astype(np.float32)
    weights[5:20] = 0
    figures = (np.array([0.1, -1 / 3]), np.array([1.5, 1e-9]), np.array([-1e300, 2.0]), np.array([0.5, 0.25]))
    return Model(labels, featurizer, Weights.of(weights), *figures, about={"note": "é", "rows": {"own": 3}})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(made_model(), tmp_path / "model")
    return tmp_path / "model"


def refused(folder: Path, name: str, complaint: str | None = None) -> None:
    """Check that a folder is refused in one line that names the file, the cause and a remedy."""
    with pytest.raises(ModelError, match=complaint) as caught:
        load(folder)
    message = str(caught.value)
    assert message.startswith(f"{folder / name}: ")
    assert "\n" not in message
    assert ";" in message
    assert len(message) < len(str(folder)) + 300


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the description, and put the fingerprint right where that can be done."""
    path = folder / JSON_NAME
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")


def replace_weights(folder: Path, raw: bytes) -> None:
    """Put in other weights with the right hash, as someone who means harm would."""
    (folder / WEIGHTS_NAME).write_bytes(raw)
    rewrite(folder, lambda document: document["about"].update(weights_sha256=hashlib.sha256(raw).hexdigest()))


def tensors(**changed: Any) -> bytes:
    arrays = {"buckets": np.array([1, 4, 7], dtype=np.int32), "weights": np.ones((3, 2), dtype=np.float32)}
    return bytes(to_bytes({name: array for name, array in (arrays | changed).items() if array is not None}))


def test_everything_comes_back(folder: Path) -> None:
    model, again = made_model(), load(folder)
    assert again.labels == model.labels
    assert again.featurizer.lexicon == model.featurizer.lexicon
    assert again.featurizer.settings == model.featurizer.settings
    assert again.featurizer.fingerprint == model.featurizer.fingerprint
    assert again.weights.dense().tobytes() == model.weights.dense().tobytes()
    for name in ("intercepts", "slopes", "offsets", "thresholds"):
        assert getattr(again, name).tobytes() == getattr(model, name).tobytes()
        assert getattr(again, name).dtype == getattr(model, name).dtype
    assert again.about == {**model.about, "weights_sha256": again.about["weights_sha256"]}


def test_saving_returns_the_model_with_its_name(tmp_path: Path) -> None:
    saved = save(made_model(), tmp_path / "model")
    assert saved.id == load(tmp_path / "model").id == load(str(tmp_path / "model")).id
    assert saved.id != "unsaved"


def test_saving_twice_gives_equal_bytes(folder: Path, tmp_path: Path) -> None:
    save(load(folder), tmp_path / "again")
    for name in (JSON_NAME, WEIGHTS_NAME):
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_a_new_process_gives_the_same_figures(small_model: Model, tmp_path: Path) -> None:
    save(small_model, tmp_path)
    script = (
        "import sys, json, stance\n"
        "model = stance.load(sys.argv[1])\n"
        "print([[p.hex() for p in row] for row in model.probabilities(json.loads(sys.argv[2])).tolist()])\n"
        "assert not {'sklearn', 'scipy', 'joblib'} & set(sys.modules), 'a prediction needs none of them'\n"
    )
    there = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), json.dumps(TEXTS)], capture_output=True, text=True, check=True
    ).stdout
    here = [[p.hex() for p in row] for row in small_model.probabilities(TEXTS).tolist()]
    assert there.strip() == str(here)


def test_a_model_without_weights(tmp_path: Path) -> None:
    model = made_model()
    nothing = Weights.of(np.zeros_like(model.weights.dense()))
    save(dataclasses.replace(model, weights=nothing), tmp_path)
    loaded = load(tmp_path)
    assert not loaded.weights.dense().any()
    assert loaded.scores(TEXTS).tolist() == [model.intercepts.tolist()] * len(TEXTS)


def test_the_default_model_is_found_without_a_path(default_model: Model) -> None:
    assert stance.load().id == default_model.id


def test_a_model_folder_holds_figures_and_json_only(folder: Path) -> None:
    json.loads((folder / JSON_NAME).read_text(encoding="utf-8"))
    raw = (folder / WEIGHTS_NAME).read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    assert {entry["dtype"] for entry in header.values()} == {"I32", "F32"}
    assert len(raw) == 8 + size + max(entry["data_offsets"][1] for entry in header.values())
    assert sorted(path.name for path in folder.iterdir()) == [JSON_NAME, WEIGHTS_NAME]


@pytest.mark.parametrize("name", [JSON_NAME, WEIGHTS_NAME])
class TestFiles:
    def test_missing(self, folder: Path, name: str) -> None:
        (folder / name).unlink()
        refused(folder, name, "no such file")

    def test_empty(self, folder: Path, name: str) -> None:
        (folder / name).write_bytes(b"")
        refused(folder, name)

    def test_cut_off(self, folder: Path, name: str) -> None:
        path = folder / name
        path.write_bytes(path.read_bytes()[:-20])
        refused(folder, name)

    def test_noise(self, folder: Path, name: str) -> None:
        (folder / name).write_bytes(bytes(range(256)) * 10)
        refused(folder, name)

    def test_a_folder_in_its_place(self, folder: Path, name: str) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()
        refused(folder, name, "cannot be read")

    def test_too_large(self, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        limit = "LARGEST_JSON" if name == JSON_NAME else "LARGEST_WEIGHTS"
        size = (folder / name).stat().st_size
        monkeypatch.setattr(store, limit, size)
        load(folder)
        monkeypatch.setattr(store, limit, size - 1)
        refused(folder, name, "larger than")


def test_missing_folder(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", JSON_NAME, "no such file")
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file", JSON_NAME, "cannot be read")


@pytest.mark.parametrize("place", [0, 8, 100, -1])
def test_one_byte_of_the_weights_changed(folder: Path, place: int) -> None:
    path = folder / WEIGHTS_NAME
    raw = bytearray(path.read_bytes())
    raw[place] ^= 1
    path.write_bytes(raw)
    refused(folder, WEIGHTS_NAME, "SHA-256 differs")


def test_weights_of_another_model(folder: Path, tmp_path: Path, small_model: Model) -> None:
    save(small_model, tmp_path / "other")
    shutil.copy(tmp_path / "other" / WEIGHTS_NAME, folder / WEIGHTS_NAME)
    refused(folder, WEIGHTS_NAME, "SHA-256 differs")


FIELDS: Final = (
    "format", "labels", "features", "fingerprint", "intercepts", "slopes", "offsets", "thresholds", "about", "lexicon",
    "frames",
)  # fmt: skip


def test_the_fields_tested_are_all_there_are(folder: Path) -> None:
    assert set(json.loads((folder / JSON_NAME).read_text(encoding="utf-8"))) == set(FIELDS)


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_is_missing(folder: Path, field: str) -> None:
    rewrite(folder, lambda document: document.pop(field))
    refused(folder, JSON_NAME)


@pytest.mark.parametrize("value", [None, 3, -0.5, True, "text", "", [], {}, [None], [[]], {"a": None}, {"a": [3]}])
@pytest.mark.parametrize("field", FIELDS)
def test_a_field_is_of_the_wrong_type(folder: Path, field: str, value: Any) -> None:
    rewrite(folder, lambda document: document.update({field: value}))
    refused(folder, JSON_NAME)


@pytest.mark.parametrize("name", ["intercepts", "slopes", "offsets", "thresholds"])
@pytest.mark.parametrize(
    "figures",
    [[1.0], [1.0, 2.0, 3.0], [[1.0, 2.0]], [1.0, float("nan")], [1.0, float("inf")], [1.0, None], ["1.0", "2.0"],
     [True, False], [1.0, 10**400], [1.0, [2.0]], "12", {"a": 1.0, "b": 2.0}],
)  # fmt: skip
def test_figures_that_are_none(folder: Path, name: str, figures: Any) -> None:
    rewrite(folder, lambda document: document.update({name: figures}))
    refused(folder, JSON_NAME)


@pytest.mark.parametrize(
    "content", ["[]", "null", "3", '"text"', "[" * 100_000, "{" * 10, "9" * 5000, '{"format": NaN}']
)
def test_json_that_is_no_model(folder: Path, content: str) -> None:
    (folder / JSON_NAME).write_text(content)
    refused(folder, JSON_NAME)


@pytest.mark.parametrize("value", [0, 2, 1.5, "1", None, [1], True, "long" * 10_000])
def test_another_format(folder: Path, value: Any) -> None:
    rewrite(folder, lambda document: document.update(format=value))
    refused(folder, JSON_NAME, ", not 1; train the model again")


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.update(fingerprint="0" * 64),
        lambda document: document["lexicon"]["deny"].append("rejected"),
        lambda document: document["lexicon"].update(more=["word"]),
        lambda document: document["features"]["bits"].update(word=5),
    ],
)
def test_other_features(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    rewrite(folder, change)
    refused(folder, JSON_NAME, "other features")


@pytest.mark.parametrize(
    "change",
    [
        lambda features: features.update(version=VERSION + 1),
        lambda features: features.pop("version"),
        lambda features: features.pop("bits"),
        lambda features: features["bits"].pop("word"),
        lambda features: features["bits"].update(words=4),
        lambda features: features["bits"].update(word=0),
        lambda features: features["bits"].update(word=27),
        lambda features: features["bits"].update(word=-4),
        lambda features: features["bits"].update(word=4.0),
        lambda features: features["bits"].update(word="4"),
        lambda features: features["bits"].update(word=None),
        lambda features: features["bits"].update(word=10**30),
        lambda features: features.update(bits=list(FAMILIES)),
        lambda features: features.pop("marks"),
        lambda features: features.update(marks="s"),
        lambda features: features.update(marks=["s|t"]),
        lambda features: features.update(marks=[1]),
    ],
)
def test_wrong_feature_settings(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    rewrite(folder, lambda document: change(document["features"]))
    refused(folder, JSON_NAME)


@pytest.mark.parametrize(
    "lexicon",
    [
        {"deny": ["denied ,"]},
        {"deny": ["one two three four five"]},
        {"deny": [""]},
        {"deny": ["Denied"]},
        {"\ud800": ["denied"]},
        {"a b": ["denied"]},
        {"deny": "denied it"},
        {"deny": ["long" * 10_000]},
    ],
)
def test_a_lexicon_that_no_text_could_be_read_with(folder: Path, lexicon: dict[str, Any]) -> None:
    rewrite(folder, lambda document: document.update(lexicon=lexicon))
    refused(folder, JSON_NAME)


@pytest.mark.parametrize(
    "labels",
    [
        {"label": []},
        {"label": [{"name": "a"}]},
        {"label": [{"name": "a"}, {"name": "a"}]},
        {"label": [{"name": "a"}, {"name": "none"}]},
        {"label": [{"name": "a"}, {"name": "b"}, {"name": "c"}]},
        {"label": [{"name": "a"}, {"title": "b"}]},
        {"label": [{"name": "a"}, {"name": "b", "colour": "red"}]},
        {"label": [{"name": "a"}, {"name": "b"}], "exclusive": 1},
        {"label": [{"name": "a"}, {"name": "b"}], "more": 1},
    ],
)
def test_labels_that_do_not_fit(folder: Path, labels: Any) -> None:
    rewrite(folder, lambda document: document.update(labels=labels))
    refused(folder, JSON_NAME)


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        (tensors(buckets=np.array([4, 1, 7], dtype=np.int32)), "not in order"),
        (tensors(buckets=np.array([1, 4, 4], dtype=np.int32)), "not in order"),
        (tensors(buckets=np.array([-1, 4, 7], dtype=np.int32)), "not in order"),
        (tensors(buckets=np.array([1, 4, 10 * 16], dtype=np.int32)), "not in order"),
        # The step between the first two is beyond int32, and wraps round to a small positive one.
        (tensors(buckets=np.array([2, -(2**31), 7], dtype=np.int32)), "not in order"),
        (tensors(buckets=np.array([1, 4, 7], dtype=np.int64)), "shapes"),
        (tensors(buckets=np.array([1, 4], dtype=np.int32)), "shapes"),
        (tensors(buckets=np.array([[1, 4, 7]], dtype=np.int32)), "shapes"),
        (tensors(weights=np.ones((3, 1), dtype=np.float32)), "shapes"),
        (tensors(weights=np.ones((3, 3), dtype=np.float32)), "shapes"),
        (tensors(weights=np.ones((3, 2), dtype=np.float64)), "shapes"),
        (tensors(weights=np.ones((3, 2), dtype=np.float16)), "shapes"),
        (tensors(weights=np.array([[1, 1], [1, np.nan], [1, 1]], dtype=np.float32)), "not finite"),
        (tensors(weights=np.array([[1, 1], [1, np.inf], [1, 1]], dtype=np.float32)), "not finite"),
        (tensors(weights=None), "holds"),
        (tensors(buckets=None), "holds"),
        (tensors(more=np.ones(1, dtype=np.float32)), "holds"),
        (tensors(**{"long\n" * 10_000: np.ones(1, dtype=np.float32)}), "holds"),
        (b"", "not a safetensors file"),
        (b"\xff" * 64, "not a safetensors file"),
        (tensors()[:-4], "not a safetensors file"),
        (tensors() + b"\0" * 4, "not a safetensors file"),
        (tensors().replace(b'"F32"', b'"X32"'), "not a safetensors file"),
        (tensors().replace(b'"F32"', b'"U32"'), "shapes"),
        (tensors().replace(b"[3,2]", b"[9,9]"), "not a safetensors file"),
    ],
)
def test_weights_that_do_not_fit(folder: Path, raw: bytes, complaint: str) -> None:
    replace_weights(folder, tensors())
    load(folder)
    replace_weights(folder, raw)
    refused(folder, WEIGHTS_NAME, complaint)


@pytest.mark.parametrize("kind", ["BF16", "F8_E4M3", "BOOL", "I8", "C64"])
def test_weights_of_kinds_that_numpy_may_not_have(folder: Path, kind: str) -> None:
    width = {"BF16": 2, "C64": 8}.get(kind, 1)
    header = json.dumps({"weights": {"dtype": kind, "shape": [6], "data_offsets": [0, 6 * width]}}).encode()
    replace_weights(folder, len(header).to_bytes(8, "little") + header + bytes(6 * width))
    refused(folder, WEIGHTS_NAME)


def test_a_huge_table_is_refused_before_it_is_made(folder: Path) -> None:
    bits = dict.fromkeys(FAMILIES, 26)
    fingerprint = Featurizer(LEXICON, FeatureSettings(bits)).fingerprint
    rewrite(folder, lambda document: document["features"].update(bits=bits))
    rewrite(folder, lambda document: document.update(fingerprint=fingerprint))
    tracemalloc.start()
    try:
        refused(folder, WEIGHTS_NAME, "weights are over 2048 MiB")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20


def test_a_run_cut_off_between_the_files_leaves_a_folder_that_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = made_model()
    model.weights.values[0] += 1
    write = files.write_whole

    def cut_off(path: Path, content: bytes | str) -> None:
        if path.name == JSON_NAME:
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(files, "write_whole", cut_off)
    with pytest.raises(KeyboardInterrupt):
        save(model, folder)
    refused(folder, WEIGHTS_NAME, "SHA-256 differs")


def test_a_folder_that_cannot_be_written_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(stance.InputError, match="cannot be written"):
        save(made_model(), tmp_path / "file")
