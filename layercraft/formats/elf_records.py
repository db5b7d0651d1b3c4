"""The fixed records of a 64-bit little-endian ELF file, as the System V gABI lays them out."""

from __future__ import annotations

import struct
from typing import NamedTuple

MAGIC = b"\x7fELF"
CLASS_64, LITTLE_ENDIAN = 2, 1
LIBRARY, PROGRAM = 3, 2  # e_type: ET_DYN, ET_EXEC
X86_64, AARCH64 = 62, 183  # e_machine
LOAD, DYNAMIC_SEGMENT, INTERPRETER = 1, 2, 3  # p_type

HEADER = struct.Struct("<16s2HI3QI6H")
SEGMENT = struct.Struct("<2I6Q")
SECTION = struct.Struct("<2I4Q2I2Q")

PAGE = 4096
"""Bytes of a page: what Lambda's kernels use on both architectures."""


class Header(NamedTuple):
    """The first record of the file; offsets and sizes in bytes."""

    identity: bytes
    kind: int
    machine: int
    version: int
    entry: int
    segments_at: int
    sections_at: int
    flags: int
    size: int
    segment_size: int
    segment_count: int
    section_size: int
    section_count: int
    names_index: int


class Segment(NamedTuple):
    """A program header: what the loader maps or reads."""

    kind: int
    flags: int
    offset: int
    address: int
    physical_address: int
    file_size: int
    memory_size: int
    alignment: int

    @property
    def end(self) -> int:
        """The offset behind its last byte in the file."""
        return self.offset + self.file_size

    @property
    def is_aligned(self) -> bool:
        """Tell whether glibc maps it: `_dl_map_object_from_fd` refuses what fails these two tests."""
        misplaced = (self.address - self.offset) & (self.alignment - 1)
        return not misplaced and self.alignment % PAGE == 0


class Section(NamedTuple):
    """A section header: what linkers, debuggers and other tools read."""

    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int
