"""Needed libraries that are nowhere: which of them break an import, and which may never be asked for."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from layercraft.formats.python_imports import When
from layercraft.verification.libraries import Need, Place
from layercraft.verification.report import STATIC, Finding, Unchecked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from layercraft.formats.elf import ElfFile
    from layercraft.verification.importable import Importable
    from layercraft.verification.layer import LayerUnderTest
    from layercraft.verification.libraries import Libraries
    from layercraft.verification.source_files import SourceFiles

_VERSIONED = re.compile(r"\.so(\.\d\w*)*$")


class MissingLibraries:
    """Judges needs by who loads the file that has them.

    An extension module is loaded by its imports: where every one of them is in a function, or where
    its failure is caught, the layer works without. A plain library is loaded by the files that need
    it, or by a source that names it (`ctypes`). What nothing names is loaded on demand, if at all.
    """

    def __init__(
        self,
        layer: LayerUnderTest,
        files: Mapping[str, ElfFile],
        importable: Importable,
        sources: SourceFiles,
    ) -> None:
        self._layer = layer
        self._files = files
        self._importable = importable
        self._sources = sources
        self._judged: dict[str, str | None] = {}

    def check(self, libraries: Libraries) -> Iterator[Finding | Unchecked]:
        """Give a finding for each need that breaks an import for sure, and tell the others by file."""
        unsure: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for need in libraries.needs():
            why = self._doubt(need, libraries)
            if why is None:
                yield self._finding(need)
            else:
                unsure[need.path, why].append(need.library)
        for (path, why), names in unsure.items():
            yield Unchecked(subject=path, why=f"it needs {', '.join(names)}; {why}")

    def _doubt(self, need: Need, libraries: Libraries) -> str | None:
        """Tell why a need may be no fault of the layer; None when it is one for sure."""
        runtime = self._layer.target.runtime.name
        if need.place is Place.UNPROVEN:
            return f"it is not known whether {runtime} has it"
        if need.place is Place.ELSEWHERE:
            folder = posixpath.dirname(need.elsewhere)
            return f"it lies in {folder}, where the loader does not look: something must load it before"
        excuses = [self._excuse(path) for path in (need.path, *sorted(libraries.loaders(need.path)))]
        return None if None in excuses else f"neither the layer nor {runtime} has it, and {excuses[0]}"

    def _finding(self, need: Need) -> Finding:
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
        stem = _VERSIONED.sub("", posixpath.basename(path)).encode()
        if any(stem in source for source in self._sources.all.values()):
            return None
        return "no module names this file: it is loaded on demand, if at all"
