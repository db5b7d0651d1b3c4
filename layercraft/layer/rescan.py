"""What a folder holds now, compared with the tree that was laid out there."""

from __future__ import annotations

import os
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from layercraft.errors import ScriptError, reason_of
from layercraft.layer.placement import is_safe
from layercraft.layer.tree import DiskFile, Entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from layercraft.layer.tree import Tree

_PIECE = 1 << 20


def rescan(tree: Tree, folder: Path) -> dict[str, Entry]:
    """Give the entries of all files under `folder`, in which `tree` was laid out and then changed.

    Files are compared by size and CRC-32, never by date: one with the same bytes keeps its content,
    so it is still copied as it lies in its wheel. Others become files of the disk. Symbolic links to
    files of the folder become such files, because a layer has no links. A new file has no owner.

    Raises:
        ScriptError: a file cannot be read, is neither file nor folder, is a link to elsewhere, or has
            a name that no layer can hold.
    """
    try:
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            entries = pool.map(partial(_entry, tree), _files(folder, folder, ""))
            return {entry.path: entry for entry in entries}
    except OSError as error:
        raise ScriptError(
            f"the script left {error.filename}, which cannot be read: {reason_of(error)}"
        ) from error


class _File(NamedTuple):
    path: str
    real: Path
    size: int
    executable: bool


def _files(root: Path, folder: Path, prefix: str) -> Iterator[_File]:
    with os.scandir(folder) as found:
        for item in sorted(found, key=lambda item: item.name):
            path = prefix + item.name
            if not is_safe(path) or not _is_text(path):
                raise ScriptError(f"the script left {path!r}, a name that no layer can hold")
            if item.is_dir(follow_symlinks=False):
                yield from _files(root, Path(item.path), f"{path}/")
                continue
            real = _behind_link(item, root) if item.is_symlink() else Path(item.path)
            if not real.is_file():
                raise ScriptError(f"the script left {path}, which is neither a file nor a folder")
            status = real.stat()
            yield _File(path, real, status.st_size, bool(status.st_mode & 0o100))


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _behind_link(item: os.DirEntry[str], root: Path) -> Path:
    real = Path(os.path.realpath(item.path))
    if real.is_file() and real.is_relative_to(root.resolve()):
        return real
    raise ScriptError(
        f"the script left {item.path}, a link that leads to no file of the layer",
        hint="layers have no links; copy the file instead",
    )


def _entry(tree: Tree, file: _File) -> Entry:
    before = tree.entries.get(file.path)
    executable = file.executable
    if sys.platform == "win32":  # which has no such bit
        executable = before is not None and before.executable
    crc = _crc(file.real)
    if before is not None and (before.size, before.crc) == (file.size, crc):
        return before if before.executable == executable else replace(before, executable=executable)
    return Entry(
        path=file.path,
        content=DiskFile(path=file.real, size=file.size, crc=crc),
        executable=executable,
        owner=before.owner if before else "",
    )


def _crc(path: Path) -> int:
    crc = 0
    buffer = memoryview(bytearray(_PIECE))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            crc = zlib.crc32(buffer[:count], crc)
    return crc
