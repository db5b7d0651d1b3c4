"""A root file system for arm64 around Debian's Python, unpacked without running any of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from lambda_like.pyenv_root import find_python

SUITES = {"3.11": "bookworm", "3.13": "trixie"}

_PACKAGES = (
    "base-files,coreutils,dash,libc-bin,libc6,libgcc-s1,libpython{0}-stdlib,libstdc++6,python{0}-minimal"
)


def build(version: str, root: Path) -> None:
    """Make the root file system's Python, libraries and few tools in an empty folder.

    Raises:
        subprocess.CalledProcessError: the mirror does not answer.
    """
    command = ["mmdebstrap", "--quiet", "--variant=extract", "--architectures=arm64"]
    include = f"--include={_PACKAGES.format(version)}"
    subprocess.run([*command, include, SUITES[version], root, mirror()], check=True)
    for folder in ("usr/share", "var/cache", "var/lib", "boot", "home", "media", "mnt", "srv"):
        shutil.rmtree(root / folder, ignore_errors=True)
    _move_python(version, root)
    _compile(version, root)


def mirror() -> str:
    """Give the address of the Debian mirror that this machine uses.

    Raises:
        LookupError: its apt has none.
    """
    sources = Path("/etc/apt")
    for path in (sources / "sources.list.d/debian.sources", sources / "sources.list"):
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        found = re.search(r"^(?:URIs:|deb(?: \[.*?\])?) *(\S+)", text, re.MULTILINE)
        if found:
            return found[1]
    raise LookupError("apt has no Debian mirror")


def _move_python(version: str, root: Path) -> None:
    """Put Python where Lambda has it; Debian's calls its folder of packages dist-packages."""
    lang = root / "var/lang"
    (lang / "bin").mkdir(parents=True)
    (root / f"usr/bin/python{version}").rename(lang / f"bin/python{version}")
    (lang / "bin/python3").symlink_to(f"python{version}")
    (lang / "bin/python").symlink_to("python3")
    (lang / "lib").mkdir()
    (root / f"usr/lib/python{version}").rename(lang / f"lib/python{version}")
    (lang / f"lib/python{version}/dist-packages").symlink_to("site-packages")


def _compile(version: str, root: Path) -> None:
    """Compile the standard library with a Python of this machine where there is one; emulation is slow."""
    prefix = find_python(version)
    if prefix:
        compiler = [str(prefix / f"bin/python{version}"), "-m", "compileall", "-q"]
        library = root / f"var/lang/lib/python{version}"
        subprocess.run([*compiler, "-s", root, "-p", "/", library], check=False)
