"""The layer as a tree of files, each of which knows where its bytes lie now."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from layercraft.errors import BadWheelError, ConflictError
from layercraft.layer.placement import Placement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from layercraft.formats.zip_records import Member
    from layercraft.target import Target
    from layercraft.wheels.inspection import Wheel


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelMember:
    """Bytes that lie in a wheel, most often deflated already."""

    wheel: Path
    member: Member

    @property
    def size(self) -> int:
        """Unzipped bytes."""
        return self.member.size

    @property
    def crc(self) -> int:
        """CRC-32 of the unzipped bytes."""
        return self.member.crc


@dataclass(frozen=True, slots=True, kw_only=True)
class StrippedMember(WheelMember):
    """Bytes of which some were taken away here, and that lie in the cache now as in a wheel.

    `wheel` is the cache's file, `sha256` the digest of the unzipped bytes.
    """

    sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFile:
    """Bytes that lie in a file, because a script, the compiler or the recipe put them there."""

    path: Path
    size: int
    crc: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inline:
    """Bytes that were made here."""

    data: bytes

    @property
    def size(self) -> int:
        """Unzipped bytes."""
        return len(self.data)

    @property
    def crc(self) -> int:
        """CRC-32 of the unzipped bytes."""
        return zlib.crc32(self.data)


Content = WheelMember | DiskFile | Inline


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of the layer.

    `path` is its place inside the layer (`python/numpy/__init__.py`), `owner` the normalized
    name of the distribution that brought it, empty when none did.
    """

    path: str
    content: Content
    executable: bool
    owner: str

    @property
    def size(self) -> int:
        """Unzipped bytes."""
        return self.content.size

    @property
    def crc(self) -> int:
        """CRC-32 of the unzipped bytes."""
        return self.content.crc

    def same_bytes(self, other: Entry) -> bool:
        """Tell whether both hold the same bytes, by size and CRC-32."""
        return self.size == other.size and self.crc == other.crc


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """One path for which two distributions bring different bytes; the winner's are in the tree."""

    path: str
    winner: str
    loser: str

    def __str__(self) -> str:
        return f"{self.path}: {self.winner} and {self.loser} bring different files; {self.winner}'s is taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """What the tree must know of a wheel besides its files.

    `dist_info` is the folder's path inside the layer, `record` the wheel's own RECORD.
    """

    name: str
    version: str
    dist_info: str
    record: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """All files of a layer by their paths, sorted; changes make new trees and leave this one alone."""

    entries: Mapping[str, Entry]
    conflicts: tuple[Conflict, ...] = ()
    distributions: Mapping[str, Distribution] = field(default_factory=dict)

    @classmethod
    def of(cls, wheels: Iterable[Wheel], target: Target) -> Self:
        """Lay the wheels' files over each other as `pip install --target python/` would, in memory.

        The order of `wheels` does not matter: where two distributions bring different bytes for
        one path, the first by normalized name wins and a `Conflict` is kept. `#!python` lines of
        scripts are pointed at the interpreter of Lambda's runtime. RECORD is left out, for it is
        written anew when all changes are made. Opens no file.

        Raises:
            BadWheelError: a member's path leads out of the layer, or the wheel contradicts itself.
            ConflictError: one distribution's file lies where another has a folder.
        """
        interpreter = "/var/lang/bin/python{}.{}".format(*target.runtime.version)
        entries: dict[str, Entry] = {}
        conflicts: list[Conflict] = []
        distributions: dict[str, Distribution] = {}
        for wheel in sorted(wheels, key=lambda wheel: (wheel.name, wheel.version, wheel.filename)):
            placement = Placement.of(wheel)
            distributions[wheel.name] = Distribution(
                name=wheel.name,
                version=wheel.version,
                dist_info=f"python/{placement.dist_info}",
                record=wheel.texts[f"{placement.dist_info}/RECORD"],
            )
            for entry in _entries(wheel, placement, interpreter):
                first = entries.setdefault(entry.path, entry)
                if first is not entry and not first.same_bytes(entry):
                    conflicts.append(_conflict(first, entry, wheel))
        _refuse_files_in_the_way(entries)
        return cls(entries=_sorted(entries), conflicts=tuple(conflicts), distributions=distributions)

    @property
    def size(self) -> int:
        """Unzipped bytes of all files together, as AWS Lambda counts a layer."""
        return sum(entry.size for entry in self.entries.values())

    def with_entries(self, entries: Mapping[str, Entry]) -> Self:
        """Give the tree that holds these files instead, sorted by path."""
        return replace(self, entries=_sorted(entries))

    def without(self, paths: Iterable[str]) -> Self:
        """Give the tree that lacks the files at these paths."""
        gone = frozenset(paths)
        return replace(
            self, entries={path: entry for path, entry in self.entries.items() if path not in gone}
        )


def _sorted(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """Sort by path; texts alone are sorted ten times as fast as pairs."""
    return {path: entries[path] for path in sorted(entries)}


def _entries(wheel: Wheel, placement: Placement, interpreter: str) -> Iterable[Entry]:
    for member in wheel.members:
        path = placement.path(member.name)
        if path is None:
            continue
        in_bin = path.startswith("python/bin/")
        content: Content = WheelMember(wheel=wheel.path, member=member)
        if in_bin and member.name in wheel.texts:
            content = _pointed_at(interpreter, wheel.texts[member.name])
        yield Entry(
            path=path,
            content=content,
            executable=in_bin or bool(member.mode & 0o100),
            owner=wheel.name,
        )


def _pointed_at(interpreter: str, script: bytes) -> Inline:
    _, newline, rest = script.partition(b"\n")
    return Inline(data=b"#!" + interpreter.encode() + newline + rest)


def _conflict(first: Entry, second: Entry, wheel: Wheel) -> Conflict:
    if first.owner == second.owner:
        raise BadWheelError(f"{wheel.filename}: two different members for {second.path}")
    return Conflict(path=first.path, winner=first.owner, loser=second.owner)


def _refuse_files_in_the_way(entries: Mapping[str, Entry]) -> None:
    folders: dict[str, Entry] = {}
    for path, entry in entries.items():
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders[folder] = entry
            folder = folder.rpartition("/")[0]
    for path in sorted(entries.keys() & folders.keys()):
        raise ConflictError(
            f"{path} is a file of {entries[path].owner} and a folder of {folders[path].owner}",
            hint="keep one of the two out of the layer with `exclude`",
        )
