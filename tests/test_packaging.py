"""What users install: the wheel, built from the source distribution, in an environment with nothing else in it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Final

import pytest

from stance import resources
from stance.records import DataError, ModelError

ROOT: Final = Path(__file__).resolve().parent.parent
MODEL: Final = ROOT / "models" / "default"
PACKED: Final = "stance/_packed/"
NOT_COPIED: Final = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist")
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command that finds nothing of this checkout by way of the environment."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith("PYTHON") and name != "VIRTUAL_ENV"
    }
    return subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True, check=False)


def output(*command: str | Path, folder: Path) -> str:
    """Run a command that must succeed and return what it printed."""
    done = run(*command, folder=folder)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the source distribution from a copy of the checkout, and the wheel from the source distribution."""
    folder = tmp_path_factory.mktemp("build")
    shutil.copytree(ROOT, folder / "checkout", ignore=NOT_COPIED)
    output(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, folder / "checkout", folder=folder)
    assert len(list(folder.glob("*.tar.gz"))) == 1
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel with its runtime dependencies only and return the folder of the environment's commands."""
    folder = tmp_path_factory.mktemp("installed")
    output(sys.executable, "-m", "venv", folder / "env", folder=folder)
    commands = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
    install = ("-m", "pip", "install", "--disable-pip-version-check", "--constraint", ROOT / "constraints.txt", wheel)
    output(commands / "python", *install, folder=folder)
    return commands


@pytest.mark.slow
def test_the_wheel_holds_the_model_and_no_training_data(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        packed = {name.removeprefix(PACKED): archive.read(name) for name in names if name.startswith(PACKED)}
    expected = {f"data/{name}" for name in ("labels.toml", "lexicon.toml", "CODEBOOK.md")}
    expected |= {f"models/default/{path.name}" for path in MODEL.iterdir()}
    assert set(packed) == expected
    for name, content in packed.items():
        assert sha256(content) == sha256((ROOT / name).read_bytes()), name
    assert {"stance/py.typed", "stance/_tables/characters.bin"} <= names
    assert not [
        name for name in names if "statements/" in name or "standoff/" in name or name.endswith((".jsonl", ".npz"))
    ]
    assert {name.split("/")[0] for name in names} == {"stance", f"stance_news-{PROJECT['version']}.dist-info"}


@pytest.mark.slow
def test_the_wheel_works_where_there_is_nothing_else(installed: Path, tmp_path: Path) -> None:
    code = "import stance; print(stance.predict('Moscow denied the report.').label)"
    assert output(installed / "python", "-c", code, folder=tmp_path) == "denial\n"
    version = output(installed / "stance", "--version", folder=tmp_path)
    assert version == f"stance {PROJECT['version']} (compiled kernel)\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_installed_model_is_the_one_of_the_checkout(installed: Path, tmp_path: Path) -> None:
    code = "from stance.resources import default_model_path; print(default_model_path())"
    model = Path(output(installed / "python", "-c", code, folder=tmp_path).strip())
    assert model.is_relative_to(installed.parent.resolve())
    weights = "weights.safetensors"
    assert sha256((model / weights).read_bytes()) == sha256((MODEL / weights).read_bytes())


@pytest.mark.slow
def test_only_runtime_dependencies_are_installed(installed: Path, tmp_path: Path) -> None:
    listed = output(installed / "python", "-m", "pip", "list", "--format=freeze", folder=tmp_path).lower().splitlines()
    names = {line.split("==")[0] for line in listed}
    assert {"stance-news", "numpy", "scikit-learn", "sentencex"} <= names
    assert not names & {"matplotlib", "pytest", "mypy", "ruff", "hypothesis", "pandas"}
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower().splitlines()
    assert {line for line in listed if line.split("==")[0] not in {"pip", "setuptools", "stance-news"}} <= set(pinned)


@pytest.mark.slow
def test_a_wheel_without_a_model_is_not_built(tmp_path: Path) -> None:
    shutil.copytree(ROOT, tmp_path / "checkout", ignore=NOT_COPIED)
    shutil.rmtree(tmp_path / "checkout" / "models")
    done = run(sys.executable, "setup.py", "-q", "build_py", folder=tmp_path / "checkout")
    assert done.returncode != 0
    assert "make train" in done.stderr


def test_constraints_are_names_and_versions_only() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert pins == sorted(pins, key=str.lower)
    for line in pins:
        name, version = line.split("==")
        assert name.replace("-", "").replace("_", "").isalnum(), line
        assert version.replace(".", "").isalnum(), line


def test_every_dependency_is_justified() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    required = [
        *PROJECT["dependencies"],
        *(line for extra in PROJECT["optional-dependencies"].values() for line in extra),
    ]
    names = {line.partition(">=")[0].partition("[")[0] for line in required} - {"stance-news"}
    assert {name for name in names if f"| {name} |" not in text} == set()


def test_a_checkout_reads_its_own_files() -> None:
    assert resources.data_path("lexicon.toml") == ROOT / "data" / "lexicon.toml"
    assert resources.default_model_path() == MODEL


def test_a_checkout_prefers_its_own_files_to_a_stale_copy(tmp_path: Path) -> None:
    package = tmp_path / "src" / "stance"
    for place in (tmp_path, package / "_packed"):
        (place / "data").mkdir(parents=True)
        (place / "data" / "labels.toml").touch()
    (package / "__init__.py").touch()
    (tmp_path / "pyproject.toml").touch()
    for name in ("records.py", "resources.py"):
        shutil.copyfile(ROOT / "src" / "stance" / name, package / name)
    code = "from stance.resources import data_path; print(data_path('labels.toml'))"
    # -S leaves out an installed stance; Python looks for modules in the folder it starts in.
    found = output(sys.executable, "-S", "-c", code, folder=package.parent).strip()
    assert found == str(tmp_path / "data" / "labels.toml")
    (tmp_path / "pyproject.toml").unlink()
    found = output(sys.executable, "-S", "-c", code, folder=package.parent).strip()
    assert found == str(package / "_packed" / "data" / "labels.toml")


def test_a_missing_file_is_named_with_both_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        DataError, match=r"data/nothing\.toml: found neither packed at .*_packed.* nor in a checkout at "
    ):
        resources.data_path("nothing.toml")
    monkeypatch.setattr(resources, "_CHECKOUT", tmp_path)
    monkeypatch.setattr(resources, "_PACKED", tmp_path / "_packed")
    with pytest.raises(ModelError, match=r"default model: found neither .*_packed.*; run `make train`"):
        resources.default_model_path()
