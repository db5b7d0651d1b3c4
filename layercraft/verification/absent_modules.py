"""Modules that packages import from themselves and that the layer lacks, where nobody tells why.

Without a build record and without RECORD files (PEP 376) nobody knows what a layer once had. What is
left are the packages' own words. Some wheels import what they never had, in modules that nobody
uses; so an absent module counts only where importing a package leads to it, or where the folder it
was in lies in the zip with nothing in it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from layercraft.formats.python_imports import When, mentioned_modules, mentions, resolve
from layercraft.verification.removed_modules import missing_stub
from layercraft.verification.report import STATIC, Finding, Unchecked

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from layercraft.layer.importable import Importable
    from layercraft.verification.source_files import SourceFiles

_MAKES_MODULES = re.compile(rb"sys\.modules(?:\[[^\]\n]*\]\s*=(?!=)|\.update|\.setdefault)")


class AbsentModules:
    """Looks at the packages of a layer whose files no RECORD lists; `recorded` are those that one lists."""

    def __init__(self, recorded: Collection[str], importable: Importable, sources: SourceFiles) -> None:
        self._importable = importable
        self._sources = sources
        self._unrecorded = {path for path in sources.paths if path not in recorded}
        named = filter(None, map(importable.named, self._unrecorded))
        self._tops = {each.module.partition(".")[0] for each in named}

    def check(self) -> Iterator[Finding | Unchecked]:
        """Give a finding for each absent module that surely is missed, and tell the others."""
        found = [(path, module) for path in self._suspects() for module in self._absent(path)]
        reached = self._reached() if found else set()
        for path, module in found:
            if path in reached or self._was_taken(module):
                yield Finding(
                    engine=STATIC,
                    kind="removed-module",
                    subject=path,
                    cause=f"it imports {module}, which is not in the layer",
                    remedy="build the layer with layercraft, and its record tells what took it",
                )
            else:
                yield Unchecked(subject=path, why=f"it imports {module}, which the layer may never have had")
        for path in sorted(self._unrecorded):
            if self._sources.reads_stub(path) and f"{path}i" not in self._sources.files:
                yield missing_stub(path, None)

    def _was_taken(self, module: str) -> bool:
        """Tell whether a module's folder was emptied; tests want pytest, and were missed by nobody."""
        parent, _, name = module.rpartition(".")
        return self._importable.is_emptied(parent) and not name.startswith("test")

    def _suspects(self) -> Iterator[str]:
        """Give the sources that may import an absent module, by a cheap look at their text."""
        for path in sorted(self._unrecorded):
            named = self._importable.named(path)
            if named is None:
                continue
            texts = mentions(self._sources.all[path])
            modules = (resolve(next(mentioned_modules(text), "."), named.package) for text in texts)
            if any(self._is_absent(module) for module in modules if module):
                yield path

    def _absent(self, path: str) -> list[str]:
        imports = [each for each in self._sources.imports(path) if each.when is When.ALWAYS]
        if not all(self._importable.knows(each.module) for each in imports):
            return []  # it could not be imported without another package anyway
        return sorted({each.module for each in imports if self._is_absent(each.module)})

    def _is_absent(self, module: str) -> bool:
        """Tell whether a package of the layer lacks this submodule, and does not make it by itself."""
        if module.partition(".")[0] not in self._tops or self._importable.exists(module):
            return False
        parent = module
        while not self._importable.exists(parent):
            parent = parent.rpartition(".")[0]
            if not parent:
                return False
        path = self._importable.file(parent)
        if path is None:
            return True
        source = self._sources.all.get(path, b"")
        return path.endswith("/__init__.py") and not _MAKES_MODULES.search(source)

    def _reached(self) -> set[str]:
        """Give the files that are run when the layer's packages are imported, one after the other.

        Imports count that are not indented: the few others would cost a closer look at every module.
        """
        waiting = sorted(self._tops)
        seen: set[str] = set()
        files: set[str] = set()
        while waiting:
            module = waiting.pop()
            if not module or module in seen:
                continue
            seen.add(module)
            waiting.append(module.rpartition(".")[0])
            path = self._importable.file(module)
            if path:
                files.add(path)
                waiting += self._unindented(path)
        return files

    def _unindented(self, path: str) -> Iterator[str]:
        named = self._importable.named(path)
        for text in mentions(self._sources.all.get(path, b"")):
            if named and text.startswith((b"from", b"import")):
                modules = (resolve(each, named.package) for each in mentioned_modules(text))
                yield from filter(None, modules)
