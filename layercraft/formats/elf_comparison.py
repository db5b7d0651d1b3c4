"""Whether two ELF files are the same to who loads them, although their bytes lie at other places.

This is the judge of what `elf_strip` makes, and reads both files on its own.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from layercraft.formats.elf import read_elf
from layercraft.formats.elf_records import HEADER, LOAD, PAGE, SEGMENT, Header, Segment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PIECE = 1 << 20


def loads_the_same(before: bytes | memoryview, after: bytes | bytearray | memoryview) -> bool:
    """Tell whether the loader makes the same of both files.

    Their segments have the same kinds, addresses, sizes, rights and bytes, in the same order. What may
    differ is where a segment lies in the file, and the fields that say so: those of the header that
    lead to its two tables, and the offsets in the program headers. Every segment that is mapped stays
    congruent to its address. Both must be files that glibc loads.

    Raises:
        struct.error: one of them is cut short within its header.
    """
    first, second = _Loaded(memoryview(before)), _Loaded(memoryview(after))
    facts = read_elf(before)
    return (
        facts is not None
        and facts.broken is None
        and facts.aligned
        and facts == read_elf(after)
        and _timeless(first.header) == _timeless(second.header)
        and [segment._replace(offset=0) for segment in first.segments]
        == [segment._replace(offset=0) for segment in second.segments]
        and all(
            _same_bytes(first, second, *pair) for pair in zip(first.segments, second.segments, strict=True)
        )
        and _same_pages(first.segments, second.segments)
    )


class _Loaded:
    """A file with its program headers."""

    def __init__(self, view: memoryview) -> None:
        self.view = view
        self.header = Header(*HEADER.unpack_from(view))
        self.table = self.header.segments_at
        self.table_end = self.table + self.header.segment_count * SEGMENT.size
        self.segments = [
            Segment(*fields) for fields in SEGMENT.iter_unpack(view[self.table : self.table_end])
        ]


def _timeless(header: Header) -> Header:
    """Give the header without what leads to the tables."""
    return header._replace(segments_at=0, sections_at=0, section_size=0, section_count=0, names_index=0)


def _same_bytes(first: _Loaded, second: _Loaded, before: Segment, after: Segment) -> bool:
    """Compare a segment's bytes, but for the header and the program headers, which were compared."""
    moved = after.offset - before.offset
    if before.offset < first.table_end and first.table < before.end and second.table != first.table + moved:
        return False
    if before.offset < HEADER.size and before.file_size and moved:
        return False
    known = sorted([(0, HEADER.size), (first.table, first.table_end)])
    return all(
        bytes(first.view[start:stop]) == bytes(second.view[start + moved : stop + moved])
        for start, stop in _outside(known, before.offset, before.end)
    )


def _outside(known: Iterable[tuple[int, int]], start: int, end: int) -> Iterator[tuple[int, int]]:
    """Give what is left of a range, in pieces."""
    for known_start, known_end in (*known, (end, end)):
        stop = min(known_start, end)
        for piece in range(start, stop, _PIECE):
            yield piece, min(piece + _PIECE, stop)
        start = max(start, known_end)


def _same_pages(before: list[Segment], after: list[Segment]) -> bool:
    """Tell whether segments that meet in one page of memory moved together: it is mapped only once."""
    loads = [
        (old, new.offset - old.offset) for old, new in zip(before, after, strict=True) if old.kind == LOAD
    ]
    return all(
        load.address + load.memory_size <= following.address // PAGE * PAGE or moved == moved_too
        for (load, moved), (following, moved_too) in pairwise(loads)
    )
