"""The two APIs of an index, the way from one to the other, and answers that are neither."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from local_index import SIMPLE_JSON, LocalIndex
from packaging.utils import canonicalize_name
from wheelhouse import WheelDraft

from layercraft.errors import (
    BadIndexAnswerError,
    IndexUnreachableError,
    OfflineError,
    UnknownPackageError,
)
from layercraft.host.answers import CachedAnswers
from layercraft.host.cache import Cache
from layercraft.host.client import Client
from layercraft.resolution.index import Hashes, Hint, IndexFile
from layercraft.resolution.pypi_json import PypiJsonIndex
from layercraft.resolution.pypi_json import decode as decode_json
from layercraft.resolution.simple import SimpleIndex
from layercraft.resolution.simple import decode as decode_simple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from layercraft.resolution.index import IndexPage

SIX, SEVEN, NOPE = map(canonicalize_name, ("six", "seven", "nope"))
JSON, SIMPLE = "/pypi/six/json", "/simple/six/"


@pytest.fixture
def server() -> Iterator[LocalIndex]:
    drafts = [WheelDraft(name="six", version=version) for version in ("1.0", "2.0")]
    with LocalIndex(wheels=[*drafts, WheelDraft(name="seven")]) as server:
        yield server


class Asker:
    """Both indexes at one server, with a cache in a folder of their own."""

    def __init__(
        self, server: LocalIndex, folder: Path, *, offline: bool = False, patience: float = 60
    ) -> None:
        self.client = Client(offline=offline, pause=lambda _: None)
        answers = CachedAnswers(self.client, Cache(folder))
        self.simple = SimpleIndex(answers, f"{server.url}/simple")
        self.json = PypiJsonIndex(answers, server.url, self.simple, patience=patience)


@pytest.fixture
def asker(server: LocalIndex, tmp_path: Path) -> Iterator[Asker]:
    asker = Asker(server, tmp_path)
    with asker.client:
        yield asker


def paths(server: LocalIndex) -> list[str]:
    return [request.path for request in server.requests]


def by_name(page: IndexPage) -> dict[str, IndexFile]:
    return {file.filename: file for file in page.files}


def test_both_apis_give_the_same_files(server: LocalIndex, asker: Asker) -> None:
    pages = [asker.json.page(SIX), asker.simple.page(SIX)]
    assert paths(server) == [JSON, SIMPLE]
    assert by_name(pages[0]) == by_name(pages[1])
    assert set(by_name(pages[0])) == {"six-1.0-py3-none-any.whl", "six-2.0-py3-none-any.whl"}
    assert [page.url for page in pages] == [server.url + JSON, server.url + SIMPLE]


def test_the_simple_api_is_asked_for_json(server: LocalIndex, asker: Asker) -> None:
    asker.simple.page(SIX)
    assert server.requests[0].headers["accept"] == SIMPLE_JSON


def test_the_simple_index_never_asks_the_json_api(server: LocalIndex, asker: Asker) -> None:
    asker.simple.page(SIX)
    with pytest.raises(UnknownPackageError):
        asker.simple.page(NOPE)
    assert paths(server) == [SIMPLE, "/simple/nope/"]


def test_without_releases_the_simple_api_is_asked_and_remembered(server: LocalIndex, asker: Asker) -> None:
    server.releases = False
    assert len(asker.json.page(SIX).files) == 2
    asker.json.page(SEVEN)
    assert paths(server) == [JSON, SIMPLE, "/simple/seven/"]


def test_without_a_json_api_the_simple_api_is_asked_and_remembered(server: LocalIndex, asker: Asker) -> None:
    server.apis = {"simple"}
    asker.json.page(SIX)
    asker.json.page(SEVEN)
    assert paths(server) == [JSON, SIMPLE, "/simple/seven/"]


@pytest.mark.parametrize("api", ["json", "simple"])
def test_an_unknown_package_costs_two_requests_at_most(server: LocalIndex, asker: Asker, api: str) -> None:
    index = asker.json if api == "json" else asker.simple
    with pytest.raises(UnknownPackageError, match=r"^nope: the index has no package of this name"):
        index.page(NOPE)
    assert len(server.requests) <= 2
    server.forget()
    index.page(SIX)
    assert len(server.requests) == 1, "one package that is missing says nothing of the API"


@pytest.mark.parametrize(
    "body", [b"<!doctype html><title>Welcome</title>", b"not json", b"[]", b"{}", b"\xff\xfe", b""]
)
def test_what_is_no_json_page_leads_to_the_simple_api(server: LocalIndex, asker: Asker, body: bytes) -> None:
    server.fail("/pypi/", status=200, body=body)
    assert len(asker.json.page(SIX).files) == 2


def test_a_package_that_is_gone_is_an_unknown_one(server: LocalIndex, asker: Asker) -> None:
    server.fail("/simple/", status=410)
    with pytest.raises(UnknownPackageError, match=r"^six: the index has no package of this name"):
        asker.simple.page(SIX)


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_of_the_json_api_leads_to_the_simple_api(
    server: LocalIndex, asker: Asker, status: int
) -> None:
    server.fail("/pypi/", status=status)
    assert len(asker.json.page(SIX).files) == 2


def test_html_is_said_to_be_html(server: LocalIndex, asker: Asker) -> None:
    server.fail("/", status=200, body=b"\n<!DOCTYPE html><a href='six-1.0-py3-none-any.whl'>six</a>")
    with pytest.raises(BadIndexAnswerError, match=r"/simple/six/: the index answered HTML$") as caught:
        asker.json.page(SIX)
    assert "PEP 691" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"null",
        b"{}",
        b'{"files": null}',
        b'{"files": [{"filename": "a.whl"}]}',
        b'{"files": [{"filename": 1, "url": "x"}]}',
        b'{"files": [{"filename": "a.whl", "url": "x", "hashes": []}]}',
        b"\xff\xfe\x00",
        b'{"files": [',
    ],
)
def test_garbage_is_refused_with_its_address(server: LocalIndex, asker: Asker, body: bytes) -> None:
    server.fail(SIMPLE, status=200, body=body)
    with pytest.raises(BadIndexAnswerError, match=r"/simple/six/: not a page of the Simple API"):
        asker.simple.page(SIX)


@pytest.mark.parametrize("status", [401, 403])
def test_an_index_that_refuses_is_named_with_a_hint(server: LocalIndex, asker: Asker, status: int) -> None:
    server.fail("/", status=status)
    with pytest.raises(IndexUnreachableError, match=f"answered {status} for six") as caught:
        asker.json.page(SIX)
    assert "password" in (caught.value.hint or "")


def test_an_index_that_is_down_is_unreachable_and_never_an_unknown_package(
    server: LocalIndex, asker: Asker
) -> None:
    server.fail("/", status=503)
    with pytest.raises(IndexUnreachableError, match="answered 503"):
        asker.json.page(SIX)


def test_pages_are_kept_and_serve_offline(server: LocalIndex, asker: Asker, tmp_path: Path) -> None:
    page = asker.json.page(SIX)
    offline = Asker(server, tmp_path, offline=True)
    assert offline.json.page(SIX) == page
    with pytest.raises(OfflineError, match="/pypi/seven/json is not in the cache"):
        offline.json.page(SEVEN)
    assert paths(server) == [JSON]


def test_what_a_fallback_found_serves_offline(server: LocalIndex, asker: Asker, tmp_path: Path) -> None:
    server.apis = {"simple"}
    page = asker.json.page(SIX)
    assert Asker(server, tmp_path, offline=True).json.page(SIX) == page


def test_a_page_of_either_api_serves_offline(server: LocalIndex, asker: Asker, tmp_path: Path) -> None:
    page = asker.simple.page(SIX)
    assert Asker(server, tmp_path, offline=True).json.page(SIX) == page


def test_a_slow_json_api_is_overtaken_by_the_simple_api(server: LocalIndex, tmp_path: Path) -> None:
    server.fail("/pypi/", delay=0.5)
    asker = Asker(server, tmp_path, patience=0.01)
    with asker.client:
        assert asker.json.page(SIX).url == server.url + SIMPLE
        with pytest.raises(UnknownPackageError):
            asker.json.page(NOPE)
        assert server.count("/pypi/nope/") == server.count("/simple/nope/") == 1
        server.fail("/simple/", status=503)
        assert asker.json.page(SEVEN).url == f"{server.url}/pypi/seven/json"


def test_addresses_are_relative_to_the_page_that_answered_in_the_end(
    server: LocalIndex, asker: Asker
) -> None:
    server.fail("/simple/nope/", status=301, headers={"location": "../six/"})
    assert asker.simple.page(NOPE).url == server.url + SIMPLE


FILE: dict[str, Any] = {"filename": "a-1-py3-none-any.whl", "url": "../a.whl"}


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ({}, {}),
        ({"hashes": {"sha256": "ab", "md5": "cd"}}, {"hashes": Hashes(sha256="ab")}),
        ({"hashes": {"md5": "cd"}}, {"hashes": Hashes()}),
        ({"requires-python": ">=3.9", "size": 5}, {"requires_python": ">=3.9", "size": 5}),
        ({"requires-python": None, "size": None}, {}),
        ({"yanked": True}, {"yanked": True}),
        ({"yanked": "broken"}, {"yanked": "broken"}),
        ({"yanked": False, "upload-time": "2026-01-01", "gpg-sig": True}, {}),
        ({"core-metadata": True}, {"core_metadata": True}),
        ({"core-metadata": {"sha256": "ab"}}, {"core_metadata": Hashes(sha256="ab")}),
        ({"core-metadata": False}, {"core_metadata": False}),
    ],
)
def test_a_file_of_the_simple_api(told: dict[str, Any], read: dict[str, Any]) -> None:
    body = json.dumps({"meta": {"api-version": "1.3"}, "name": "a", "files": [FILE | told]}).encode()
    assert decode_simple(body, "https://h.example/") == (IndexFile(**FILE, **read),)


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ({}, {}),
        ({"digests": {"sha256": "ab", "md5": "cd"}}, {"hashes": Hashes(sha256="ab")}),
        ({"requires_python": ">=3.9", "size": 5}, {"requires_python": ">=3.9", "size": 5}),
        ({"yanked": True, "yanked_reason": None}, {"yanked": True}),
        ({"yanked": True, "yanked_reason": ""}, {"yanked": True}),
        ({"yanked": True, "yanked_reason": "broken"}, {"yanked": "broken"}),
        ({"yanked": False, "yanked_reason": "once"}, {}),
        ({"yanked": None}, {}),
        ({"core-metadata": {"sha256": "ab"}}, {"core_metadata": Hashes(sha256="ab")}),
        ({"packagetype": "bdist_wheel", "downloads": -1, "comment_text": None}, {}),
    ],
)
def test_a_file_of_the_json_api(told: dict[str, Any], read: dict[str, Any]) -> None:
    body = json.dumps({"info": {}, "releases": {"0": [], "1": [FILE | told]}, "urls": []}).encode()
    page = decode_json(body, "https://h.example/")
    assert page is not None
    assert page.files == (IndexFile(**FILE, **read),)


@pytest.mark.parametrize(
    ("info", "hint"),
    [
        ({}, None),
        ({"version": None}, None),
        ({"version": "1", "requires_dist": None}, Hint(version="1", requires=())),
        ({"version": "1", "requires_dist": ["b>2"]}, Hint(version="1", requires=("b>2",))),
        ({"version": 1, "requires_dist": ["b>2"]}, None),
        ({"version": "1", "requires_dist": ["b>2", 2]}, None),
        ({"version": "1", "requires_dist": {"b": 2}}, None),
        (None, None),
        ("HTML", None),
    ],
)
def test_what_the_json_api_says_of_the_newest_version_is_a_hint(info: object, hint: Hint | None) -> None:
    page = decode_json(json.dumps({"info": info, "releases": {}}).encode(), "https://h.example/")
    assert page is not None
    assert page.hint == hint
