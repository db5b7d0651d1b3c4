"""Where a probe ran, what is known of the layer there, and the cause of what failed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from layercraft.verification.layer import LayerUnderTest

Error = Mapping[str, Any]
"""One error of a chain, as `probe.py` describes it."""

SUFFIXES = (".py", "/__init__.py", ".pyc", "/__init__.pyc")
EXTENSION = re.compile(r"\.(cpython-\d+\w*-[\w-]+|abi3)\.so$|\.so$")
_READ_BY_ALL = 0o004


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why something failed. `kind` is one of `report.KINDS`, or "" for what is not the layer's fault.

    `said` are the words of the loader or the interpreter; causes that differ in nothing else are equal.
    """

    kind: str
    text: str
    remedy: str | None = None
    blame: str | None = None
    said: str | None = field(default=None, compare=False)


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

    def closed(self, path: str) -> Cause | None:
        """Give what is wrong with a file of the layer by its mode; None when all may read it."""
        mode = self.files.get(path)
        if mode is None or mode & _READ_BY_ALL:
            return None
        return Cause(
            kind="bad-mode",
            text=f"{path} has mode {mode:04o}, so Lambda cannot read it",
            remedy="files of a layer need mode 0644 or 0755",
        )

    def removed(self, *paths: str) -> str | None:
        """Tell what took the first of these paths that was removed."""
        return next((self.layer.blame(path) for path in paths if path in self.layer.removed), None)

    def removed_module(self, name: str) -> str | None:
        """Tell what took a module, its package, or all modules that its package held."""
        path = name.replace(".", "/")
        version = "python{}.{}".format(*self.layer.target.runtime.version)
        for module in (f"python/{path}", f"python/lib/{version}/site-packages/{path}"):
            blame = self.removed(*(f"{module}{suffix}" for suffix in SUFFIXES))
            if blame:
                return blame
            for removed in sorted(self.layer.removed):
                inner = removed.startswith(f"{module}/") and removed.endswith((".py", ".pyc"))
                if inner or (removed.startswith((f"{module}.", f"{module}/")) and EXTENSION.search(removed)):
                    return self.layer.blame(removed)
        return None
