"""Where true dependencies come from, and how many requests that costs."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest
from index_pages import Hosted
from local_index import LocalIndex
from packaging.utils import canonicalize_name
from packaging.version import Version
from shelf import TARGET
from wheelhouse import RawMember, RawZip, WheelDraft, sha256

from layercraft.errors import BadWheelError, HashMismatchError, IndexUnreachableError, OfflineError
from layercraft.host.answers import CachedAnswers
from layercraft.host.cache import Cache
from layercraft.host.client import Client
from layercraft.resolution.candidates import Candidate, WheelSelector
from layercraft.resolution.index import Hashes, IndexFile
from layercraft.resolution.metadata import WheelMetadata
from layercraft.resolution.simple import SimpleIndex

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SMALL = WheelDraft(name="small", requires=["b>=1"], extras={"x": ["c"]}, requires_python=">=3.9")
PADDING = {f"{number}.bin": hashlib.sha512(b"%d" % number).digest() * 2000 for number in range(3)}
LARGE = WheelDraft(name="large", files={**PADDING, "large.py": b""}, stored=PADDING, requires=["b"])
MANY = WheelDraft(
    name="many", files={f"many/{'x' * 30}{number}.py": b"" for number in range(3000)}, requires=["b"]
)
WHEELS = [(draft.filename, draft.packed()) for draft in (SMALL, LARGE, MANY)]


@pytest.fixture
def index() -> Iterator[LocalIndex]:
    with LocalIndex(wheels=WHEELS) as index:
        yield index


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(pause=lambda _: None) as client:
        yield client


@pytest.fixture
def source(client: Client, cache: Cache) -> WheelMetadata:
    return WheelMetadata(client, cache, patience=60)  # nothing is late, however busy the machine


def candidate(index: LocalIndex, source: WheelMetadata, name: str) -> Candidate:
    """Give what the index has of a package, and forget that it was asked."""
    simple = SimpleIndex(CachedAnswers(source.client, source.cache), f"{index.url}/simple")
    normalized = canonicalize_name(name)
    (found,) = WheelSelector(TARGET).candidates(normalized, simple.page(normalized)).listed
    index.requests.clear()
    return found


def asked(index: LocalIndex) -> list[str]:
    """Tell the requests for files: `.metadata`, `range` or `whole`."""
    ways = {(True, False): ".metadata", (False, True): "range", (False, False): "whole"}
    return [ways[each.path.endswith(".metadata"), "range" in each.headers] for each in index.requests]


@pytest.mark.parametrize(
    ("name", "metadata", "ranges", "way"),
    [
        ("small", "answered", True, [".metadata"]),
        ("large", "answered", False, [".metadata"]),
        ("small", "absent", True, ["range"]),
        ("large", "absent", True, ["range"]),
        ("many", "absent", True, ["range", "range"]),
        ("small", "broken", True, [".metadata", "range"]),
        ("small", "absent", False, ["range"]),
        ("many", "broken", False, [".metadata", "range"]),
    ],
)
def test_ways_to_metadata(  # noqa: PLR0913 (the case's four columns, and where it plays)
    index: LocalIndex, source: WheelMetadata, name: str, metadata: str, way: list[str], *, ranges: bool
) -> None:
    index.metadata, index.ranges = metadata, ranges  # type: ignore[assignment]
    found = source.metadata(candidate(index, source, name))
    assert found.requires[0] in {"b", "b>=1"}
    assert asked(index) == way


def test_the_fields_are_those_of_the_wheel(index: LocalIndex, source: WheelMetadata) -> None:
    found = source.metadata(candidate(index, source, "small"))
    assert (found.name, found.version, found.requires_python) == ("small", "1.0", ">=3.9")
    assert (found.requires, found.extras) == (("b>=1", 'c; extra == "x"'), ("x",))


def test_a_host_that_advertised_in_vain_is_not_asked_so_again(
    index: LocalIndex, source: WheelMetadata
) -> None:
    index.metadata = "broken"
    wheels = [candidate(index, source, name) for name in ("small", "large", "many")]
    for wheel in wheels:
        source.metadata(wheel)
    assert asked(index) == [".metadata", "range", "range", "range", "range"]


def test_metadata_that_are_late_are_read_from_the_wheel_meanwhile(
    index: LocalIndex, source: WheelMetadata
) -> None:
    source.patience = 0.01
    wheel = candidate(index, source, "small")
    index.fail(f"/files/{wheel.file.filename}.metadata", delay=3)
    began = time.monotonic()
    assert source.metadata(wheel).requires[0] == "b>=1"
    assert time.monotonic() - began < 2
    assert sorted(asked(index)) == [".metadata", "range"]


def test_a_late_answer_is_waited_for_where_there_is_no_other_way(
    index: LocalIndex, source: WheelMetadata
) -> None:
    source.patience = 0.01
    wheel = candidate(index, source, "small")
    index.fail(f"/files/{wheel.file.filename}.metadata", delay=0.3)
    index.fail(f"/files/{wheel.file.filename}", status=403)
    assert source.metadata(wheel).requires[0] == "b>=1"


def test_a_host_without_ranges_is_asked_for_whole_wheels(index: LocalIndex, source: WheelMetadata) -> None:
    """It is still asked for metadata files: a whole wheel costs more than one answer 404."""
    index.metadata, index.ranges = "broken", False
    wheels = [candidate(index, source, name) for name in ("small", "large", "many")]
    for wheel in wheels:
        source.metadata(wheel)
    assert asked(index) == [".metadata", "range", ".metadata", "whole", ".metadata", "whole"]


@pytest.mark.parametrize(
    "refusal",
    [
        {"status": 416},
        {"status": 206, "body": b"PK"},
        {"status": 206, "body": b"PK", "headers": {"content-range": "bytes 0-1/*"}},
        {"status": 206, "body": b"PK", "headers": {"content-range": "bytes 0-1/100"}},
        {"status": 206, "body": b"PK", "headers": {"content-range": "bytes 98-110/111"}},
    ],
)
def test_a_host_that_misunderstands_ranges_is_asked_for_the_whole_wheel(
    index: LocalIndex, source: WheelMetadata, refusal: dict[str, object]
) -> None:
    index.metadata = "absent"
    wheel = candidate(index, source, "small")
    index.fail("/files/", times=1, **refusal)
    assert source.metadata(wheel).requires[0] == "b>=1"
    assert asked(index) == ["range", "whole"]


def test_what_was_read_is_kept_by_sha256(index: LocalIndex, source: WheelMetadata, cache: Cache) -> None:
    wheel = candidate(index, source, "small")
    first = source.metadata(wheel)
    with Client(offline=True) as offline:
        assert WheelMetadata(offline, cache).metadata(wheel) == first
        assert (
            WheelMetadata(offline, cache).metadata(replace(wheel, url="https://mirror.example/s.whl"))
            == first
        )
    assert asked(index) == [".metadata"]


def test_offline_a_missing_file_is_named(index: LocalIndex, source: WheelMetadata, cache: Cache) -> None:
    wheel = candidate(index, source, "small")
    with Client(offline=True) as offline, pytest.raises(OfflineError, match=r"small-1\.0-py3-none-any\.whl"):
        WheelMetadata(offline, cache).metadata(wheel)


def test_a_metadata_file_must_have_the_sha256_that_the_index_tells(
    index: LocalIndex, source: WheelMetadata, cache: Cache
) -> None:
    wheel = candidate(index, source, "small")
    index.fail("/files/", flip=True)
    with pytest.raises(HashMismatchError, match=r"^small-1\.0-py3-none-any\.whl\.metadata: "):
        source.metadata(wheel)
    assert not (cache.root / "metadata").exists()


def test_an_index_may_advertise_metadata_without_a_hash(index: LocalIndex, source: WheelMetadata) -> None:
    wheel = candidate(index, source, "small")
    file = msgspec.structs.replace(wheel.file, core_metadata=True)
    assert source.metadata(replace(wheel, file=file)).requires[0] == "b>=1"
    assert asked(index) == [".metadata"]


def test_a_whole_wheel_must_have_its_sha256(index: LocalIndex, source: WheelMetadata) -> None:
    index.metadata, index.ranges = "absent", False
    wheel = candidate(index, source, "small")
    index.fail("/files/", flip=True)
    with pytest.raises(HashMismatchError, match=r"^small-1\.0-py3-none-any\.whl: "):
        source.metadata(wheel)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_file_is_named_with_its_host(index: LocalIndex, source: WheelMetadata, status: int) -> None:
    wheel = candidate(index, source, "small")
    index.fail("/files/", status=status)
    with pytest.raises(IndexUnreachableError, match=rf"^127\.0\.0\.1:\d+/files/small-1\S+ answered {status}"):
        source.metadata(wheel)


def test_an_address_without_http_is_refused(index: LocalIndex, source: WheelMetadata) -> None:
    wheel = candidate(index, source, "small")
    for url in ("file:///etc/passwd", "ftp://host.example/a.whl"):
        with pytest.raises(IndexUnreachableError, match="no http or https address"):
            source.metadata(replace(wheel, url=url))


LIES = {
    "of another package": (
        b"Metadata-Version: 2.1\nName: other\nVersion: 1.0\n",
        "of another package, other",
    ),
    "of another version": (b"Metadata-Version: 2.1\nName: lie\nVersion: 2.0\n", "of another version, 2.0"),
    "of no version": (b"Metadata-Version: 2.1\nName: lie\nVersion: one\n", "of another version, one"),
    "no metadata": (b"<html></html>", "METADATA cannot be read"),
    "empty": (b"", "METADATA cannot be read"),
}


@pytest.mark.parametrize(("metadata", "why"), LIES.values(), ids=LIES)
@pytest.mark.parametrize("way", ["answered", "absent"])
def test_metadata_that_are_not_the_wheels_own_are_refused_and_not_kept(
    cache: Cache, client: Client, metadata: bytes, why: str, way: str
) -> None:
    member = RawMember(name=b"lie-1.0.dist-info/METADATA", data=metadata)
    lying = Hosted(filename="lie-1.0-py3-none-any.whl", data=RawZip(members=[member]).packed())
    with LocalIndex(wheels=[lying]) as index:
        index.metadata = way  # type: ignore[assignment]
        source = WheelMetadata(client, cache)
        with pytest.raises(BadWheelError, match=rf"^lie-1\.0-py3-none-any\.whl: .*{why}"):
            source.metadata(candidate(index, source, "lie"))
    assert not (cache.root / "metadata").exists()


def test_another_spelling_of_name_and_version_is_no_lie(cache: Cache, client: Client) -> None:
    metadata = b"Metadata-Version: 2.1\nName: Lie.Lie\nVersion: 1.0.0\nRequires-Dist: b\n"
    member = RawMember(name=b"Lie_Lie-1.0.dist-info/METADATA", data=metadata)
    wheel = Hosted(filename="lie_lie-1.0-py3-none-any.whl", data=RawZip(members=[member]).packed())
    with LocalIndex(wheels=[wheel]) as index:
        index.metadata = "absent"
        source = WheelMetadata(client, cache)
        assert source.metadata(candidate(index, source, "lie-lie")).requires == ("b",)


NO_WHEELS = {
    "no zip": b"no zip at all",
    "nothing": b"",
    "without METADATA": RawZip(members=[RawMember(name=b"lie.py")]).packed(),
    "METADATA in a deeper folder": RawZip(members=[RawMember(name=b"x/lie-1.0.dist-info/METADATA")]).packed(),
    "METADATA of a neighbour": RawZip(members=[RawMember(name=b"liar-1.0.dist-info/METADATA")]).packed(),
    "broken METADATA": RawZip(
        members=[RawMember(name=b"lie-1.0.dist-info/METADATA", packed=b"\xff\xff")]
    ).packed(),
}


@pytest.mark.parametrize("data", NO_WHEELS.values(), ids=NO_WHEELS)
@pytest.mark.parametrize("ranges", [True, False])
def test_a_file_that_is_no_wheel_is_refused_by_name(
    cache: Cache, client: Client, data: bytes, *, ranges: bool
) -> None:
    filename = "lie-1.0-py3-none-any.whl"
    with LocalIndex(wheels=[(filename, data)]) as index:
        index.ranges = ranges
        url = f"{index.url}/files/{filename}"
        lying = Candidate(
            name=canonicalize_name("lie"),
            version=Version("1.0"),
            file=IndexFile(filename=filename, url=url, hashes=Hashes(sha256=sha256(data))),
            url=url,
        )
        with pytest.raises(BadWheelError, match=r"^lie-1\.0-py3-none-any\.whl: "):
            WheelMetadata(client, cache).metadata(lying)


def test_a_server_that_sends_other_ranges_than_asked_for_is_found_out(
    index: LocalIndex, source: WheelMetadata
) -> None:
    index.metadata = "absent"
    wheel = candidate(index, source, "many")
    tail = {"status": 206, "body": b"P" * 65536, "headers": {"content-range": "bytes 434464-499999/500000"}}
    index.fail("/files/", **tail)
    with pytest.raises(BadWheelError, match=r"^many-1\.0"):
        source.metadata(wheel)
