"""Small layers that are run for real, and the Pythons that run them."""

from __future__ import annotations

import os
import platform
import sys
import zipfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from layercraft.host.interpreters import Interpreter, find_interpreters
from layercraft.target import Target
from layercraft.verification.layer import LayerUnderTest
from layercraft.verification.local_engine import LocalEngine
from layercraft.verification.native import find_native

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Target.parse(f"3.{sys.version_info[1]}", platform.machine())
"""The target that the Python of these tests can load."""

PYTHON = Path(sys.executable).resolve()

METADATA = "Metadata-Version: 2.1\nName: {}\nVersion: {}\n"


def pyenv_root() -> Path:
    """Give where pyenv keeps its versions on this machine, if it is there."""
    return Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")


@cache
def pythons() -> Mapping[int, Interpreter]:
    """Give one Python for each minor version that this machine has."""
    found = {
        minor: find_interpreters(
            (3, minor),
            HERE.machine,
            search_path=os.environ.get("PATH", os.defpath),
            pyenv_root=pyenv_root(),
        )
        for minor in range(8, 16)
    }
    return {minor: each[0] for minor, each in found.items() if each}


def zipped(path: Path, files: Mapping[str, str], modes: Mapping[str, int] | None = None) -> Path:
    """Write a zip of texts; files have mode 0644 unless `modes` says another one."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sorted(files.items()):
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (0o100000 | (modes or {}).get(name, 0o644)) << 16
            archive.writestr(info, text)
    return path


def layer_of(  # noqa: PLR0913 (what a layer is known by)
    folder: Path,
    files: Mapping[str, str],
    *,
    target: Target = HERE,
    modes: Mapping[str, int] | None = None,
    removed: Mapping[str, str] | None = None,
    distributions: tuple[tuple[str, str], ...] = (),
) -> LayerUnderTest:
    """Give a layer of texts, by their paths below `python/`."""
    path = zipped(
        folder / "layer.zip",
        {f"python/{name}": text for name, text in files.items()},
        {f"python/{name}": mode for name, mode in (modes or {}).items()},
    )
    return LayerUnderTest(zip=path, target=target, removed=removed or {}, distributions=distributions)


def native_engine(scratch: Path) -> LocalEngine:
    """Give the native engine with the Python of these tests."""
    engine = find_native(HERE, python=PYTHON, scratch=scratch)
    assert isinstance(engine, LocalEngine)
    return engine
