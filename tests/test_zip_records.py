from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wheelhouse import RawMember, RawZip, WheelDraft, raw_deflate, zip_bytes

from layercraft.errors import BadWheelError
from layercraft.formats.zip_records import (
    Member,
    ReadAt,
    locate,
    read_data,
    read_directory,
    read_members,
)

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = b"x = 1\n" * 20
ZIP64_EXTRA = struct.pack("<HHQQ", 1, 16, 0, 0)
ZIP64_END = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, 46, 40)
ZIP64_LOCATOR = struct.pack("<4sIQI", b"PK\x06\x07", 0, 86, 1)


def reader(data: bytes) -> ReadAt:
    return lambda offset, size: data[offset : offset + size]


def members(data: bytes) -> tuple[Member, ...]:
    return read_members(reader(data), len(data), archive="demo.whl")


class Unseekable(io.BytesIO):
    """A stream that only goes on, so that `zipfile` writes data descriptors."""

    def tell(self) -> int:
        """Refuse, as a pipe does."""
        raise io.UnsupportedOperation


def mode_of(info: zipfile.ZipInfo) -> int:
    return info.external_attr >> 16 & 0o7777


# --- what honest writers write

names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\\"), min_size=1, max_size=20)
extras = st.lists(
    st.builds(lambda data: struct.pack("<HH", 0xCAFE, len(data)) + data, st.binary(max_size=20)), max_size=2
).map(b"".join)
modes = st.sampled_from([0, stat.S_IFREG]).flatmap(lambda kind: st.integers(0, 0o7777).map(kind.__or__))


@st.composite
def zips(draw: st.DrawFn) -> bytes:
    stream = draw(st.sampled_from([io.BytesIO, Unseekable]))()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in draw(st.lists(names, unique=True, max_size=5)):
            info = zipfile.ZipInfo(name)
            info.compress_type = draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
            info.external_attr = draw(modes) << 16
            info.create_system = draw(st.sampled_from([0, 3, 10]))
            info.extra = draw(extras)
            info.comment = draw(st.binary(max_size=10))
            archive.writestr(info, b"" if info.is_dir() else draw(st.binary(max_size=200)))
        archive.comment = draw(st.binary(max_size=50).filter(lambda comment: b"PK" not in comment))
    return stream.getvalue()


@given(zips())
def test_members_are_those_that_zipfile_sees(data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        contents = [archive.read(info) for info in infos]
    found = members(data)

    assert [read_data(reader(data), member, archive="demo.whl") for member in found] == contents
    assert [
        (member.name, member.method, member.crc, member.packed_size, member.size, member.mode)
        for member in found
    ] == [
        (info.filename, info.compress_type, info.CRC, info.compress_size, info.file_size, mode_of(info))
        for info in infos
    ]


def test_an_empty_zip_has_no_members() -> None:
    assert members(zip_bytes({})) == ()


def test_names_without_the_utf8_flag_are_code_page_437() -> None:
    (member,) = members(RawZip(members=[RawMember(name=b"caf\x82.py")]).packed())

    assert member.name == "café.py"


def test_unused_zip64_extras_are_skipped_over() -> None:
    odd = RawMember(name=b"a.py", data=TEXT, local_extra=ZIP64_EXTRA, central_extra=ZIP64_EXTRA)
    data = RawZip(members=[odd, RawMember(name=b"b.py")]).packed()

    assert read_data(reader(data), members(data)[0], archive="demo.whl") == TEXT


def test_zeros_in_a_local_header_are_right_where_a_descriptor_follows() -> None:
    zeros = {"flags": 8, "crc": 0, "packed_size": 0, "size": 0}
    data = RawZip(members=[RawMember(name=b"a.py", local=zeros, central={"flags": 8})]).packed()

    assert members(data)[0].size == 6


def test_folders_are_left_out() -> None:
    data = zip_bytes({"pkg/": b"", "pkg/a.py": b""}, modes={"pkg/": 0o40755})

    assert [member.name for member in members(data)] == ["pkg/a.py"]


def test_the_longest_comment_that_fits_the_tail_is_read_over() -> None:
    assert len(members(zip_bytes({"a.py": b""}, comment=b"." * 65_000))) == 1


def test_a_directory_costs_one_read_when_it_is_near_the_end_and_two_when_it_is_long() -> None:
    for count, expected in ((10, 1), (2000, 2)):
        data = zip_bytes({f"package/module_{number}.py": b"" for number in range(count)})
        reads: list[tuple[int, int]] = []

        def read_at(
            offset: int, size: int, data: bytes = data, reads: list[tuple[int, int]] = reads
        ) -> bytes:
            reads.append((offset, size))
            return data[offset : offset + size]

        directory = read_directory(read_at, len(data), archive="demo.whl")

        assert len(directory.listed) == count
        assert len(reads) == expected


def test_one_member_is_read_without_looking_at_the_others() -> None:
    honest, lying = RawMember(name=b"METADATA", data=TEXT), RawMember(name=b"b.py", local={"method": 0})
    data = RawZip(members=[honest, lying]).packed()

    listed = read_directory(reader(data), len(data), archive="demo.whl").listed[0]
    member = locate(reader(data), listed, archive="demo.whl")

    assert read_data(reader(data), member, archive="demo.whl") == TEXT


# --- what liars write


def evil(**lies: object) -> bytes:
    """Give a zip whose second of three members, evil.py, lies."""
    liar = RawMember(**({"name": b"evil.py", "data": TEXT} | lies))  # type: ignore[arg-type]
    return RawZip(members=[RawMember(name=b"a.py"), liar, RawMember(name=b"b.py")]).packed()


def both(**fields: int) -> dict[str, object]:
    return {"local": fields, "central": fields}


LYING_MEMBERS: dict[str, tuple[bytes, str]] = {
    "encrypted": (evil(**both(flags=1)), "encrypted"),
    "strongly encrypted": (evil(**both(flags=0x41)), "encrypted"),
    "masked headers": (evil(**both(flags=0x2000)), "encrypted"),
    "patch data": (evil(**both(flags=0x20)), "encrypted or a patch"),
    "encrypted in its local header alone": (evil(local={"flags": 1}), "flags differ"),
    "utf-8 in one header alone": (evil(local={"flags": 0x800}), "flags differ"),
    "bzip2": (evil(**both(method=12)), "method 12"),
    "lzma": (evil(**both(method=14)), "method 14"),
    "other method in its local header": (evil(local={"method": 0}), "method or flags differ"),
    "other crc": (evil(local={"crc": 1}), "its CRC is 1 in its local header"),
    "other size": (evil(local={"size": 119}), "its size is 119 in its local header and 120"),
    "other packed size": (evil(local={"packed_size": 1}), "its packed size is 1 in its local header"),
    "zero without a descriptor": (evil(local={"size": 0}), "its size is 0 in its local header"),
    "other size with a descriptor": (evil(local={"size": 1, "flags": 8}), "its size is 1"),
    "other name": (evil(local_name=b"good.py"), "another name"),
    "longer name": (evil(local_name=b"evil.pyc"), "another name"),
    "no local header": (evil(central={"header_offset": 1}), "no local header"),
    "zip64 size": (evil(**both(size=0xFFFFFFFF)), "0xFFFFFFFF"),
    "zip64 packed size": (evil(**both(packed_size=0xFFFFFFFF)), "0xFFFFFFFF"),
    "zip64 offset": (evil(central={"header_offset": 0xFFFFFFFF}), "0xFFFFFFFF"),
    "zip64 size in its local header": (evil(local={"size": 0xFFFFFFFF}), "size of 0xFFFFFFFF"),
    "another disk": (evil(central={"disk": 1}), "another disk"),
    "zip64 disk": (evil(central={"disk": 0xFFFF}), "another disk"),
    "stored with two sizes": (evil(method=0, **both(size=7)), "its two sizes differ"),
    "impossible size": (evil(**both(size=1 << 30)), "cannot inflate to"),
    "reaches beyond": (evil(**both(packed_size=1 << 20)), "reaches into the central directory"),
    "beyond the file": (evil(central={"header_offset": 1 << 20}), "reaches into the central directory"),
    "overlaps": (evil(**both(packed_size=40)), "overlaps the next member"),
    "reaches by its extra": (evil(local={"extra_length": 60}), "overlaps the next member"),
    "same place": (evil(central={"header_offset": 0}), "another name"),
    "same name": (RawZip(members=[RawMember(name=b"evil.py")] * 2).packed(), "two members of this name"),
    "NUL": (evil(name=b"evil.py\0.txt"), "NUL"),
    "no name": (evil(name=b""), "empty"),
    "not the UTF-8 it says": (evil(name=b"evil\xff.py", **both(flags=0x800)), "UTF-8"),
    "symbolic link": (evil(central={"external": (stat.S_IFLNK | 0o777) << 16}), "symbolic link"),
    "fifo": (evil(central={"external": (stat.S_IFIFO | 0o644) << 16}), "no regular file"),
    "folder with a size": (evil(name=b"evil/"), "folder, and has a size"),
}


@pytest.mark.parametrize("lie", LYING_MEMBERS)
def test_a_lying_member_is_refused_with_wheel_and_name(lie: str) -> None:
    data, why = LYING_MEMBERS[lie]

    with pytest.raises(BadWheelError) as refusal:
        members(data)

    archive, name, reason = refusal.value.message.split(": ", 2)
    assert archive == "demo.whl"
    assert "evil" in name or name == "''"
    assert why in reason
    assert "\n" not in refusal.value.message


ONE = [RawMember(name=b"a.py")]
HONEST = RawZip(members=ONE).packed()

LYING_ZIPS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "no zip file, or cut short"),
    "something else": (b"<html>404 Not Found</html>" * 10, "no zip file, or cut short"),
    "without its end": (HONEST[:-22], "no zip file, or cut short"),
    "without its last byte": (HONEST[:-1], "no zip file, or cut short"),
    "comment cut short": (RawZip(members=ONE, comment=b"hello").packed()[:-1], "cut short, or bytes follow"),
    "bytes behind it": (HONEST + b"x", "cut short, or bytes follow"),
    "two zips": (HONEST + HONEST, "does not end where its end record begins"),
    "bytes before it": (RawZip(members=ONE, prefix=b"#!/bin/sh\n").packed(), "10 bytes stand before"),
    "bytes before nothing": (RawZip(members=[], prefix=b"junk").packed(), "4 bytes stand before"),
    "gap before its end": (RawZip(members=ONE, before_end=b"junk").packed(), "does not end where"),
    "zip64 end record": (RawZip(members=ONE, before_end=ZIP64_END).packed(), "zip64 end record"),
    "zip64 locator": (RawZip(members=ONE, before_end=ZIP64_END + ZIP64_LOCATOR).packed(), "zip64 locator"),
    "zip64 count": (RawZip(members=ONE, end={"entries": 0xFFFF}).packed(), "zip64"),
    "zip64 offset": (RawZip(members=ONE, end={"directory_offset": 0xFFFFFFFF}).packed(), "zip64"),
    "zip64 size": (RawZip(members=ONE, end={"directory_size": 0xFFFFFFFF}).packed(), "zip64"),
    "second disk": (RawZip(members=ONE, end={"disk": 1}).packed(), "several disks"),
    "directory elsewhere": (RawZip(members=ONE, end={"directory_disk": 1}).packed(), "several disks"),
    "part of the lines": (RawZip(members=ONE, end={"entries_here": 0}).packed(), "several disks"),
    "fewer lines": (RawZip(members=ONE, end={"entries_here": 2, "entries": 2}).packed(), "fewer than 2"),
    "more lines": (RawZip(members=ONE, end={"entries_here": 0, "entries": 0}).packed(), "more than 0"),
    "directory too long": (RawZip(members=ONE, end={"directory_size": 5000}).packed(), "does not end where"),
    "directory misplaced": (RawZip(members=ONE, end={"directory_offset": 3}).packed(), "does not end where"),
    "broken line": (HONEST.replace(b"PK\x01\x02", b"PK\x01\x03"), "directory is broken"),
    "line too long": (
        RawZip(members=[RawMember(name=b"a.py", central={"name_length": 500})]).packed(),
        "directory is broken",
    ),
}


@pytest.mark.parametrize("lie", LYING_ZIPS)
def test_a_lying_zip_is_refused_with_its_name(lie: str) -> None:
    data, why = LYING_ZIPS[lie]

    with pytest.raises(BadWheelError, match=f"^demo.whl: .*{why}"):
        members(data)


def test_zip64_forced_on_a_small_member_is_refused() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive, archive.open("evil.py", "w", force_zip64=True) as member:
        member.write(TEXT)

    with pytest.raises(BadWheelError, match=r"demo.whl: evil.py: .*zip64"):
        members(stream.getvalue())


def test_a_file_that_shrinks_while_it_is_read_is_cut_short() -> None:
    with pytest.raises(BadWheelError, match=r"demo.whl: cut short"):
        read_members(reader(HONEST), len(HONEST) + 1, archive="demo.whl")


def test_names_that_would_break_the_line_are_escaped_in_messages() -> None:
    with pytest.raises(BadWheelError, match=r"^demo.whl: 'evil\\nTraceback': ") as refusal:
        members(evil(name=b"evil\nTraceback", **both(flags=1)))
    assert "\n" not in refusal.value.message


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"packed": raw_deflate(TEXT[::-1])}, "CRC"),
        ({"packed": b"\xff" * len(raw_deflate(TEXT))}, "broken"),
        ({"data": TEXT, "method": 0, "packed": TEXT[::-1]}, "CRC"),
    ],
)
def test_data_that_is_not_what_the_headers_tell_is_refused(change: dict[str, object], why: str) -> None:
    packed = change["packed"]
    assert isinstance(packed, bytes)
    sizes = {"packed_size": len(packed), "size": len(TEXT), "crc": zlib.crc32(TEXT)}
    data = evil(**change, local=sizes, central=sizes)

    with pytest.raises(BadWheelError, match=f"demo.whl: evil.py: .*{why}"):
        read_data(reader(data), members(data)[1], archive="demo.whl")


# --- anything at all

WHEEL = WheelDraft(name="demo", files={"demo/__init__.py": TEXT, "demo/data.bin": bytes(50)}).packed()


@given(
    st.lists(st.tuples(st.integers(0, len(WHEEL) - 1), st.integers(0, 255)), min_size=1, max_size=6),
    st.integers(0, len(WHEEL)),
    st.sampled_from([lambda data, _: data, lambda data, cut: data[:cut], lambda data, cut: data[cut:]]),
)
def test_a_damaged_wheel_is_read_or_refused_and_nothing_else(
    damage: list[tuple[int, int]], cut: int, shorten: Callable[[bytes, int], bytes]
) -> None:
    data = bytearray(WHEEL)
    for position, value in damage:
        data[position] = value
    try:
        for member in members(shorten(bytes(data), cut)):
            read_data(reader(bytes(data)), member, archive="demo.whl")
    except BadWheelError as error:
        assert str(error).startswith("demo.whl: ")  # noqa: PT017 (damage may also go unnoticed, in a date)
