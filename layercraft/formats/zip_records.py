"""The members of a zip file, read without a doubt about what they are and where they lie.

A zip says most things twice, in a member's local header and in the central directory, and readers
disagree on whom to believe. Here both must say the same, and every byte of a member belongs to it
alone. What contradicts itself is refused: a member that is copied raw is never looked at again.
The format is PKWARE's APPNOTE.TXT.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layercraft.errors import BadWheelError
from layercraft.formats.deflated import inflate_buffer, inflate_pieces
from layercraft.formats.zip_directory import (
    DESCRIPTOR,
    IN_ZIP64,
    LOCAL_SIZE,
    SCRAMBLED,
    STORED,
    UTF8,
    Listed,
    ReadAt,
    lie,
    read_directory,
    read_exactly,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = [
    "Listed",
    "Member",
    "ReadAt",
    "locate",
    "plain",
    "plain_pieces",
    "read_data",
    "read_directory",
    "read_members",
    "unlocated",
]

_LOCAL = struct.Struct("<4s2x2H4x3I2H")  # 4.3.7
_OTHER_CRC = "its bytes do not have the CRC that its header tells"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file in a zip. Offsets and sizes in bytes; `mode` has the Unix permission bits, 0 when none."""

    name: str
    method: int
    flags: int
    crc: int
    packed_size: int
    size: int
    header_offset: int
    data_offset: int
    mode: int


def read_members(read_at: ReadAt, length: int, *, archive: str) -> tuple[Member, ...]:
    """Give the files of a zip of `length` bytes, in the order of its central directory.

    Reads what `read_directory` reads, and each local header. Entries for folders are checked like
    all others and left out. Names are as they stand there: `..` and the like are not looked for.

    Raises:
        BadWheelError: the zip is cut short, zip64 or split; a member is encrypted, packed by another
            method than DEFLATE, a link or device, or of a name that another has; headers say
            different things, or members do not lie side by side between the first byte and the
            central directory. The message begins with `archive` and the member's name.
    """
    directory = read_directory(read_at, length, archive=archive)
    members = [locate(read_at, listed, archive=archive) for listed in directory.listed]
    _refuse_overlaps(members, directory.offset, archive)
    return tuple(member for member in members if not member.name.endswith("/"))


def locate(read_at: ReadAt, listed: Listed, *, archive: str) -> Member:
    """Give the member of a directory's line, with the place of its data, from one read.

    Raises:
        BadWheelError: the local header says something else than the central directory.
    """
    raw_name = listed.raw_name
    header = read_exactly(read_at, listed.header_offset, LOCAL_SIZE + len(raw_name), archive)
    signature, flags, method, crc, packed_size, size, name_size, extra = _LOCAL.unpack_from(header)
    if signature != b"PK\x03\x04":
        raise lie(archive, listed.name, "it has no local header where the central directory says")
    if name_size != len(raw_name) or not header.endswith(raw_name):
        raise lie(archive, listed.name, "its local header has another name")
    if method != listed.method or (flags ^ listed.flags) & (SCRAMBLED | UTF8):
        raise lie(archive, listed.name, "its method or flags differ between its two headers")
    if (crc, packed_size, size) != (listed.crc, listed.packed_size, listed.size):
        _refuse_other_sizes(listed, (crc, packed_size, size), flags, archive)
    return _member(listed, listed.header_offset + len(header) + extra)


def unlocated(listed: Listed) -> Member:
    """Give the member as the directory alone tells of it: where its data begins is a guess.

    The local header might have extra fields. For who counts bytes and reads none.
    """
    return _member(listed, listed.header_offset + LOCAL_SIZE + len(listed.raw_name))


def read_data(read_at: ReadAt, member: Member, *, archive: str) -> bytes:
    """Give the plain bytes of a member, its size and CRC checked.

    Raises:
        BadWheelError: the data is not what the headers tell.
    """
    packed = read_exactly(read_at, member.data_offset, member.packed_size, archive)
    return bytes(plain(member, packed, archive=archive))


def plain(member: Member, packed: bytes | memoryview, *, archive: str) -> bytes | bytearray | memoryview:
    """Give the plain bytes of a member whose bytes in the zip are `packed`, size and CRC checked.

    Raises:
        BadWheelError: the data is not what the headers tell.
    """
    if member.method != STORED:
        try:
            return inflate_buffer(packed, member.size, member.crc)
        except BadWheelError as error:
            raise lie(archive, member.name, error.message) from error
    if zlib.crc32(packed) != member.crc:
        raise lie(archive, member.name, _OTHER_CRC)
    return packed


def plain_pieces(
    member: Member, packed: Iterable[bytes | memoryview], *, archive: str
) -> Iterator[bytes | memoryview]:
    """Give the plain bytes of a member in pieces, in bounded memory, as `packed` gives its bytes in the zip.

    Raises:
        BadWheelError: the data is not what the headers tell; a wrong CRC is found at the end only.
    """
    crc = 0
    try:
        for piece in packed if member.method == STORED else inflate_pieces(packed, member.size):
            crc = zlib.crc32(piece, crc)
            yield piece
    except BadWheelError as error:
        raise lie(archive, member.name, error.message) from error
    if crc != member.crc:
        raise lie(archive, member.name, _OTHER_CRC)


def _member(listed: Listed, data_offset: int) -> Member:
    return Member(
        name=listed.name,
        method=listed.method,
        flags=listed.flags,
        crc=listed.crc,
        packed_size=listed.packed_size,
        size=listed.size,
        header_offset=listed.header_offset,
        data_offset=data_offset,
        mode=listed.mode,
    )


def _refuse_other_sizes(listed: Listed, local: tuple[int, int, int], flags: int, archive: str) -> None:
    """Let nothing pass but zeros that a data descriptor makes good (4.4.4)."""
    true = (listed.crc, listed.packed_size, listed.size)
    for field, told, known in zip(("CRC", "packed size", "size"), local, true, strict=True):
        if told == known or (told == 0 and flags & DESCRIPTOR):
            continue
        if told == IN_ZIP64 and field != "CRC":
            raise lie(archive, listed.name, f"a {field} of 0xFFFFFFFF (zip64) is not supported")
        why = f"its {field} is {told} in its local header and {known} in the central directory"
        raise lie(archive, listed.name, why)


def _refuse_overlaps(members: Sequence[Member], end: int, archive: str) -> None:
    """Refuse members that share bytes with another one, or with the central directory at `end`."""
    for member in sorted(members, key=lambda member: member.header_offset, reverse=True):
        if member.data_offset + member.packed_size > end:
            raise lie(archive, member.name, "it overlaps the next member, or the central directory")
        end = member.header_offset
