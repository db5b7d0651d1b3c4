"""What a wheel in the cache holds: its members, checked once, and the few texts that the tree must read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from layercraft.errors import BadWheelError
from layercraft.events import SILENT
from layercraft.formats.deflated import inflate_pieces
from layercraft.formats.zip_directory import DEFLATED, lie, read_exactly
from layercraft.formats.zip_records import read_data, read_members
from layercraft.wheels.binaries import FORMAT, BinaryReader, may_be_compiled
from layercraft.wheels.integrity import checked
from layercraft.wheels.wheel_file import opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from packaging.utils import NormalizedName

    from layercraft.events import Reporter
    from layercraft.formats.zip_records import Member, ReadAt
    from layercraft.host.cache import Cache

CHECK = b"1.%d" % FORMAT
"""What the cache remembers of a checked wheel; another number when the check learns to see more."""

TEXT_LIMIT = 32 << 20
"""Bytes that a RECORD or a `#!python` script has at most."""

_REQUIRED = ("METADATA", "WHEEL", "RECORD")
_HEAD = 4096  # packed bytes that surely hold the beginning of a script
_SHEBANG = b"#!python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A wheel on disk and what is in it.

    `texts` holds the plain bytes of those members that the tree must read, by their names:
    `*.dist-info/RECORD`, and the scripts in `*.data/scripts/` that begin with `#!python`.
    """

    path: Path
    filename: str
    name: NormalizedName
    version: str
    sha256: str
    members: tuple[Member, ...]
    texts: Mapping[str, bytes]


def inspect(path: Path, filename: str, sha256: str, cache: Cache, *, check: bool = True) -> Wheel:
    """Read one wheel; `inspect_all` tells more."""
    return inspect_all([(path, filename, sha256)], cache, check=check)[0]


def inspect_all(
    files: Iterable[tuple[Path, str, str]],
    cache: Cache,
    *,
    check: bool = True,
    reporter: Reporter = SILENT,
) -> tuple[Wheel, ...]:
    """Read wheels, given as path on disk, file name on the index and sha256, in their order.

    With `check` every member is inflated, its size and CRC compared and compiled files read, in
    threads, unless the cache remembers that for this sha256. The sha256 itself is not computed here:
    `fetch` did.

    Raises:
        BadWheelError: a file is no wheel by PEP 427, contradicts itself, or holds broken members.
    """
    wheels = tuple(_read(path, filename, sha256) for path, filename, sha256 in files)
    if check:
        _check(wheels, cache, reporter)
    return wheels


def _check(wheels: Sequence[Wheel], cache: Cache, reporter: Reporter) -> None:
    unchecked = [wheel for wheel in wheels if cache.read("checked", wheel.sha256) != CHECK]
    if unchecked:
        binaries = BinaryReader()
        for wheel in checked(unchecked, reporter=reporter, visit=binaries.visit, whole=may_be_compiled):
            binaries.remember(wheel, cache)
            cache.write("checked", wheel.sha256, CHECK)


def _read(path: Path, filename: str, sha256: str) -> Wheel:
    with opened(path, archive=filename) as read_at:
        members = read_members(read_at, path.stat().st_size, archive=filename)
        return described(read_at, members, path=path, filename=filename, sha256=sha256)


def described(
    read_at: ReadAt, members: tuple[Member, ...], *, path: Path, filename: str, sha256: str
) -> Wheel:
    """Give the wheel of these members, of which those that `may_be_text` knows are read.

    Raises:
        BadWheelError: it is no wheel by PEP 427.
    """
    try:
        name, version, _, _ = parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        raise BadWheelError(f"{filename}: no file name of a wheel: {error}") from error
    texts = dict(_texts(read_at, members, _dist_info(members, name, filename), filename))
    return Wheel(
        path=path,
        filename=filename,
        name=name,
        version=str(version),
        sha256=sha256,
        members=members,
        texts=texts,
    )


def may_be_text(member: str) -> bool:
    """Tell by its name whether a member may be one of a wheel's `texts`."""
    folder, _, rest = member.partition("/")
    if folder.endswith(".dist-info"):
        return rest == "RECORD"
    return folder.endswith(".data") and rest.startswith("scripts/")


def _dist_info(members: Sequence[Member], name: NormalizedName, archive: str) -> str:
    """Give the one `.dist-info` folder that belongs to the wheel's own name."""
    folders = {member.name.partition("/")[0] for member in members}
    found = sorted(folder for folder in folders if folder.endswith(".dist-info"))
    own = [folder for folder in found if _distribution(folder) == name]
    if len(own) != 1:
        raise BadWheelError(
            f"{archive}: not one .dist-info folder of {name}, but {', '.join(found) or 'none'}"
        )
    names = {member.name for member in members}
    missing = [f"{own[0]}/{base}" for base in _REQUIRED if f"{own[0]}/{base}" not in names]
    if missing:
        raise BadWheelError(f"{archive}: {' and '.join(missing)} missing, so it is no wheel")
    return own[0]


def _distribution(dist_info: str) -> NormalizedName:
    return canonicalize_name(dist_info.removesuffix(".dist-info").rpartition("-")[0])


def _texts(
    read_at: ReadAt, members: Iterable[Member], dist_info: str, archive: str
) -> Iterator[tuple[str, bytes]]:
    for member in members:
        if not may_be_text(member.name):
            continue
        if member.name != f"{dist_info}/RECORD" and not _is_python_script(read_at, member, archive):
            continue
        if member.size > TEXT_LIMIT:
            raise lie(archive, member.name, f"{member.size} bytes are too many for a text")
        yield member.name, read_data(read_at, member, archive=archive)


def _is_python_script(read_at: ReadAt, member: Member, archive: str) -> bool:
    """Tell whether a script's interpreter is to be filled in (PEP 427), from its first bytes alone."""
    if not member.name.partition("/")[0].endswith(".data"):
        return False
    head = read_exactly(read_at, member.data_offset, min(member.packed_size, _HEAD), archive)
    if member.method == DEFLATED:
        try:
            head = next(inflate_pieces([head], member.size), b"")
        except BadWheelError as error:
            raise lie(archive, member.name, error.message) from error
    return head.startswith(_SHEBANG)
