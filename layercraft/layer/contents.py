"""The bytes of entries, wherever they lie: packed as they are in a wheel, or plain and checked."""

from __future__ import annotations

import mmap
import os
import sys
import zlib
from threading import Lock
from typing import TYPE_CHECKING, Self

from layercraft.errors import BadWheelError, OutputError, reason_of
from layercraft.formats.deflated import PIECE
from layercraft.formats.zip_records import plain, plain_pieces
from layercraft.layer.tree import DiskFile, Inline, WheelMember

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from layercraft.layer.tree import Content

Buffer = bytes | bytearray | memoryview

_LARGE = 16 * PIECE


class Contents:
    """Reads contents, from any thread; opens each wheel once and closes all of them in the end.

    Wheels that cannot be read, or whose members are not what their headers tell, raise BadWheelError;
    files that a script left, and that are gone or different now, raise OutputError.
    """

    def __init__(self) -> None:
        self._descriptors: dict[Path, int] = {}
        self._lock = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors.clear()

    def packed(self, content: WheelMember) -> Iterator[bytes]:
        """Give a member's bytes as they lie in the wheel, in pieces of at most `PIECE` bytes."""
        offset = content.member.data_offset
        end = offset + content.member.packed_size
        while offset < end:
            piece = self._read(content.wheel, offset, min(PIECE, end - offset))
            yield piece
            offset += len(piece)

    def plain(self, content: Content) -> Buffer:
        """Give the plain bytes as a whole, size and CRC checked; a large file of the disk is mapped."""
        if isinstance(content, Inline):
            return content.data
        if isinstance(content, DiskFile):
            return _disk_bytes(content)
        packed = b"".join(self.packed(content))
        return plain(content.member, packed, archive=str(content.wheel))

    def pieces(self, content: Content) -> Iterator[Buffer]:
        """Give the plain bytes in pieces, in bounded memory; size and CRC are checked at the end."""
        if not isinstance(content, WheelMember) or content.size <= _LARGE:
            yield self.plain(content)
            return
        yield from plain_pieces(content.member, self.packed(content), archive=str(content.wheel))

    def _read(self, wheel: Path, offset: int, size: int) -> bytes:
        try:
            descriptor = self._descriptors.get(wheel)
            if descriptor is None:
                descriptor = self._open(wheel)
            data = self._read_at(descriptor, offset, size)
        except OSError as error:
            raise BadWheelError(f"{wheel} cannot be read: {reason_of(error)}") from error
        if not data:
            raise BadWheelError(f"{wheel} was cut short while the layer was made")
        return data

    def _open(self, wheel: Path) -> int:
        with self._lock:
            if wheel not in self._descriptors:
                self._descriptors[wheel] = os.open(wheel, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            return self._descriptors[wheel]

    def _read_at(self, descriptor: int, offset: int, size: int) -> bytes:
        if sys.platform != "win32":
            return os.pread(descriptor, size, offset)
        with self._lock:
            os.lseek(descriptor, offset, os.SEEK_SET)
            return os.read(descriptor, size)


def _disk_bytes(content: DiskFile) -> Buffer:
    data: Buffer
    try:
        with content.path.open("rb") as file:
            if content.size <= PIECE:
                data = file.read(content.size + 1)
            else:
                data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:  # ValueError: the file is empty now
        raise OutputError(f"{content.path} cannot be read: {error}") from error
    if len(data) != content.size or zlib.crc32(data) != content.crc:
        raise OutputError(f"{content.path} was changed while the layer was made")
    return data
