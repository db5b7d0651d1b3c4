"""From an error that Python raised to what is wrong with the layer, and who took away what is missing."""

from __future__ import annotations

import errno
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from layercraft.verification.layer import LayerUnderTest

Error = Mapping[str, Any]
"""One error of a chain, as `probe.py` describes it."""

# Modules of the distributions that Lambda brings, where they are not named like the distribution.
_RUNTIME_MODULES = {"python-dateutil": "dateutil", "snapshot-restore-py": "snapshot_restore_py"}
_SUFFIXES = (".py", "/__init__.py", ".pyc", "/__init__.pyc")
_EXTENSION = re.compile(r"\.(cpython-\d+\w*-[\w-]+|abi3)\.so$|\.so$")

# What glibc's loader and CPython's import machinery say.
_LIBRARY = re.compile(r"([\w.+-]+\.so[\d.]*): cannot open shared object file")
_SYMBOL_VERSION = re.compile(r"version [`'](GLIBC|GLIBCXX|CXXABI|GCC)_([\d.]+)' not found")
_CANNOT_IMPORT = re.compile(r"cannot import name '([^']+)' from (?:partially initialized module )?'([^']+)'")
_MISALIGNED = re.compile(r"ELF load command (?:address/offset|alignment) not (?:properly|page-) ?aligned")
_WRONG_ELF = re.compile(r"invalid ELF header|wrong ELF class|ELF file's .* not expected")
_SHARED_MEMORY = re.compile(r"/multiprocessing/(?:synchronize|shared_memory|heap|popen_\w+)\.py$|/dev/shm")
_FEW_WORDS = 300
_MARGIN = 40

_KINDS_BY_PREFIX = {
    "GLIBC": ("glibc-too-new", "glibc"),
    "GLIBCXX": ("libstdcxx-too-new", "glibcxx"),
    "CXXABI": ("libstdcxx-too-new", "cxxabi"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why something failed. `kind` is one of `report.KINDS`, or "" for what is not the layer's fault."""

    kind: str
    text: str
    remedy: str | None = None
    blame: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where a probe ran, and what is known of the layer.

    `files` maps the layer's files to their modes, `root` is where they lie for the probed code.
    `in_image` tells that Lambda's own image ran: what is missing there is missing in Lambda. Else
    `host` describes the Python, and `patch_dependencies` maps modules that this Python's patch
    version asks for and Lambda's does not (or the other way round) to the reason.
    """

    engine: str
    layer: LayerUnderTest
    files: Mapping[str, int]
    root: str
    in_image: bool = False
    host: str = "this machine"
    patch_dependencies: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def inside(self, path: str) -> str:
        """Give the path inside the layer of a file that the probed code named; "" when it is elsewhere."""
        return path[len(self.root) + 1 :] if path.startswith(f"{self.root}/") else ""

    def removed(self, *paths: str) -> str | None:
        """Tell what took the first of these paths that was removed."""
        return next((self.layer.blame(path) for path in paths if path in self.layer.removed), None)

    def removed_module(self, name: str) -> str | None:
        """Tell what took a module, its package or all that its package held."""
        parts = name.replace(".", "/")
        roots = (
            "python/",
            "python/lib/python{}.{}/site-packages/".format(*self.layer.target.runtime.version),
        )
        for root in roots:
            blame = self.removed(*(f"{root}{parts}{suffix}" for suffix in _SUFFIXES))
            if blame:
                return blame
            extension = f"{root}{parts}."
            for path in self.layer.removed:
                if path.startswith((extension, f"{root}{parts}/")) and (
                    path.startswith(f"{root}{parts}/") or _EXTENSION.search(path)
                ):
                    return self.layer.blame(path)
        return None


def cause_of(errors: Sequence[Error], around: Surroundings) -> Cause:
    """Give the cause of a chain of errors, outermost first.

    The deepest error that was raised from on purpose counts first, then outwards, then those that
    were being handled when another one came up; without a rule for any, the outermost is quoted.
    """
    for error in _by_weight(errors):
        for rule in _RULES:
            cause = rule(error, around)
            if cause:
                return cause
    outermost = errors[0] if errors else {}
    return Cause(kind="import-failed", text=_quoted(outermost, around))


def _by_weight(errors: Sequence[Error]) -> Iterator[Error]:
    explicit = 1
    while explicit < len(errors) and errors[explicit - 1].get("explicit"):
        explicit += 1
    yield from reversed(errors[:explicit])
    yield from errors[explicit:]


def _quoted(error: Error, around: Surroundings) -> str:
    text = " ".join(str(error.get("text", "")).split())
    if len(text) > _FEW_WORDS:
        text = text[: _FEW_WORDS - _MARGIN] + " [...]"
    kind = error.get("type", "an error")
    return f"{kind}: {text}{_place(error, around)}" if text else f"{kind}{_place(error, around)}"


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
        blame=removed_metadata(name, around),
    )


def removed_metadata(name: str, around: Surroundings) -> str | None:
    """Tell what took the METADATA of a distribution."""
    for path in around.layer.removed:
        folder, _, base = path.rpartition("/")
        if base == "METADATA" and folder.endswith(".dist-info"):
            distribution = posixpath.basename(folder).removesuffix(".dist-info").rpartition("-")[0]
            if canonicalize_name(distribution) == name:
                return around.layer.blame(path)
    return None


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
        found = _EXTENSION.search(path) if path.startswith(stem) else None
        if found and "/" not in path[len(stem) :]:
            machine = around.layer.target.machine
            kind = "foreign-abi" if machine in path or found[1] is None else "wrong-machine"
            return Cause(kind=kind, text=f"{path} is not for {around.layer.target}")
    return None


def _only_here(name: str, error: Error, around: Surroundings) -> Cause | None:
    """See whether Lambda has the module that this Python lacks."""
    top = name.partition(".")[0]
    version = "python{}.{}".format(*around.layer.target.runtime.version)
    provided = {
        _RUNTIME_MODULES.get(each, each.replace("-", "_")) for each in around.layer.target.runtime.packages
    }
    if error.get("stdlib"):
        why = f"{around.host} was built without the standard library's {name}, which Lambda's {version} has"
    elif top in provided:
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


def _missing_library(error: Error, around: Surroundings) -> Cause | None:
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


def _new_symbols(error: Error, around: Surroundings) -> Cause | None:
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


def _bad_library(error: Error, around: Surroundings) -> Cause | None:
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
    mode = around.files.get(inside)
    denied = error.get("errno") == errno.EACCES
    if denied and mode is not None and not mode & 0o004:
        return Cause(
            kind="bad-mode",
            text=f"{inside} has mode {mode:04o}, so Lambda cannot read it",
            remedy="files of a layer need mode 0644 or 0755",
        )
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
    _new_symbols,
    _missing_library,
    _bad_library,
    _no_shared_memory,
    _missing_file,
    _unreadable,
)
