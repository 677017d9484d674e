"""What pyproject.toml cannot say: the wheel carries the default model and the files that it is read with."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.errors import FileError

ROOT = Path(__file__).resolve().parent
PACKED = ("models/default", "data/labels.toml", "data/lexicon.toml", "data/CODEBOOK.md")


class BuildPyWithModel(build_py):
    """Copy `PACKED` into ``stance/_packed`` of the build folder, never into the checkout.

    An editable install is left without a copy: it reads the checkout itself, so that none can grow stale.
    """

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, "stance", "_packed")
        # The build folder may be left over from an earlier build, with files that are gone since.
        shutil.rmtree(target, ignore_errors=True)
        for file in packed_files():
            copy = target / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)


def packed_files() -> list[Path]:
    files: list[Path] = []
    for name in PACKED:
        source = ROOT / name
        found = sorted(path for path in source.glob("*") if path.is_file()) if source.is_dir() else [source]
        if not found or not all(path.is_file() for path in found):
            raise FileError(f"{source} is missing and the wheel needs it; run `make train` in a complete checkout")
        files += found
    return files


setup(cmdclass={"build_py": BuildPyWithModel})
