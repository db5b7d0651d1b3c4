"""What glibc's dynamic loader says of a file that it cannot load, and what is wrong then."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from layercraft.verification.surroundings import Cause

if TYPE_CHECKING:
    from layercraft.verification.surroundings import Error, Surroundings

_LIBRARY = re.compile(r"([\w.+-]+\.so[\d.]*): cannot open shared object file")
_SYMBOL_VERSION = re.compile(r"version [`'](GLIBC|GLIBCXX|CXXABI|GCC)_([\d.]+)' not found")
_MISALIGNED = re.compile(r"ELF load command (?:address/offset|alignment) not (?:properly|page-) ?aligned")
_WRONG_ELF = re.compile(r"invalid ELF header|wrong ELF class|ELF file's .* not expected")

_KINDS_BY_PREFIX = {
    "GLIBC": ("glibc-too-new", "glibc"),
    "GLIBCXX": ("libstdcxx-too-new", "glibcxx"),
    "CXXABI": ("libstdcxx-too-new", "cxxabi"),
}


def missing_library(error: Error, around: Surroundings) -> Cause | None:
    """Give the cause where the loader found no library of a name."""
    text = str(error.get("text", ""))
    found = _LIBRARY.search(text)
    if not found:
        return None
    soname = found[1]
    path = next((path for path in around.files if posixpath.basename(path) == soname), None)
    if path and around.inside(text.partition(": ")[0]) == path:
        # The loader says so of a file that it sees and that is for another machine.
        return Cause(kind="wrong-machine", text=f"{path} is not for {around.layer.target}")
    taken = [path for path in around.layer.removed if posixpath.basename(path) == soname]
    if not (taken or around.in_image) and soname in around.layer.target.libraries:
        return Cause(kind="", text=f"{around.host} lacks {soname}, which Lambda has")
    return Cause(
        kind="missing-library",
        text=f"{soname} is neither in the layer nor on Lambda" + (f", but at {path}" if path else ""),
        blame=around.layer.blame(taken[0]) if taken else None,
        remedy=None if taken else f"put {soname} into lib/ of the layer",
    )


def new_symbols(error: Error, around: Surroundings) -> Cause | None:
    """Give the cause where a file needs newer symbols than a library has."""
    found = _SYMBOL_VERSION.search(error.get("text", ""))
    if not found:
        return None
    prefix, version = found[1], found[2]
    kind, limit_name = _KINDS_BY_PREFIX.get(prefix, ("libgcc-too-new", ""))
    runtime = around.layer.target.runtime
    limit = getattr(runtime, limit_name) if limit_name else None
    if not around.in_image and limit and tuple(map(int, version.split("."))) <= limit:
        return Cause(kind="", text=f"{around.host} lacks {prefix}_{version}, which {runtime.name} has")
    has = f", and {runtime.name} has {'.'.join(map(str, limit))}" if limit else ""
    return Cause(
        kind=kind,
        text=f"{_loaded_file(error, around)} needs {prefix}_{version}{has}",
        remedy=f"build it with layercraft for {around.layer.target}",
    )


def _loaded_file(error: Error, around: Surroundings) -> str:
    """Give the file that the loader complains about, as a path in the layer where it is one."""
    text = str(error.get("text", ""))
    paths = [path.strip("(),:") for path in re.findall(r"\S+\.so\S*", text)]
    inside = [around.inside(path) for path in paths]
    return next(filter(None, inside), paths[-1] if paths else "a library")


def bad_library(error: Error, around: Surroundings) -> Cause | None:
    """Give the cause where the loader refuses a file as it is."""
    text = str(error.get("text", ""))
    file = _loaded_file(error, around)
    if _MISALIGNED.search(text):
        return Cause(
            kind="misaligned-segment",
            text=f"the loader refuses {file}: its segments are not aligned, as after a strip that broke it",
            remedy="leave this file as its wheel has it",
        )
    if _WRONG_ELF.search(text):
        return Cause(kind="wrong-machine", text=f"{file} is not for {around.layer.target}")
    if "file too short" in text:
        return Cause(kind="broken-file", text=f"{file} is cut short")
    return None
