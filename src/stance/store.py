"""Model folder ⇄ `Model`: safetensors and JSON, every figure checked before it is used; never pickle."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from stance.features import FAMILIES, MARK, VERSION, FeatureSettings, Featurizer
from stance.labels import LabelSet
from stance.lexicon import Lexicon
from stance.model import Model, Weights
from stance.records import DataError, ModelError

FORMAT: Final = 1
JSON_NAME: Final = "model.json"
WEIGHTS_NAME: Final = "weights.safetensors"
LARGEST_JSON: Final = 16 << 20
LARGEST_WEIGHTS: Final = 512 << 20
LARGEST_TABLE: Final = 2 << 30
_VECTORS: Final = ("intercepts", "slopes", "offsets", "thresholds")


def save(model: Model, folder: str | Path) -> Model:
    """Write a model folder.

    Only buckets that hold a weight are stored, so that the file grows with what was learnt and not with the table.

    Parameters
    ----------
    model
        The model.
    folder
        Made where it is missing; its ``model.json`` and ``weights.safetensors`` are replaced whole.

    Returns
    -------
    Model
        The same model, with the hash of its weights in ``about``.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    from safetensors.numpy import save as to_bytes

    from stance.files import write_whole

    raw = to_bytes({"buckets": model.weights.buckets, "weights": model.weights.values})
    about = {**model.about, "weights_sha256": hashlib.sha256(raw).hexdigest()}
    document = {
        "format": FORMAT,
        "labels": model.labels.to_json(),
        "features": model.featurizer.settings.to_json(),
        "fingerprint": model.featurizer.fingerprint,
        **{name: getattr(model, name).tolist() for name in _VECTORS},
        "about": about,
        "lexicon": model.featurizer.lexicon.to_json(),
        "frames": sorted(model.featurizer.lexicon.frames),
    }
    folder = Path(folder)
    # The description goes last: it holds the hash, so a run cut off in between leaves a folder that is refused.
    write_whole(folder / WEIGHTS_NAME, raw)
    write_whole(folder / JSON_NAME, json.dumps(document, ensure_ascii=False, indent=1) + "\n")
    return replace(model, about=about)


def load(folder: str | Path | None = None) -> Model:
    """Read a model folder.

    Parameters
    ----------
    folder
        The folder; the default model where left out.

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        If the folder or a file is missing, too large, damaged, changed, of another format, or holds figures that
        do not fit together.
    """
    if folder is None:
        from stance.resources import default_model_path

        folder = default_model_path()
    folder = Path(folder)
    document = _read_json(folder / JSON_NAME)
    found = document.get("format")
    if type(found) is not int or found != FORMAT:
        raise ModelError(f"{folder / JSON_NAME}: format {_short(repr(found))}, not {FORMAT}; train the model again")
    try:
        labels = LabelSet.from_json(document["labels"])
        frames = document["frames"]
        if not isinstance(frames, list):
            raise ValueError("frames is not a list")
        lexicon = Lexicon.from_classes(document["lexicon"], frames)
        settings = _settings(document["features"])
        vectors = [_vector(name, document[name]) for name in _VECTORS]
        about = dict(document["about"])
        expected = str(about["weights_sha256"])
        featurizer = Featurizer(lexicon, settings)
        matches = document["fingerprint"] == featurizer.fingerprint
    except (KeyError, TypeError, ValueError, AttributeError, DataError) as error:
        raise ModelError(f"{folder / JSON_NAME}: {_reason(error)}; get the model again or train it again") from error
    if not matches:
        raise ModelError(f"{folder / JSON_NAME}: made with other features than this version has; train the model again")
    count = len(labels.names)
    if any(vector.shape != (count,) or not np.isfinite(vector).all() for vector in vectors):
        raise ModelError(
            f"{folder / JSON_NAME}: has not {count} finite figures in each of {', '.join(_VECTORS)}; train again"
        )
    weights = _read_weights(folder / WEIGHTS_NAME, expected, settings.buckets, count)
    intercepts, slopes, offsets, thresholds = vectors
    return Model(labels, featurizer, weights, intercepts, slopes, offsets, thresholds, about)


def _read_json(path: Path) -> dict[str, Any]:
    raw = _read(path, LARGEST_JSON)
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: not valid JSON ({error}); get the model again or train it again") from error
    if not isinstance(document, dict):
        raise ModelError(f"{path}: not a JSON object; get the model again or train it again")
    return document


def _read(path: Path, largest: int) -> bytes:
    try:
        with path.open("rb") as stream:
            # Reading "at most so much" would set all of it aside, whatever the size of the file.
            size = os.fstat(stream.fileno()).st_size
            raw = stream.read(size) if size <= largest else b""
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file; give the folder of a model, or run `make train`") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); check the path and its rights") from error
    if size > largest:
        raise ModelError(f"{path}: larger than {largest >> 20} MiB; this is no model of ours")
    return raw


def _vector(name: str, figures: object) -> NDArray[np.float64]:
    if not isinstance(figures, list) or not all(type(figure) in {int, float} for figure in figures):
        raise ValueError(f"{name} is not a list of figures")
    try:
        return np.array(figures, dtype=np.float64)
    except OverflowError:
        raise ValueError(f"{name} holds a figure beyond all bounds") from None


def _settings(document: dict[str, Any]) -> FeatureSettings:
    bits = document["bits"]
    if document["version"] != VERSION or set(bits) != set(FAMILIES):
        raise ValueError("other feature families than this version has")
    if not all(isinstance(value, int) and 0 < value <= 26 for value in bits.values()):
        raise ValueError("a bucket range outside of 2 to 2^26")
    marks = document["marks"]
    if not isinstance(marks, list) or not all(isinstance(mark, str) and re.fullmatch(MARK, mark) for mark in marks):
        raise ValueError("a mark that is no word")
    return FeatureSettings(dict(bits), tuple(marks))


def _read_weights(path: Path, expected: str, table: int, labels: int) -> Weights:
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    raw = _read(path, LARGEST_WEIGHTS)
    if hashlib.sha256(raw).hexdigest() != expected:
        raise ModelError(f"{path}: not the file that model.json describes (SHA-256 differs); get the model again")
    if table * labels * 4 > LARGEST_TABLE:
        raise ModelError(
            f"{path}: {table} x {labels} weights are over {LARGEST_TABLE >> 20} MiB; this is no model of ours"
        )
    try:
        tensors = from_bytes(raw)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelError(f"{path}: not a safetensors file ({_short(str(error))}); get the model again") from error
    if set(tensors) != {"buckets", "weights"}:
        raise ModelError(f"{path}: holds {_short(str(sorted(tensors)))}, not buckets and weights; get the model again")
    buckets, values = tensors["buckets"], tensors["weights"]
    fitting = (
        buckets.dtype == np.int32
        and values.dtype == np.float32
        and buckets.ndim == 1
        and values.shape == (len(buckets), labels)
    )
    if not fitting:
        raise ModelError(f"{path}: the shapes do not fit {labels} labels; get the model again")
    if len(buckets) and (buckets[0] < 0 or buckets[-1] >= table or (np.diff(buckets) <= 0).any()):
        raise ModelError(f"{path}: bucket numbers are not in order below {table}; get the model again")
    if not np.isfinite(values).all():
        raise ModelError(f"{path}: holds weights that are not finite; get the model again")
    return Weights(buckets, values, table)


def _reason(error: Exception) -> str:
    return _short(f"the field {error} is missing" if isinstance(error, KeyError) else str(error))


def _short(text: str) -> str:
    # What a damaged file holds may be long or run over many lines.
    return " ".join(text.split())[:200]
