"""The layer as real files in a folder."""

from __future__ import annotations

import os
import secrets
import shutil
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from layercraft.errors import OutputError
from layercraft.events import SILENT
from layercraft.layer.contents import Contents
from layercraft.layer.output import writing
from layercraft.layer.placement import is_safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from layercraft.events import Reporter
    from layercraft.layer.tree import Entry, Tree

MARKER = ".layercraft"
"""The file by which a folder is known to be ours; it names what else the folder may hold."""

_MARKER_TEXT = "Written by layercraft, and replaced as a whole by the next build. It holds:"
_BATCH_BYTES = 4 << 20
_BATCH_FILES = 64


def folds_case(folder: Path) -> bool:
    """Tell whether the file system of an existing folder takes `a` and `A` for one name, by trying."""
    probe = folder / f".layercraft-CASE-{secrets.token_hex(4)}"
    with writing(folder):
        probe.touch(exist_ok=False)
        try:
            return probe.with_name(probe.name.lower()).exists()
        finally:
            probe.unlink()


def lay_out(
    tree: Tree,
    folder: Path,
    *,
    reporter: Reporter = SILENT,
    folds_case: Callable[[Path], bool] = folds_case,
) -> None:
    """Make `folder` hold the tree's files as Lambda would have them under /opt, and a `MARKER`.

    All is written beside it and renamed when it is whole. A folder that is there already must be
    empty, or hold only what an earlier call wrote: then it is replaced.

    Raises:
        OutputError: the folder holds what is not ours, two names differ only by case where the
            file system folds case, or something cannot be written.
        BadWheelError: a member is not what its headers tell.
    """
    folder = Path(os.path.realpath(folder))
    temporary = folder.parent / f".{folder.name}.{secrets.token_hex(4)}"  # the root has no name
    try:
        with writing(folder):
            _refuse_foreign(folder)
            folder.parent.mkdir(parents=True, exist_ok=True)
            temporary.mkdir()
            write_files(tree, temporary, reporter=reporter, folds_case=folds_case)
            names = sorted({path.partition("/")[0] for path in tree.entries})
            (temporary / MARKER).write_text("\n".join([_MARKER_TEXT, *names, ""]), encoding="utf-8")
            temporary.chmod(0o755)
            _swap(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_files(
    tree: Tree,
    folder: Path,
    *,
    reporter: Reporter = SILENT,
    folds_case: Callable[[Path], bool] = folds_case,
) -> None:
    """Write the tree's files into an existing empty folder, in threads, with modes 0644 and 0755.

    Raises: what `lay_out` raises.
    """
    if folds_case(folder):
        _refuse_twins(tree)
    with (
        reporter.progress("laying out files", tree.size, "bytes") as progress,
        writing(folder),
        Contents() as contents,
    ):
        for path in sorted(folders_of(tree.entries)):
            (folder / path).mkdir()
            (folder / path).chmod(0o755)
        pool = ThreadPoolExecutor(max_workers=os.cpu_count())
        try:
            for size in pool.map(partial(_write_batch, folder, contents), _batches(tree.entries.values())):
                progress.advance(size)
        finally:
            pool.shutdown(cancel_futures=True)


def folders_of(paths: Iterable[str]) -> set[str]:
    """Give every folder that these files lie in, at any depth."""
    folders: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders


def case_twins(paths: Iterable[str]) -> tuple[str, str] | None:
    """Give two different paths that a file system takes for one when it folds case; None when all differ."""
    seen: dict[str, str] = {}
    for path in sorted(paths):
        first = seen.setdefault(unicodedata.normalize("NFD", path).casefold(), path)
        if first != path:
            return first, path
    return None


def _batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        batch.append(entry)
        size += entry.size
        if size >= _BATCH_BYTES or len(batch) == _BATCH_FILES:
            yield batch
            batch, size = [], 0
    yield batch


def _write_batch(folder: Path, contents: Contents, batch: Sequence[Entry]) -> int:
    for entry in batch:
        if not is_safe(entry.path):
            raise OutputError(f"{entry.path!r} leads out of {folder}")
        path = f"{folder}/{entry.path}"
        with open(path, "xb") as file:  # noqa: PTH123 (thousands of Path objects would cost as much as writing)
            file.writelines(contents.pieces(entry.content))
        os.chmod(path, 0o755 if entry.executable else 0o644)  # noqa: PTH101 (as above)
    return sum(entry.size for entry in batch)


def _refuse_twins(tree: Tree) -> None:
    twins = case_twins([*tree.entries, *folders_of(tree.entries)])
    if twins:
        raise OutputError(
            f"{twins[0]} and {twins[1]} differ only by case, and the file system here takes them for one",
            hint="the zip can hold both; lay it out on a file system that tells case apart",
        )


def _refuse_foreign(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise OutputError(f"{folder} is not a folder")
    names = {path.name for path in folder.iterdir()}
    ours: set[str] = set()
    if MARKER in names:
        ours = {MARKER, *(folder / MARKER).read_text(encoding="utf-8", errors="replace").split("\n")[1:]}
    if foreign := sorted(names - ours):
        raise OutputError(
            f"{folder} holds {foreign[0]!r}, which is not layercraft's; nothing was changed there",
            hint="name an empty or a new folder",
        )


def _swap(temporary: Path, folder: Path) -> None:
    """Put `temporary` in the place of `folder`, which may not be there; the old one goes last."""
    if not folder.exists():
        temporary.rename(folder)
        return
    old = folder.with_name(f"{temporary.name}.old")
    folder.rename(old)
    try:
        temporary.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
