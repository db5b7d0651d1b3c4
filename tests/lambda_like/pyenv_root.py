"""A root file system for x86_64 around a Python that pyenv built, with this machine's libraries."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

# Python's own tests and graphical parts, and what another Python version installed for this machine.
_LEFT_OUT = shutil.ignore_patterns(
    *("site-packages", "test", "tests", "_test*", "idlelib", "tkinter", "_tkinter*", "turtledemo"),
    *("ensurepip", "config-*"),
)
_TOOLS = ("dash", "cat", "ls", "env")
_LIBRARIES = Path("usr/lib/x86_64-linux-gnu")
# Beside what Python's own modules link: glibc's and GCC's, which wheels may take for granted.
_TAKEN_FOR_GRANTED = (
    *("libanl.so.1", "libdl.so.2", "libm.so.6", "libmvec.so.1", "libnss_dns.so.2", "libnss_files.so.2"),
    *("libpthread.so.0", "libresolv.so.2", "librt.so.1", "libutil.so.1"),
    *("libgcc_s.so.1", "libstdc++.so.6"),
)


def find_python(version: str) -> Path | None:
    """Give the prefix of pyenv's newest Python of a minor version ("3.12"); None when it has none."""
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [path for path in versions.glob(f"{version}.*") if re.fullmatch(r"\d\.\d+\.\d+", path.name)]
    return max(found, key=lambda path: int(path.name.rpartition(".")[2]), default=None)


def build(version: str, root: Path) -> None:
    """Make the root file system's Python, libraries and few tools in an empty folder.

    Raises:
        FileNotFoundError: pyenv has no such Python.
    """
    prefix = find_python(version)
    if prefix is None:
        raise FileNotFoundError(f"pyenv has no Python {version}")
    _copy_python(prefix, version, root / "var/lang")
    libraries = root / _LIBRARIES
    libraries.mkdir(parents=True)
    (root / "usr/bin").mkdir()
    (root / "lib64").mkdir()
    (root / "bin").symlink_to("usr/bin")
    (root / "lib").symlink_to("usr/lib")
    tools = [Path(shutil.which(tool) or tool) for tool in _TOOLS]
    for tool in tools:
        shutil.copy(tool, root / "usr/bin")
    (root / "usr/bin/sh").symlink_to("dash")
    modules = list((prefix / f"lib/python{version}/lib-dynload").glob("*.so"))
    for library in _linked([prefix / f"bin/python{version}", *modules, *tools]):
        if not library.is_relative_to(prefix):
            shutil.copy(library, libraries)
    for name in _TAKEN_FOR_GRANTED:
        shutil.copy(_system_library(name), libraries)
    shutil.copy("/lib64/ld-linux-x86-64.so.2", root / "lib64")


def _copy_python(prefix: Path, version: str, lang: Path) -> None:
    library = lang / "lib"
    shutil.copytree(
        prefix / f"lib/python{version}", library / f"python{version}", ignore=_LEFT_OUT, symlinks=True
    )
    for name in (f"libpython{version}.so.1.0", f"libpython{version}.so", "libpython3.so"):
        shutil.copy(prefix / "lib" / name, library, follow_symlinks=False)
    subprocess.run(["strip", "--strip-unneeded", library / f"libpython{version}.so.1.0"], check=True)
    (lang / "bin").mkdir()
    shutil.copy(prefix / f"bin/python{version}", lang / "bin")
    (lang / "bin/python3").symlink_to(f"python{version}")
    (lang / "bin/python").symlink_to("python3")


def _linked(files: list[Path]) -> set[Path]:
    """Give the libraries that these files load, by the loader's own word."""
    listing = subprocess.run(["ldd", *files], capture_output=True, text=True, check=True).stdout
    return {Path(path) for path in re.findall(r"=> (/\S+)", listing)}


def _system_library(name: str) -> Path:
    listing = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    found = re.search(rf"^\s+{re.escape(name)} \(libc6,x86-64.*=> (\S+)$", listing, re.MULTILINE)
    if found is None:
        raise FileNotFoundError(f"this machine has no {name}")
    return Path(found[1])
