"""Locked wheels into the cache: many at once, begun early where a wheel is likely to be needed."""

from __future__ import annotations

import threading
import time
from concurrent.futures import FIRST_EXCEPTION, wait
from queue import SimpleQueue
from typing import TYPE_CHECKING, Self

from layercraft.events import SILENT
from layercraft.host.patience import place
from layercraft.wheels.arrival import Arrival, write_hashed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from layercraft.events import Reporter
    from layercraft.host.cache import Cache
    from layercraft.host.client import Client
    from layercraft.resolution.pins import Pin

THREADS = 8
LONGEST_END = 1.0  # seconds that `Downloads.close` waits for threads that still read


def fetch(
    pins: Sequence[Pin], client: Client, cache: Cache, *, reporter: Reporter = SILENT
) -> tuple[Path, ...]:
    """Bring the wheels of all pins into the cache; give their paths in the order of the pins.

    What the cache has is not asked for; a pin with a `path` is copied. On any error, and on
    KeyboardInterrupt, nothing half-written stays.

    Raises:
        HashMismatchError: a file has another sha256 or size than its pin; nothing of it is kept.
        IndexUnreachableError: a host gives no file, after the tries that `Client.stream` makes.
        OfflineError: a wheel is not in the cache, and the client is offline.
        BadLockError: a pin's local file cannot be read, or it says nowhere to get it.
        OutputError: the cache cannot be written.
    """
    with Downloads(client, cache, reporter=reporter) as downloads:
        return downloads.wait(pins)


def download(url: str, client: Client, cache: Cache) -> tuple[str, Path]:
    """Bring a file of unknown hash into the cache; give its sha256 and its path.

    Raises IndexUnreachableError, OfflineError and OutputError, as `fetch` does.
    """
    with cache.temporary() as temporary, client.stream(url) as chunks:
        _, sha256 = write_hashed(chunks, temporary, cache, name=place(url), limit=None)
        return sha256, cache.adopt(temporary, sha256)


class Downloads:
    """Wheels on their way into the cache, in threads. Use as a context manager.

    `start` may be called before it is known whether a wheel will be needed; `wait` drops the
    others. Leaving the context ends what still runs and removes what is half-written.
    """

    def __init__(self, client: Client, cache: Cache, *, reporter: Reporter = SILENT) -> None:
        self._client = client
        self._cache = cache
        self._reporter = reporter
        self._lock = threading.Lock()
        self._queue: SimpleQueue[Arrival | None] = SimpleQueue()
        self._arrivals: dict[str, Arrival] = {}
        self._threads: list[threading.Thread] = []
        self._closed = False

    def start(self, pin: Pin) -> None:
        """Begin to bring a wheel, unless that was begun. From any thread; returns at once."""
        with self._lock:
            if self._closed or pin.sha256 in self._arrivals:
                return
            arrival = self._arrivals[pin.sha256] = Arrival(pin)
            self._queue.put(arrival)
            if len(self._threads) < THREADS:
                # A daemon, so that a read that hangs keeps no process alive.
                thread = threading.Thread(target=self._work, name="layercraft-download", daemon=True)
                thread.start()
                self._threads.append(thread)  # an interrupt before this leaves none that never ran

    def wait(self, pins: Sequence[Pin]) -> tuple[Path, ...]:
        """Give the paths of the wheels, in order, when all are there. Other downloads are dropped.

        Raises what `fetch` raises, for the first pin in order that failed.
        """
        self._drop_all_but(pins)
        missing = {pin.sha256: pin.size for pin in pins if self._cache.wheel(pin.sha256) is None}
        total = None if None in missing.values() else sum(size or 0 for size in missing.values())
        for pin in sorted(pins, key=lambda pin: -(pin.size or 0)):
            self.start(pin)
        arrivals = [self._arrivals[pin.sha256] for pin in pins]
        if not missing:
            return _joined(arrivals)
        coming = [self._arrivals[sha256] for sha256 in missing]
        with self._reporter.progress("downloading", total, "bytes") as progress:
            for arrival in coming:
                arrival.attach(progress)
            try:
                return _joined(arrivals)
            finally:
                for arrival in coming:
                    arrival.attach(None)

    def close(self) -> None:
        """End all downloads, and remove what is half-written."""
        self._closed = True
        dropped = self._drop_all_but(())
        for _ in self._threads:
            self._queue.put(None)
        end = time.monotonic() + LONGEST_END
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        for arrival in dropped:
            arrival.sweep()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _work(self) -> None:
        while (arrival := self._queue.get()) is not None:
            arrival.run(self._client, self._cache, self._reporter)

    def _drop_all_but(self, pins: Iterable[Pin]) -> list[Arrival]:
        with self._lock:
            dropped = [self._arrivals.pop(key) for key in set(self._arrivals) - {pin.sha256 for pin in pins}]
        for arrival in dropped:
            arrival.drop()
        return dropped


def _joined(arrivals: Sequence[Arrival]) -> tuple[Path, ...]:
    """The paths when all have arrived, or the first error in order as soon as one failed."""
    done, _ = wait([arrival.path for arrival in arrivals], return_when=FIRST_EXCEPTION)
    for arrival in arrivals:
        if arrival.path in done:
            arrival.path.result()
    return tuple(arrival.path.result() for arrival in arrivals)
