"""Modules that import, as they are imported themselves, what a change has removed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from layercraft.formats.python_imports import Import, When, mentions
from layercraft.formats.python_source import UnreadableSourceError, decoded, logical_lines
from layercraft.verification.report import STATIC, Finding, Unchecked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from layercraft.layer.importable import Importable
    from layercraft.verification.source_files import SourceFiles

_WORDS = re.compile(rb"\w+")
_NAMES = re.compile(r"\w+")
_STRINGS = re.compile(r'"[^"]*"')
_TEST = re.compile(r"(?:test|conftest)")
_MAKES_NAMES = ("globals", "setattr", "exec")
_FEW = 8  # words that are faster looked for one by one


class RemovedModules:
    """Finds what is broken by removed files, from the sources that are left.

    `removed` gives for each path that the layer once had what took it, or None where nobody knows;
    `source_of` gives the bytes of a removed file where they can be had. Only sources that write the
    name of a removed module in an import are looked at closely. A module that could not be imported
    before either, because it wants pytest or its like, is not broken by what was removed.
    """

    def __init__(
        self,
        removed: Mapping[str, str | None],
        importable: Importable,
        sources: SourceFiles,
        source_of: Callable[[str], bytes | None] = lambda _: None,
    ) -> None:
        self._removed = removed
        self._importable = importable
        self._sources = sources
        self._source_of = source_of
        self._gone: dict[str, str] = {}
        for path in removed:
            named = importable.named(path)
            if named and importable.file(named.module) is None and not importable.has_foreign(named.module):
                self._gone.setdefault(named.module, path)
        self._outermost = frozenset(map(self._below_a_package, self._gone))
        self._words = frozenset(module.rpartition(".")[2].encode() for module in self._outermost)

    def check(self) -> Iterator[Finding | Unchecked]:
        """Give a finding for each import that surely fails, and tell those that may."""
        yield from self._stubs()
        if self._gone:
            for path, source in self._sources.all.items():
                if self._names_removed(path, source):
                    yield from self._judge(path)

    def _below_a_package(self, module: str) -> str:
        """Give the part of a removed module's name up to the first that is no package any more.

        Whoever imports the module from outside of that part must write its last word.
        """
        parent = module.rpartition(".")[0]
        while parent and self._importable.file(parent) is None:
            module, parent = parent, parent.rpartition(".")[0]
        return module

    def _names_removed(self, path: str, source: bytes) -> bool:
        named = self._importable.named(path)
        if named and self._below_a_package(named.module) in self._outermost:
            return True
        words = self._words
        if len(words) <= _FEW and not any(word in source for word in words):
            return False
        return any(not words.isdisjoint(_WORDS.findall(mention)) for mention in mentions(source))

    def _judge(self, path: str) -> Iterator[Finding | Unchecked]:
        imports = self._sources.imports(path)
        certain = [each for each in imports if each.when is When.ALWAYS]
        if any(self._lacked_before(each) for each in certain):
            return
        told: set[str] = set()
        for each in imports:
            for module, removed in self._missing(each) if each.when <= When.PERHAPS else ():
                if module not in told:
                    told.add(module)
                    yield from self._told(path, module, removed, each.when)

    def _lacked_before(self, each: Import) -> bool:
        """Tell whether what an import begins with was never in the layer: pytest in a conftest.py."""
        return not self._importable.knows(each.module) and each.module.partition(".")[0] not in self._gone

    def _missing(self, each: Import) -> Iterator[tuple[str, str]]:
        """Give the modules that this import does not find any more, each with the file that is gone."""
        top = each.module.partition(".")[0]
        if not self._importable.exists(top) and self._importable.provided(top):
            return  # the runtime's own is found instead
        parts = each.module.split(".")
        prefixes = (".".join(parts[:count]) for count in range(1, len(parts) + 1))
        for prefix in prefixes:
            if prefix in self._gone and not self._importable.exists(prefix):
                yield each.module, self._gone.get(each.module, self._gone[prefix])
                return
        for name in each.names:
            child = f"{each.module}.{name}"
            removed = self._gone.get(child) or self._gone.get(each.module)
            lost = removed and name != "*" and not self._importable.exists(child)
            if removed and lost and not self._binds(each.module, name):
                yield child, removed

    def _binds(self, package: str, name: str) -> bool:
        """Tell whether a package's own code may make a name that a removed module also had."""
        path = self._importable.file(package)
        if path is None or not path.endswith(".py"):
            return path is not None
        try:
            lines = logical_lines(decoded(self._sources.read(path)))
            words = {word for line in lines for word in _NAMES.findall(_STRINGS.sub("", line.text))}
        except UnreadableSourceError:
            return True
        return name in words or not words.isdisjoint(_MAKES_NAMES)

    def _told(self, path: str, module: str, removed: str, when: When) -> Iterator[Finding | Unchecked]:
        blame = self._removed[removed]
        gone = f"{removed} is gone" + (f", {blame}" if blame else "")
        failed = self._failed_before(removed, set())
        if failed:
            return
        if when is not When.ALWAYS:
            yield Unchecked(subject=path, why=f"it imports {module} on a condition; {gone}")
        elif failed is None:
            yield Unchecked(subject=path, why=f"it imports {module}, which may have wanted pytest; {gone}")
        else:
            yield Finding(
                engine=STATIC,
                kind="removed-module",
                subject=path,
                cause=f"it imports {module}, which is not in the layer",
                remedy=f"keep {removed.removeprefix('python/')}",
                blame=blame,
            )

    def _failed_before(self, removed: str, seen: set[str]) -> bool | None:
        """Tell whether a removed module could not be imported anyway; None when it is only likely."""
        seen.add(removed)
        source = self._source_of(removed) if removed.endswith(".py") else None
        if source is None:
            return None if _TEST.match(removed.rpartition("/")[2]) else False
        for each in self._sources.imports_of(removed, source):
            if each.when is not When.ALWAYS:
                continue
            if self._lacked_before(each):
                return True
            others = (self._gone.get(name) for name in (each.module, *each.children))
            if any(other and other not in seen and self._failed_before(other, seen) for other in others):
                return True
        return False

    def _stubs(self) -> Iterator[Finding]:
        for path, blame in self._removed.items():
            if path.endswith(".pyi") and self._sources.reads_stub(path[:-1]):
                yield missing_stub(path[:-1], blame)


def missing_stub(path: str, blame: str | None) -> Finding:
    """Give the finding for a module whose type stub is gone although it reads it."""
    package = path.removeprefix("python/").partition("/")[0]
    return Finding(
        engine=STATIC,
        kind="removed-file",
        subject=path,
        cause="it reads its type stub when it is imported (attach_stub of lazy_loader), and that is gone",
        remedy=f"keep the .pyi files of {package}",
        blame=blame,
    )
