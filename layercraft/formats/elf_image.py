"""A whole ELF file, segments and sections, of which every byte is accounted for.

Only 64-bit little-endian files of the machines that Lambda has are read. Bytes may be hostile: counts
have limits, and what contradicts itself is refused.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from layercraft.formats.elf_records import (
    AARCH64,
    CLASS_64,
    HEADER,
    LIBRARY,
    LITTLE_ENDIAN,
    LOAD,
    MAGIC,
    PAGE,
    PROGRAM,
    SECTION,
    SEGMENT,
    X86_64,
    Header,
    Section,
    Segment,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NO_SECTION, NO_BITS = 0, 8  # sh_type: SHT_NULL, SHT_NOBITS
ALLOCATED = 2  # sh_flags: SHF_ALLOC

_IDENTITY = MAGIC + bytes((CLASS_64, LITTLE_ENDIAN, 1))
_MOST_SEGMENTS = 512
_MOST_SECTIONS = 4096
_LONGEST_NAME = 1024


class UnfitError(Exception):
    """The file is none that is understood to its last byte; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ElfImage:
    """The records of one file, and the file's bytes. `names` are the sections' names, by index."""

    data: memoryview
    header: Header
    segments: tuple[Segment, ...]
    sections: tuple[Section, ...]
    names: tuple[bytes, ...]

    @property
    def segment_table(self) -> tuple[int, int]:
        """Beginning and end of the program headers in the file."""
        return self.header.segments_at, self.header.segments_at + len(self.segments) * SEGMENT.size


def read_image(data: memoryview) -> ElfImage:
    """Read all records of a file, and see that they hold together and tell of each of its bytes.

    Raises:
        UnfitError: it is no such file, is cut short or contradicts itself, or holds bytes that no
            record tells of.
    """
    try:
        header = Header(*HEADER.unpack_from(data))
    except struct.error as error:
        raise UnfitError("it is cut short") from error
    _refuse_other_kinds(header)
    segments = _table(data, header.segments_at, header.segment_count, SEGMENT)
    sections = _table(data, header.sections_at, header.section_count, SECTION)
    image = ElfImage(
        data=data,
        header=header,
        segments=tuple(Segment(*fields) for fields in segments),
        sections=(found := tuple(Section(*fields) for fields in sections)),
        names=tuple(_names(data, found, header.names_index)),
    )
    _refuse_wrong_segments(image)
    _refuse_wrong_sections(image)
    _refuse_unknown_bytes(image)
    return image


def _refuse_other_kinds(header: Header) -> None:
    known = (
        header.identity.startswith(_IDENTITY)
        and header.kind in {LIBRARY, PROGRAM}
        and header.machine in {X86_64, AARCH64}
        and (header.size, header.segment_size, header.section_size)
        == (HEADER.size, SEGMENT.size, SECTION.size)
    )
    if not known:
        raise UnfitError("it is of another kind")
    if not (0 < header.segment_count <= _MOST_SEGMENTS and 0 < header.section_count <= _MOST_SECTIONS):
        raise UnfitError("it has none or too many segments or sections")
    if not 0 < header.names_index < header.section_count:
        raise UnfitError("its sections have no names")
    if header.segments_at < HEADER.size:
        raise UnfitError("its program headers lie in its header")


def _table(data: memoryview, offset: int, count: int, record: struct.Struct) -> Iterator[tuple[int, ...]]:
    end = offset + count * record.size
    if end > len(data):
        raise UnfitError("a table lies behind its end")
    return record.iter_unpack(data[offset:end])


def _names(data: memoryview, sections: tuple[Section, ...], index: int) -> Iterator[bytes]:
    table = sections[index]
    if table.kind in {NO_SECTION, NO_BITS} or table.offset + table.size > len(data):
        raise UnfitError("its names lie behind its end")
    for section in sections:
        start = table.offset + section.name
        stop = min(start + _LONGEST_NAME, table.offset + table.size)
        name, end, _ = bytes(data[start:stop]).partition(b"\0")
        if not end:
            raise UnfitError("a section's name has no end")
        yield name


def _refuse_wrong_segments(image: ElfImage) -> None:
    for segment in image.segments:
        if segment.file_size and segment.end > len(image.data):
            raise UnfitError("a segment lies behind its end")
        if segment.alignment & (segment.alignment - 1):
            raise UnfitError("an alignment is no power of two")
    loads = [segment for segment in image.segments if segment.kind == LOAD]
    if not loads or not all(load.is_aligned and load.file_size <= load.memory_size for load in loads):
        raise UnfitError("a segment cannot be mapped")
    for load, following in pairwise(loads):
        if load.address + load.memory_size > following.address // PAGE * PAGE:
            raise UnfitError("two segments share a page of memory")


def _refuse_wrong_sections(image: ElfImage) -> None:
    for section in image.sections:
        if section.kind not in {NO_SECTION, NO_BITS} and section.offset + section.size > len(image.data):
            raise UnfitError("a section lies behind its end")
        if section.alignment & (section.alignment - 1) or section.alignment > len(image.data):
            raise UnfitError("an alignment is no power of two")
        if section.link >= len(image.sections):
            raise UnfitError("a section names one that is not there")


def _refuse_unknown_bytes(image: ElfImage) -> None:
    """Refuse bytes that no record tells of, such as a program's own archive behind its end.

    Zeros between the parts are padding. Patchelf leaves old section headers behind when it writes
    new ones; they are known by their looks.
    """
    known_to = 0
    end = len(image.data)
    for start, stop in (*sorted(_parts(image)), (end, end)):
        if start > known_to:
            gap = bytes(image.data[known_to:start])
            if gap.strip(b"\0") and (start == end or not _is_section_table(gap, known_to, end)):
                raise UnfitError("it holds bytes that no record tells of")
        known_to = max(known_to, stop)


def _parts(image: ElfImage) -> Iterable[tuple[int, int]]:
    header = image.header
    yield 0, HEADER.size
    yield image.segment_table
    yield header.sections_at, header.sections_at + len(image.sections) * SECTION.size
    yield from ((segment.offset, segment.end) for segment in image.segments if segment.file_size)
    for section in image.sections:
        if section.kind not in {NO_SECTION, NO_BITS}:
            yield section.offset, section.offset + section.size


def _is_section_table(gap: bytes, offset: int, end: int) -> bool:
    """Tell whether bytes at this offset look like section headers of this file, the empty one first."""
    padding = -offset % 8
    table = gap[padding:].rstrip(b"\0")
    if not table or any(gap[:padding]):
        return False
    table = table.ljust(-(-len(table) // SECTION.size) * SECTION.size, b"\0")
    sections = [Section(*fields) for fields in SECTION.iter_unpack(table)]
    return not any(sections[0]) and all(
        section.offset <= end and section.link < len(sections) and not section.flags >> 32
        for section in sections
    )
