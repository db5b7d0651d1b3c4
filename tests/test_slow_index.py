"""An index whose JSON API does not begin to answer: the Simple API is asked as well."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from local_index import LocalIndex
from packaging.utils import canonicalize_name
from wheelhouse import WheelDraft

from layercraft.errors import UnknownPackageError
from layercraft.resolution.pypi_json import PypiJsonIndex
from layercraft.resolution.simple import SimpleIndex
from layercraft.sources import open_sources

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIX, NOPE = map(canonicalize_name, ("six", "nope"))
SLOW = 3.0  # seconds


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalIndex]:
    wheel = WheelDraft(name="six", version="1.0").write(tmp_path)
    with LocalIndex(wheels=[wheel]) as index:
        yield index


def test_a_json_page_that_is_slow_to_begin_is_given_by_the_simple_api(
    server: LocalIndex, tmp_path: Path
) -> None:
    server.fail("/pypi/six/json", delay=SLOW)
    with open_sources(cache_dir=tmp_path / "cache", index_url=server.url) as sources:
        started = time.monotonic()
        page = sources.index().page(SIX)
    assert time.monotonic() - started < SLOW
    assert [file.filename for file in page.files] == ["six-1.0-py3-none-any.whl"]
    assert "/simple/six/" in page.url


def test_a_json_page_that_is_there_in_time_costs_no_second_request(
    server: LocalIndex, tmp_path: Path
) -> None:
    with open_sources(cache_dir=tmp_path / "cache", index_url=server.url) as sources:
        simple = SimpleIndex(sources.answers, f"{server.url}/simple")
        PypiJsonIndex(sources.answers, server.url, simple, patience=60).page(SIX)
    assert server.count("/simple/") == 0


def test_a_slow_answer_that_there_is_no_such_package_is_believed(server: LocalIndex, tmp_path: Path) -> None:
    server.fail("/pypi/nope/json", delay=0.5)
    with (
        open_sources(cache_dir=tmp_path / "cache", index_url=server.url) as sources,
        pytest.raises(UnknownPackageError),
    ):
        sources.index().page(NOPE)
