"""True dependencies: the METADATA of the very wheel that would be taken.

Asked in this order: the cache; the file served beside the wheel (PEP 658); the wheel's own bytes by
range requests; the whole wheel. Mirrors advertise the first and answer 404 for part of the files,
so what a host can do is remembered, and the next way is tried at once. They may also take long to
find out that they have no such file: when an answer is late, the next way is tried meanwhile.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from layercraft.errors import BadWheelError, HashMismatchError
from layercraft.formats.core_metadata import CoreMetadata, parse_core_metadata
from layercraft.formats.zip_directory import search_directory
from layercraft.formats.zip_records import locate, read_data
from layercraft.host.remote_file import IDENTITY, OK, NoRangesError, RemoteFile, refused
from layercraft.resolution.hedging import hedged
from layercraft.resolution.index import Hashes

if TYPE_CHECKING:
    from layercraft.formats.zip_records import ReadAt
    from layercraft.host.cache import Cache
    from layercraft.host.client import Answer, Client
    from layercraft.resolution.candidates import Candidate

# METADATA and RECORD stand just before the central directory in nearly all wheels. Those of numpy and
# its like fill some 200 KiB together, so that one request does for most wheels.
_LARGE = 2 << 20
_LARGE_END = 256 << 10
_SMALL_END = 64 << 10
_AHEAD = 96 << 10
_REACH = 4 << 20


PATIENCE = 0.05
"""Seconds after which a metadata file is late, where the host has given none yet."""


@dataclass(slots=True)
class _Host:
    """What a file host has shown so far; `slowest` is in seconds, of the metadata files that it gave."""

    missed: bool = False
    ranges: bool = True
    slowest: float = 0


@dataclass(slots=True)
class WheelMetadata:
    """Reads the core metadata of wheels; see the module's text for the ways it takes.

    A metadata file is late after `patience` seconds, and after twice the slowest that its host gave.
    """

    client: Client
    cache: Cache
    patience: float = PATIENCE
    _hosts: dict[str, _Host] = field(default_factory=dict)

    def metadata(self, candidate: Candidate) -> CoreMetadata:
        """Give the core metadata of a candidate's wheel; see `MetadataSource.metadata`."""
        sha256 = candidate.file.hashes.sha256 or ""
        data = self.cache.read("metadata", sha256)
        if data is not None:
            return _parse(data, candidate)
        host = self._hosts.setdefault(urlsplit(candidate.url).netloc, _Host())
        data = self._bytes(candidate, host)
        parsed = _parse(data, candidate)
        self.cache.write("metadata", sha256, data)
        return parsed

    def _bytes(self, candidate: Candidate, host: _Host) -> bytes:
        advertised = candidate.file.core_metadata
        if not advertised or (host.missed and host.ranges):
            return self._from_wheel(candidate, host)
        beside, inside = partial(self._beside, candidate, host), partial(self._from_wheel, candidate, host)
        found = (
            hedged(beside, inside, patience=max(self.patience, 2 * host.slowest)) if host.ranges else beside()
        )
        return found or inside()

    def _from_wheel(self, candidate: Candidate, host: _Host) -> bytes:
        return self._inside(candidate, host) or self._whole(candidate)

    def _beside(self, candidate: Candidate, host: _Host) -> bytes | None:
        advertised = candidate.file.core_metadata
        began = monotonic()
        answer = self.client.get(candidate.url + ".metadata")
        if answer.status != OK:
            host.missed = True
            return None
        host.slowest = max(host.slowest, monotonic() - began)
        expected = advertised.sha256 if isinstance(advertised, Hashes) else None
        if expected and hashlib.sha256(answer.body).hexdigest() != expected:
            raise HashMismatchError(
                f"{candidate.file.filename}.metadata: the bytes do not have the index's sha256"
            )
        return answer.body

    def _inside(self, candidate: Candidate, host: _Host) -> bytes | None:
        if not host.ranges:
            return None
        wheel = RemoteFile(self.client, candidate.url, ahead=lambda _: _AHEAD, reach=_REACH)
        try:
            length = wheel.read_end(_LARGE_END if (candidate.file.size or 0) > _LARGE else _SMALL_END)
            return metadata_member(wheel.read_at, length, candidate.file.filename)
        except NoRangesError as error:
            host.ranges = False
            return self._whole(candidate, error.answer)

    def _whole(self, candidate: Candidate, answer: Answer | None = None) -> bytes:
        """Read METADATA in the whole wheel, which is downloaded unless `answer` holds it already."""
        if answer is None or answer.status != OK:
            answer = self.client.get(candidate.url, IDENTITY)
        if answer.status != OK:
            raise refused(candidate.url, answer)
        body = answer.body
        if hashlib.sha256(body).hexdigest() != candidate.file.hashes.sha256:
            raise HashMismatchError(f"{candidate.file.filename}: the bytes do not have the index's sha256")
        return metadata_member(
            lambda offset, size: body[offset : offset + size], len(body), candidate.file.filename
        )


def metadata_member(read_at: ReadAt, length: int, filename: str) -> bytes:
    """Find and inflate the METADATA member of a wheel of `length` bytes.

    Raises:
        BadWheelError: the bytes are no zip, or hold no METADATA for this file name.
    """
    name, version = filename.split("-")[:2]
    for listed in search_directory(read_at, length, b".dist-info/METADATA", archive=filename):
        folder, _, base = listed.name.partition("/")
        if base == "METADATA" and _is_of(folder, name):
            return read_data(read_at, locate(read_at, listed, archive=filename), archive=filename)
    raise BadWheelError(f"{filename}: no METADATA for {name} {version} inside")


def _is_of(dist_info: str, name: str) -> bool:
    return canonicalize_name(dist_info.partition("-")[0]) == canonicalize_name(name)


def _parse(data: bytes, candidate: Candidate) -> CoreMetadata:
    try:
        parsed = parse_core_metadata(data)
    except ValueError as error:
        raise BadWheelError(f"{candidate.file.filename}: METADATA cannot be read: {error}") from error
    if canonicalize_name(parsed.name) != candidate.name:
        raise BadWheelError(f"{candidate.file.filename}: its METADATA is of another package, {parsed.name}")
    if not _is_version(parsed.version, candidate.version):
        raise BadWheelError(
            f"{candidate.file.filename}: its METADATA is of another version, {parsed.version}"
        )
    return parsed


def _is_version(text: str, version: Version) -> bool:
    try:
        return text == str(version) or Version(text) == version
    except InvalidVersion:
        return False
