"""Files that are never half-written: a temporary name in the same folder, then a rename."""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from layercraft.errors import OutputError, reason_of

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """Give a path beside `path` to write a file to; it takes the place of `path` when the block ends.

    The folder is made when it is missing, and a link is followed. When the block fails in whatever way,
    the temporary file is removed and what stood at `path` is as it was.

    Raises:
        OutputError: the block, the folder or the rename failed with an OSError, or what stands there is
            no regular file.
    """
    with writing(path):
        path = Path(os.path.realpath(path)) if path.is_symlink() else path
        if path.exists() and not path.is_file():
            what = "a folder" if path.is_dir() else "no regular file"
            raise OutputError(f"{path} cannot be written: it is {what}", hint="name another file")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def writing(path: Path) -> Generator[None]:
    """Turn the OSErrors of a block that only writes `path` into OutputError."""
    try:
        yield
    except (FileExistsError, NotADirectoryError) as error:
        raise OutputError(
            f"{path} cannot be written: {error.filename} is a file, not a folder", hint="name another folder"
        ) from error
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = "the disk is full" if full else reason_of(error)
        hint = (
            "free some space there, or name another folder" if full else "name a folder that can be written"
        )
        raise OutputError(f"{path} cannot be written: {reason}", hint=hint) from error
