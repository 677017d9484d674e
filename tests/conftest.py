"""What several tests share: the data of the checkout, a small model that was really trained, and the shipped one."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import settings

import stance
from stance.dataset import Dataset, load_dataset
from stance.model import Model

ROOT: Final = Path(__file__).resolve().parent.parent
STEP: Final = 6
# Spark is not in .venv; `make test-spark` runs these in an environment of their own.
collect_ignore = ["spark"]

# Without a fixed seed a run could fail that nobody can repeat; without a deadline none fails on a busy machine.
settings.register_profile("stance", deadline=None, derandomize=True)
settings.load_profile("stance")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        terminalreporter.write_line("The tests of Spark (tests/spark) are left out here; make test-spark runs them.")


@pytest.fixture(scope="session")
def own_dataset() -> Dataset:
    return load_dataset(ROOT / "data", own_only=True)


@pytest.fixture(scope="session")
def small_dataset(own_dataset: Dataset) -> Dataset:
    """A few hundred own statements, of all files."""
    return dataclasses.replace(own_dataset, own=own_dataset.own[::STEP])


@pytest.fixture(scope="session")
def small_model(small_dataset: Dataset) -> Model:
    return stance.train(small_dataset, stance.Settings(folds=3))


@pytest.fixture(scope="session")
def default_model() -> Model:
    return stance.load(ROOT / "models" / "default")


def read_cases(path: Path) -> list[Any]:
    """Return the cases of a JSONL file as parameters; each says in `why` what it is about."""
    cases = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        pytest.param(
            case,
            id=f"line {number}: {case['why']}",
            # A case that passes although it is marked fails the run, so that the mark is taken away.
            marks=[pytest.mark.xfail(strict=True, raises=AssertionError, reason=case["why"])]
            if case.get("known_failure")
            else [],
        )
        for number, case in enumerate(cases, 1)
    ]
