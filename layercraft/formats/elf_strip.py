"""ELF files without what only linkers and debuggers read, and with everything that is loaded.

Symbol tables that no segment loads, debug sections, compilers' notes and the like are dropped.
Segments keep their bytes, addresses and sizes. Those that lie behind something dropped (patchelf
appends segments behind the symbols) move towards the beginning of the file by multiples of their
alignment, as a whole, so that each stays congruent to its address, as the System V gABI asks of
loadable segments. Section headers keep their indexes, for symbols name sections by them.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from layercraft.formats.elf_comparison import loads_the_same
from layercraft.formats.elf_image import ALLOCATED, NO_BITS, NO_SECTION, UnfitError, read_image
from layercraft.formats.elf_records import HEADER, LOAD, MAGIC, PAGE, SECTION, SEGMENT, Section

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from layercraft.formats.elf_image import ElfImage
    from layercraft.formats.elf_records import Header

_SYMBOLS, _STRINGS, _RELOCATIONS, _NOTE = 2, 3, 4, 7  # sh_type: SHT_SYMTAB, _STRTAB, _RELA, _NOTE
_SHORT_RELOCATIONS, _SYMBOL_INDEXES = 9, 18  # SHT_REL, SHT_SYMTAB_SHNDX
_INFO_LINK = 0x40  # sh_flags: SHF_INFO_LINK
_USELESS_KINDS = (_SYMBOLS, _RELOCATIONS, _SHORT_RELOCATIONS, _NOTE, _SYMBOL_INDEXES)
_USELESS_NAMES = re.compile(
    rb"\.(strtab|shstrtab|z?debug(_.*)?|stab(str|\..*)?|line|comment|gdb_index|gnu_debug(link|altlink|data)"
    rb"|gnu\.build\.attributes.*|annobin\..*|gnu\.lto_.*|GCC\.command\.line|llvm_addrsig)",
    re.DOTALL,
)
_NAMES = b".shstrtab"
_NOTHING = Section(*[0] * len(Section._fields))
_TABLE_ALIGNMENT = 8


def stripped(data: bytes | memoryview) -> bytearray | None:
    """Give the file without what no loader reads; None where nothing can be saved safely.

    That is so for all that is no ELF file for x86_64 or aarch64, that is cut short or contradicts
    itself, or that holds bytes of which no header tells. The result was read again and compared
    with the original by `loads_the_same`. Never raises, whatever the bytes are.
    """
    view = memoryview(data)
    if view[: len(MAGIC)] != MAGIC:
        return None
    try:
        image = read_image(view)
        result = _written(image, _Layout.of(image))
        return result if len(result) < len(view) and loads_the_same(view, result) else None
    except (UnfitError, struct.error):
        return None


@dataclass(slots=True)
class _Block:
    """Neighbouring bytes of the file that stay together, and where they shall begin."""

    start: int
    end: int
    alignment: int
    to: int = 0


@dataclass(frozen=True, slots=True)
class _Layout:
    """What stays: blocks of what is loaded, sections that lie elsewhere by index, and all dropped indexes."""

    blocks: Sequence[_Block]
    apart: Sequence[int]
    dropped: frozenset[int]

    @classmethod
    def of(cls, image: ElfImage) -> Self:
        blocks = _blocks(image)
        inside = {i for i, section in enumerate(image.sections) if _is_inside(section, blocks)}
        useless = {i for i in range(1, len(image.sections)) if i not in inside and _is_useless(image, i)}
        dropped = frozenset({*useless, image.header.names_index})
        for i, section in enumerate(image.sections):
            if i in dropped or section.kind == NO_SECTION:
                continue
            info = section.info if section.flags & _INFO_LINK else 0
            if section.link in dropped or info in dropped or (i not in inside and section.flags & ALLOCATED):
                raise UnfitError("a section that stays needs one that goes")
        others = (i for i in range(1, len(image.sections)) if i not in inside and i not in dropped)
        apart = [i for i in others if image.sections[i].kind not in {NO_SECTION, NO_BITS}]
        _refuse_swelling([image.sections[i] for i in apart], len(image.data))
        return cls(blocks, apart, dropped)

    @property
    def end(self) -> int:
        """The offset behind the last block."""
        last = self.blocks[-1]
        return last.to + last.end - last.start

    def moved(self, offset: int) -> int:
        """Give where an offset of the file is now: that of the last block that begins before it."""
        block = next((each for each in reversed(self.blocks) if each.start <= offset), self.blocks[0])
        return offset - block.start + block.to


def _blocks(image: ElfImage) -> list[_Block]:
    """Give what is loaded and what leads to it, in order, moved together as closely as alignments allow."""
    parts = [(0, HEADER.size, 1), (*image.segment_table, _TABLE_ALIGNMENT)]
    parts += [
        (segment.offset, segment.end, segment.alignment or 1)
        for segment in image.segments
        if segment.file_size or segment.kind == LOAD
    ]
    blocks: list[_Block] = []
    for start, end, alignment in sorted(parts):
        if blocks and start < blocks[-1].end:
            blocks[-1].end = max(blocks[-1].end, end)
            blocks[-1].alignment = max(blocks[-1].alignment, alignment)
        else:
            blocks.append(_Block(start, end, alignment))
    free = 0
    for block in blocks:
        block.to = free + (block.start - free) % block.alignment
        free = block.to + block.end - block.start
    return blocks


def _is_inside(section: Section, blocks: Sequence[_Block]) -> bool:
    """Tell whether a section's bytes are loaded, or it has none.

    Raises:
        UnfitError: a part of them is.
    """
    if section.kind in {NO_SECTION, NO_BITS} or not section.size:
        return bool(section.flags & ALLOCATED)
    start, end = section.offset, section.offset + section.size
    if any(block.start <= start and end <= block.end for block in blocks):
        return True
    if any(block.start < end and start < block.end for block in blocks):
        raise UnfitError("a section is loaded in part")
    return False


def _refuse_swelling(sections: Sequence[Section], size: int) -> None:
    """Refuse sections that share their bytes or want much room between them: they would need gigabytes."""
    if sum(section.size for section in sections) > size or any(each.alignment > PAGE for each in sections):
        raise UnfitError("its sections overlap")


def _is_useless(image: ElfImage, index: int) -> bool:
    section = image.sections[index]
    if section.flags & ALLOCATED:
        return False
    return section.kind in _USELESS_KINDS or bool(_USELESS_NAMES.fullmatch(image.names[index]))


class _Tail:
    """What follows the blocks in the file; `start` is the offset of its first byte."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.data = bytearray()

    def append(self, data: bytes | memoryview, alignment: int) -> int:
        """Add bytes at an aligned offset of the file, and give it."""
        self.data += bytes(-(self.start + len(self.data)) % (alignment or 1))
        offset = self.start + len(self.data)
        self.data += data
        return offset


def _written(image: ElfImage, layout: _Layout) -> bytearray:
    tail = _Tail(layout.end)
    header = _write_sections(image, layout, tail)
    out = bytearray(layout.end + len(tail.data))  # allocated once: it may be large
    for block in layout.blocks:
        out[block.to : block.to + block.end - block.start] = image.data[block.start : block.end]
    out[tail.start :] = tail.data
    HEADER.pack_into(out, 0, *header)
    for i, segment in enumerate(image.segments):
        moved = segment._replace(offset=layout.moved(segment.offset))
        SEGMENT.pack_into(out, header.segments_at + i * SEGMENT.size, *moved)
    return out


def _write_sections(image: ElfImage, layout: _Layout, tail: _Tail) -> Header:
    """Add what is apart, the names and the section headers; give the header that leads to them."""
    places = {}
    for i in layout.apart:
        section = image.sections[i]
        data = image.data[section.offset : section.offset + section.size]
        places[i] = tail.append(data, section.alignment)
    names, strings = _name_table(image, layout.dropped)
    names_index, sections = _sections(image, layout, places, names)
    sections[names_index] = _NOTHING._replace(
        name=names[_NAMES],
        kind=_STRINGS,
        offset=tail.append(strings, 1),
        size=len(strings),
        alignment=1,
    )
    table = b"".join(SECTION.pack(*section) for section in sections)
    return image.header._replace(
        segments_at=layout.moved(image.header.segments_at),
        sections_at=tail.append(table, _TABLE_ALIGNMENT),
        section_count=len(sections),
        names_index=names_index,
    )


def _name_table(image: ElfImage, dropped: frozenset[int]) -> tuple[Mapping[bytes, int], bytes]:
    """Give the table of the names that are still needed, and where each is; one may be another's end."""
    needed = {name for i, name in enumerate(image.names) if i not in dropped} | {_NAMES}
    strings = bytearray(b"\0")
    for name in sorted(needed, key=lambda name: (-len(name), name)):
        if strings.find(name + b"\0") < 0:
            strings += name + b"\0"
    return {name: strings.find(name + b"\0") for name in needed}, bytes(strings)


def _sections(
    image: ElfImage, layout: _Layout, places: Mapping[int, int], names: Mapping[bytes, int]
) -> tuple[int, list[Section]]:
    """Give the section headers as they are now, with one for the names; dropped ones are empty."""
    sections = [
        _NOTHING
        if i in layout.dropped or section.kind == NO_SECTION
        else section._replace(name=names[image.names[i]], offset=places.get(i, layout.moved(section.offset)))
        for i, section in enumerate(image.sections)
    ]
    while not any(sections[-1]) and len(sections) > 1:
        sections.pop()
    names_index = next((i for i in sorted(layout.dropped) if i < len(sections)), len(sections))
    return names_index, [*sections, _NOTHING] if names_index == len(sections) else sections
