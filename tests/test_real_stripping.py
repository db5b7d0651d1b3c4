"""Real wheels stripped: numpy's went through patchelf, which leaves symbols between loaded segments."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest
from elf_sections import memory

if TYPE_CHECKING:
    from pathlib import Path

    from command_line import CommandLine

pytestmark = pytest.mark.network

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
USE = "import numpy as n; assert abs(n.linalg.eigvals(n.eye(9) * 2).sum() - 18) < 1e-9; n.fft.fft([1, 2])"


def built(online: CommandLine, *options: str) -> dict[str, bytes]:
    online.must("build", *options)
    (archive,) = online.outputs.glob("*.zip")
    with zipfile.ZipFile(archive) as layer:
        return {name: layer.read(name) for name in layer.namelist()}


@pytest.mark.parametrize(
    ("package", "arch", "saved"), [("numpy", "x86_64", 1_500_000), ("markupsafe", "arm64", 30_000)]
)
def test_real_libraries_get_smaller_and_load_the_same(
    online: CommandLine, tmp_path: Path, package: str, arch: str, saved: int
) -> None:
    asked = ("--require", package, "-r", "3.12", "-a", arch)
    plain, stripped = built(online, *asked), built(online, *asked, "--strip")

    changed = [name for name in plain if plain[name] != stripped[name] and not name.endswith("/RECORD")]
    assert changed
    assert sum(len(plain[name]) - len(stripped[name]) for name in changed) > saved
    for name in changed:
        assert memory(stripped[name]) == memory(plain[name]), name
        if shutil.which("readelf"):
            path = tmp_path / "file.so"
            path.write_bytes(stripped[name])
            ran = subprocess.run(["readelf", "-lSW", path], capture_output=True, encoding="utf-8", check=True)
            assert ran.stderr == "", name


@pytest.mark.skipif(platform.system() != "Linux", reason="layers run on Linux")
def test_stripped_libraries_work(online: CommandLine, tmp_path: Path) -> None:
    arch = "arm64" if platform.machine() == "aarch64" else "x86_64"
    online.must(
        *(
            "build",
            "--require",
            "numpy",
            "-r",
            HERE,
            "-a",
            arch,
            "--strip",
            "--unpacked",
            str(tmp_path / "layer"),
        )
    )
    path = tmp_path / "layer" / "python"

    subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(path)!r}); {USE}"], check=True
    )
