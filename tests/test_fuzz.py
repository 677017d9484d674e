"""A short run of fuzz/fuzz_kernel.py, and whether it would notice a difference; `make fuzz` runs it for longer."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

from stance import features

FUZZ: Final = Path(__file__).parent / "fuzz" / "fuzz_kernel.py"
SECONDS: Final = 15

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("atheris") is None, reason="atheris has no wheel for this platform"),
    pytest.mark.skipif(features.compiled is None, reason="there is no kernel to compare with"),
]


def fuzzed(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, errors="replace", timeout=300, check=False
    )


def test_a_short_run_finds_nothing(tmp_path: Path) -> None:
    ran = fuzzed(FUZZ, SECONDS, "--folder", tmp_path)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-4000:]
    assert int(re.findall(r"Done (\d+) runs", ran.stderr)[-1]) > 100
    assert any((tmp_path / "corpus").iterdir()), "inputs that reached something new"
    assert not list(tmp_path.glob("crash-*"))


def test_a_difference_is_found(tmp_path: Path) -> None:
    # The reference is changed in one small thing; the seeds are enough to show it.
    script = tmp_path / "changed.py"
    script.write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(FUZZ.parent)!r})\n"
        "import fuzz_kernel\n"
        "from stance import tokens\n"
        "del tokens._SUFFIXES['ve']\n"
        "fuzz_kernel.main()\n",
        encoding="utf-8",
    )
    ran = fuzzed(script, SECONDS, "--folder", tmp_path)
    assert ran.returncode not in {0, None}
    assert "AssertionError" in ran.stderr + ran.stdout
    [crash] = tmp_path.glob("crash-*")
    again = fuzzed(FUZZ, crash, "--folder", tmp_path)
    assert again.returncode == 0, "without the change the same input is read alike"
