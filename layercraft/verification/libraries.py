"""The closure of needed libraries: where the dynamic loader would find each one in Lambda.

The order is that of ld.so(8): DT_RPATH of the file and of those that load it, unless it has a
DT_RUNPATH; LD_LIBRARY_PATH, which names the system's folders first and /opt/lib last (AWS Lambda,
"Defined runtime environment variables"); DT_RUNPATH. A layer lies at /opt.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from layercraft.verification.symbol_versions import check_versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from layercraft.formats.elf import ElfFile
    from layercraft.target import Target
    from layercraft.verification.report import Finding

_ROOT = "/opt/"
_LAYER_LIBRARIES = "/opt/lib"
_ORIGIN = re.compile(r"\$(?:ORIGIN|\{ORIGIN\})")
_LIB = re.compile(r"\$(?:LIB|\{LIB\})")


class Place(Enum):
    """Where a library is that is not found inside the layer."""

    RUNTIME = auto()
    ELSEWHERE = auto()
    """In the layer, where the loader does not look: it is found if something loaded it before."""
    UNPROVEN = auto()
    """The runtime may have it; nobody showed that it does."""
    NOWHERE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A library that a file needs and that the loader does not find by itself."""

    path: str
    library: str
    place: Place
    elsewhere: str = ""


class Libraries:
    """The compiled files of a layer that the loader can map on its target, and what they need."""

    def __init__(self, files: Mapping[str, ElfFile], target: Target) -> None:
        self._target = target
        self._provided = target.libraries
        self._own_python = re.compile(r"libpython{}(\.{})?\.so(\.1\.0)?".format(*target.runtime.version))
        self._files = {
            path: elf for path, elf in files.items() if elf.machine == target.machine and not elf.broken
        }
        self._by_name: defaultdict[str, list[str]] = defaultdict(list)
        for path, elf in self._files.items():
            for name in {posixpath.basename(path), elf.soname} - {""}:
                self._by_name[name].append(path)
        self._found = {path: dict(self._needs(path, elf)) for path, elf in self._files.items()}
        self._loaders: defaultdict[str, set[str]] = defaultdict(set)
        for path, needs in self._found.items():
            for found in needs.values():
                if isinstance(found, str):
                    self._loaders[found].add(path)
        while self._follow_loaders():
            pass

    def loaders(self, path: str) -> set[str]:
        """Give the files that make the loader load this one, directly or through others."""
        seen: set[str] = set()
        waiting = [path]
        while waiting:
            for loader in self._loaders[waiting.pop()] - seen:
                seen.add(loader)
                waiting.append(loader)
        return seen - {path}

    def needs(self) -> Iterator[Need]:
        """Give every need that neither the layer nor the runtime is known to answer."""
        for path, library, place in self._open():
            others = self._by_name.get(library, [])
            if others and place is Place.NOWHERE:
                place = Place.ELSEWHERE  # noqa: PLW2901 (the same need, judged better)
            yield Need(path=path, library=library, place=place, elsewhere=next(iter(others), ""))

    def versions(self) -> Iterator[Finding]:
        """Find symbol versions that the runtime's own libraries are too old for."""
        for path, elf in self._files.items():
            for library, names in elf.versions.items():
                if self._found[path].get(library, self._runtime_has(library)) is Place.RUNTIME:
                    yield from check_versions(path, library, names, self._target)

    def _needs(self, path: str, elf: ElfFile) -> Iterator[tuple[str, str | Place]]:
        rpath = () if elf.runpath else _folders(path, elf.rpath)
        for library in elf.needed:
            if "/" in library:
                yield library, self._at(posixpath.normpath(library)) or Place.NOWHERE
                continue
            yield (
                library,
                self._in(rpath, library)
                or self._runtime_has(library)
                or self._in((_LAYER_LIBRARIES, *_folders(path, elf.runpath)), library)
                or (Place.UNPROVEN if self._own_python.fullmatch(library) else Place.NOWHERE),
            )

    def _runtime_has(self, library: str) -> Place | None:
        return Place.RUNTIME if library in self._provided else None

    def _in(self, folders: tuple[str, ...], library: str) -> str | None:
        return next(filter(None, (self._at(f"{folder}/{library}") for folder in folders)), None)

    def _at(self, absolute: str) -> str | None:
        path = absolute.removeprefix(_ROOT)
        return path if absolute.startswith(_ROOT) and path in self._files else None

    def _open(self) -> list[tuple[str, str, Place]]:
        return [
            (path, library, found)
            for path, needs in self._found.items()
            for library, found in needs.items()
            if isinstance(found, Place) and found is not Place.RUNTIME
        ]

    def _follow_loaders(self) -> bool:
        """Answer open needs through the files that load those that have them; tell if any was."""
        before = self._open()
        for path, library, _ in before:
            found = self._found_by_loaders(path, library)
            if found:
                self._found[path][library] = found
                self._loaders[found].add(path)
        return len(self._open()) < len(before)

    def _found_by_loaders(self, path: str, library: str) -> str | None:
        """Give the library where a file that loads this one has it loaded by then, or leads to it."""
        for loader in self.loaders(path):
            elf = self._files[loader]
            found = self._found[loader].get(library)
            if isinstance(found, str):
                return found
            inherited = () if elf.runpath or self._files[path].runpath else _folders(loader, elf.rpath)
            led = self._in(inherited, library)
            if led:
                return led
        return None


def _folders(path: str, entries: tuple[str, ...]) -> tuple[str, ...]:
    """Give the absolute folders that search-path entries of the file at `path` name in Lambda."""
    origin = _ROOT + posixpath.dirname(path)
    expanded = (_LIB.sub("lib64", _ORIGIN.sub(lambda _: origin, entry)) for entry in entries)
    return tuple(posixpath.normpath(folder) for folder in expanded if folder.startswith("/"))
