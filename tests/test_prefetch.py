"""The walk ahead: latency is paid once a level, and nothing that goes wrong there outlives the resolution."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import msgspec
import pytest
from local_index import LocalIndex
from shelf import Shelf
from wheelhouse import WheelDraft

from layercraft.errors import HashMismatchError, IndexUnreachableError
from layercraft.host.answers import CachedAnswers
from layercraft.host.cache import Cache
from layercraft.host.client import Client
from layercraft.recipe.requirements import RequirementsInput
from layercraft.resolution.index import Hint
from layercraft.resolution.metadata import WheelMetadata
from layercraft.resolution.resolver import resolve
from layercraft.resolution.simple import SimpleIndex
from layercraft.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from packaging.utils import NormalizedName

    from layercraft.formats.core_metadata import CoreMetadata
    from layercraft.resolution.candidates import Candidate
    from layercraft.resolution.index import IndexPage
    from layercraft.resolution.resolver import Resolution

TARGET = Target.parse("3.13", "x86_64")
LONG = 60.0  # seconds; nothing here is late, however busy the machine
LEAVES = [f"leaf{number}" for number in range(20)]


@pytest.fixture
def server() -> Iterator[LocalIndex]:
    top = WheelDraft(name="top", requires=["middle"])
    middle = WheelDraft(name="middle", requires=LEAVES)
    with LocalIndex(wheels=[top, middle, *(WheelDraft(name=name) for name in LEAVES)]) as server:
        yield server


def resolved(server: LocalIndex, folder: Path, *wanted: str) -> Resolution:
    with Client(pause=lambda _: None) as client:
        cache = Cache(folder)
        index = SimpleIndex(CachedAnswers(client, cache), f"{server.url}/simple")
        source = WheelMetadata(client, cache, patience=LONG)
        return resolve(RequirementsInput.of(wanted), TARGET, index, source)


class SlowShelf(Shelf):
    """An index that takes its time, and remembers how many asked at once."""

    delay = 0.02
    most = 0
    asking = 0
    lock = threading.Lock()

    def page(self, name: NormalizedName) -> IndexPage:
        """Give a page, late."""
        self._take_time()
        return super().page(name)

    def metadata(self, candidate: Candidate) -> CoreMetadata:
        """Give metadata, late."""
        self._take_time()
        return super().metadata(candidate)

    def _take_time(self) -> None:
        with self.lock:
            self.asking += 1
            self.most = max(self.most, self.asking)
        time.sleep(self.delay)
        with self.lock:
            self.asking -= 1


def test_what_is_required_together_is_asked_for_together() -> None:
    shelf = SlowShelf(f"top-1 : {', '.join(LEAVES)}", *(f"{name}-1" for name in LEAVES))
    assert len(shelf.pins("top")) == 21
    assert shelf.most >= 10
    assert sorted(shelf.asked) == sorted([*LEAVES, "top"])


class HintingShelf(Shelf):
    """An index whose pages tell what one version requires, and whose metadata of `top` wait for that page."""

    hint = Hint(version="1", requires=("leaf",))
    foreseen = threading.Event()

    def page(self, name: NormalizedName) -> IndexPage:
        """Give a page, with the hint on that of `top`."""
        page = super().page(name)
        if name == "leaf":
            self.foreseen.set()
        return msgspec.structs.replace(page, hint=self.hint) if name == "top" else page

    def metadata(self, candidate: Candidate) -> CoreMetadata:
        """Give metadata, those of `top` when its requirement was foreseen or cannot be any more."""
        if candidate.name == "top":
            self.foreseen.wait(0.5)
        return super().metadata(candidate)


@pytest.mark.parametrize(("version", "foreseen"), [("1", True), ("2", False)])
def test_what_a_page_tells_of_the_version_taken_is_fetched_before_its_metadata_are_there(
    version: str, *, foreseen: bool
) -> None:
    shelf = HintingShelf("top-1", "leaf-1")
    shelf.hint, shelf.foreseen = Hint(version=version, requires=("leaf",)), threading.Event()
    assert shelf.pins("top") == {"top": "1"}
    assert shelf.foreseen.is_set() is foreseen


def test_each_file_is_asked_for_once(server: LocalIndex, tmp_path: Path) -> None:
    assert len(resolved(server, tmp_path, "top").lock.pins) == 22
    paths = [request.path for request in server.requests]
    assert len(paths) == len(set(paths)) == 44


@pytest.mark.parametrize("broken", ["/simple/leaf7/", "/files/leaf7", "/simple/leaf", "/files/"])
@pytest.mark.parametrize("fault", [{"status": 503}, {"reset": True}, {"cut": 10}])
def test_an_index_that_goes_down_in_the_middle_is_unreachable(
    server: LocalIndex, tmp_path: Path, broken: str, fault: dict[str, object]
) -> None:
    server.fail(broken, **fault)
    with pytest.raises(IndexUnreachableError, match=r"127\.0\.0\.1"):
        resolved(server, tmp_path, "top")


def test_an_index_that_stumbles_once_is_asked_again(server: LocalIndex, tmp_path: Path) -> None:
    server.fail("/simple/", status=503, times=2)
    server.fail("/files/", reset=True, times=2)
    assert len(resolved(server, tmp_path, "top").lock.pins) == 22


def test_bytes_that_differ_from_the_index_stop_the_resolution(server: LocalIndex, tmp_path: Path) -> None:
    server.fail("/files/leaf3", flip=True)
    with pytest.raises(HashMismatchError, match="leaf3"):
        resolved(server, tmp_path, "top")


def test_a_wrong_guess_that_fails_is_no_failure() -> None:
    """The walk takes the newest a; the solver never needs what only that one requires."""
    shelf = FailingShelf("a-2 : unreachable", "a-1", "b-1 : a<2")
    assert shelf.pins("a<2", "b") == {"a": "1", "b": "1"}


class FailingShelf(Shelf):
    """An index that does not answer for one of its packages."""

    def page(self, name: NormalizedName) -> IndexPage:
        """Give a page, or fail."""
        if name == "unreachable":
            raise IndexUnreachableError("down")
        return super().page(name)


def test_an_error_does_not_wait_for_slow_answers(server: LocalIndex, tmp_path: Path) -> None:
    server.fail("/simple/leaf0/", status=403)
    server.fail("/simple/leaf", delay=3)
    start = time.monotonic()
    with pytest.raises(IndexUnreachableError, match="answered 403 for leaf0"):
        resolved(server, tmp_path, "top", "leaf0")
    assert time.monotonic() - start < 2


SCRIPT = """
import os, signal, sys, threading
from pathlib import Path
from layercraft.recipe.requirements import RequirementsInput
from layercraft.resolution.resolver import resolve
from layercraft.sources import open_sources
from layercraft.target import Target

url, folder, interrupt = sys.argv[1:]
if interrupt:
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
with open_sources(cache_dir=Path(folder), index_url=url, index_api="simple") as sources:
    resolve(RequirementsInput.of(["leaf0", "top"]), Target.parse(), sources.index(), sources.metadata)
"""


@pytest.mark.parametrize(
    ("interrupt", "told"), [("", "answered 403 for leaf0"), ("interrupt", "KeyboardInterrupt")]
)
def test_a_slow_index_keeps_no_process_alive(
    server: LocalIndex, tmp_path: Path, interrupt: str, told: str
) -> None:
    """Neither after an error nor after Ctrl-C: the program ends while twenty answers are still due."""
    if not interrupt:
        server.fail("/simple/leaf0/", status=403, delay=0.5)
    server.fail("/simple/leaf", delay=8)
    start = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, server.url, str(tmp_path), interrupt],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert told in ended.stderr
    assert time.monotonic() - start < 6
