"""The Python sources of a layer, read at most once."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from layercraft.errors import BadWheelError
from layercraft.formats.python_imports import Import, When, mentions, read_imports, resolve
from layercraft.formats.python_source import UnreadableSourceError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from layercraft.layer.importable import Importable
    from layercraft.target import Target
    from layercraft.verification.zip_contents import ZipContents

# What users of lazy_loader write at the top of a package.
_READS_STUB = re.compile(rb"^[^\s#][^\n]*\battach_stub\(\s*__name__\s*,\s*__file__", re.MULTILINE)
_LARGEST = 32 << 20  # bytes; a larger module is data


class SourceFiles:
    """Reads sources and their imports; what cannot be read is empty, and told in `unreadable`."""

    def __init__(self, contents: ZipContents, importable: Importable, target: Target) -> None:
        self._contents = contents
        self._importable = importable
        self._version = target.runtime.version
        self.unreadable: dict[str, str] = {}

    @property
    def files(self) -> Collection[str]:
        """The paths of all files of the layer, sources or not."""
        return self._contents.listed.keys()

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """The paths of all modules that are sources."""
        return tuple(path for path in self._contents.listed if self._is_module(path))

    @cached_property
    def all(self) -> Mapping[str, bytes]:
        """The bytes of every module that is a source, by its path."""
        return {path: self.read(path) for path in self.paths}

    def reads_stub(self, path: str) -> bool:
        """Tell whether a module reads the type stub beside it when it is imported, for lazy_loader."""
        return _READS_STUB.search(self.read(path)) is not None

    def read(self, path: str) -> bytes:
        """Give the bytes of one file; none for one that is not there or cannot be inflated."""
        try:
            return self._contents.read(path) if path in self._contents.listed else b""
        except BadWheelError as error:
            self.unreadable[path] = error.message
            return b""

    def imports(self, path: str) -> tuple[Import, ...]:
        """Give the imports of a module, each with the absolute name of what it imports from."""
        return self.imports_of(path, self.all.get(path, b""))

    def imports_of(self, path: str, source: bytes) -> tuple[Import, ...]:
        """Give the imports that a module at `path` has or had, from its bytes."""
        named = self._importable.named(path)
        if named is None:
            return ()
        try:
            found = read_imports(source, self._version)
        except UnreadableSourceError as error:
            self.unreadable[path] = f"no Python that can be read: {error}"
            return ()
        absolute = ((each, resolve(each.module, named.package)) for each in found)
        return tuple(Import(each.line, module, each.names, each.when) for each, module in absolute if module)

    def importers(self, module: str) -> Iterator[tuple[str, When]]:
        """Give the sources that import a module, and when each one does."""
        word = module.rpartition(".")[2].encode()
        for path, source in self.all.items():
            if word in source and any(word in mention for mention in mentions(source)):
                for each in self.imports(path):
                    if module in (each.module, *each.children):
                        yield path, each.when

    def _is_module(self, path: str) -> bool:
        return (
            path.endswith(".py")
            and self._contents.listed[path].size <= _LARGEST
            and self._importable.named(path) is not None
        )
