"""Sizes of a finished zip, ours or any tool's, with the owners that its own RECORD files tell."""

from __future__ import annotations

import posixpath
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from layercraft.errors import BadWheelError, UsageError, reason_of
from layercraft.formats.record_file import read_record
from layercraft.layer.sizes import SizedFile, SizeReport, below_python

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_RECORD = ".dist-info/RECORD"
_LARGEST_RECORD = 32 << 20

# What zipfile raises for archives that are broken, encrypted or packed by an unknown method.
_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, RuntimeError, EOFError, ValueError)


def read_sizes(path: Path) -> SizeReport:
    """Read the sizes of every file in a zip, from its central directory.

    A file's owner is the distribution whose RECORD, inside the zip, lists it; where none does, the
    owner of other files in the same top folder; else the top folder's own name.

    Raises:
        UsageError: the file is missing or is no zip.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if not info.filename.endswith("/")]
            owners = dict(_recorded_owners(archive, {info.filename for info in infos}))
        zipped = path.stat().st_size
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {reason_of(error)}") from error
    except _BROKEN as error:
        raise UsageError(f"{path} is no zip file that can be read: {error}") from error
    neighbours = {_top(name): owner for name, owner in owners.items()}
    files = (
        SizedFile(
            path=info.filename,
            owner=owners.get(info.filename) or neighbours.get(_top(info.filename)) or _top(info.filename),
            size=info.file_size,
            packed=info.compress_size,
            crc=info.CRC,
        )
        for info in infos
    )
    return SizeReport(files=tuple(files), zipped=zipped)


def _recorded_owners(archive: zipfile.ZipFile, names: set[str]) -> Iterator[tuple[str, str]]:
    for record in sorted(name for name in names if name.endswith(_RECORD)):
        root, folder = posixpath.split(record.removesuffix("/RECORD"))
        owner = canonicalize_name(folder.removesuffix(".dist-info").rpartition("-")[0])
        for listed in _listed(archive, record):
            path = posixpath.normpath(posixpath.join(root, listed))
            if path in names:
                yield path, owner


def _listed(archive: zipfile.ZipFile, record: str) -> Mapping[str, object]:
    if archive.getinfo(record).file_size > _LARGEST_RECORD:
        return {}
    try:
        return read_record(archive.read(record), archive=record)
    except (BadWheelError, *_BROKEN):
        return {}


def _top(path: str) -> str:
    return below_python(path).partition("/")[0]
