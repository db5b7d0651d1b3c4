"""What the dynamic loader will ask of a compiled file, read from the bytes of an ELF file.

Only what glibc's loader reads is read: the header, the program headers and the dynamic segment with
its strings and version needs. Section headers may be missing or wrong in files that load well. The
format is that of the System V gABI and, for symbol versions, of the Linux Standard Base Core
Specification. Bytes may be hostile: every count and every string has a limit.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from layercraft.formats.elf_records import (
    CLASS_64,
    DYNAMIC_SEGMENT,
    HEADER,
    INTERPRETER,
    LIBRARY,
    LITTLE_ENDIAN,
    LOAD,
    MAGIC,
    SEGMENT,
    Header,
    Segment,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_MACHINES = {3: "i386", 8: "mips", 20: "ppc", 21: "ppc64", 22: "s390x", 40: "arm", 62: "x86_64"} | {
    183: "aarch64",
    243: "riscv",
    258: "loongarch",
}  # gABI, e_machine
_DYNAMIC = struct.Struct("<qQ")
_VERSION_NEED = struct.Struct("<HHIII")
_VERSION_NEED_NAME = struct.Struct("<IHHII")

_NULL, _NEEDED, _STRINGS, _STRINGS_SIZE, _SONAME, _RPATH, _RUNPATH = 0, 1, 5, 10, 14, 15, 29  # d_tag
_VERNEED, _VERNEED_COUNT = 0x6FFFFFFE, 0x6FFFFFFF
_WEAK = 2  # VER_FLG_WEAK: a missing version is a warning of the loader, no error

_MOST_SEGMENTS = 512
_MOST_TAGS = 8192
_MOST_VERSIONS = 4096
_LONGEST_STRING = 4096

_MOST_MODULES = 256

_INITIALIZER = re.compile(rb"PyInit_(\w{1,256})\0")  # PEP 489
_NUMBERED = re.compile(r"(\w+?)_(\d+(?:\.\d+)*)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ElfFile:
    """A compiled file as the loader sees it.

    `machine` is "x86_64", "aarch64" or another name; all else is read only for 64-bit little-endian
    files. `loadable` tells that it is a shared object and no program. `needed`, `soname`, `rpath` and
    `runpath` are the dynamic section's; paths are split at colons, `$ORIGIN` stands as it is.
    `versions` gives for each library the symbol versions that are needed of it: of each series, such
    as GLIBC_2.x, only the newest, and those without a number. `aligned` tells that every segment can
    be mapped where it wants to be. `broken` says why the file cannot be loaded at all.
    """

    machine: str
    loadable: bool = False
    soname: str = ""
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    versions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    initializes: tuple[str, ...] = ()
    aligned: bool = True
    broken: str | None = None


class VersionName(NamedTuple):
    """A symbol version of a numbered series: GLIBC_2.34 is ("GLIBC", (2, 34))."""

    series: str
    numbers: tuple[int, ...]

    @classmethod
    def parse(cls, name: str) -> VersionName | None:
        """Read a version's name; None for one without a number, such as GLIBC_ABI_DT_RELR."""
        match = _NUMBERED.fullmatch(name)
        return cls(match[1], tuple(map(int, match[2].split(".")))) if match else None


def read_elf(data: bytes | bytearray | memoryview) -> ElfFile | None:
    """Read the bytes of one file; None when it is no ELF file. Never raises, whatever the bytes are."""
    view = memoryview(data)
    if view[:4] != MAGIC:
        return None
    if len(view) < HEADER.size:
        return ElfFile(machine="unknown", broken="it is cut short within its header")
    try:
        return _read(view)
    except (_BrokenError, struct.error) as error:
        reason = str(error) if isinstance(error, _BrokenError) else "its headers are cut short"
        return ElfFile(machine=_machine(view), broken=reason)


class _BrokenError(Exception):
    """The bytes contradict themselves; the message says how."""


def _machine(view: memoryview) -> str:
    number = int.from_bytes(view[18:20], "little" if view[5] == LITTLE_ENDIAN else "big")
    name = _MACHINES.get(number, f"machine {number}")
    return "x32" if name == "x86_64" and view[4] != CLASS_64 else name


def _read(view: memoryview) -> ElfFile:
    if (view[4], view[5]) != (CLASS_64, LITTLE_ENDIAN):
        return ElfFile(machine=_machine(view))
    header = Header(*HEADER.unpack_from(view))
    segments = _segments(view, header.segments_at, header.segment_size, header.segment_count)
    loads = [segment for segment in segments if segment.kind == LOAD]
    if header.kind == LIBRARY and not loads:
        raise _BrokenError("nothing in it is to be loaded")
    _refuse_truncated(view, loads)
    file = ElfFile(machine=_machine(view), aligned=all(segment.is_aligned for segment in loads))
    dynamic = next((segment for segment in segments if segment.kind == DYNAMIC_SEGMENT), None)
    if dynamic:
        file = _Dynamic(view, loads, dynamic).fill(file)
    is_program = any(segment.kind == INTERPRETER for segment in segments) and not file.soname
    return replace(file, loadable=header.kind == LIBRARY and not is_program)


def _segments(view: memoryview, offset: int, size: int, count: int) -> list[Segment]:
    if not count:
        return []
    if size != SEGMENT.size:
        raise _BrokenError(f"its program headers have {size} bytes each instead of {SEGMENT.size}")
    if count > _MOST_SEGMENTS:
        raise _BrokenError(f"it tells of {count} segments")
    table = _part(view, offset, count * size, "its program headers lie")
    return [Segment(*fields) for fields in SEGMENT.iter_unpack(table)]


def _part(view: memoryview, offset: int, size: int, what: str) -> memoryview:
    if offset + size > len(view):
        raise _BrokenError(f"{what} beyond its end: it is cut short")
    return view[offset : offset + size]


def _refuse_truncated(view: memoryview, loads: list[Segment]) -> None:
    end = max((segment.offset + segment.file_size for segment in loads if segment.file_size), default=0)
    if end > len(view):
        raise _BrokenError(f"it is cut short: it has {len(view)} bytes, and what is loaded ends at {end}")


class _Dynamic:
    """The dynamic segment with what it points to by addresses."""

    def __init__(self, view: memoryview, loads: list[Segment], segment: Segment) -> None:
        self._view = view
        self._loads = loads
        table = _part(view, segment.offset, segment.file_size, "its dynamic segment lies")
        self._tags = list(_tags(table))
        self._single = dict(self._tags)
        self._strings = self._string_table()

    def fill(self, file: ElfFile) -> ElfFile:
        return replace(
            file,
            soname=self._string(self._single[_SONAME]) if _SONAME in self._single else "",
            needed=tuple(self._string(value) for tag, value in self._tags if tag == _NEEDED),
            rpath=self._search_path(_RPATH),
            runpath=self._search_path(_RUNPATH),
            versions=self._versions(),
            initializes=self._initializes(),
        )

    def _string_table(self) -> memoryview:
        if _STRINGS not in self._single:
            return memoryview(b"")
        offset = self._offset(self._single[_STRINGS])
        return _part(self._view, offset, self._single.get(_STRINGS_SIZE, 0), "its strings lie")

    def _offset(self, address: int) -> int:
        """Give where in the file the byte lies that is loaded at this address."""
        for segment in self._loads:
            if 0 <= address - segment.address < segment.file_size:
                return address - segment.address + segment.offset
        raise _BrokenError(f"its dynamic segment names the address {address:#x}, which is not loaded")

    def _string(self, offset: int) -> str:
        text, end, _ = bytes(self._strings[offset : offset + _LONGEST_STRING]).partition(b"\0")
        if not end:
            raise _BrokenError("a name in its dynamic segment has no end")
        return text.decode("utf-8", "replace")

    def _search_path(self, tag: int) -> tuple[str, ...]:
        if tag not in self._single:
            return ()
        return tuple(path for path in self._string(self._single[tag]).split(":") if path)

    def _initializes(self) -> tuple[str, ...]:
        found = islice(_INITIALIZER.finditer(self._strings), _MOST_MODULES)
        return tuple(match[1].decode("ascii") for match in found)

    def _versions(self) -> dict[str, tuple[str, ...]]:
        needed: dict[str, list[str]] = {}
        if _VERNEED in self._single:
            offset = self._offset(self._single[_VERNEED])
            for library, name in self._version_needs(offset, self._single.get(_VERNEED_COUNT, 0)):
                needed.setdefault(library, []).append(name)
        return {library: newest(names) for library, names in needed.items()}

    def _version_needs(self, offset: int, count: int) -> Iterator[tuple[str, str]]:
        """Give pairs of a library and a version; the records are lists linked by distances."""
        budget = _MOST_VERSIONS
        for _ in range(min(count, _MOST_VERSIONS)):
            need = _part(self._view, offset, _VERSION_NEED.size, "its version needs lie")
            _, names, file, first, following = _VERSION_NEED.unpack(need)
            library = self._string(file)
            position = offset + first
            budget -= names
            if budget < 0:
                raise _BrokenError(f"it tells of more than {_MOST_VERSIONS} version needs")
            for _ in range(names):
                entry = _part(self._view, position, _VERSION_NEED_NAME.size, "its version needs lie")
                _, flags, _, name, next_name = _VERSION_NEED_NAME.unpack(entry)
                if not flags & _WEAK:
                    yield library, self._string(name)
                position += next_name
            if not following:
                return
            offset += following


def _tags(table: memoryview) -> Iterator[tuple[int, int]]:
    whole = len(table) - len(table) % _DYNAMIC.size
    for position, (tag, value) in enumerate(_DYNAMIC.iter_unpack(table[:whole])):
        if tag == _NULL:
            return
        if position == _MOST_TAGS:
            raise _BrokenError(f"its dynamic segment has more than {_MOST_TAGS} entries")
        yield tag, value


def newest(names: list[str]) -> tuple[str, ...]:
    """Give of each numbered series of versions the newest, and all versions without a number, sorted."""
    best: dict[str, tuple[tuple[int, ...], str]] = {}
    others: set[str] = set()
    for name in names:
        version = VersionName.parse(name)
        if version is None:
            others.add(name)
        else:
            best[version.series] = max(best.get(version.series, ((), "")), (version.numbers, name))
    return tuple(sorted(others.union(name for _, name in best.values())))
