"""The compiled files of wheels: read once for each wheel, in the pass that checks it, and remembered."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layercraft.formats.elf import ElfFile, read_elf

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from layercraft.formats.zip_records import Listed, Member
    from layercraft.host.cache import Cache
    from layercraft.wheels.inspection import Wheel

LARGEST = 256 << 20
"""Bytes of the largest file that is read; AWS Lambda takes no layer that holds a larger one."""

FORMAT = 2
"""Another number when what is remembered changes its shape or its meaning."""

Identity = tuple[int, int]
"""CRC-32 and size in bytes: what tells a file from others."""

SHARED_OBJECT = re.compile(r"\.so(\.\d\w*)*$")
"""Finds what a shared object's name ends with: `.so`, and maybe a version."""

_KIND = "elf"
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
    return is_called_compiled(file.name, file.size)


def is_called_compiled(path: str, size: int) -> bool:
    """Do what `may_be_compiled` does, for a file of this path and of so many bytes."""
    folder, _, base = path.rpartition("/")
    if SHARED_OBJECT.search(base):
        return size <= LARGEST
    plain = "." not in base and not folder.endswith(".dist-info")
    return plain and _SMALLEST_PROGRAM <= size <= LARGEST


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


def remembered(shas: Iterable[str], cache: Cache) -> dict[Identity, ElfFile | None]:
    """Give what is remembered of the wheels with these sha256, and of what was made of their files."""
    known: dict[Identity, ElfFile | None] = {}
    for sha256 in shas:
        known |= _read(sha256, cache)
        known |= _read(_key_of_versions(sha256), cache)
    return known


def remember_versions(sha256: str, versions: Mapping[Identity, Identity], cache: Cache) -> None:
    """Keep that files of a wheel have other versions, which ask the same of the loader: old -> new.

    Raises:
        OutputError: the cache cannot be written.
    """
    import msgspec

    originals, key = _read(sha256, cache), _key_of_versions(sha256)
    known = _read(key, cache)
    new = {new: originals[old] for old, new in versions.items() if old in originals and new not in known}
    if new:
        binaries = [Binary(crc=crc, size=size, elf=elf) for (crc, size), elf in (known | new).items()]
        remembered = _Remembered(format=FORMAT, binaries=tuple(binaries))
        cache.write(_KIND, key, msgspec.json.encode(remembered))


def _key_of_versions(sha256: str) -> str:
    return hashlib.sha256(f"versions of the files of {sha256}".encode()).hexdigest()


def _read(key: str, cache: Cache) -> dict[Identity, ElfFile | None]:
    import msgspec

    data = cache.read(_KIND, key)
    try:
        entry = msgspec.json.decode(data, type=_Remembered) if data else None
    except msgspec.DecodeError:  # written by another version of layercraft
        return {}
    if entry is None or entry.format != FORMAT:
        return {}
    return {(binary.crc, binary.size): binary.elf for binary in entry.binaries}
