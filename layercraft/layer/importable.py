"""Which modules a layer's files make, as the import system of its target sees them."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, NamedTuple

from layercraft.layer.unpacked import folders_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from layercraft.target import Runtime, Target

# Modules of the standard library that some runtime has and the Python that runs this may lack.
_OTHER_STANDARD = """
    _zstd aifc annotationlib asynchat asyncore audioop cgi cgitb chunk compression crypt distutils
    imghdr imp lib2to3 mailcap nis nntplib ossaudiodev pipes smtpd sndhdr spwd sunau telnetlib uu xdrlib
"""
_STANDARD = sys.stdlib_module_names.union(_OTHER_STANDARD.split())
# Import names of what the runtime brings, where the distribution's does not tell them.
_RUNTIME_MODULES = {"python-dateutil": "dateutil"}
_FOREIGN = re.compile(r"\.cpython-[\w-]+\.so$")  # PEP 3149
_SCRIPTS = "python/bin/"


def runtime_modules(runtime: Runtime) -> frozenset[str]:
    """Give the import names of the distributions that a runtime brings."""
    return frozenset(_RUNTIME_MODULES.get(name, name.replace("-", "_")) for name in runtime.packages)


class Named(NamedTuple):
    """What a path is to the import system."""

    module: str
    is_package: bool

    @property
    def package(self) -> str:
        """The package that its relative imports start from."""
        return self.module if self.is_package else self.module.rpartition(".")[0]


class Importable:
    """The modules of a layer, by the paths of its files and folders inside the zip.

    Folders on sys.path are those that AWS puts there: `python/lib/python3.X/site-packages` and
    `python`. Suffixes of extension modules are those of CPython on Linux with glibc.
    """

    def __init__(self, files: Iterable[str], folders: Iterable[str], target: Target) -> None:
        version = "python{}.{}".format(*target.runtime.version)
        abi = "cpython-{}{}".format(*target.runtime.version)
        self.roots = (f"python/lib/{version}/site-packages/", "python/")
        self.extension_suffixes = (f".{abi}-{target.machine}-linux-gnu.so", ".abi3.so", ".so")
        self._suffixes = (".py", *self.extension_suffixes, ".pyc")
        self._files = frozenset(files)
        self._known: dict[str, str | None] = {}
        filled = folders_of(self._files)
        self._emptied = frozenset(folders) - filled
        self._folders = self._emptied | filled
        self._foreign = {path.partition(".")[0] for path in self._files if _FOREIGN.search(path)}
        self._provided = _STANDARD | runtime_modules(target.runtime)

    def file(self, module: str) -> str | None:
        """Give the file that is run to import a module or package; None when there is none."""
        if module not in self._known:
            self._known[module] = self._find(module)
        return self._known[module]

    def _find(self, module: str) -> str | None:
        base = module.replace(".", "/")
        for root in self.roots:
            for middle in ("/__init__", ""):
                for suffix in self._suffixes:
                    path = f"{root}{base}{middle}{suffix}"
                    if path in self._files:
                        return path
        return None

    def is_emptied(self, module: str) -> bool:
        """Tell whether a folder of this name is in the zip with no file in it: someone took them."""
        base = module.replace(".", "/")
        return any(f"{root}{base}" in self._emptied for root in self.roots)

    def has_foreign(self, module: str) -> bool:
        """Tell whether only an extension module for another Python bears this name."""
        base = module.replace(".", "/")
        return any(f"{root}{base}" in self._foreign for root in self.roots)

    def is_namespace(self, module: str) -> bool:
        """Tell whether a module is only a folder (PEP 420): importing it works, and gives nothing."""
        base = module.replace(".", "/")
        return any(f"{root}{base}" in self._folders for root in self.roots) and not self.file(module)

    def exists(self, module: str) -> bool:
        """Tell whether importing a module finds something, its parents apart."""
        return self.file(module) is not None or self.is_namespace(module)

    def provided(self, module: str) -> bool:
        """Tell whether the standard library or Lambda's runtime has the top of a dotted name."""
        return module.partition(".")[0] in self._provided

    def knows(self, module: str) -> bool:
        """Tell whether the top of a dotted name is in the layer or provided."""
        return self.exists(module.partition(".")[0]) or self.provided(module)

    def named(self, path: str) -> Named | None:
        """Give the module that the file at a path is or was; None when it is none."""
        root = next((root for root in self.roots if path.startswith(root)), None)
        suffix = next((suffix for suffix in self._suffixes if path.endswith(suffix)), None)
        if root is None or suffix is None or path.startswith(_SCRIPTS):
            return None
        *parents, last = path[len(root) : -len(suffix)].split("/")
        is_package = last == "__init__" and bool(parents)
        parts = parents if is_package else [*parents, last]
        return Named(".".join(parts), is_package) if all(map(str.isidentifier, parts)) else None
