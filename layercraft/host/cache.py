"""What was downloaded or worked out once, kept by content under one folder.

    ROOT/wheels/ab/abcd….whl       a wheel, named by its sha256
    ROOT/metadata/ab/abcd…         METADATA of the wheel with this sha256
    ROOT/checked/ab/abcd…          what the check of the wheel with this sha256 found
    ROOT/elf/ab/abcd…              what its compiled files ask of the loader
    ROOT/needed/ab/abcd…           which suspected files of a tree its other modules import
    ROOT/stripped/ab/abcd…         a compiled file without debug symbols, deflated
    ROOT/answers/ab/abcd…          an index answer, named by the sha256 of address and Accept header
    ROOT/temporary/RANDOM          being written; renamed when whole

Every entry is written under a temporary name and renamed, so that many processes may share one
cache and none ever sees a half-written file. Small entries begin with a line that holds their own
checksum: one that was damaged counts as absent. The modification time of an entry is the day of
its last use. Files of other names are not the cache's: they are never counted, never removed.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import time
import zlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layercraft.errors import OutputError, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from pathlib import Path

KINDS = ("wheels", "metadata", "checked", "elf", "needed", "stripped", "answers")
_DAY = 86_400  # seconds
_KEY = re.compile(r"[0-9a-f]{64}")
_HEADER = re.compile(rb"([0-9a-f]{8}) ([0-9a-f]{8})\n")
_HEADER_SIZE = 18
_SHARD = 2  # digits of the key that name the folder
_SUFFIXES = {"wheels": ".whl"}
_TEMPORARY = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KindInfo:
    """How many entries of one kind there are, and their bytes on disk."""

    kind: str
    count: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheInfo:
    """What a cache holds, or what was removed from it, kind by kind."""

    root: Path
    kinds: tuple[KindInfo, ...]

    @property
    def count(self) -> int:
        """The number of all entries."""
        return sum(kind.count for kind in self.kinds)

    @property
    def size(self) -> int:
        """The bytes of all entries."""
        return sum(kind.size for kind in self.kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """A small entry: its head, and the bytes of its file that are its data."""

    head: bytes
    path: Path
    offset: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    kind: str
    path: Path
    size: int
    used: float  # seconds since the epoch


class Cache:
    """Wheels and small entries by key, for many threads and processes at once.

    Keys are 64 hexadecimal digits in lower case; another key is a ValueError. Nothing is created
    before the first write. Writing raises OutputError, which names the folder; reading raises nothing.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def wheel_path(self, sha256: str) -> Path:
        """Where the wheel of this sha256 is or would be."""
        return self._path("wheels", sha256)

    def wheel(self, sha256: str) -> Path | None:
        """The wheel of this sha256 if it is here. The hash is not checked: `wheels.downloads` does."""
        path = self.wheel_path(sha256)
        try:
            status = path.stat()
        except OSError:
            return None
        _touch(path, status.st_mtime)
        return path if status.st_size else None

    @contextmanager
    def temporary(self) -> Generator[Path]:
        """Give a new empty file in the cache's file system; what is still there at the end is removed."""
        path = self.root / "temporary" / secrets.token_hex(16)
        with self.writing():
            _with_parent(path, lambda: path.touch(exist_ok=False))
        try:
            yield path
        finally:
            with suppress(OSError):  # renamed meanwhile, or still open on Windows: then prune finds it
                path.unlink()

    @contextmanager
    def writing(self) -> Generator[None]:
        """Turn the OSErrors of a block that only writes to the cache into OutputError."""
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"cannot write to the cache {self.root}: {_reason(error)}",
                hint="free some space, or name another folder with --cache-dir",
            ) from error

    def adopt(self, temporary: Path, sha256: str) -> Path:
        """Make a whole temporary file the wheel of this sha256, which the caller has checked."""
        path = self.wheel_path(sha256)
        with self.writing():
            _with_parent(path, lambda: temporary.replace(path))
        return path

    def read(self, kind: str, key: str) -> bytes | None:
        """The data of a small entry, or None if there is none or it was damaged."""
        entry = self.read_with_head(kind, key)
        return None if entry is None else entry[1]

    def read_with_head(self, kind: str, key: str) -> tuple[bytes, bytes] | None:
        """The head and the data of a small entry, each read from the file without copying."""
        path = self._path(kind, key)
        try:
            with path.open("rb", buffering=0) as file:
                header = _HEADER.fullmatch(file.read(_HEADER_SIZE))
                if header is None:
                    return None
                head = file.read(int(header[2], 16))
                data = file.read()
                _touch(path, os.fstat(file.fileno()).st_mtime)
        except OSError:
            return None
        return (head, data) if _checksum(head, data) == int(header[1], 16) else None

    def locate(self, kind: str, key: str) -> Located | None:
        """Tell where the data of a small entry lie, which was read and found undamaged; None as `read`."""
        entry = self.read_with_head(kind, key)
        if entry is None:
            return None
        head, data = entry
        return Located(head=head, path=self._path(kind, key), offset=_HEADER_SIZE + len(head), size=len(data))

    def write(self, kind: str, key: str, data: bytes, *, head: bytes = b"") -> None:
        """Keep a small entry, in place of an older one."""
        path = self._path(kind, key)
        with self.temporary() as temporary, self.writing():
            with temporary.open("wb") as file:
                file.write(b"%08x %08x\n" % (_checksum(head, data), len(head)) + head)
                file.write(data)
            _with_parent(path, lambda: temporary.replace(path))

    def info(self) -> CacheInfo:
        """Count the entries and their bytes."""
        return self._sum(self._entries())

    def prune(self, *, older_than_days: int) -> CacheInfo:
        """Remove what was not used for so many days; tell what went."""
        limit = time.time() - older_than_days * _DAY
        return self._remove(entry for entry in self._entries() if entry.used <= limit)

    def clear(self) -> CacheInfo:
        """Remove every entry; tell what went."""
        return self._remove(self._entries())

    def _path(self, kind: str, key: str) -> Path:
        if kind not in KINDS or not _KEY.fullmatch(key):
            raise ValueError(f"no cache entry can have the name {kind}/{key}")
        return self.root / kind / key[:_SHARD] / (key + _SUFFIXES.get(kind, ""))

    def _entries(self) -> Iterator[_Entry]:
        for kind in KINDS:
            for shard in _folder(self.root / kind):
                for file in _folder(shard):
                    key = file.name.removesuffix(_SUFFIXES.get(kind, ""))
                    if _KEY.fullmatch(key) and file == self._path(kind, key):
                        with suppress(OSError):  # another process removed it
                            status = file.lstat()
                            yield _Entry(kind=kind, path=file, size=status.st_size, used=status.st_mtime)

    def _remove(self, entries: Iterable[_Entry]) -> CacheInfo:
        gone = list(entries)
        abandoned = time.time() - _DAY
        for file in _folder(self.root / "temporary"):
            with suppress(FileNotFoundError):
                if _TEMPORARY.fullmatch(file.name) and file.lstat().st_mtime < abandoned:
                    file.unlink()
        with self.writing():
            for entry in gone:
                entry.path.unlink(missing_ok=True)
        self._remove_empty_folders()
        return self._sum(gone)

    def _remove_empty_folders(self) -> None:
        for kind in (*KINDS, "temporary"):
            for shard in _folder(self.root / kind):
                if len(shard.name) == _SHARD:
                    _remove_if_empty(shard)
            _remove_if_empty(self.root / kind)

    def _sum(self, entries: Iterable[_Entry]) -> CacheInfo:
        sizes: dict[str, list[int]] = {kind: [] for kind in KINDS}
        for entry in entries:
            sizes[entry.kind].append(entry.size)
        kinds = (KindInfo(kind=kind, count=len(found), size=sum(found)) for kind, found in sizes.items())
        return CacheInfo(root=self.root, kinds=tuple(kinds))


def _checksum(head: bytes, data: bytes) -> int:
    return zlib.crc32(data, zlib.crc32(b"%d " % len(head) + head))


def _folder(path: Path) -> list[Path]:
    try:
        return sorted(path.iterdir())
    except OSError:  # not there, or not a folder
        return []


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _touch(path: Path, used: float) -> None:
    """Note the use of an entry, at most once a day: a write for each read would cost too much."""
    if time.time() - used > _DAY:
        with suppress(OSError):
            os.utime(path)


def _with_parent(path: Path, action: Callable[[], object]) -> None:
    """Do what puts `path` in place, and make its folder when it is missing.

    Tried again, because another process may remove the empty folder in between, also while it is being
    made: then it is said to be there, and is not. A file in its place the last try tells.
    """
    for _ in range(10):
        with suppress(FileNotFoundError):
            action()
            return
        with suppress(FileNotFoundError, FileExistsError):
            path.parent.mkdir(parents=True, exist_ok=True)
    action()


def _reason(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "the disk is full"
    return reason_of(error)
