"""One wheel on its way into the cache: hashed while it arrives, kept only when right.

A cached wheel is hashed again before it is given out. That costs a second for each gigabyte and
thread (sha256 runs outside Python's lock), a few hundredths for a usual layer, and what a damaged
cache holds never gets into a layer.
"""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import Future
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

from layercraft.errors import BadLockError, HashMismatchError, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from layercraft.events import Progress, Reporter
    from layercraft.host.cache import Cache
    from layercraft.host.client import Client
    from layercraft.resolution.pins import Pin

LARGEST = 0xFFFFFFFF  # bytes; a longer file could only be a zip64 archive, which no layer may hold
_CHUNK = 1 << 18  # bytes
_HINT = "the index or the lock is wrong, or the file was changed on its way; nothing of it was kept"


class _DroppedError(Exception):
    """The wheel is no longer wanted."""


class Arrival:
    """The way of one pin's wheel. One thread walks it; others wait for `path`, watch it or end it."""

    def __init__(self, pin: Pin) -> None:
        self.pin = pin
        self.path: Future[Path] = Future()
        self._lock = threading.Lock()
        self._arrived = 0  # bytes
        self._progress: Progress | None = None
        self._dropped = False
        self._temporary: Path | None = None

    def run(self, client: Client, cache: Cache, reporter: Reporter) -> None:
        """Bring the wheel into the cache; `path` then has its place there, or the error."""
        if not self.path.set_running_or_notify_cancel():
            return
        try:
            self.path.set_result(self._bring(client, cache, reporter))
        except BaseException as error:  # noqa: BLE001 (handed to the thread that waits for `path`)
            self.path.set_exception(error)

    def attach(self, progress: Progress | None) -> None:
        """Tell a progress of all bytes so far and to come; None: tell nobody any more."""
        with self._lock:
            self._progress = progress
            if progress is not None:
                progress.advance(self._arrived)

    def drop(self) -> None:
        """End at the next chunk, or before the first."""
        self._dropped = True
        self.path.cancel()

    def sweep(self) -> None:
        """Remove what is half-written, where the thread hangs and cannot do so itself."""
        if self._temporary is not None:
            with suppress(OSError):
                self._temporary.unlink()

    def _bring(self, client: Client, cache: Cache, reporter: Reporter) -> Path:
        pin = self.pin
        cached = cache.wheel(pin.sha256)
        if cached is not None:
            if _is_intact(cached, pin.sha256):
                return cached
            reporter.warning(f"{pin.filename} was damaged in the cache; getting it again")
        with cache.temporary() as self._temporary, self._source(client) as chunks:
            size, sha256 = write_hashed(
                self._watched(chunks), self._temporary, cache, name=pin.filename, limit=pin.size
            )
            _require_right(pin, size, sha256)
            return cache.adopt(self._temporary, sha256)

    def _source(self, client: Client) -> AbstractContextManager[Iterator[bytes]]:
        if self.pin.path is not None:
            return nullcontext(_file_chunks(self.pin.path, self.pin.filename))
        if self.pin.url is None:
            raise BadLockError(f"{self.pin.filename} has neither a url nor a path in the lock")
        return client.stream(self.pin.url)

    def _watched(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            if self._dropped:
                raise _DroppedError
            with self._lock:
                self._arrived += len(chunk)
                if self._progress is not None:
                    self._progress.advance(len(chunk))
            yield chunk


def write_hashed(
    chunks: Iterable[bytes], path: Path, cache: Cache, *, name: str, limit: int | None
) -> tuple[int, str]:
    """Write chunks to a temporary file of the cache; give its size in bytes and its sha256.

    Raises HashMismatchError as soon as there are more than `limit` bytes, or more than any wheel
    may have; OutputError when the cache cannot be written.
    """
    limit = LARGEST if limit is None else limit
    digest, size = hashlib.sha256(), 0
    with cache.writing(), path.open("wb") as file:
        for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise HashMismatchError(f"{name} has more than {limit:,} bytes", hint=_HINT)
            digest.update(chunk)
            file.write(chunk)
    return size, digest.hexdigest()


def _require_right(pin: Pin, size: int, sha256: str) -> None:
    if pin.size is not None and size != pin.size:
        raise HashMismatchError(f"{pin.filename} has {size:,} bytes, expected {pin.size:,}", hint=_HINT)
    if sha256 != pin.sha256:
        raise HashMismatchError(f"{pin.filename} has sha256 {sha256}, expected {pin.sha256}", hint=_HINT)


def _is_intact(path: Path, sha256: str) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def _file_chunks(path: Path, filename: str) -> Iterator[bytes]:
    try:
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except OSError as error:
        reason = reason_of(error)
        raise BadLockError(f"cannot read {path} for {filename}: {reason}") from error
