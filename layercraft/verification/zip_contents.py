"""The files of a layer's zip, read where they lie: nothing is unpacked to disk."""

from __future__ import annotations

import mmap
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from layercraft.errors import BadWheelError, UsageError, reason_of
from layercraft.formats.deflated import inflate_pieces
from layercraft.formats.zip_directory import STORED, Listed, read_directory
from layercraft.formats.zip_records import locate, read_data

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

_HEAD = 1 << 12  # packed bytes that surely hold the first bytes of a file


class ZipContents:
    """The members of an open zip, by name and in its order; `read` and `head` work from any thread.

    `listed` are the files, `folders` the entries for folders, their names without the last slash.
    Sizes and modes are those of the central directory, as unzip takes them.
    """

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self.path = path
        self._data = data
        directory = read_directory(self._read_at, len(data), archive=path.name)
        self.listed: Mapping[str, Listed] = {
            line.name: line for line in directory.listed if not line.name.endswith("/")
        }
        self.folders: Mapping[str, Listed] = {
            line.name[:-1]: line for line in directory.listed if line.name.endswith("/")
        }

    @cached_property
    def size(self) -> int:
        """Unzipped bytes of all files together, as AWS Lambda counts a layer."""
        return sum(line.size for line in self.listed.values())

    def read(self, name: str) -> bytes:
        """Give the plain bytes of a member.

        Raises:
            BadWheelError: the member is broken; its size and CRC are compared.
        """
        member = locate(self._read_at, self.listed[name], archive=self.path.name)
        return read_data(self._read_at, member, archive=self.path.name)

    def head(self, name: str, size: int) -> bytes:
        """Give the first `size` bytes of a member, or fewer; its CRC is not compared.

        Raises:
            BadWheelError: the member is broken at its very beginning.
        """
        member = locate(self._read_at, self.listed[name], archive=self.path.name)
        packed = self._read_at(member.data_offset, min(member.packed_size, _HEAD + size))
        if member.method != STORED:
            packed = next(inflate_pieces([packed], member.size), b"")
        return packed[:size]

    def _read_at(self, offset: int, size: int) -> bytes:
        return self._data[offset : offset + size]


@contextmanager
def open_zip(path: Path) -> Generator[ZipContents]:
    """Open a zip and read its central directory.

    Raises:
        UsageError: the file is missing, or is no zip that layercraft reads.
    """
    with _mapped(path) as data:
        try:
            contents = ZipContents(path, data)
        except BadWheelError as error:
            raise UsageError(f"{path} cannot be read as a layer's zip: {error.message}") from error
        yield contents


def _mapped(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {reason_of(error)}") from error
    except ValueError as error:
        raise UsageError(f"{path} is an empty file") from error
