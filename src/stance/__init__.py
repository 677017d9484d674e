"""Finds denials, accusations and calls for dialogue in news text.

>>> import stance
>>> stance.predict("Moscow denied that it was planning an attack.").labels
('denial',)

The names of this package are loaded when they are first used, so that a prediction does not wait for training's
libraries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from stance.dataset import Dataset, load_dataset
    from stance.estimator import StanceClassifier
    from stance.model import Contribution, Explanation, Model
    from stance.records import Article, DataError, InputError, ModelError, Prediction, StanceError, Statement
    from stance.settings import Settings
    from stance.store import load, save
    from stance.texts import Utf8
    from stance.training import train

__all__ = [
    "Article",
    "Contribution",
    "DataError",
    "Dataset",
    "Explanation",
    "InputError",
    "Model",
    "ModelError",
    "Prediction",
    "Settings",
    "StanceClassifier",
    "StanceError",
    "Statement",
    "Utf8",
    "analyze",
    "explain",
    "load",
    "load_dataset",
    "predict",
    "save",
    "score",
    "train",
]

_HOMES = {
    **dict.fromkeys(("Article", "DataError", "InputError", "ModelError", "Prediction"), "records"),
    **dict.fromkeys(("Statement", "StanceError"), "records"),
    **dict.fromkeys(("Contribution", "Explanation", "Model"), "model"),
    **dict.fromkeys(("load", "save"), "store"),
    **dict.fromkeys(("Dataset", "load_dataset"), "dataset"),
    "Settings": "settings",
    "StanceClassifier": "estimator",
    "train": "training",
    "Utf8": "texts",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("stance-news")
    if name not in _HOMES:
        raise AttributeError(f"module 'stance' has no attribute {name!r}")
    found = getattr(import_module(f"stance.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


@lru_cache(maxsize=1)
def _default_model() -> Model:
    from stance.store import load

    return load()


@overload
def predict(texts: str) -> Prediction: ...  # type: ignore[overload-overlap]
@overload
def predict(texts: Iterable[str] | Utf8) -> list[Prediction]: ...
def predict(texts: str | Iterable[str] | Utf8) -> Prediction | list[Prediction]:
    """Label statements with the default model.

    Parameters
    ----------
    texts
        One statement, or any iterable of statements; also a column of Arrow, or `Utf8`.

    Returns
    -------
    Prediction or list of Prediction
        One for a string; else a list in the order and of the length of `texts`.

    Raises
    ------
    InputError
        If something is not a string or is blank; the message names its position.
    ModelError
        If the default model is missing or damaged.
    """
    return _default_model().predict(texts)


def explain(text: str) -> Explanation:
    """Say which words and patterns speak for and against each label, under the default model.

    Parameters
    ----------
    text
        One statement.

    Returns
    -------
    Explanation
        For every label, the intercept and the weights of all contributions sum to the score.

    Raises
    ------
    InputError
        If `text` is not a string or is blank.
    ModelError
        If the default model is missing or damaged.
    """
    return _default_model().explain(text)


def analyze(text: str) -> Article:
    """Split an article into statements and label each with the default model.

    Parameters
    ----------
    text
        The whole text of an article.

    Returns
    -------
    Article
        With its statements and their predictions; ``article.text[start:end]`` is a statement's text.

    Raises
    ------
    InputError
        If `text` is not a string or is blank.
    ModelError
        If the default model is missing or damaged.
    """
    from stance.scoring import analyze as analyze_with

    return analyze_with(text, _default_model())


def score(
    articles: Iterable[Article | str], model: Model | str | Path | None = None, *, any_language: bool = False
) -> Iterator[dict[str, Any]]:
    """Score articles one after the other.

    Parameters
    ----------
    articles
        Articles or their texts.
    model
        A model or its folder; the default model where left out.
    any_language
        Label articles in other languages than English too, instead of flagging them alone.

    Yields
    ------
    dict
        One a statement: ``article_id, source, date, language, statement_no, start, end, text, labels``, ``p_<label>``
        for each label, and ``model``. In another language there is no label, and each probability is None.

    Raises
    ------
    InputError
        If an article is not a string or is blank.
    ModelError
        If the model is missing or damaged.
    """
    from stance.scoring import score as score_with

    if model is None:
        model = _default_model()
    elif isinstance(model, str | Path):
        from stance.store import load

        model = load(model)
    yield from score_with(articles, model, any_language=any_language)
