"""Libraries that are nowhere or too old: which of them break an import, and which may never be asked for."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from layercraft.formats.python_imports import When
from layercraft.verification.libraries import Libraries, Need, Place
from layercraft.verification.report import STATIC, Finding, Unchecked
from layercraft.wheels.binaries import SHARED_OBJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from layercraft.formats.elf import ElfFile
    from layercraft.layer.importable import Importable
    from layercraft.verification.layer import LayerUnderTest
    from layercraft.verification.source_files import SourceFiles

_LOADER = re.compile(rb"CDLL|LoadLibrary|load_library|dlopen")


class LibraryChecks:
    """Judges what files need of libraries by who loads those files: a finding is what breaks an import.

    An extension module is loaded by its imports: where every one of them is in a function, or where
    its failure is caught, the layer works without. A plain library is loaded by the files that need
    it, or by a source that names it (`ctypes`). What nothing names is loaded on demand, if at all:
    plugins of a library, most often. Programs are run by no import, and a distribution that is for any
    machine (`is_pure`) may hold files for several systems.
    """

    def __init__(
        self,
        layer: LayerUnderTest,
        files: Mapping[str, ElfFile],
        importable: Importable,
        sources: SourceFiles,
        is_pure: Callable[[str], bool],
    ) -> None:
        self._layer = layer
        self._files = files
        self._importable = importable
        self._sources = sources
        self._is_pure = is_pure
        self._libraries = Libraries(files, layer.target)
        self._judged: dict[str, str | None] = {}

    def check(self) -> Iterator[Finding | Unchecked]:
        """Give a finding for each thing that breaks an import for sure, and tell the others by file."""
        unsure: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for need in self._libraries.needs():
            why = self._doubt(need)
            if why is None:
                yield self._missing(need)
            else:
                unsure[need.path, why].append(need.library)
        for (path, why), names in unsure.items():
            yield Unchecked(subject=path, why=f"it needs {', '.join(names)}; {why}")
        for finding in self._libraries.versions():
            excuse = self._excuse(finding.subject)
            why = f"{finding.cause}; {excuse}"
            yield Unchecked(subject=finding.subject, why=why) if excuse else finding

    def _doubt(self, need: Need) -> str | None:
        """Tell why a need may be no fault of the layer; None when it is one for sure."""
        runtime = self._layer.target.runtime.name
        if need.place is Place.UNPROVEN:
            return f"it is not known whether {runtime} has it"
        if need.place is Place.ELSEWHERE:
            folder = posixpath.dirname(need.elsewhere)
            return f"it lies in {folder}, where the loader does not look: something must load it before"
        excuse = self._excuse(need.path)
        return excuse and f"neither the layer nor {runtime} has it, and {excuse}"

    def _missing(self, need: Need) -> Finding:
        library = need.library
        return Finding(
            engine=STATIC,
            kind="missing-library",
            subject=need.path,
            cause=f"it needs {library}, which neither the layer nor {self._layer.target.runtime.name} has",
            remedy=f"take a wheel that brings {library}, or put it at lib/{library} in the zip",
            blame=self._blame(library),
        )

    def _blame(self, library: str) -> str | None:
        removed = (path for path in self._layer.removed if posixpath.basename(path) == library)
        return next((self._layer.blame(path) for path in removed), None)

    def _excuse(self, path: str) -> str | None:
        """Tell why nothing breaks when a file cannot be loaded; None when something does."""
        if self._is_pure(path):
            return "its distribution is for any machine, and may leave this file alone"
        loaders = sorted(self._libraries.loaders(path))
        excused = all(self._own_excuse(each) for each in (path, *loaders))
        return self._own_excuse(path) if excused else None

    def _own_excuse(self, path: str) -> str | None:
        if path not in self._judged:
            self._judged[path] = self._judge(path)
        return self._judged[path]

    def _judge(self, path: str) -> str | None:
        elf = self._files[path]
        named = self._importable.named(path)
        if not elf.loadable:
            return "this file is a program, which no import runs"
        if named and named.module.rpartition(".")[2] in elf.initializes:
            importers = list(self._sources.importers(named.module))
            if importers and all(when is not When.ALWAYS for _, when in importers):
                return f"{importers[0][0]} imports this file where it can do without"
            return None
        stem = SHARED_OBJECT.sub("", posixpath.basename(path)).encode()
        if any(_loads(source, stem) for source in self._sources.all.values()):
            return None
        return "no module names this file: it is loaded on demand, if at all"


def _loads(source: bytes, stem: bytes) -> bool:
    return stem in source and (stem + b".so" in source or _LOADER.search(source) is not None)
