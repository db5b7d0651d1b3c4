"""The command lines that are compared: layercraft's, uv's, pip's and zip's.

uv is told its interpreter everywhere, so that its search for one is not counted against it.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from layercraft import Target

WHEELS_ONLY = ("--only-binary", ":all:")


def tool(name: str) -> str:
    """Give the path of a command: beside this Python first, then on PATH.

    Raises:
        SystemExit: it is not installed.
    """
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if not found:
        raise SystemExit(f"{name} is not installed")
    return found


def layercraft(command: str, *options: str) -> list[str]:
    """Give a layercraft command of the project that this Python has."""
    return [sys.executable, "-m", "layercraft", command, *options]


def requiring(requirements: Sequence[str], target: Target) -> list[str]:
    """Give layercraft's options for a layer without a recipe."""
    asked = [option for each in requirements for option in ("--require", each)]
    return [*asked, "--name", "layer", *for_target(target)]


def for_target(target: Target) -> list[str]:
    """Give layercraft's options for a target."""
    return ["--runtime", target.runtime.name, "--arch", target.architecture]


def uv_compile(target: Target, requirements: Path, *options: str) -> list[str]:
    """Give uv's command that writes the pins of a requirements file to stdout."""
    shown = ("--no-header", "--no-annotate")
    return [tool("uv"), "pip", "compile", *_uv(target), *shown, *options, str(requirements)]


def uv_install(target: Target, requirements: Path, folder: Path, *options: str) -> list[str]:
    """Give uv's command that installs a requirements file into a folder."""
    where = ("--target", str(folder), "--requirements", str(requirements))
    return [tool("uv"), "pip", "install", *_uv(target), *options, *where]


def _uv(target: Target) -> list[str]:
    libc = "_".join(str(part) for part in target.runtime.glibc)
    return [
        "--no-config",
        *WHEELS_ONLY,
        *("--python", sys.executable),
        *("--python-version", target.runtime.python_full_version),
        *("--python-platform", f"{target.machine}-manylinux_{libc}"),
    ]


def pip_install(target: Target, requirements: Path, folder: Path) -> list[str]:
    """Give pip's command that installs a requirements file into a folder, without any cache.

    pip takes platforms literally, so all are named; compiling is left out, as the others do.
    """
    newest = target.runtime.glibc[1]
    platforms = [f"manylinux_2_{minor}_{target.machine}" for minor in range(newest, 16, -1)]
    version = "".join(str(part) for part in target.runtime.version)
    return [
        *(sys.executable, "-m", "pip", "install", "--no-cache-dir", "--no-compile", *WHEELS_ONLY),
        *(option for name in platforms for option in ("--platform", name)),
        *("--platform", f"manylinux2014_{target.machine}"),
        *("--implementation", "cp", "--python-version", version, "--abi", f"cp{version}"),
        *("--target", str(folder), "--requirement", str(requirements)),
    ]


def zip_folder(archive: Path, folder: str, *levels: str) -> list[str]:
    """Give Info-ZIP's command that packs a folder below the current one."""
    return [tool("zip"), "-q", "-r", *levels, str(archive), folder]
