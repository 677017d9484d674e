"""Nothing that runs code when a file is opened gets past `make lint`."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parent.parent
RULES: Final = ("TID251", "S301", "S403")
FOLDERS: Final = [folder for folder in (ROOT / "src", ROOT / "tests", ROOT / "benchmarks") if folder.is_dir()]


def findings(*arguments: str | Path) -> list[dict[str, str]]:
    """Run ruff with the project's settings and return what it found by these rules."""
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format=json"]
    command += ["--config", str(ROOT / "pyproject.toml"), *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode in {0, 1}, run.stderr
    found: list[dict[str, str]] = json.loads(run.stdout)
    return [finding for finding in found if finding["code"] in RULES]


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from pickle import loads",
        "import cloudpickle",
        "import dill",
        "import marshal",
        "import shelve",
        "import joblib\n\njoblib.load('model')",
        "from joblib import load",
        "from joblib import dump",
        "import torch\n\ntorch.load('model')",
    ],
)
def test_it_is_refused(code: str, tmp_path: Path) -> None:
    snippet = tmp_path / "snippet.py"
    snippet.write_text(f'"""A module."""\n\n{code}\n')
    assert "TID251" in [finding["code"] for finding in findings(snippet)]


def test_parallel_work_and_safetensors_are_not_refused(tmp_path: Path) -> None:
    snippet = tmp_path / "snippet.py"
    snippet.write_text(
        '"""A module."""\n\nfrom joblib import Parallel\nfrom safetensors.numpy import load\n\n_ = Parallel, load\n'
    )
    assert findings(snippet) == []


def test_no_comment_in_the_project_switches_these_rules_off() -> None:
    assert findings("--ignore-noqa", *FOLDERS) == []


# numpy.load is needed for plain matrices and ruff cannot look at its arguments.
@pytest.mark.parametrize(
    "path", sorted(path for folder in FOLDERS for path in folder.rglob("*.py")), ids=lambda path: path.name
)
def test_no_array_file_may_hold_pickled_objects(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            assert isinstance(node.value, ast.Constant), f"line {node.value.lineno}"
            assert node.value.value is False, f"line {node.value.lineno}"
