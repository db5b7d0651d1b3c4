"""ELF files with sections, made to measure: as linkers leave them, and as patchelf does."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from layercraft.formats.elf_records import HEADER, LOAD, SECTION, SEGMENT, Header, Section, Segment

if TYPE_CHECKING:
    from collections.abc import Mapping

X86_64, AARCH64 = 62, 183
BITS, SYMBOLS, STRINGS, NOTE, NO_BITS = 1, 2, 3, 7, 8  # sh_type
ALLOCATED = 2  # sh_flags


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionedElf:
    """A shared object of two loaded segments with other bytes between and behind them.

    Attributes:
        text, data: what the two segments hold; the second is mapped from a later page.
        between: names and bytes of sections that nothing loads, between the segments.
        behind: the same, behind the second segment.
        gap: bytes between the segments of which no header tells.
        tail: bytes behind everything, of which no header tells.
        alignment: p_align of both segments, and the file's page.
        zeros: bytes that the second segment has in memory only, as a section of its own.
        machine: e_machine of the header.
        header: fields of the header that are to be other than right, by their names.
    """

    text: bytes = b"\x90" * 600
    data: bytes = b"loaded data " * 40
    between: Mapping[str, bytes] = field(default_factory=lambda: {".symtab": bytes(24) * 400})
    behind: Mapping[str, bytes] = field(
        default_factory=lambda: {".strtab": b"\0main\0" * 900, ".comment": b"GCC\0"}
    )
    gap: bytes = b""
    tail: bytes = b""
    alignment: int = 0x1000
    zeros: int = 0x30
    machine: int = X86_64
    header: Mapping[str, Any] = field(default_factory=dict)

    def packed(self) -> bytes:
        """Give the file's bytes."""
        out = bytearray(HEADER.size + 2 * SEGMENT.size)
        start = len(out)
        out += self.text
        text_end = len(out)
        sections: list[tuple[str, Section]] = [
            ("", Section(*[0] * 10)),
            (".text", section(BITS, ALLOCATED, start, start, len(self.text))),
        ]
        sections += _placed(out, self.between)
        out += self.gap
        out += bytes(-len(out) % self.alignment)
        offset, address = len(out), -(-text_end // self.alignment) * self.alignment + self.alignment
        out += self.data
        end = offset + len(self.data)
        sections += [
            (".data", section(BITS, ALLOCATED, address, offset, len(self.data))),
            (".bss", section(NO_BITS, ALLOCATED, address + len(self.data), end, self.zeros)),
        ]
        sections += _placed(out, self.behind)
        self._add_tables(out, sections)
        loads = [
            Segment(LOAD, 5, 0, 0, 0, text_end, text_end, self.alignment),
            Segment(
                LOAD, 6, offset, address, address, len(self.data), len(self.data) + self.zeros, self.alignment
            ),
        ]
        for i, load in enumerate(loads):
            SEGMENT.pack_into(out, HEADER.size + i * SEGMENT.size, *load)
        return bytes(out + self.tail)

    def _add_tables(self, out: bytearray, sections: list[tuple[str, Section]]) -> None:
        names = b"".join(name.encode() + b"\0" for name, _ in sections) + b".shstrtab\0"
        sections.append((".shstrtab", section(STRINGS, 0, 0, len(out), len(names))))
        out += names
        out += bytes(-len(out) % 8)
        table = len(out)
        index = {name: i for i, (name, _) in enumerate(sections)}
        for name, each in sections:
            link = index.get(".strtab", 0) if each.kind == SYMBOLS else 0
            out += SECTION.pack(*each._replace(name=names.find(name.encode() + b"\0"), link=link))
        header = Header(
            b"\x7fELF\2\1\1".ljust(16, b"\0"),
            3,
            self.machine,
            1,
            0,
            HEADER.size,
            table,
            0,
            HEADER.size,
            SEGMENT.size,
            2,
            SECTION.size,
            len(sections),
            len(sections) - 1,
        )
        HEADER.pack_into(out, 0, *header._replace(**self.header))


def section(kind: int, flags: int, address: int, offset: int, size: int) -> Section:
    """Give a section header without name and links, aligned to 8 bytes."""
    return Section(0, kind, flags, address, offset, size, 0, 0, 8, 24 if kind == SYMBOLS else 0)


def _placed(out: bytearray, contents: Mapping[str, bytes]) -> list[tuple[str, Section]]:
    placed = []
    for name, data in contents.items():
        out += bytes(-len(out) % 8)
        kind = {".symtab": SYMBOLS, ".strtab": STRINGS}.get(name, NOTE if name.startswith(".note") else BITS)
        placed.append((name, section(kind, 0, 0, len(out), len(data))))
        out += data
    return placed


def memory(data: bytes | bytearray) -> list[tuple[int, ...] | bytes]:
    """Give what the loader makes of a file: for each segment its fields but the offset, then its bytes.

    The header's way to the tables and the offsets in the program headers are blanked.
    """
    blanked = bytearray(data)
    table, count = struct.unpack_from("<Q", data, 32)[0], struct.unpack_from("<H", data, 56)[0]
    segments = [Segment(*SEGMENT.unpack_from(data, table + i * SEGMENT.size)) for i in range(count)]
    for start, size in [(32, 16), (58, 6), *((table + i * SEGMENT.size + 8, 8) for i in range(count))]:
        blanked[start : start + size] = bytes(size)
    seen: list[tuple[int, ...] | bytes] = []
    for segment in segments:
        seen += [segment._replace(offset=0), bytes(blanked[segment.offset :][: segment.file_size])]
    return seen


def section_names(data: bytes | bytearray) -> list[str]:
    """Give the names of all sections but the empty ones."""
    header = Header(*HEADER.unpack_from(data))
    sections = [
        Section(*SECTION.unpack_from(data, header.sections_at + i * SECTION.size))
        for i in range(header.section_count)
    ]
    names = data[sections[header.names_index].offset :]
    return [names[each.name :].split(b"\0", 1)[0].decode() for each in sections if each.kind]
