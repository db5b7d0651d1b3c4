"""The native engine: a Python of the target's version and machine that this machine has."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from layercraft.host.interpreters import find_interpreters, read_interpreter
from layercraft.verification.engines import Absent
from layercraft.verification.local_engine import LocalEngine
from layercraft.verification.sandbox import LocalPython

if TYPE_CHECKING:
    from pathlib import Path

    from layercraft.host.cache import Cache
    from layercraft.host.interpreters import Interpreter
    from layercraft.target import Target


def find_native(  # noqa: PLR0913 (where to look)
    target: Target,
    *,
    cache: Cache | None = None,
    python: Path | None = None,
    search_path: str = os.defpath,
    pyenv_root: Path | None = None,
    uv_root: Path | None = None,
    scratch: Path | None = None,
) -> LocalEngine | Absent:
    """Find a Python that can load a layer for the target; `python` names one.

    Raises:
        UsageError: the named one does not run or does not fit.
    """
    version, machine = target.runtime.version, target.machine
    if python:
        found: tuple[Interpreter, ...] = (
            read_interpreter(python, version, machine, search_path=search_path),
        )
    else:
        found = find_interpreters(
            version, machine, search_path=search_path, pyenv_root=pyenv_root, uv_root=uv_root
        )
    if not found:
        return Absent(
            name="native",
            why=f"no {target.runtime.name} for {machine} and glibc on PATH, in pyenv or in uv",
            remedy="install one (uv python install {}.{}), or name one with --python".format(*version)
            if sys.platform.startswith("linux")
            else "layers run natively on Linux only; take --engine container",
        )
    return LocalEngine(name="native", python=LocalPython.native(found[0]), cache=cache, scratch=scratch)
