"""Wheels that are only looked into: their directories and a few texts, read by range requests."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from layercraft.errors import BadLockError, BadWheelError
from layercraft.events import SILENT
from layercraft.formats.zip_directory import TAIL
from layercraft.formats.zip_records import locate, read_directory, unlocated
from layercraft.host.remote_file import NoRangesError, RemoteFile
from layercraft.resolution.background import Background
from layercraft.wheels.downloads import fetch
from layercraft.wheels.inspection import described, inspect, may_be_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from layercraft.events import Reporter
    from layercraft.formats.zip_directory import Directory, ReadAt
    from layercraft.host.cache import Cache
    from layercraft.host.client import Client
    from layercraft.resolution.pins import Pin
    from layercraft.wheels.inspection import Wheel

THREADS = 16

_LEAST = 4 << 10  # bytes
_MOST = 128 << 10
_REACH = 128 << 10


class RemoteWheels:
    """Looks into wheels, in threads: from the cache those that it has, the others where they lie.

    A wheel that is not in the cache has the path where it would be. Nothing of it can be checked
    against its sha256, so it is good for counting and for nothing else. `start` may be called before
    it is known whether a wheel will be needed. Use as a context manager. `fetched` counts the bytes
    that came from the hosts, `lengths` holds the bytes of each wheel by its sha256.
    """

    def __init__(self, client: Client, cache: Cache, *, reporter: Reporter = SILENT) -> None:
        self.fetched = 0
        self.lengths: dict[str, int] = {}
        self._client = client
        self._cache = cache
        self._reporter = reporter
        self._lock = Lock()
        self._without_ranges: set[str] = set()
        self._started: dict[str, Future[Wheel]] = {}
        self._pool = Background(THREADS, name="layercraft-remote")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()

    def start(self, pin: Pin) -> None:
        """Begin to look into a wheel, unless that was begun. From any thread; returns at once."""
        with self._lock:
            if pin.sha256 not in self._started:
                self._started[pin.sha256] = self._pool.submit(self._look_into, pin)

    def wait(self, pins: Sequence[Pin]) -> tuple[Wheel, ...]:
        """Give the wheels in order, when all are known.

        Raises:
            BadWheelError: one is no wheel, contradicts itself, or cannot be read on disk.
            BadLockError: a pin says nowhere to get its wheel.
            HashMismatchError: a wheel that had to be downloaded whole has another sha256.
            IndexUnreachableError: a host does not answer, or refuses a file.
        """
        for pin in sorted(pins, key=lambda pin: -(pin.size or 0)):
            self.start(pin)
        return tuple(self._started[pin.sha256].result() for pin in pins)

    def _look_into(self, pin: Pin) -> Wheel:
        path = pin.path or self._cache.wheel(pin.sha256)
        if path is not None:
            return self._inspect(path, pin)
        if pin.url is None:
            raise BadLockError(f"{pin.filename} has neither a url nor a path in the lock")
        host = urlsplit(pin.url).netloc
        if host not in self._without_ranges:
            try:
                return self._inspect_remote(pin, pin.url)
            except NoRangesError:
                self._tell_whole(host)
        return self._download(pin)

    def _inspect_remote(self, pin: Pin, url: str) -> Wheel:
        file = RemoteFile(self._client, url, ahead=_record_ahead, reach=_REACH)
        try:
            tail = _tail(pin.size)
            length = self.lengths[pin.sha256] = file.read_end(tail)
            directory = _directory(file.read_at, length, min(tail, length), pin.filename)
            members = tuple(
                locate(file.read_at, listed, archive=pin.filename)
                if may_be_text(listed.name)
                else unlocated(listed)
                for listed in directory.listed
                if not listed.name.endswith("/")
            )
            return described(
                file.read_at,
                members,
                path=self._cache.wheel_path(pin.sha256),
                filename=pin.filename,
                sha256=pin.sha256,
            )
        finally:
            self._count(file.fetched)

    def _download(self, pin: Pin) -> Wheel:
        (path,) = fetch([pin], self._client, self._cache, reporter=self._reporter)
        wheel = self._inspect(path, pin)
        self._count(self.lengths[pin.sha256])
        return wheel

    def _inspect(self, path: Path, pin: Pin) -> Wheel:
        wheel = inspect(path, pin.filename, pin.sha256, self._cache, check=False)
        self.lengths[pin.sha256] = path.stat().st_size
        return wheel

    def _tell_whole(self, host: str) -> None:
        with self._lock:
            told = host in self._without_ranges
            self._without_ranges.add(host)
        if not told:
            self._reporter.notice(f"{host} gives no parts of files, so whole wheels are downloaded")

    def _count(self, size: int) -> None:
        with self._lock:
            self.fetched += size


def _tail(size: int | None) -> int:
    """Give how many bytes to ask for first: a hundredth, which holds the directory of most wheels."""
    return TAIL if size is None else min(max(_LEAST, size // 100), _MOST)


def _record_ahead(size: int) -> int:
    """Let RECORD come along with the directory before which it stands: it has about half its size."""
    return size * 11 // 20


def _directory(read_at: ReadAt, length: int, tail: int, filename: str) -> Directory:
    try:
        return read_directory(read_at, length, archive=filename, tail=tail)
    except BadWheelError:  # broken, or its end record stands before a long comment
        return read_directory(read_at, length, archive=filename)
