"""A wheel on disk, open for reading."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from layercraft.errors import BadWheelError, reason_of

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from layercraft.formats.zip_records import ReadAt


@contextmanager
def opened(path: Path, *, archive: str) -> Generator[ReadAt]:
    """Open the file at `path`, and give what reads `size` bytes of it from `offset`.

    The reader seeks, because Windows has no `pread`: each thread opens the file for itself.

    Raises:
        BadWheelError: the file cannot be opened or read; the message names `archive` and the path.
    """
    try:
        with path.open("rb", buffering=0) as file:

            def read_at(offset: int, size: int) -> bytes:
                file.seek(offset)
                return file.read(size)

            yield read_at
    except OSError as error:
        reason = reason_of(error)
        raise BadWheelError(f"{archive}: {path} cannot be read: {reason}") from error
