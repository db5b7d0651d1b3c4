from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest
from local_index import LocalIndex
from packaging.utils import canonicalize_name
from wheelhouse import WheelDraft

from layercraft.errors import OfflineError, UsageError
from layercraft.recipe.requirements import RequirementsInput
from layercraft.resolution.resolver import resolve
from layercraft.sources import default_cache_dir, index_root, open_sources
from layercraft.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TARGET = Target.parse("3.13", "x86_64")
SIX = canonicalize_name("six")


@pytest.fixture
def server() -> Iterator[LocalIndex]:
    with LocalIndex(wheels=[WheelDraft(name="six", requires=["seven"]), WheelDraft(name="seven")]) as server:
        yield server


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("https://index.example", "https://index.example"),
        ("https://index.example/", "https://index.example"),
        ("https://index.example/simple", "https://index.example"),
        ("https://index.example/simple/", "https://index.example"),
        ("http://127.0.0.1:8080/repo/simple//", "http://127.0.0.1:8080/repo"),
        ("https://index.example/simplest", "https://index.example/simplest"),
    ],
)
def test_an_index_url_is_what_pip_takes_or_the_root_above(url: str, root: str) -> None:
    assert index_root(url) == root


@pytest.mark.parametrize(
    "url",
    [
        "",
        "index.example/simple",
        "/srv/wheels",
        "file:///srv/wheels",
        "ftp://index.example",
        "https://",
        "http://[",
    ],
)
def test_what_is_no_web_address_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not an http or https address"):
        index_root(url)
    with open_sources(cache_dir=tmp_path) as sources, pytest.raises(UsageError):
        sources.index(url or "none")


@pytest.mark.parametrize(
    "url", ["https://user:secret@index.example/simple", "https://token@index.example/simple"]
)
def test_an_index_url_with_credentials_is_refused_without_showing_them(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        index_root(url)
    told = f"{caught.value.message} {caught.value.hint}"
    assert "index.example" in told
    assert "secret" not in told
    assert "token@" not in told


@pytest.mark.parametrize(("api", "path"), [("json", "/pypi/six/json"), ("simple", "/simple/six/")])
@pytest.mark.parametrize("suffix", ["", "/", "/simple", "/simple/"])
def test_the_api_chosen_is_asked(
    server: LocalIndex, tmp_path: Path, api: Literal["json", "simple"], path: str, suffix: str
) -> None:
    with open_sources(cache_dir=tmp_path, index_url=server.url + suffix, index_api=api) as sources:
        assert sources.index().page(SIX).files
    asked = [request.path for request in server.requests]
    assert path in asked
    assert api == "json" or asked == [path]


def test_a_simple_folder_of_another_name_is_asked_as_it_is(server: LocalIndex, tmp_path: Path) -> None:
    with open_sources(
        cache_dir=tmp_path, index_url=f"{server.url}/root/+simple/", index_api="simple"
    ) as sources:
        server.fail("/root/+simple/six/", status=301, headers={"location": "/simple/six/"})
        assert sources.index().page(SIX).files
    assert server.requests[0].path == "/root/+simple/six/"


def test_the_callers_index_goes_before_the_recipes(server: LocalIndex, tmp_path: Path) -> None:
    with open_sources(cache_dir=tmp_path, index_url=server.url) as sources:
        assert sources.index("https://recipe.example").page(SIX).files
    with open_sources(cache_dir=tmp_path / "other") as sources:
        assert sources.index(f"{server.url}/simple").page(SIX).files


def test_a_second_resolution_asks_nothing_and_offline_gives_the_same(
    server: LocalIndex, tmp_path: Path
) -> None:
    def lock(*, offline: bool = False) -> object:
        with open_sources(
            cache_dir=tmp_path, index_url=server.url, index_api="simple", offline=offline
        ) as sources:
            wanted = RequirementsInput.of(["six"])
            return resolve(wanted, TARGET, sources.index(), sources.metadata).lock

    first = lock()
    server.forget()
    assert lock() == first
    assert lock(offline=True) == first
    assert server.count() == 0


def test_offline_an_empty_cache_says_what_is_missing(server: LocalIndex, tmp_path: Path) -> None:
    with open_sources(cache_dir=tmp_path, index_url=server.url, offline=True) as sources:
        with pytest.raises(OfflineError, match="/pypi/six/json is not in the cache") as caught:
            resolve(RequirementsInput.of(["six"]), TARGET, sources.index(), sources.metadata)
        assert "--offline" in (caught.value.hint or "")
    assert server.count() == 0


def test_offline_says_which_metadata_are_missing(server: LocalIndex, tmp_path: Path) -> None:
    with open_sources(cache_dir=tmp_path, index_url=server.url) as sources:
        sources.index().page(SIX)
    with (
        open_sources(cache_dir=tmp_path, index_url=server.url, offline=True) as sources,
        pytest.raises(OfflineError, match=r"/files/six-1\.0-py3-none-any\.whl"),
    ):
        resolve(RequirementsInput.of(["six"]), TARGET, sources.index(), sources.metadata)


def test_opening_sources_writes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    with open_sources(cache_dir=folder):
        pass
    assert not folder.exists()


def test_the_default_cache_lies_in_the_users_cache_folder() -> None:
    assert "layercraft" in default_cache_dir().parts
