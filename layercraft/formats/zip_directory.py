"""The end of a zip file: its end record and its central directory, which list the members.

The format is PKWARE's APPNOTE.TXT, whose sections are named below. Nothing here opens a file: the
bytes come from a function that reads some of them, from disk or by HTTP range requests.
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from layercraft.errors import BadWheelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ReadAt = Callable[[int, int], bytes]
"""`read_at(offset, size)` gives `size` bytes of the file from `offset`; fewer only where it ends."""

STORED = 0
DEFLATED = 8

SCRAMBLED = 0x2061
"""4.4.4: bits 0, 6 and 13 of the flags tell encryption, bit 5 a patch."""
DESCRIPTOR = 0x0008
"""4.4.4: CRC and sizes follow the data, and the local header may hold zeros instead."""
UTF8 = 0x0800
"""4.4.4: the name is UTF-8; else it is code page 437."""
IN_ZIP64 = 0xFFFFFFFF
"""4.4.8: a size or offset that stands in a zip64 record."""
LOCAL_SIZE = 30
"""Bytes of a local header before its name (4.3.7)."""
TAIL = 1 << 16
"""Bytes that are read first: the end record, any sane comment, and often the whole directory."""

_SIGNATURE = b"PK\x01\x02"
_CENTRAL = struct.Struct("<4s4x2H4x3I4H2x2I")  # 4.3.12
_END = struct.Struct("<4s4H2IH")  # 4.3.16
_COUNT_IN_ZIP64 = 0xFFFF  # 4.4.22: a number of lines or disks that stands in a zip64 record
_ZIP64_LOCATOR_SIZE = 20  # 4.3.15
_BEST_RATIO = 1032  # DEFLATE needs two bits at least for at most 258 bytes


class Listed(NamedTuple):
    """A line of the central directory. Where the data begins only the local header tells."""

    name: str
    raw_name: bytes
    method: int
    flags: int
    crc: int
    packed_size: int
    size: int
    header_offset: int
    mode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """The central directory: its lines in their order, folders too, and the byte where it begins."""

    listed: tuple[Listed, ...]
    offset: int


def read_directory(read_at: ReadAt, length: int, *, archive: str, tail: int = TAIL) -> Directory:
    """Give what the central directory of a zip of `length` bytes tells.

    Reads the last `tail` bytes, and once more where the directory begins before them.

    Raises:
        BadWheelError: what `read_members` raises, as far as the directory shows it.
    """
    data, offset, count = _read_lines(read_at, length, archive, tail)
    listed = tuple(_read_listed(data, count, archive))
    _refuse_collisions(listed, offset, archive)
    return Directory(listed=listed, offset=offset)


def search_directory(read_at: ReadAt, length: int, ending: bytes, *, archive: str) -> Iterator[Listed]:
    """Give the members whose names end so, without looking at the thousands of others.

    For reading one small file of a zip that is checked as a whole before anything else is taken.

    Raises:
        BadWheelError: what `read_directory` raises, as far as these lines show it.
    """
    data, _, _ = _read_lines(read_at, length, archive, TAIL)
    found = data.find(ending)
    while found >= 0:
        start = data.rfind(_SIGNATURE, 0, found)
        if start >= 0:
            line, _ = _read_line(data, start, archive)
            if start + _CENTRAL.size + len(line.raw_name) == found + len(ending):
                yield line
        found = data.find(ending, found + 1)


def _read_lines(read_at: ReadAt, length: int, archive: str, tail: int) -> tuple[bytes, int, int]:
    """Give the bytes of the central directory, where it begins, and the number of its lines."""
    tail_offset = max(0, length - tail)
    end = read_exactly(read_at, tail_offset, length - tail_offset, archive)
    offset, size, count = _read_end(end, length, archive)
    if offset >= tail_offset:
        return end[offset - tail_offset :][:size], offset, count
    return read_exactly(read_at, offset, size, archive), offset, count


def read_exactly(read_at: ReadAt, offset: int, size: int, archive: str) -> bytes:
    """Give `size` bytes from `offset`, or raise BadWheelError where the file ends before."""
    data = read_at(offset, size)
    if len(data) != size:
        raise BadWheelError(f"{archive}: cut short: it should have {size} bytes at {offset}")
    return data


def lie(archive: str, name: str, why: str) -> BadWheelError:
    """Give the error that names archive and member, in one line whatever the member is called."""
    return BadWheelError(f"{archive}: {name if name and name.isprintable() else ascii(name)}: {why}")


def _read_end(tail: bytes, length: int, archive: str) -> tuple[int, int, int]:
    """Give offset and size of the central directory, and the number of its lines."""
    start = tail.rfind(b"PK\x05\x06")
    if start < 0 or start + _END.size > len(tail):
        raise BadWheelError(
            f"{archive}: no zip file, or cut short: no end record in its last {len(tail)} bytes"
        )
    _, disk, first_disk, here, count, size, offset, comment = _END.unpack_from(tail, start)
    if tail.startswith(b"PK\x06\x07", max(0, start - _ZIP64_LOCATOR_SIZE)):
        raise BadWheelError(f"{archive}: it has a zip64 locator, and zip64 is not supported")
    if _COUNT_IN_ZIP64 in (disk, first_disk, here, count) or IN_ZIP64 in (size, offset):
        raise BadWheelError(f"{archive}: its end record is zip64's, which is not supported")
    if disk or first_disk or here != count:
        raise BadWheelError(f"{archive}: it is split over several disks, which is not supported")
    if start + _END.size + comment != len(tail):
        raise BadWheelError(f"{archive}: it is cut short, or bytes follow its end record")
    gap = length - len(tail) + start - offset - size
    if gap > 0 and tail.startswith(b"PK\x06\x06", max(0, start - gap)):
        raise BadWheelError(f"{archive}: it has a zip64 end record, which is not supported")
    if gap:
        raise BadWheelError(f"{archive}: its central directory does not end where its end record begins")
    return offset, size, count


def _read_listed(data: bytes, count: int, archive: str) -> Iterator[Listed]:
    """Give the `count` lines of the central directory, which must fill `data`."""
    position = 0
    for _ in range(count):
        if position + _CENTRAL.size > len(data):
            raise BadWheelError(f"{archive}: its central directory has fewer than {count} lines")
        listed, position = _read_line(data, position, archive)
        yield listed
    if position != len(data):
        raise BadWheelError(f"{archive}: its central directory has more than {count} lines")


def _read_line(data: bytes, position: int, archive: str) -> tuple[Listed, int]:
    """Give the line at `position`, and where the next one begins."""
    start = position + _CENTRAL.size
    if start > len(data):
        raise BadWheelError(f"{archive}: its central directory is broken")
    (
        signature,
        flags,
        method,
        crc,
        packed_size,
        size,
        name_size,
        extra,
        comment,
        disk,
        attributes,
        offset,
    ) = _CENTRAL.unpack_from(data, position)
    end = start + name_size + extra + comment
    if signature != _SIGNATURE or end > len(data):
        raise BadWheelError(f"{archive}: its central directory is broken")
    raw_name = data[start : start + name_size]
    name = _decoded(raw_name, flags, archive)
    mode = attributes >> 16
    listed = Listed(name, raw_name, method, flags, crc, packed_size, size, offset, mode & 0o7777)
    _refuse_kind(listed, disk, stat.S_IFMT(mode), archive)
    _refuse_sizes(listed, archive)
    return listed, end


def _decoded(raw_name: bytes, flags: int, archive: str) -> str:
    try:
        name = raw_name.decode("utf-8" if flags & UTF8 else "cp437")
    except UnicodeDecodeError as error:
        raise BadWheelError(f"{archive}: {raw_name!r}: its name is not the UTF-8 it says it is") from error
    if not name or "\0" in name:
        raise lie(archive, name, "its name is empty or holds a NUL")
    return name


def _refuse_kind(listed: Listed, disk: int, kind: int, archive: str) -> None:
    if listed.flags & SCRAMBLED:
        raise lie(archive, listed.name, "it is encrypted or a patch, which is not supported")
    if listed.method not in (STORED, DEFLATED):
        raise lie(archive, listed.name, f"it is packed by method {listed.method}, not stored or deflated")
    if disk:
        raise lie(archive, listed.name, "it lies on another disk, or its disk in a zip64 record")
    if kind == stat.S_IFLNK:
        raise lie(archive, listed.name, "it is a symbolic link, which is not supported")
    if kind not in (0, stat.S_IFREG) and not listed.name.endswith("/"):
        raise lie(archive, listed.name, "it is no regular file")


def _refuse_sizes(listed: Listed, archive: str) -> None:
    if IN_ZIP64 in (listed.size, listed.packed_size, listed.header_offset):
        raise lie(archive, listed.name, "a size or offset of 0xFFFFFFFF (zip64) is not supported")
    if listed.method == STORED and listed.size != listed.packed_size:
        raise lie(archive, listed.name, "it is stored, and its two sizes differ")
    if listed.size > listed.packed_size * _BEST_RATIO:
        raise lie(archive, listed.name, f"{listed.packed_size} bytes cannot inflate to {listed.size}")
    if listed.size and listed.name.endswith("/"):
        raise lie(archive, listed.name, "it is a folder, and has a size")


def _refuse_collisions(listed: Sequence[Listed], end: int, archive: str) -> None:
    """Refuse two members of one name, and what does not lie between the file's first byte and `end`."""
    names: set[str] = set()
    for line in listed:
        if line.name in names:
            raise lie(archive, line.name, "the zip has two members of this name")
        names.add(line.name)
        if line.header_offset + LOCAL_SIZE + len(line.raw_name) + line.packed_size > end:
            raise lie(archive, line.name, "it reaches into the central directory, or beyond the file")
    first = min((line.header_offset for line in listed), default=end)
    if first:
        raise BadWheelError(f"{archive}: {first} bytes stand before its first member")
