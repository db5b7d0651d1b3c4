"""The compiled files of wheels: read once for each wheel, in the pass that checks it, and remembered."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layercraft.formats.elf import ElfFile, read_elf

if TYPE_CHECKING:
    from collections.abc import Iterable

    from layercraft.formats.zip_records import Listed, Member
    from layercraft.host.cache import Cache
    from layercraft.wheels.inspection import Wheel

LARGEST = 256 << 20
"""Bytes of the largest file that is read; AWS Lambda takes no layer that holds a larger one."""

FORMAT = 2
"""Another number when what is remembered changes its shape or its meaning."""

_KIND = "elf"
_SHARED_OBJECT = re.compile(r"\.so(\.\d\w*)*$")
_SMALLEST_PROGRAM = 8192  # bytes; what is smaller and has no suffix is a time zone or a licence


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """What was read of one file, which its CRC-32 and its size in bytes tell from others.

    `elf` is None for a file that is called like a compiled one and is none.
    """

    crc: int
    size: int
    elf: ElfFile | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Remembered:
    format: int
    binaries: tuple[Binary, ...]


def may_be_compiled(file: Member | Listed) -> bool:
    """Tell from its name and size whether a file has to be read to know if it is compiled."""
    folder, _, base = file.name.rpartition("/")
    if _SHARED_OBJECT.search(base):
        return file.size <= LARGEST
    plain = "." not in base and not folder.endswith(".dist-info")
    return plain and _SMALLEST_PROGRAM <= file.size <= LARGEST


class BinaryReader:
    """Collects the compiled files of wheels from their plain bytes, as `integrity.checked` visits them."""

    def __init__(self) -> None:
        self._found: defaultdict[str, list[Binary]] = defaultdict(list)

    def visit(self, wheel: Wheel, member: Member, data: bytes | bytearray | memoryview) -> None:
        """Read one member; called from any thread."""
        if may_be_compiled(member):
            binary = Binary(crc=member.crc, size=member.size, elf=read_elf(data))
            self._found[wheel.sha256].append(binary)

    def remember(self, wheel: Wheel, cache: Cache) -> None:
        """Keep what was found in a wheel under its sha256.

        Raises:
            OutputError: the cache cannot be written.
        """
        import msgspec

        # Threads read the members in any order, and the same wheel shall give the same entry.
        binaries = sorted(self._found.pop(wheel.sha256, ()), key=lambda binary: (binary.crc, binary.size))
        remembered = _Remembered(format=FORMAT, binaries=tuple(binaries))
        cache.write(_KIND, wheel.sha256, msgspec.json.encode(remembered))


def remembered(shas: Iterable[str], cache: Cache) -> dict[tuple[int, int], ElfFile | None]:
    """Give what is remembered of the wheels with these sha256, by CRC-32 and size of their files."""
    import msgspec

    decoder = msgspec.json.Decoder(_Remembered)
    known: dict[tuple[int, int], ElfFile | None] = {}
    for sha256 in shas:
        data = cache.read(_KIND, sha256)
        try:
            entry = decoder.decode(data) if data else None
        except msgspec.DecodeError:  # written by another version of layercraft
            continue
        if entry and entry.format == FORMAT:
            known.update(((binary.crc, binary.size), binary.elf) for binary in entry.binaries)
    return known
