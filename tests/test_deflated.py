from __future__ import annotations

import struct
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wheelhouse import raw_deflate

from layercraft.errors import BadWheelError
from layercraft.formats.deflated import PIECE, deflate, inflate_buffer, inflate_pieces

TEXT = b"A member of a wheel, long enough to be worth deflating. " * 40


@given(st.binary(max_size=5000))
def test_what_is_deflated_inflates_to_the_same_bytes(data: bytes) -> None:
    packed = deflate(data)

    assert inflate_buffer(packed, len(data), zlib.crc32(data)) == data
    assert b"".join(inflate_pieces([packed], len(data))) == data
    assert zlib.decompress(packed, wbits=-zlib.MAX_WBITS) == data


def test_the_same_bytes_deflate_to_the_same_stream_on_every_machine() -> None:
    assert (len(deflate(TEXT)), zlib.crc32(deflate(TEXT))) == (70, 0xF863DD60)


@pytest.mark.parametrize(
    ("packed", "size", "why"),
    [
        (raw_deflate(TEXT), len(TEXT) + 1, "inflates to 2240 bytes, and its header tells 2241"),
        (raw_deflate(TEXT), len(TEXT) - 1, "more than the 2239 bytes"),
        (raw_deflate(TEXT), 0, "more than the 0 bytes"),
        (raw_deflate(TEXT) + b"x", len(TEXT), "bytes follow"),
        (raw_deflate(TEXT)[:-1], len(TEXT), "cut short"),
        (b"", len(TEXT), "cut short"),
        (b"\xff" * 20, len(TEXT), "broken"),
    ],
)
def test_a_stream_that_is_not_what_it_should_be_is_refused(packed: bytes, size: int, why: str) -> None:
    with pytest.raises(BadWheelError, match=why):
        inflate_buffer(packed, size, zlib.crc32(TEXT))
    with pytest.raises(BadWheelError, match=why):
        b"".join(inflate_pieces([packed], size))


def test_other_bytes_of_the_same_length_are_refused() -> None:
    with pytest.raises(BadWheelError, match="CRC"):
        inflate_buffer(raw_deflate(TEXT), len(TEXT), zlib.crc32(TEXT) ^ 1)


def test_an_empty_member_must_hold_a_stream_that_gives_nothing() -> None:
    assert inflate_buffer(raw_deflate(b""), 0, 0) == b""
    with pytest.raises(BadWheelError, match="cut short"):
        inflate_buffer(b"", 0, 0)


def test_bytes_that_pose_as_the_trailer_of_gzip_do_not_hide_behind_a_stream() -> None:
    trailer = struct.pack("<II", zlib.crc32(TEXT), len(TEXT))

    with pytest.raises(BadWheelError, match="bytes follow"):
        inflate_buffer(raw_deflate(TEXT) + trailer, len(TEXT), zlib.crc32(TEXT))


@given(st.binary(min_size=1, max_size=3000), st.integers(1, 50))
def test_pieces_of_any_length_give_the_same_bytes(data: bytes, length: int) -> None:
    packed = raw_deflate(data)
    pieces = [packed[start : start + length] for start in range(0, len(packed), length)]

    assert b"".join(inflate_pieces(pieces, len(data))) == data


def test_no_piece_is_larger_than_told_however_well_it_was_packed() -> None:
    size = 5 * PIECE + 7
    pieces = list(inflate_pieces([raw_deflate(bytes(size))], size))

    assert max(map(len, pieces)) == PIECE
    assert sum(map(len, pieces)) == size


@given(st.binary(max_size=200), st.integers(0, 5000), st.integers(0, 2**32 - 1))
def test_any_bytes_inflate_or_are_refused(packed: bytes, size: int, crc: int) -> None:
    with suppress(BadWheelError):
        assert len(inflate_buffer(packed, size, crc)) == size
    with suppress(BadWheelError):
        assert len(b"".join(inflate_pieces([packed], size))) == size
