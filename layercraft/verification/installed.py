"""The distributions of a layer, as importlib.metadata finds them in its zip."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from layercraft.errors import BadWheelError
from layercraft.formats.core_metadata import parse_core_metadata
from layercraft.formats.record_file import read_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from layercraft.layer.importable import Importable
    from layercraft.verification.zip_contents import ZipContents

_DIST_INFO = re.compile(r"(?P<name>[^/]+?)(?:-(?P<version>[^/-]+))?\.dist-info(?:/(?P<file>.+))?")
_HEADER = 1 << 14  # bytes that surely hold the name and the version
_LARGEST = 32 << 20


@dataclass(frozen=True)
class Installed:
    """One `.dist-info` folder. `name` is normalized and from the folder's name, as are lookups."""

    contents: ZipContents
    folder: str
    name: str
    files: frozenset[str]

    @cached_property
    def version(self) -> str | None:
        """The version that METADATA tells; None when there is no METADATA that can be read."""
        if "METADATA" not in self.files:
            return None
        try:
            head = self.contents.head(f"{self.folder}/METADATA", _HEADER)
            return parse_core_metadata(head).version
        except (BadWheelError, ValueError):
            return None

    @cached_property
    def recorded(self) -> frozenset[str] | None:
        """The paths in the zip that RECORD lists (PEP 376); None when there is no RECORD to read."""
        text = self._text("RECORD")
        if text is None:
            return None
        root = posixpath.dirname(self.folder)
        try:
            listed = read_record(text, archive=self.folder)
        except BadWheelError:
            return None
        return frozenset(posixpath.normpath(f"{root}/{path}") for path in listed)

    @property
    def is_pure(self) -> bool:
        """Whether all tags of its wheel are for any machine (PEP 427)."""
        lines = (self._text("WHEEL") or b"").splitlines()
        tags = [line for line in lines if line.startswith(b"Tag:")]
        return bool(tags) and all(tag.rstrip().endswith(b"-any") for tag in tags)

    def _text(self, base: str) -> bytes | None:
        path = f"{self.folder}/{base}"
        if base not in self.files or self.contents.listed[path].size > _LARGEST:
            return None
        try:
            return self.contents.read(path)
        except BadWheelError:
            return None


def read_installed(contents: ZipContents, importable: Importable) -> tuple[Installed, ...]:
    """Give the distributions in the folders of sys.path, empty `.dist-info` folders too."""
    found: dict[str, set[str]] = {}
    for path in (*contents.listed, *contents.folders):
        if ".dist-info" not in path:
            continue
        root = next((root for root in importable.roots if path.startswith(root)), None)
        match = _DIST_INFO.fullmatch(path, len(root)) if root else None
        if match:
            folder = path[: -len(match["file"]) - 1] if match["file"] else path
            found.setdefault(folder, set()).update([match["file"]] if match["file"] else [])
    return tuple(
        Installed(contents, folder, _name(folder), frozenset(files))
        for folder, files in sorted(found.items())
    )


def _name(folder: str) -> str:
    match = _DIST_INFO.fullmatch(posixpath.basename(folder))
    return canonicalize_name(match["name"]) if match else ""


def missing_files(installed: Sequence[Installed], contents: ZipContents) -> Mapping[str, None]:
    """Give the files that some RECORD lists and that the zip lacks, as paths that nobody is to blame for."""
    listed = (path for each in installed for path in sorted(each.recorded or ()))
    return dict.fromkeys(path for path in listed if path not in contents.listed and not _is_noise(path))


def _is_noise(path: str) -> bool:
    return "__pycache__" in path or ".dist-info/" in path or not path.startswith("python/")


def pure_files(installed: Sequence[Installed]) -> frozenset[str]:
    """Give the files of distributions whose wheels are for any machine."""
    return frozenset(path for each in installed if each.is_pure for path in each.recorded or ())
