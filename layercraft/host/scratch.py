"""Temporary folders that never outlive their purpose, whatever lies in them and however it ends."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from layercraft.errors import OutputError, reason_of
from layercraft.host.processes import deferred_signals

if TYPE_CHECKING:
    from collections.abc import Generator

SCRATCH = "layercraft-verify-"
"""What the names of scratch folders begin with."""

_LOCK = ".lock"


@contextmanager
def scratch_folder(parent: Path | None = None) -> Generator[Path]:
    """Make a temporary folder that is gone when the block ends, read-only files and folders included.

    Folders of processes that were killed before they could do so are removed on the way.

    Raises:
        OutputError: it cannot be made.
    """
    parent = parent or Path(tempfile.gettempdir())
    with deferred_signals() as deferral:
        _remove_abandoned(parent)
        try:
            folder = Path(tempfile.mkdtemp(prefix=SCRATCH, dir=parent)).resolve()
        except OSError as error:
            raise _refusal(parent, error) from error
        try:
            with (folder / _LOCK).open("w") as lock:
                _lock(lock)
                with deferral.lifted():
                    yield folder
        finally:
            remove_tree(folder)


@contextmanager
def temporary_folder() -> Generator[Path]:
    """Make a temporary folder for files of this process alone, gone when the block ends.

    Raises:
        OutputError: it cannot be made.
    """
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="layercraft-"))
        except OSError as error:
            raise _refusal(Path(tempfile.gettempdir()), error) from error
        yield Path(folder)


def _refusal(parent: Path, error: OSError) -> OutputError:
    return OutputError(f"no temporary folder can be made in {parent}: {reason_of(error)}")


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it, whatever its modes."""
    with suppress(OSError):
        folder.chmod(0o700)
    for path, names, _ in os.walk(folder):
        for inner in (Path(path, name) for name in names):
            if not inner.is_symlink():
                with suppress(OSError):
                    inner.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(f"{SCRATCH}*"):
        with suppress(OSError), (folder / _LOCK).open("r+") as lock:
            _lock(lock)
            remove_tree(folder)


def _lock(file: IO[str]) -> None:
    """Hold a file until it is closed, or raise OSError when another process does."""
    if sys.platform == "win32":
        raise OSError("not here")
    import fcntl

    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
