"""Symbol versions: how the newer ones of a root file system are put out of reach."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# In the string table of an ELF file: between two NULs, as versions are written there.
_VERSION = re.compile(rb"(?<=\0)(GLIBC_2|GLIBCXX_3\.4|CXXABI_1\.3)\.(\d+)(?=\0)")
_UNREACHABLE = {b"GLIBC_2": b"GLIBX_2", b"GLIBCXX_3.4": b"GLIBXXX_3.4", b"CXXABI_1.3": b"XXXABI_1.3"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The last numbers of the newest versions that a library may need: 34 for GLIBC_2.34."""

    glibc: int
    glibcxx: int
    cxxabi: int


# glibc 2.26 and GCC 7.3, glibc 2.34 and GCC 11.
AMAZON_LINUX_2 = Ceiling(glibc=26, glibcxx=24, cxxabi=11)
AMAZON_LINUX_2023 = Ceiling(glibc=34, glibcxx=29, cxxabi=13)


def lower(root: Path, ceiling: Ceiling) -> int:
    """Rename every version above the ceiling in all ELF files of a folder; give how many files changed.

    Definitions and needs are renamed alike (GLIBC_2.36 becomes GLIBX_2.36 on both sides), so the
    files go on fitting each other. A library from elsewhere asks for the true name and is told by
    the loader that there is none. What glibc says of its own version is lowered too.
    """
    highest = {b"GLIBC_2": ceiling.glibc, b"GLIBCXX_3.4": ceiling.glibcxx, b"CXXABI_1.3": ceiling.cxxabi}

    def renamed(match: re.Match[bytes]) -> bytes:
        if int(match[2]) <= highest[match[1]]:
            return match[0]
        return _UNREACHABLE[match[1]] + b"." + match[2]

    changed = 0
    for path in _elf_files(root):
        before = path.read_bytes()
        after = _VERSION.sub(renamed, before)
        if path.name == "libc.so.6":
            after = _lower_own_version(after, ceiling.glibc)
        if after != before:
            path.write_bytes(after)
            changed += 1
    return changed


def _lower_own_version(libc: bytes, glibc: int) -> bytes:
    """Change the texts that `gnu_get_libc_version()` and the banner give."""
    number = b"2.%02d" % glibc
    banner = re.sub(rb"(?<=glibc )2\.\d\d(?=\0)", number, libc)
    return re.sub(rb"(?<=\0)2\.[34]\d(?=\0)", number, banner)


def _elf_files(root: Path) -> Iterator[Path]:
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                is_elf = file.read(4) == b"\x7fELF"
            if is_elf:
                yield path
