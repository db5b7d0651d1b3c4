"""Whether the bytes of a wheel's members are those that its headers tell of.

Members are copied from wheel to layer without being inflated, so a broken one would be found in
Lambda only. Here each one is inflated and thrown away, its size and CRC compared on the way.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from layercraft.events import SILENT
from layercraft.formats.zip_directory import read_exactly
from layercraft.formats.zip_records import Member, plain, plain_pieces, read_data
from layercraft.wheels.wheel_file import opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from layercraft.events import Reporter
    from layercraft.formats.zip_records import ReadAt
    from layercraft.wheels.inspection import Wheel

Visit = Callable[["Wheel", Member, bytes | bytearray | memoryview], None]
"""Looks at a member's plain bytes while they are in memory; called from several threads."""

IN_PIECES = 16 << 20
"""Members of more bytes than this go through memory in pieces, unless the visitor wants them whole."""

THREADS = 8
"""At most so many: each holds a member in memory, and more would wait for the interpreter's lock."""

_RUN = 1 << 20  # bytes of a wheel that are read and checked as one job
_PACKED_PIECE = 1 << 18


def checked(
    wheels: Sequence[Wheel],
    *,
    reporter: Reporter = SILENT,
    visit: Visit | None = None,
    whole: Callable[[Member], bool] = lambda _: False,
) -> Iterator[Wheel]:
    """Check every member of the wheels, in threads, and give each wheel once it has passed.

    The order is that of `wheels`; progress is told in plain bytes. What is not yet checked when the
    caller stops, or when a wheel fails, is left unchecked. `visit` sees all members but those over
    `IN_PIECES` bytes; it sees those of them that it wants `whole` too, one at a time.

    Raises:
        BadWheelError: a member is broken, or not what its headers tell; names wheel and member.
    """
    total = sum(member.size for wheel in wheels for member in wheel.members)
    pool = ThreadPoolExecutor(max_workers=min(THREADS, os.cpu_count() or 1))
    visiting = _Visiting(visit, whole, Lock()) if visit else None
    try:
        with reporter.progress("checking wheels", total, "bytes") as progress:
            jobs = [
                (wheel, pool.map(partial(_check, wheel, visiting), _runs(wheel.members))) for wheel in wheels
            ]
            for wheel, sizes in jobs:
                for size in sizes:
                    progress.advance(size)
                yield wheel
    finally:
        pool.shutdown(cancel_futures=True)


def _runs(members: Iterable[Member]) -> Iterator[list[Member]]:
    """Cut a wheel into runs of neighbours: one job for each member would cost more than its work."""
    run: list[Member] = []
    for member in sorted(members, key=lambda member: member.data_offset):
        large = member.size > IN_PIECES
        if run and (large or member.data_offset + member.packed_size > run[0].data_offset + _RUN):
            yield run
            run = []
        if large:
            yield [member]
        else:
            run.append(member)
    if run:
        yield run


class _Visiting(NamedTuple):
    visit: Visit
    whole: Callable[[Member], bool]
    one_at_a_time: Lock


def _check(wheel: Wheel, visiting: _Visiting | None, run: Sequence[Member]) -> int:
    """Check neighbours with one read, and give the number of their plain bytes."""
    with opened(wheel.path, archive=wheel.filename) as read_at:
        if run[0].size > IN_PIECES:
            _check_large(read_at, wheel, run[0], visiting)
            return run[0].size
        start = run[0].data_offset
        size = run[-1].data_offset + run[-1].packed_size - start
        packed = memoryview(read_exactly(read_at, start, size, wheel.filename))
    for member in run:
        offset = member.data_offset - start
        data = plain(member, packed[offset : offset + member.packed_size], archive=wheel.filename)
        if visiting:
            visiting.visit(wheel, member, data)
    return sum(member.size for member in run)


def _check_large(read_at: ReadAt, wheel: Wheel, member: Member, visiting: _Visiting | None) -> None:
    archive = wheel.filename
    if not visiting or not visiting.whole(member):
        for _ in plain_pieces(member, _packed_pieces(read_at, member, archive), archive=archive):
            pass
        return
    with visiting.one_at_a_time:
        visiting.visit(wheel, member, read_data(read_at, member, archive=archive))


def _packed_pieces(read_at: ReadAt, member: Member, archive: str) -> Iterator[bytes]:
    end = member.data_offset + member.packed_size
    for offset in range(member.data_offset, end, _PACKED_PIECE):
        yield read_exactly(read_at, offset, min(_PACKED_PIECE, end - offset), archive)
