"""What is known of wheels that lie on a server, and how many bytes that costs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from local_index import LocalIndex
from packaging.utils import canonicalize_name
from trees import noise
from wheelhouse import RawMember, RawZip, WheelDraft, sha256, zip_bytes

from layercraft.errors import BadLockError, BadWheelError, IndexUnreachableError, OfflineError
from layercraft.events import SilentReporter
from layercraft.host.cache import Cache
from layercraft.host.client import Client
from layercraft.resolution.pins import Pin
from layercraft.wheels.inspection import Wheel, inspect
from layercraft.wheels.remote import RemoteWheels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILENAME = "big-1.0-py3-none-any.whl"
BIG = WheelDraft(
    name="big",
    files={f"big/{number}.bin": noise(10_000, number) for number in range(100)},
    data={"scripts/tool": b"#!python\nx = 1\n", "scripts/shell": b"#!/bin/sh\n", "scripts/none": b""},
)


@pytest.fixture
def index() -> Iterator[LocalIndex]:
    with LocalIndex() as index:
        yield index


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(pause=lambda _: None) as client:
        yield client


def hosted(index: LocalIndex, data: bytes, filename: str = FILENAME, size: int | None = None) -> Pin:
    """Host a wheel, and give its pin."""
    index.add((filename, data))
    return Pin(
        name=canonicalize_name(filename.partition("-")[0]),
        version="1.0",
        filename=filename,
        url=f"{index.url}/files/{filename}",
        path=None,
        sha256=sha256(data),
        size=size,
    )


def known(wheel: Wheel) -> dict[str, object]:
    """Give what the tree reads of a wheel, offsets apart."""
    members = [
        (each.name, each.method, each.crc, each.packed_size, each.size, each.mode) for each in wheel.members
    ]
    return {"name": wheel.name, "version": wheel.version, "texts": dict(wheel.texts), "members": members}


def on_disk(folder: Path, data: bytes) -> Wheel:
    path = folder / FILENAME
    path.write_bytes(data)
    return inspect(path, FILENAME, sha256(data), Cache(folder / "none"), check=False)


def commented(draft: WheelDraft) -> bytes:
    return zip_bytes(draft.contents(), comment=b"long" * 5000)


def record_first(draft: WheelDraft) -> bytes:
    return zip_bytes(dict(sorted(draft.contents().items(), key=lambda item: "RECORD" not in item[0])))


def spread(draft: WheelDraft) -> bytes:
    """Give a wheel whose local headers have extra fields, and folders of their own."""
    extra = b"\1\1\4\0abcd"
    members = [RawMember(name=n.encode(), data=d, local_extra=extra) for n, d in draft.contents().items()]
    return RawZip(members=[RawMember(name=b"big/", data=b"", method=0), *members]).packed()


SHAPES = {"usual": WheelDraft.packed, "commented": commented, "RECORD first": record_first, "extras": spread}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("told", [True, False], ids=["size told", "size untold"])
def test_a_remote_wheel_is_known_as_one_on_disk(  # noqa: PLR0913 (the case, and where it plays)
    index: LocalIndex, cache: Cache, client: Client, tmp_path: Path, shape: str, *, told: bool
) -> None:
    data = SHAPES[shape](BIG)
    pin = hosted(index, data, size=len(data) if told else None)
    with RemoteWheels(client, cache) as remote:
        (wheel,) = remote.wait([pin])
    assert known(wheel) == known(on_disk(tmp_path, data))
    assert all("range" in request.headers for request in index.requests)
    assert remote.lengths == {pin.sha256: len(data)}
    assert remote.fetched < len(data) / 5
    assert not cache.root.exists()


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.dictionaries(
        st.from_regex(r"[a-zé]{1,9}(/[a-z]{1,9}){0,2}\.(py|so)", fullmatch=True),
        st.binary(max_size=3000),
        max_size=60,
    )
)
def test_any_honest_wheel_is_known_as_one_on_disk(
    index: LocalIndex, client: Client, tmp_path: Path, files: dict[str, bytes]
) -> None:
    data = WheelDraft(name="big", files=files).packed()
    with RemoteWheels(client, Cache(tmp_path / "cache")) as remote:
        (wheel,) = remote.wait([hosted(index, data, size=len(data))])
    assert known(wheel) == known(on_disk(tmp_path, data))


def test_a_usual_wheel_costs_two_requests_at_most(index: LocalIndex, cache: Cache, client: Client) -> None:
    draft = WheelDraft(
        name="big",
        files={f"big/usual_name/of_a_{number}_module.py": noise(3000, number) for number in range(500)},
    )
    data = draft.packed()
    with RemoteWheels(client, cache) as remote:
        remote.wait([hosted(index, data, size=len(data))])
    assert index.count("/files/") <= 2


def test_a_wheel_of_the_cache_or_of_the_disk_is_read_there(
    index: LocalIndex, cache: Cache, client: Client, tmp_path: Path
) -> None:
    data = BIG.packed()
    pin = hosted(index, data)
    with cache.temporary() as temporary:
        temporary.write_bytes(data)
        cache.adopt(temporary, pin.sha256)
    path = BIG.write(tmp_path)
    local = replace(pin, url=None, path=path)
    for each in (pin, local):
        with RemoteWheels(client, cache) as remote:
            (wheel,) = remote.wait([each])
        assert wheel.path.read_bytes() == data
        assert (remote.fetched, remote.lengths) == (0, {pin.sha256: len(data)})
    assert index.requests == []


@dataclass
class Listener(SilentReporter):
    """A reporter that keeps the notices."""

    notices: list[str] = field(default_factory=list)

    def notice(self, text: str) -> None:
        """Keep it."""
        self.notices.append(text)


def test_without_ranges_whole_wheels_are_downloaded_and_that_is_told_once(
    index: LocalIndex, cache: Cache, client: Client
) -> None:
    index.ranges = False
    pins = [hosted(index, WheelDraft(name=name).packed(), f"{name}-1.0-py3-none-any.whl") for name in "abc"]
    listener = Listener()
    with RemoteWheels(client, cache, reporter=listener) as remote:
        wheels = remote.wait(pins)
    assert [wheel.name for wheel in wheels] == ["a", "b", "c"]
    assert all(cache.wheel(pin.sha256) for pin in pins)
    assert len(listener.notices) == 1
    assert "gives no parts of files, so whole wheels are downloaded" in listener.notices[0]
    assert remote.fetched == sum(remote.lengths.values())


def test_a_wheel_without_an_address_is_told(index: LocalIndex, cache: Cache, client: Client) -> None:
    pin = hosted(index, BIG.packed())
    with RemoteWheels(client, cache) as remote, pytest.raises(BadLockError, match="neither a url nor a path"):
        remote.wait([replace(pin, url=None)])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"no zip", "no zip file, or cut short"),
        (BIG.packed()[:-3000], "no zip file, or cut short"),
        (WheelDraft(name="big", without=["RECORD"]).packed(), "RECORD missing"),
        (WheelDraft(name="other").packed(), r"not one \.dist-info folder of big"),
    ],
)
def test_what_is_no_wheel_is_refused_by_name(
    index: LocalIndex, cache: Cache, client: Client, data: bytes, why: str
) -> None:
    with RemoteWheels(client, cache) as remote, pytest.raises(BadWheelError, match=rf"^{FILENAME}: .*{why}"):
        remote.wait([hosted(index, data)])


def test_offline_and_refused_wheels_are_told(index: LocalIndex, cache: Cache, client: Client) -> None:
    pin = hosted(index, BIG.packed())
    with Client(offline=True) as offline, RemoteWheels(offline, cache) as remote, pytest.raises(OfflineError):
        remote.wait([pin])
    index.fail("/files/", status=403)
    with RemoteWheels(client, cache) as remote, pytest.raises(IndexUnreachableError, match="answered 403"):
        remote.wait([pin])
