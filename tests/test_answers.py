from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from local_index import SIMPLE_JSON, LocalIndex
from wheelhouse import WheelDraft

from layercraft.errors import IndexUnreachableError, OfflineError
from layercraft.host.answers import CachedAnswers
from layercraft.host.cache import Cache
from layercraft.host.client import Client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from layercraft.host.client import Answer

LIFETIME = 600
DATE = "Sun, 22 Nov 2026 10:00:00 GMT"


@pytest.fixture
def index() -> Iterator[LocalIndex]:
    with LocalIndex(wheels=[WheelDraft(name="six")]) as index:
        yield index


class Asker:
    """Asks for pages at a time of its own, through a cache."""

    def __init__(self, index: LocalIndex, folder: Path) -> None:
        self.index = index
        self.time = 1_000_000.0
        self.cache = Cache(folder)
        self.client = Client(pause=lambda _: None)
        self.answers = CachedAnswers(self.client, self.cache, now=lambda: self.time)

    def ask(self, path: str = "/simple/six/", accept: str = SIMPLE_JSON) -> Answer:
        """Ask for a page of the index."""
        return self.answers.get(self.index.url + path, accept=accept, lifetime=LIFETIME)

    def offline(self) -> CachedAnswers:
        """The same cache without a network."""
        return CachedAnswers(Client(offline=True), self.cache, now=lambda: self.time)


@pytest.fixture
def asker(index: LocalIndex, tmp_path: Path) -> Iterator[Asker]:
    asker = Asker(index, tmp_path / "cache")
    with asker.client:
        yield asker


def test_a_fresh_answer_is_not_asked_for_again(asker: Asker) -> None:
    first = asker.ask()
    asker.time += LIFETIME - 1
    second = asker.ask()
    assert asker.index.count() == 1
    assert (second.status, second.body, second.url) == (first.status, first.body, first.url)
    assert second.headers["content-type"] == SIMPLE_JSON


def test_answers_of_other_types_and_pages_are_kept_apart(asker: Asker) -> None:
    asker.ask()
    asker.ask(accept="application/json")
    asker.ask("/pypi/six/json")
    assert asker.index.count() == 3


@pytest.mark.parametrize(
    ("etags", "last_modified", "header"),
    [(True, "", "if-none-match"), (False, DATE, "if-modified-since"), (True, DATE, "if-none-match")],
)
def test_a_stale_answer_that_did_not_change_is_fresh_again(
    asker: Asker, header: str, last_modified: str, *, etags: bool
) -> None:
    asker.index.etags, asker.index.last_modified = etags, last_modified
    first = asker.ask()
    asker.time += LIFETIME
    assert asker.ask().body == first.body
    assert header in asker.index.requests[1].headers
    asker.time += LIFETIME - 1
    assert asker.ask().body == first.body
    assert asker.index.count() == 2
    asker.time += LIFETIME
    asker.ask()
    assert header in asker.index.requests[2].headers


def test_a_stale_answer_that_changed_is_replaced(asker: Asker) -> None:
    asker.ask()
    asker.index.add(WheelDraft(name="six", version="2.0"))
    asker.time += LIFETIME
    assert b"six-2.0" in asker.ask().body
    assert b"six-2.0" in asker.ask().body
    assert asker.index.count() == 2


def test_an_answer_without_validators_is_read_anew_when_stale(asker: Asker) -> None:
    asker.index.etags = False
    asker.ask()
    asker.time += LIFETIME
    assert asker.ask().status == 200
    assert asker.index.count() == 2


@pytest.mark.parametrize(
    ("control", "age", "fresh_for"),
    [
        ("max-age=60", "", 60),
        ("public, Max-Age=6000", "", 6000),
        ("max-age=60", "50", 10),
        ("max-age=0", "", 0),
        ("no-cache, max-age=60", "", 0),
        ("private", "", LIFETIME),
        ("x-max-age=5", "", LIFETIME),
    ],
)
def test_cache_control_decides_over_the_lifetime(
    asker: Asker, control: str, age: str, fresh_for: int
) -> None:
    asker.index.fail("/", headers={"cache-control": control, **({"age": age} if age else {})})
    asker.ask()
    asker.time += fresh_for - 1 if fresh_for else 0
    asker.ask()
    assert asker.index.count() == (1 if fresh_for else 2)
    asker.time += 1
    asker.ask()
    assert asker.index.count() == (2 if fresh_for else 3)


def test_no_store_keeps_nothing(asker: Asker) -> None:
    asker.index.cache_control = "no-store"
    asker.ask()
    assert asker.cache.info().count == 0


def test_a_clock_that_was_set_back_makes_stale(asker: Asker) -> None:
    asker.ask()
    asker.time -= 10
    asker.ask()
    assert asker.index.count() == 2


def test_an_absence_is_believed_for_ten_minutes_at_most(asker: Asker) -> None:
    asker.index.fail("/simple/nothing/", status=404, headers={"cache-control": "max-age=86400"})
    assert asker.ask("/simple/nothing/").status == 404
    asker.time += 599
    assert asker.ask("/simple/nothing/").status == 404
    assert asker.index.count() == 1
    asker.time += 1
    asker.ask("/simple/nothing/")
    assert asker.index.count() == 2


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_is_given_and_not_kept(asker: Asker, status: int) -> None:
    asker.index.fail("/", status=status)
    assert asker.ask().status == status
    assert asker.cache.info().count == 0


def test_an_unreachable_index_is_an_error_also_with_a_stale_answer(asker: Asker) -> None:
    asker.ask()
    asker.time += LIFETIME
    asker.index.fail("/", status=503)
    with pytest.raises(IndexUnreachableError):
        asker.ask()


def test_offline_takes_an_answer_of_any_age(asker: Asker) -> None:
    first = asker.ask()
    asker.time += 10_000_000
    url = f"{asker.index.url}/simple/six/"
    assert asker.offline().get(url, accept=SIMPLE_JSON, lifetime=0).body == first.body
    assert asker.index.count() == 1


def test_offline_without_an_answer_is_an_error(asker: Asker) -> None:
    with pytest.raises(OfflineError, match="/simple/six/ is not in the cache"):
        asker.offline().get(f"{asker.index.url}/simple/six/", accept=SIMPLE_JSON, lifetime=0)


def test_a_damaged_answer_is_asked_for_again(asker: Asker) -> None:
    first = asker.ask()
    (path,) = (asker.cache.root / "answers").glob("*/*")
    path.write_bytes(path.read_bytes()[:-1])
    assert asker.ask().body == first.body
    assert asker.index.count() == 2


def test_an_answer_of_another_layout_is_asked_for_again(asker: Asker) -> None:
    asker.ask()
    (path,) = (asker.cache.root / "answers").glob("*/*")
    asker.cache.write("answers", path.name, b"{}", head=b'{"status": "new"}')
    assert asker.ask().body != b"{}"


def test_redirects_are_remembered_without_credentials(asker: Asker) -> None:
    target = f"{asker.index.url}/simple/six/"
    asker.index.fail("/old/", status=302, headers={"location": target.replace("//", "//user:secret@")})
    asker.ask("/old/six/")
    assert asker.ask("/old/six/").url == target
    assert b"secret" not in b"".join(p.read_bytes() for p in asker.cache.root.glob("answers/*/*"))


def test_a_cache_that_vanishes_between_two_answers_does_no_harm(asker: Asker) -> None:
    asker.ask()
    shutil.rmtree(asker.cache.root)
    assert asker.ask().status == 200
    assert asker.ask().status == 200
    assert asker.index.count() == 2
