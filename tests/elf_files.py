"""ELF files made to measure, with all that the dynamic loader reads and nothing else."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

X86_64, AARCH64 = 62, 183
HEADER = struct.Struct("<4s5B7xHHI3QI6H")
PROGRAM_HEADER = struct.Struct("<II6Q")
VERSION_NEED = struct.Struct("<HHIII")
VERSION_NEED_NAME = struct.Struct("<IHHII")


@dataclass(frozen=True, slots=True, kw_only=True)
class ElfDraft:
    """A shared object to be: `packed()` gives its bytes, which are loaded as a whole from address 0.

    Attributes:
        machine: e_machine of the header.
        kind: e_type of the header; 3 for a shared object, 2 for a program.
        needed, soname, rpath, runpath: what the dynamic segment says; empty texts are left out.
        versions: library -> symbol versions that are needed of it.
        weak: the versions among them that may be missing.
        modules: Python modules whose PyInit_ function it names.
        interpreter: whether it has a segment for one, as programs do.
        address: where the loader shall map it, from offset 0.
        alignment: p_align of what is loaded.
        loaded: bytes that are to be loaded; default all.
        tail: bytes behind everything that is loaded.
        elf_class, byte_order: 2 and 1 for 64 bits and little-endian.
    """

    machine: int = X86_64
    kind: int = 3
    needed: Sequence[str] = ("libc.so.6",)
    soname: str = ""
    rpath: str = ""
    runpath: str = ""
    versions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    weak: Sequence[str] = ()
    modules: Sequence[str] = ()
    interpreter: bool = False
    address: int = 0
    alignment: int = 0x1000
    loaded: int | None = None
    tail: bytes = b""
    elf_class: int = 2
    byte_order: int = 1

    def packed(self) -> bytes:
        """Give the file's bytes."""
        strings = _Strings()
        for module in self.modules:
            strings.place(f"PyInit_{module}")
        programs = 3 if self.interpreter else 2
        start = HEADER.size + programs * PROGRAM_HEADER.size
        versions = self._versions(strings)
        tags = self._tags(strings, start)
        table = b"".join(struct.pack("<qQ", *tag) for tag in tags)
        body = versions + table + bytes(strings.data)
        size = start + len(body)
        headers = [
            (1, 5, 0, self.address, self.address, self.loaded or size, self.loaded or size, self.alignment),
            (2, 6, start + len(versions), self.address + start + len(versions), 0, len(table), len(table), 8),
        ]
        if self.interpreter:
            headers.append((3, 4, 0, 0, 0, 4, 4, 1))
        header = HEADER.pack(
            b"\x7fELF",
            self.elf_class,
            self.byte_order,
            1,
            0,
            0,
            self.kind,
            self.machine,
            1,
            0,
            HEADER.size,
            0,
            0,
            HEADER.size,
            PROGRAM_HEADER.size,
            len(headers),
            64,
            0,
            0,
        )
        return header + b"".join(PROGRAM_HEADER.pack(*each) for each in headers) + body + self.tail

    def _tags(self, strings: _Strings, start: int) -> list[tuple[int, int]]:
        tags = [(1, strings.place(name)) for name in self.needed]
        for tag, text in ((14, self.soname), (15, self.rpath), (29, self.runpath)):
            if text:
                tags.append((tag, strings.place(text)))
        if self.versions:
            tags += [(0x6FFFFFFE, self.address + start), (0x6FFFFFFF, len(self.versions))]
        size = len(self._versions(strings)) + 16 * (len(tags) + 3)
        return [*tags, (5, self.address + start + size), (10, len(strings.data)), (0, 0)]

    def _versions(self, strings: _Strings) -> bytes:
        data = b""
        for position, (library, names) in enumerate(self.versions.items()):
            size = VERSION_NEED.size + len(names) * VERSION_NEED_NAME.size
            following = size if position < len(self.versions) - 1 else 0
            data += VERSION_NEED.pack(1, len(names), strings.place(library), VERSION_NEED.size, following)
            for number, name in enumerate(names):
                flags = 2 if name in self.weak else 0
                step = VERSION_NEED_NAME.size if number < len(names) - 1 else 0
                data += VERSION_NEED_NAME.pack(0, flags, 2, strings.place(name), step)
        return data


class _Strings:
    """A string table that grows as names are placed in it, each one once."""

    def __init__(self) -> None:
        self.data = bytearray(b"\0")
        self._places: dict[str, int] = {}

    def place(self, text: str) -> int:
        if text not in self._places:
            self._places[text] = len(self.data)
            self.data += text.encode() + b"\0"
        return self._places[text]
