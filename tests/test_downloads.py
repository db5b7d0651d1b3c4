from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import pytest
from local_index import LocalIndex
from packaging.utils import canonicalize_name

from layercraft.errors import (
    BadLockError,
    HashMismatchError,
    IndexUnreachableError,
    LayercraftError,
    OfflineError,
    OutputError,
)
from layercraft.events import SILENT, SilentReporter
from layercraft.host.cache import Cache
from layercraft.host.client import Client
from layercraft.resolution.pins import Pin
from layercraft.wheels.downloads import THREADS, Downloads, download, fetch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = [f"wheel{number}-1.0-py3-none-any.whl" for number in range(12)]
BYTES = {name: os.urandom(300_000 + 50_000 * number) for number, name in enumerate(NAMES)}
FIRST = NAMES[0]


@pytest.fixture
def index() -> Iterator[LocalIndex]:
    with LocalIndex(wheels=list(BYTES.items())) as index:
        yield index


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(pause=lambda _: None) as client:
        yield client


def pin(index: LocalIndex, filename: str) -> Pin:
    return Pin(
        name=canonicalize_name(filename.partition("-")[0]),
        version="1.0",
        filename=filename,
        url=f"{index.url}/files/{filename}",
        path=None,
        sha256=hashlib.sha256(BYTES[filename]).hexdigest(),
        size=len(BYTES[filename]),
    )


def pins(index: LocalIndex) -> list[Pin]:
    return [pin(index, name) for name in NAMES]


def kept(cache: Cache) -> list[Path]:
    return [path for path in cache.root.rglob("*") if path.is_file()]


class Teller(SilentReporter):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.totals: list[int | None] = []
        self.bytes = 0
        self.open = False

    def warning(self, text: str) -> None:
        """Remember a warning."""
        self.warnings.append(text)

    @contextmanager
    def progress(self, label: str, total: int | None, unit: Literal["bytes", "items"]) -> Iterator[Teller]:
        """Remember the total."""
        assert (label, unit) == ("downloading", "bytes")
        self.totals.append(total)
        self.open = True
        yield self
        self.open = False

    def advance(self, amount: int) -> None:
        """Count the bytes."""
        assert self.open
        self.bytes += amount


def test_wheels_come_into_the_cache_in_the_order_of_the_pins(
    index: LocalIndex, client: Client, cache: Cache
) -> None:
    paths = fetch(pins(index), client, cache)
    assert [path.read_bytes() for path in paths] == list(BYTES.values())
    assert sorted(kept(cache)) == sorted(paths)
    assert index.count() == len(NAMES)


def test_no_pins_are_no_wheels(client: Client, cache: Cache) -> None:
    assert fetch([], client, cache) == ()


def test_what_is_cached_is_not_asked_for(index: LocalIndex, client: Client, cache: Cache) -> None:
    first = fetch(pins(index), client, cache)
    index.forget()
    teller = Teller()
    assert fetch(pins(index), Client(offline=True), cache, reporter=teller) == first
    assert index.count() == 0
    assert teller.totals == []


def test_one_wheel_pinned_twice_is_fetched_once(index: LocalIndex, client: Client, cache: Cache) -> None:
    teller = Teller()
    one = pin(index, FIRST)
    assert len(set(fetch([one, one], client, cache, reporter=teller))) == 1
    assert index.count() == 1
    assert teller.bytes == teller.totals[0] == one.size


@pytest.mark.parametrize("damage", [b"", b"short", bytes(len(BYTES[FIRST]))])
def test_a_damaged_wheel_in_the_cache_is_fetched_again(
    index: LocalIndex, client: Client, cache: Cache, damage: bytes
) -> None:
    (path,) = fetch([pin(index, FIRST)], client, cache)
    path.write_bytes(damage)
    teller = Teller()
    assert fetch([pin(index, FIRST)], client, cache, reporter=teller) == (path,)
    assert path.read_bytes() == BYTES[FIRST]
    assert len(teller.warnings) == bool(damage)


def test_progress_is_told_in_bytes(index: LocalIndex, client: Client, cache: Cache) -> None:
    teller = Teller()
    fetch(pins(index)[:1], client, cache)
    fetch(pins(index), client, cache, reporter=teller)
    assert teller.totals == [sum(map(len, BYTES.values())) - len(BYTES[FIRST])]
    assert teller.bytes == teller.totals[0]


def test_the_total_is_unknown_when_a_size_is(index: LocalIndex, client: Client, cache: Cache) -> None:
    teller = Teller()
    fetch([replace(pin(index, FIRST), size=None), pin(index, NAMES[1])], client, cache, reporter=teller)
    assert teller.totals == [None]


@pytest.mark.parametrize("sized", [True, False])
def test_a_wrong_hash_is_refused_by_name_and_not_kept(
    index: LocalIndex, client: Client, cache: Cache, *, sized: bool
) -> None:
    index.fail(f"/files/{FIRST}", flip=True)
    wanted = pin(index, FIRST)
    wrong = hashlib.sha256(BYTES[FIRST][:-1] + bytes([BYTES[FIRST][-1] ^ 1])).hexdigest()
    with pytest.raises(HashMismatchError, match=f"^{FIRST} has sha256 {wrong}, expected {wanted.sha256}$"):
        fetch([wanted if sized else replace(wanted, size=None)], client, cache)
    assert kept(cache) == []
    assert index.count() == 1


@pytest.mark.parametrize(
    ("difference", "message"),
    [(1, "has 300,000 bytes, expected 300,001"), (-1, "has more than 299,999 bytes")],
)
def test_a_wrong_size_is_refused_by_name_and_not_kept(
    index: LocalIndex, client: Client, cache: Cache, difference: int, message: str
) -> None:
    with pytest.raises(HashMismatchError, match=f"^{FIRST} {message}$"):
        fetch([replace(pin(index, FIRST), size=len(BYTES[FIRST]) + difference)], client, cache)
    assert kept(cache) == []


def test_a_truncated_download_goes_on_where_it_ended(index: LocalIndex, client: Client, cache: Cache) -> None:
    index.fail("/files/", cut=100_000, times=5)
    assert len(fetch(pins(index), client, cache)) == len(NAMES)
    assert sum("range" in request.headers for request in index.requests) == 5


def test_a_download_that_is_always_truncated_is_an_error(
    index: LocalIndex, client: Client, cache: Cache
) -> None:
    index.ranges = False
    index.fail(f"/files/{FIRST}", cut=100_000)
    with pytest.raises(IndexUnreachableError, match=f"{FIRST} broke the connection four times"):
        fetch([pin(index, FIRST)], client, cache)
    assert kept(cache) == []


def test_one_failure_ends_all(index: LocalIndex, client: Client, cache: Cache) -> None:
    index.fail(f"/files/{NAMES[5]}", status=404)
    index.fail("/files/", pace=0.2)
    began = time.monotonic()
    with pytest.raises(IndexUnreachableError, match=f"{NAMES[5]} answered 404"):
        fetch(pins(index), client, cache)
    assert time.monotonic() - began < 1.5
    assert not list((cache.root / "temporary").iterdir())


def test_the_first_failure_in_order_is_told(index: LocalIndex, client: Client, cache: Cache) -> None:
    for name in NAMES[1:4]:
        index.fail(f"/files/{name}", status=403)
    with Downloads(client, cache) as downloads:
        for wanted in pins(index)[1:4]:
            downloads.start(wanted)
        time.sleep(0.2)
        with pytest.raises(IndexUnreachableError, match=NAMES[1]):
            downloads.wait(pins(index))


def test_a_local_file_is_copied(index: LocalIndex, cache: Cache, tmp_path: Path) -> None:
    path = tmp_path / FIRST
    path.write_bytes(BYTES[FIRST])
    local = replace(pin(index, FIRST), path=path, url=None)
    (kept_path,) = fetch([local], Client(offline=True), cache)
    assert kept_path.read_bytes() == BYTES[FIRST]
    assert path.exists()


def test_a_local_file_with_a_wrong_hash_is_refused(index: LocalIndex, cache: Cache, tmp_path: Path) -> None:
    path = tmp_path / FIRST
    path.write_bytes(BYTES[FIRST][::-1])
    with pytest.raises(HashMismatchError, match=FIRST):
        fetch([replace(pin(index, FIRST), path=path, url=None)], Client(offline=True), cache)
    assert kept(cache) == []


def test_a_local_file_that_is_missing_is_told(index: LocalIndex, cache: Cache, tmp_path: Path) -> None:
    missing = replace(pin(index, FIRST), path=tmp_path / "none.whl", url=None)
    with pytest.raises(BadLockError, match=rf"cannot read .*none\.whl for {FIRST}: no such file"):
        fetch([missing], Client(offline=True), cache)


def test_a_pin_from_nowhere_is_told(index: LocalIndex, client: Client, cache: Cache) -> None:
    with pytest.raises(BadLockError, match=f"{FIRST} has neither a url nor a path"):
        fetch([replace(pin(index, FIRST), url=None)], client, cache)


def test_offline_without_the_wheel_is_an_error(index: LocalIndex, cache: Cache) -> None:
    with pytest.raises(OfflineError, match=f"{FIRST} is not in the cache"):
        fetch([pin(index, FIRST)], Client(offline=True), cache)


def test_an_unwritable_cache_is_an_error_that_names_it(
    index: LocalIndex, client: Client, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(OutputError, match=f"cannot write to the cache {tmp_path / 'cache'}"):
        fetch(pins(index), client, Cache(tmp_path / "cache"))


def test_a_file_of_unknown_hash_is_downloaded(index: LocalIndex, client: Client, cache: Cache) -> None:
    sha256, path = download(f"{index.url}/files/{FIRST}", client, cache)
    assert sha256 == hashlib.sha256(BYTES[FIRST]).hexdigest()
    assert path == cache.wheel(sha256)
    assert path.read_bytes() == BYTES[FIRST]


def test_a_file_that_is_not_there_is_an_error(index: LocalIndex, client: Client, cache: Cache) -> None:
    with pytest.raises(IndexUnreachableError, match="answered 404"):
        download(f"{index.url}/files/none.whl", client, cache)
    assert kept(cache) == []


def test_a_download_may_start_before_it_is_known_to_be_needed(
    index: LocalIndex, client: Client, cache: Cache
) -> None:
    teller = Teller()
    with Downloads(client, cache, reporter=teller) as downloads:
        for wanted in pins(index)[:3]:
            downloads.start(wanted)
            downloads.start(wanted)
        paths = downloads.wait(pins(index)[1:5])
    assert [path.read_bytes() for path in paths] == [BYTES[name] for name in NAMES[1:5]]
    assert max(index.count(f"/files/{name}") for name in NAMES) == 1


def test_an_unneeded_download_is_dropped(index: LocalIndex, client: Client, cache: Cache) -> None:
    for name in NAMES[: THREADS + 2]:
        index.fail(f"/files/{name}", pace=0.1)
    with Downloads(client, cache) as downloads:
        for wanted in pins(index)[: THREADS + 2]:
            downloads.start(wanted)
        time.sleep(0.05)
        (path,) = downloads.wait([pin(index, NAMES[-1])])
    assert kept(cache) == [path]
    assert index.count() == THREADS + 1


def test_a_dropped_download_may_be_started_again(index: LocalIndex, client: Client, cache: Cache) -> None:
    with Downloads(client, cache) as downloads:
        downloads.start(pin(index, FIRST))
        downloads.wait([])
        (path,) = downloads.wait([pin(index, FIRST)])
    assert path.read_bytes() == BYTES[FIRST]


def test_threads_end_with_the_context(index: LocalIndex, client: Client, cache: Cache) -> None:
    before = threading.active_count()
    fetch(pins(index), client, cache)
    assert not [t for t in threading.enumerate() if t.name == "layercraft-download"], before


def test_a_start_after_the_end_does_nothing(index: LocalIndex, client: Client, cache: Cache) -> None:
    downloads = Downloads(client, cache)
    downloads.close()
    downloads.start(pin(index, FIRST))
    assert index.count() == 0


ABORTED = """
import sys, pathlib
from layercraft.host.cache import Cache
from layercraft.host.client import Client
from layercraft.resolution.pins import Pin
from layercraft.wheels.downloads import fetch
pins = [Pin(name="a", version="1", filename=url, url=url, path=None, sha256=f"{n:064x}", size=None)
        for n, url in enumerate(sys.argv[2:])]
print("ready", flush=True)
fetch(pins, Client(), Cache(pathlib.Path(sys.argv[1])))
"""


@pytest.mark.parametrize("fault", [{"pace": 0.05}, {"delay": 20}, {"pace": 20}])
def test_an_interrupt_leaves_nothing_half_written(
    index: LocalIndex, cache: Cache, fault: dict[str, float]
) -> None:
    index.fail("/files/", **fault)
    urls = [f"{index.url}/files/{name}" for name in NAMES]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", ABORTED, str(cache.root), *urls]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        while index.count() < THREADS:
            time.sleep(0.01)
        time.sleep(0.1)
        assert list((cache.root / "temporary").iterdir())
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, errors = process.communicate(timeout=10)
    assert time.monotonic() - began < 2.5
    assert errors.strip().endswith(b"KeyboardInterrupt")
    assert kept(cache) == []


def test_many_processes_fetch_into_one_cache(index: LocalIndex, cache: Cache) -> None:
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = 0 if len(fetch(pins(index), Client(), cache)) == len(NAMES) else 2
            except LayercraftError:
                status = 3
            finally:
                os._exit(status)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
    assert len(fetch(pins(index), Client(offline=True), cache, reporter=SILENT)) == len(NAMES)
    assert not list((cache.root / "temporary").iterdir())
