"""DEFLATE streams (RFC 1951) of single zip members, through the pinned libdeflate.

What is deflated here gives the same bytes on every machine: one library, one version, one level.
libdeflate and zlib release the GIL while they work, so threads run side by side.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import deflate as libdeflate

from layercraft.errors import BadWheelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LEVEL = 6
"""libdeflate's level. 9 would save 0.8 % of numeric libraries and take two and a half times as long."""

BEST = 12
"""The level that leaves the fewest bytes, in about ten times the time."""

PIECE = 1 << 20
"""Bytes that one piece of a streamed inflation has at most."""

_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # RFC 1952: deflated, no name, no time
_GZIP_TRAILER = struct.Struct("<II")


def deflate(data: bytes | bytearray | memoryview, level: int = LEVEL) -> bytes:
    """Give `data` as one DEFLATE stream, the same bytes on every machine."""
    return bytes(libdeflate.deflate_compress(data, level))


def inflate_buffer(packed: bytes | memoryview, size: int, crc: int) -> bytes | bytearray:
    """Give the `size` bytes of the DEFLATE stream that fills `packed` to its last byte, without a copy.

    `crc` is the CRC-32 of the plain bytes, which libdeflate compares on the way: a third of zlib's time.

    Raises:
        BadWheelError: the stream is broken, `packed` ends before or after it does, or it does not
            give `size` bytes of that `crc`. The message cannot say which member it was.
    """
    trailer = _GZIP_TRAILER.pack(crc, size)
    wrapped = b"".join((_GZIP_HEADER, packed, trailer))
    # libdeflate says of a bare stream neither where it ended nor which CRC it has. Inside gzip it
    # must be followed by the CRC and the size, so bytes behind the stream are found as well, unless
    # they repeat the trailer.
    if wrapped.find(trailer, len(_GZIP_HEADER)) == len(_GZIP_HEADER) + len(packed):
        try:
            # A size of 0 would stand for "not known", and nothing would be looked at.
            return libdeflate.gzip_decompress(wrapped, size or 1)
        except libdeflate.DeflateError:
            pass  # zlib tells what is wrong
    data = b"".join(inflate_pieces([packed], size))
    if zlib.crc32(data) != crc:
        raise BadWheelError("its bytes do not have the CRC that its header tells")
    return data


def inflate_pieces(packed: Iterable[bytes | memoryview], size: int) -> Iterator[bytes]:
    """Give the `size` bytes of one DEFLATE stream in pieces of at most `PIECE` bytes.

    `packed` gives the stream in pieces of any length. One of them and one piece of the result are
    in memory at a time. Comparing the CRC is up to the caller.

    Raises:
        BadWheelError: as for `inflate_buffer`; what came before it is then worth nothing.
    """
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    given = 0
    for data in _steps(stream, packed):
        given += len(data)
        if given > size:
            raise BadWheelError(f"it inflates to more than the {size} bytes that its header tells")
        yield data
    if not stream.eof:
        raise BadWheelError("its deflated data is cut short")
    if given < size:
        raise BadWheelError(f"it inflates to {given} bytes, and its header tells {size}")


def _steps(stream: zlib._Decompress, packed: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    for piece in packed:
        rest: bytes | memoryview = piece
        full = True
        while rest or full:
            try:
                data = stream.decompress(rest, PIECE)
            except zlib.error as error:
                raise BadWheelError("its deflated data is broken") from error
            if stream.unused_data:
                raise BadWheelError("bytes follow its deflated data")
            yield data
            rest = stream.unconsumed_tail
            full = len(data) == PIECE  # what zlib still holds comes without new input
