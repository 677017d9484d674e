"""The direction of imports: each room takes from the rooms its line names, and from no other."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final

import pytest

PACKAGE: Final = Path(__file__).resolve().parent.parent / "src" / "stance"

# A new room gets a line here, and whoever writes it decides on which side it stands.
INFERENCE: Final = {
    "_kernel": "",
    "_tables": "",
    "records": "",
    "files": "records",
    "resources": "records",
    "labels": "records resources",
    "tokens": "_tables",
    "lexicon": "records",
    "texts": "_kernel records",
    "features": "_kernel lexicon records tokens",
    "model": "features labels records texts _kernel",
    "store": "features files labels lexicon model records resources",
    "boundaries": "_kernel",
    "datelines": "",
    "sentences": "_kernel boundaries datelines records",
    "languages": "",
    "limits": "",
    "inputs": "records",
    "streams": "inputs limits records",
    "delimited": "limits records streams",
    "pages": "",
    "extraction": "pages records",
    "warc": "pages records",
    "reading": "boundaries extraction inputs limits records sentences streams",
    "parquet_pages": "",
    "columnar": "inputs limits parquet_pages reading records",
    "articles": "columnar delimited extraction inputs limits reading records streams warc",
    "scoring": "_kernel inputs languages model records sentences",
    "arrow_rows": "model reading records scoring",
    "outputs": "delimited files model records scoring",
    "signatures": "tokens",
    "duplicates": "inputs records signatures",
    "feed": "articles inputs reading records streams",
}
# A run over many articles; nothing of what follows needs it, and it needs nothing of that.
RUNS: Final = {
    "batch": "signatures feed model outputs arrow_rows reading records scoring store",
    "manifest": "files inputs records",
    "parts": "feed files inputs manifest outputs records",
    "spark": "arrow_rows limits model reading records scoring store",
    "runs": "__init__ arrow_rows batch duplicates feed inputs outputs parts records scoring",
}
BEHIND: Final = {
    "settings": "features records",
    "neighbours": "",
    "rows": "files labels records",
    "matrix": "features files neighbours records",
    "standoff": "features files labels matrix records rows",
    "dataset": "labels lexicon records rows settings standoff",
    "validation": "dataset features labels lexicon matrix neighbours records rows settings standoff",
    "measures": "records",
    "calibration": "records",
    "reliability": "calibration labels measures model",
    "design": "dataset features measures records settings",
    "training": "calibration dataset design features measures model records reliability settings",
    "search": "dataset design features measures settings training",
    "estimator": "dataset features labels lexicon model texts records resources settings training",
    "evaluation": "dataset measures model records",
    "evaluation_page": "evaluation measures records",
    "agreement": "evaluation labels measures records rows",
    "doubts": "calibration dataset design features model records settings training",
    "sampling": "features model records rows",
    "readings": "files labels records rows",
    "trials": "dataset evaluation model records standoff",
    "layout": "dataset files labels records resources rows settings",
    "card": "evaluation model records",
    "plots": "evaluation evaluation_page files measures records",
}
SURFACE: Final = {
    "__init__": " ".join([*INFERENCE, *BEHIND]),
    "display": "model records",
    "options": "dataset model records store",
    "targets": "columnar outputs records scoring",
    "cli_scoring": " ".join([*INFERENCE, *RUNS, "display", "options", "targets"]),
    "cli_training": " ".join([*INFERENCE, *BEHIND, "__init__", "display", "options"]),
    "cli_annotation": " ".join([*INFERENCE, *BEHIND, "display", "options"]),
    "cli": "features cli_annotation cli_scoring cli_training display __init__ inputs options records",
    "__main__": "cli",
}
ALLOWED: Final = {room: frozenset(names.split()) for room, names in (INFERENCE | RUNS | BEHIND | SURFACE).items()}

SOURCES: Final = sorted(PACKAGE.rglob("*.py"))
NOT_FOR_INFERENCE: Final = frozenset(("click", "joblib", "matplotlib", "pandas", "rich", "scipy", "sklearn"))
LATE: Final = tuple(
    "click lxml matplotlib pandas py3langid pyarrow pyspark rich scipy sentencex sklearn trafilatura warcio".split()
)


def room_of(path: Path) -> str:
    """Name the room of a source file; a package inside the package is one room."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> tuple[set[str], set[str]]:
    """Return the rooms, and the top-level names outside the package, that a source file imports anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno}: a relative import"
            # `from stance import labels` is the room when there is one, otherwise a name of the package itself.
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    rooms: set[str] = set()
    outside: set[str] = set()
    for name in names:
        first, _, rest = name.partition(".")
        if first != "stance":
            outside.add(first)
        else:
            second = rest.split(".")[0]
            rooms.add(second if second in ALLOWED or (PACKAGE / f"{second}.py").exists() else "__init__")
    return rooms - {room_of(path)}, outside


def test_every_room_has_its_line() -> None:
    assert {room_of(path) for path in SOURCES} == set(ALLOWED)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_room_imports_only_the_rooms_of_its_line(path: Path) -> None:
    rooms, _ = imported(path)
    assert rooms <= ALLOWED[room_of(path)]


def test_the_table_itself_keeps_the_direction() -> None:
    TopologicalSorter(ALLOWED).prepare()
    for room in INFERENCE:
        assert ALLOWED[room] <= set(INFERENCE), room
    for room in BEHIND:
        assert ALLOWED[room] <= set(INFERENCE) | set(BEHIND), room
    for room in RUNS:
        assert ALLOWED[room] <= {*INFERENCE, *RUNS, "__init__"}, room
    assert {room for room, names in ALLOWED.items() if "cli" in names} == {"__main__"}


@pytest.mark.parametrize(
    "path",
    [path for path in SOURCES if room_of(path) in INFERENCE],
    ids=lambda path: path.relative_to(PACKAGE).as_posix(),
)
def test_inference_imports_neither_scikit_learn_nor_scipy(path: Path) -> None:
    _, outside = imported(path)
    assert not outside & NOT_FOR_INFERENCE


def test_the_reading_of_imports_sees_every_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    source = tmp_path / "records.py"
    source.write_text(
        "import stance.cli\nfrom stance import labels, load\nimport scipy.sparse as sp\n"
        "def f():\n    from stance.training import train\n    from sklearn import svm\n"
    )
    assert imported(source) == ({"cli", "labels", "__init__", "training"}, {"scipy", "sklearn"})


def modules_after(code: str) -> set[str]:
    """Run `code` in a fresh interpreter and return the top-level names of all modules it loaded."""
    report = "\nimport sys\nprint(*{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return set(run.stdout.splitlines()[-1].split())


def test_predicting_loads_no_heavy_library() -> None:
    loaded = modules_after("import stance\nstance.load().predict('Moscow denied the report.')")
    assert {"stance", "numpy"} <= loaded
    assert not loaded & set(LATE)


def test_the_command_line_starts_without_training_libraries() -> None:
    loaded = modules_after("import stance.cli")
    assert "click" in loaded
    assert not loaded & {"sklearn", "scipy", "pandas", "matplotlib", "sentencex", "pyarrow", "py3langid"}
