"""What pyproject.toml cannot say: the compiled kernel, and the default model inside the wheel."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.errors import FileError

ROOT = Path(__file__).resolve().parent
PACKED = ("models/default", "data/labels.toml", "data/lexicon.toml", "data/CODEBOOK.md")
KERNEL = Path("src", "stance", "_kernel")
# Set to "address,undefined" by `make test-sanitize`.
SANITIZE = os.environ.get("STANCE_SANITIZE", "")


def extension(name: str) -> Extension:
    """Describe a module of the kernel: its door, and the headers that it is built again for."""
    headers = [str(path) for pattern in ("*.hpp", "*.pxd") for path in sorted(KERNEL.glob(pattern))]
    # Where there is no compiler, stance installs all the same and runs on its readable reference.
    return Extension(
        f"stance._kernel.{name}", [str(KERNEL / f"{name}.pyx")], depends=headers, language="c++", optional=True
    )


class BuildKernel(build_ext):
    """Compile for any processor of the platform: nothing that only the machine at hand has."""

    def build_extensions(self) -> None:
        if self.compiler.compiler_type == "msvc":
            options, linked = ["/std:c++17", "/O2"], []
        elif SANITIZE:
            # The portable code is what other processors run, so it is what these checks look at.
            options = ["-std=c++17", "-O1", "-g", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all"]
            options += ["-DSTANCE_PORTABLE", "-D_GLIBCXX_ASSERTIONS", f"-fsanitize={SANITIZE}"]
            linked = [f"-fsanitize={SANITIZE}"]
        else:
            options, linked = ["-std=c++17", "-O3", "-fno-tree-vectorize", "-g0", "-fvisibility=hidden"], []
        for each in self.extensions:
            each.extra_compile_args = options
            each.extra_link_args = linked
        super().build_extensions()


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


setup(
    cmdclass={"build_ext": BuildKernel, "build_py": BuildPyWithModel},
    ext_modules=[extension("boundaries"), extension("features"), extension("rows"), extension("sentences")],
)
