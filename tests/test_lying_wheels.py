"""Wheels that lie, all the way from an index to the output folder."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

import pytest
from wheelhouse import RawMember, RawZip, WheelDraft

if TYPE_CHECKING:
    from command_line import CommandLine
    from local_index import LocalIndex

HONEST = WheelDraft(name="victim", version="2.0")
WHEEL = HONEST.filename
TEXT = b"x = 1\n" * 20
ZIP64_END = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, 46, 40)
OLD = {
    "pylock.victim_3_13_x86_64.toml": b"the old lock",
    "victim_3_13_x86_64.json": b"the old record",
    "victim_3_13_x86_64.zip": b"the old zip",
}


def wheel(*lies: RawMember, before_end: bytes = b"") -> bytes:
    """Give an honest wheel with some more members."""
    honest = [RawMember(name=name.encode(), data=data) for name, data in HONEST.contents().items()]
    return RawZip(members=[*honest, *lies], before_end=before_end).packed()


def named(name: bytes) -> bytes:
    return wheel(RawMember(name=name))


def claiming(**fields: int) -> bytes:
    """Give a wheel with a member whose two headers tell this."""
    return wheel(RawMember(name=b"evil.py", data=TEXT, local=fields, central=fields))


LIES = {
    "leads out": (named(b"../evil.py"), r"unsafe path '\.\./evil\.py'"),
    "absolute": (named(b"/etc/evil.py"), "unsafe path '/etc/evil.py'"),
    "backslash": (named(b"..\\evil.py"), "unsafe path"),
    "drive": (named(b"C:evil.py"), "unsafe path 'C:evil.py'"),
    "out of its data": (named(b"victim-2.0.data/purelib/../../evil.py"), "unsafe path"),
    "encrypted": (claiming(flags=1), "evil.py: .*encrypted"),
    "no size": (claiming(size=0xFFFFFFFF), "evil.py: .*0xFFFFFFFF"),
    "zip64": (wheel(before_end=ZIP64_END), "zip64 end record"),
    "unknown method": (claiming(method=12), "evil.py: .*method 12"),
    "two sizes": (wheel(RawMember(name=b"evil.py", data=TEXT, local={"size": 119})), "evil.py: .*size"),
    "overlapping": (claiming(packed_size=400), "evil.py: .*(overlaps|reaches)"),
    "wrong CRC": (claiming(crc=1), "evil.py: .*CRC"),
    "broken data": (wheel(RawMember(name=b"evil.py", data=TEXT, packed=b"\xff" * 15)), "evil.py: "),
    "of another name": (
        WheelDraft(name="other", version="2.0").packed(),
        "METADATA is of another package, other",
    ),
    "without RECORD": (WheelDraft(name="victim", version="2.0", without=["RECORD"]).packed(), "RECORD"),
}


@pytest.fixture
def lying(layercraft: CommandLine) -> CommandLine:
    """Give a command line in whose output folder an older layer lies."""
    layercraft.outputs.mkdir()
    for name, data in OLD.items():
        (layercraft.outputs / name).write_bytes(data)
    return layercraft


def refused(layercraft: CommandLine) -> str:
    """Build, see that all is as it was, and give the refusal."""
    ran = layercraft("build", "--require", "victim==2.0")
    assert (ran.code, ran.out) == (1, "")
    assert {path.name: path.read_bytes() for path in layercraft.outputs.iterdir()} == OLD
    assert WHEEL in ran.err
    return ran.err


@pytest.mark.parametrize("lie", LIES)
def test_a_wheel_that_lies_is_refused_by_name(lying: CommandLine, index: LocalIndex, lie: str) -> None:
    data, why = LIES[lie]
    index.add((WHEEL, data))
    message = refused(lying)
    assert re.search(f"{re.escape(WHEEL)}: .*{why}", message), message


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"flip": True}, "has sha256"),
        ({"body": HONEST.packed()[:-100]}, "bytes, expected"),
        ({"body": HONEST.packed() + b"more"}, "has more than"),
        ({"body": b"<html>Please log in</html>"}, "bytes, expected"),
    ],
)
def test_a_download_that_is_not_what_the_index_told_is_refused_by_name(
    lying: CommandLine, index: LocalIndex, change: dict[str, bytes], why: str
) -> None:
    index.add(HONEST)
    index.fail(f"/files/{WHEEL}.metadata")  # answered as it should be
    index.fail(f"/files/{WHEEL}", **change)
    assert why in refused(lying)
    assert not list(lying.cache.glob("wheels/*/*"))
    assert not list(lying.cache.glob("temporary/*"))
