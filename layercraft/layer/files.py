"""`[files]`: single files of the recipe, or of wheels that are no part of the layer otherwise."""

from __future__ import annotations

import zlib
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from layercraft.errors import ConfigurationError, ConflictError, reason_of
from layercraft.layer.change import Change, Reason
from layercraft.layer.tree import DiskFile, Entry, WheelMember
from layercraft.layer.unpacked import folders_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from layercraft.layer.tree import Tree
    from layercraft.recipe.extra_files import ExtraFile
    from layercraft.wheels.inspection import Wheel

_MOST_NAMED = 3


def add_files(
    tree: Tree, files: Sequence[ExtraFile], folder: Path | None, donors: Mapping[str, Wheel], *, source: str
) -> Change:
    """Put each file at its path. `folder` is the recipe's, `donors` gives the wheel for each requirement.

    Raises:
        ConfigurationError: a glob matches no member or several, or a file of the recipe cannot be read.
        ConflictError: the path is taken, or it is a folder.
    """
    entries = dict(tree.entries)
    for file in files:
        where = f"{source}: files.{file.path}"
        _refuse_taken(file.path, entries, where)
        if file.requirement:
            entries[file.path] = _member(file, donors[file.requirement], where)
        elif folder is not None:
            entries[file.path] = _of_recipe(file, folder / file.file, where)
    return Change.between(tree, entries, Reason(source=source, rule="files"))


def _refuse_taken(path: str, entries: Mapping[str, Entry], where: str) -> None:
    """Refuse a path at which there is a file or a folder, or in whose way a file is."""
    hint = "put it somewhere else, or take the other one out with `remove`"
    if path in entries:
        owner = entries[path].owner or "another line of [files]"
        raise ConflictError(f"{where}: the layer has {path} already, from {owner}", hint=hint)
    for parent in folders_of([path]):
        if parent in entries:
            raise ConflictError(
                f"{where}: {parent} is a file of {entries[parent].owner or 'the recipe'}", hint=hint
            )
    inside = next((other for other in entries if other.startswith(f"{path}/")), None)
    if inside:
        raise ConflictError(f"{where}: the layer has a folder there, with {inside}", hint=hint)


def _member(file: ExtraFile, wheel: Wheel, where: str) -> Entry:
    found = [member for member in wheel.members if fnmatchcase(member.name, file.member)]
    if len(found) != 1:
        named = ", ".join(member.name for member in found[:_MOST_NAMED])
        more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
        what = f"{len(found)} files: {named}{more}" if found else "no file"
        raise ConfigurationError(
            f"{where}: {file.member} matches {what} of {wheel.filename}", hint="one file goes to one path"
        )
    return Entry(
        path=file.path,
        content=WheelMember(wheel=wheel.path, member=found[0]),
        executable=bool(found[0].mode & 0o100),
        owner=wheel.name,
    )


def _of_recipe(file: ExtraFile, path: Path, where: str) -> Entry:
    try:
        data, mode = path.read_bytes(), path.stat().st_mode
    except OSError as error:
        raise ConfigurationError(f"{where}: {path} cannot be read: {reason_of(error)}") from error
    content = DiskFile(path=path, size=len(data), crc=zlib.crc32(data))
    return Entry(path=file.path, content=content, executable=bool(mode & 0o100), owner="")
