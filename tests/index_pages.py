"""What a package index tells of its files: the JSON API of PyPI, and Simple JSON (PEP 691)."""

from __future__ import annotations

import hashlib
import io
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from email.parser import BytesParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from packaging.utils import parse_sdist_filename, parse_wheel_filename

if TYPE_CHECKING:
    from collections.abc import Sequence

    from packaging.version import Version


class Draft(Protocol):
    """A wheel that can be packed, such as `wheelhouse.WheelDraft`."""

    @property
    def filename(self) -> str:
        """The wheel's file name."""

    def packed(self) -> bytes:
        """The wheel's bytes."""


@dataclass(frozen=True, kw_only=True)
class Hosted:
    """A file of the index. `requires_python` is the wheel's own unless given; `yanked` is the reason."""

    filename: str
    data: bytes
    yanked: str = ""
    requires_python: str | None = None
    upload_time: str = "2026-01-02T03:04:05.000000Z"

    @property
    def name(self) -> str:
        """The normalized name of the distribution."""
        return self._parsed()[0]

    @property
    def version(self) -> Version:
        """The version that the file name tells."""
        return self._parsed()[1]

    @property
    def sha256(self) -> str:
        """The digest that the pages tell."""
        return hashlib.sha256(self.data).hexdigest()

    def metadata(self) -> bytes | None:
        """METADATA as it stands in the wheel; None when there is none."""
        with suppress(zipfile.BadZipFile, StopIteration), zipfile.ZipFile(io.BytesIO(self.data)) as archive:
            return archive.read(next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA")))
        return None

    def field(self, name: str) -> list[str]:
        """All values of one field of METADATA."""
        return BytesParser().parsebytes(self.metadata() or b"").get_all(name, [])

    def python(self) -> str | None:
        """The Requires-Python that the pages tell."""
        return self.requires_python or next(iter(self.field("Requires-Python")), None)

    def _parsed(self) -> tuple[str, Version]:
        if self.filename.endswith(".whl"):
            return parse_wheel_filename(self.filename)[:2]
        return parse_sdist_filename(self.filename)


Hostable = Path | Draft | Hosted | tuple[str, bytes]


def to_hosted(wheel: Hostable) -> Hosted:
    """Read or pack what an index is given to host."""
    if isinstance(wheel, Hosted):
        return wheel
    if isinstance(wheel, tuple):
        return Hosted(filename=wheel[0], data=wheel[1])
    if isinstance(wheel, Path):
        return Hosted(filename=wheel.name, data=wheel.read_bytes())
    return Hosted(filename=wheel.filename, data=wheel.packed())


def json_page(files: Sequence[Hosted], *, mark: bool, releases: bool) -> dict[str, Any]:
    """The page of the JSON API for files in the order of their versions; `mark` tells of PEP 658."""
    by_version: dict[str, list[dict[str, Any]]] = {}
    for file in files:
        by_version.setdefault(str(file.version), []).append(_json_file(file, mark=mark))
    newest = files[-1]
    info = {
        "name": newest.name,
        "version": str(newest.version),
        "requires_dist": newest.field("Requires-Dist") or None,
        "requires_python": newest.python(),
    }
    page = {"info": info, "urls": by_version[str(newest.version)], "vulnerabilities": []}
    return {**page, "releases": by_version} if releases else page


def simple_page(files: Sequence[Hosted], *, mark: bool) -> dict[str, Any]:
    """The page of the Simple API as JSON."""
    return {
        "meta": {"api-version": "1.1"},
        "name": files[0].name,
        "versions": sorted({str(file.version) for file in files}),
        "files": [_simple_file(file, mark=mark) for file in files],
    }


def _json_file(file: Hosted, *, mark: bool) -> dict[str, Any]:
    return {
        "filename": file.filename,
        "url": _link(file),
        "digests": {"sha256": file.sha256},
        "packagetype": "bdist_wheel" if file.filename.endswith(".whl") else "sdist",
        "requires_python": file.python(),
        "size": len(file.data),
        "upload_time_iso_8601": file.upload_time,
        "yanked": bool(file.yanked),
        "yanked_reason": file.yanked or None,
        "core-metadata": _metadata_mark(file, mark=mark),
    }


def _simple_file(file: Hosted, *, mark: bool) -> dict[str, Any]:
    return {
        "filename": file.filename,
        "url": _link(file),
        "hashes": {"sha256": file.sha256},
        "requires-python": file.python(),
        "size": len(file.data),
        "upload-time": file.upload_time,
        "yanked": file.yanked or False,
        "core-metadata": _metadata_mark(file, mark=mark),
    }


def _metadata_mark(file: Hosted, *, mark: bool) -> dict[str, str] | bool:
    metadata = file.metadata() if mark else None
    return False if metadata is None else {"sha256": hashlib.sha256(metadata).hexdigest()}


def _link(file: Hosted) -> str:
    return f"../../files/{quote(file.filename)}"
