"""From an error that Python raised to what is wrong with the layer, and who took away what is missing."""

from __future__ import annotations

import errno
import posixpath
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from layercraft.layer.importable import runtime_modules
from layercraft.verification.loader_errors import bad_library, missing_library, new_symbols
from layercraft.verification.quotation import beginning
from layercraft.verification.surroundings import EXTENSION, Cause

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from layercraft.verification.surroundings import Error, Surroundings

_ON_LAMBDA = "/opt"

# What glibc's loader and CPython's import machinery say.
_CANNOT_IMPORT = re.compile(r"cannot import name '([^']+)' from (?:partially initialized module )?'([^']+)'")
_SHARED_MEMORY = re.compile(r"/multiprocessing/(?:synchronize|shared_memory|heap|popen_\w+)\.py$|/dev/shm")


def cause_of(errors: Sequence[Error], around: Surroundings) -> Cause:
    """Give the cause of a chain of errors, outermost first.

    The deepest error that was raised from on purpose counts first, then outwards, then those that
    were being handled when another one came up; without a rule for any, the outermost is quoted.
    """
    for error in _by_weight(errors):
        for rule in _RULES:
            cause = rule(error, around)
            if cause:
                return replace(cause, said=_said(error, around))
    outermost = errors[0] if errors else {}
    return Cause(kind="import-failed", text=_quoted(outermost, around), said=_said(outermost, around))


def _by_weight(errors: Sequence[Error]) -> Iterator[Error]:
    explicit = 1
    while explicit < len(errors) and errors[explicit - 1].get("explicit"):
        explicit += 1
    yield from reversed(errors[:explicit])
    yield from errors[explicit:]


def _said(error: Error, around: Surroundings) -> str:
    """Give an error's own words, with the layer's files where they are on Lambda."""
    text = str(error.get("text", "")).replace(f"{around.root}/", f"{_ON_LAMBDA}/")
    kind = str(error.get("type", "an error"))
    return beginning(f"{kind}: {text}" if text else kind)


def _quoted(error: Error, around: Surroundings) -> str:
    return _said(error, around) + _place(error, around)


def _place(error: Error, around: Surroundings) -> str:
    """Tell the layer's line that raised an error, or asked for what raised it."""
    for path, line, _, _ in reversed(error.get("frames", ())):
        inside = around.inside(str(path))
        if inside:
            return f" (at {inside}, line {line})"
    return ""


def _is_a(error: Error, name: str) -> bool:
    return name in error.get("bases", ())


def _exit(error: Error, around: Surroundings) -> Cause | None:
    if not _is_a(error, "SystemExit"):
        return None
    return Cause(kind="import-exited", text=f"it calls sys.exit({error['text']}){_place(error, around)}")


def _memory(error: Error, around: Surroundings) -> Cause | None:
    if not _is_a(error, "MemoryError"):
        return None
    return Cause(kind="out-of-memory", text=_quoted(error, around))


def _missing_metadata(error: Error, around: Surroundings) -> Cause | None:
    if not _is_a(error, "PackageNotFoundError"):
        return None
    name = canonicalize_name(str(error.get("name") or error["text"].rpartition(" ")[2]))
    return Cause(
        kind="metadata-missing",
        text=f"importlib.metadata knows no {name}{_place(error, around)}",
        blame=around.layer.blame_metadata(name),
    )


def _missing_module(error: Error, around: Surroundings) -> Cause | None:
    if not _is_a(error, "ModuleNotFoundError") or not error.get("name"):
        return None
    name = str(error["name"])
    text = f"no module named {name}{_place(error, around)}"
    blame = around.removed_module(name)
    if blame:
        return Cause(kind="removed-module", text=text, blame=blame)
    return (
        _other_build(name, around)
        or (None if around.in_image else _only_here(name, error, around))
        or Cause(kind="import-failed", text=text, remedy=f"add the distribution that brings {name}")
    )


def _other_build(name: str, around: Surroundings) -> Cause | None:
    """See whether the module is there, built for another Python or machine."""
    stem = f"python/{name.replace('.', '/')}."
    for path in sorted(around.files):
        found = EXTENSION.search(path) if path.startswith(stem) else None
        if found and "/" not in path[len(stem) :]:
            machine = around.layer.target.machine
            kind = "foreign-abi" if machine in path or found[1] is None else "wrong-machine"
            return Cause(kind=kind, text=f"{path} is not for {around.layer.target}")
    return None


def _only_here(name: str, error: Error, around: Surroundings) -> Cause | None:
    """See whether Lambda has the module that this Python lacks."""
    top = name.partition(".")[0]
    version = "python{}.{}".format(*around.layer.target.runtime.version)
    if error.get("stdlib"):
        why = f"{around.host} was built without the standard library's {name}, which Lambda's {version} has"
    elif top in runtime_modules(around.layer.target.runtime):
        why = f"it imports {name}, which Lambda's {version} brings and {around.host} has not"
    elif top in around.patch_dependencies:
        why = f"it imports {name}: {around.patch_dependencies[top]}"
    else:
        return None
    return Cause(kind="", text=why)


def _missing_name(error: Error, around: Surroundings) -> Cause | None:
    found = _CANNOT_IMPORT.search(error.get("text", ""))
    if not found:
        return None
    blame = around.removed_module(f"{found[2]}.{found[1]}")
    text = f"no module named {found[2]}.{found[1]}{_place(error, around)}"
    return Cause(kind="removed-module", text=text, blame=blame) if blame else None


def _no_shared_memory(error: Error, around: Surroundings) -> Cause | None:
    places = [str(frame[0]) for frame in error.get("frames", ())] + [str(error.get("filename", ""))]
    if not _is_a(error, "OSError") or not any(map(_SHARED_MEMORY.search, places)):
        return None
    if error.get("errno") not in {errno.ENOENT, errno.EACCES, errno.EROFS, errno.ENOSYS}:
        return None
    return Cause(
        kind="no-shared-memory",
        text=f"it needs /dev/shm, which Lambda has not{_place(error, around)}",
        remedy="no multiprocessing locks, queues or pools at import; use threads or Pipe",
    )


def _unreadable(error: Error, around: Surroundings) -> Cause | None:
    """See whether a file's mode shuts it off, or whether something wanted to write where it must not."""
    if not _is_a(error, "OSError"):
        return None
    path = str(error.get("filename", ""))
    inside = around.inside(path)
    denied = error.get("errno") == errno.EACCES
    closed = around.closed(inside) if denied else None
    if closed:
        return closed
    if error.get("errno") == errno.EROFS or (denied and inside):
        where = inside or path or "a file"
        return Cause(
            kind="read-only",
            text=f"it writes {where}{_place(error, around)}, and on Lambda only /tmp can be written",
        )
    return None


def _missing_file(error: Error, around: Surroundings) -> Cause | None:
    """See whether a file that the error names was removed."""
    texts = [str(error.get("filename", "")), *re.findall(r"/[^\s'\":;,]+", str(error.get("text", "")))]
    for text in texts:
        inside = around.inside(posixpath.normpath(text))
        blame = around.removed(inside) if inside else None
        if blame:
            return Cause(kind="removed-file", text=f"{inside} is missing{_place(error, around)}", blame=blame)
    return None


_RULES = (
    _exit,
    _memory,
    _missing_metadata,
    _missing_module,
    _missing_name,
    new_symbols,
    missing_library,
    bad_library,
    _no_shared_memory,
    _missing_file,
    _unreadable,
)
