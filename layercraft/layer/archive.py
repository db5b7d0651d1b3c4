"""The layer's zip: deflated bytes copied from the wheels as they are, with headers written anew.

The same tree gives the same bytes on every machine: sorted by path, dated 1980-01-01, no extras, no
folders, UTF-8 names, modes 0644 and 0755 of Unix. What is not deflated yet goes through one pinned
library. The format is that of PKWARE's APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layercraft.errors import LayerTooLargeError
from layercraft.events import SILENT
from layercraft.layer.contents import Contents
from layercraft.layer.output import replacing
from layercraft.layer.packing import BestPacking, FastPacking, Packed
from layercraft.layer.sizes import SizedFile, SizeReport

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from io import FileIO
    from pathlib import Path

    from layercraft.events import Progress, Reporter
    from layercraft.layer.contents import Buffer
    from layercraft.layer.tree import Entry, Tree
    from layercraft.recipe.options import Compress

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")

ENTRY_HEADERS = _LOCAL.size + _CENTRAL.size
"""Bytes that the two headers of an entry take, besides its name in each."""
END_SIZE = _END.size
"""Bytes of the end record."""

_VERSION = 20  # 4.4.3: DEFLATE
_MADE_BY_UNIX = 3 << 8 | _VERSION  # 4.4.2
_UTF8 = 0x0800  # 4.4.4
_TIME, _DATE = 0, 1 << 5 | 1  # 1980-01-01 00:00, the first that the format knows
_FILE_MODE = 0o100644 << 16
_PROGRAM_MODE = 0o100755 << 16

_MOST_FILES = 0xFFFF - 1  # 0xFFFF stands for "see the zip64 record"
_MOST_BYTES = 0xFFFFFFFF - 1 - (_MOST_FILES << 8)  # with room for the central directory

_CHUNK = 1 << 19  # bytes; a buffer of 1 MiB would be mapped anew each time
_UNHASHED = 2  # chunks that may wait in memory for their hash
_AHEAD = 16  # entries that are deflated before it is their turn
_FAR_AHEAD = 32 << 20  # plain bytes of such entries, where deflating takes all the time


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A zip that was written: `size` in bytes, `members` in the order of the zip."""

    path: Path
    sha256: str
    size: int
    members: tuple[SizedFile, ...]

    @property
    def sizes(self) -> SizeReport:
        """What takes how much of it."""
        return SizeReport(files=self.members, zipped=self.size)


def write_zip(tree: Tree, path: Path, *, compress: Compress = "fast", reporter: Reporter = SILENT) -> Archive:
    """Write the tree as a zip; an older one at `path` is replaced only when the new one is whole.

    Deflated members of wheels are copied raw, and so are stored ones of at most 1 KiB; everything
    else is deflated, unless that would make it larger. Memory is bounded however large the members.
    With `compress="best"` everything is deflated anew at the highest level, and the smaller result
    taken; then the largest member is in memory as a whole.

    Raises:
        LayerTooLargeError: more files or bytes than a zip without zip64 can hold.
        BadWheelError: a wheel was cut short or damaged since it was inspected.
        OutputError: the file cannot be written, or what a script left cannot be read.
    """
    _refuse_zip64(tree)
    entries = tree.entries.values()
    with (
        reporter.progress(f"writing {path.name}", tree.size, "bytes") as progress,
        replacing(path) as temporary,
        ThreadPoolExecutor(max_workers=1) as hashing,
        temporary.open("xb", buffering=0) as file,
    ):
        sink = _Sink(file, hashing, progress)
        members = _write_entries(entries, sink, compress)
        sink.flush()
        sha256 = sink.sha256()
    return Archive(path=path, sha256=sha256, size=sink.offset, members=members)


def _refuse_zip64(tree: Tree) -> None:
    if len(tree.entries) > _MOST_FILES:
        raise LayerTooLargeError(
            f"the layer has {len(tree.entries):,} files, and a zip holds {_MOST_FILES:,}",
            hint="remove files with `remove`, or split the layer in two",
        )
    if tree.size > _MOST_BYTES:
        raise _over_4_gib()


def _over_4_gib() -> LayerTooLargeError:
    return LayerTooLargeError("the layer has over 4 GiB, more than a zip holds")


class _Sink:
    """Collects small writes into large ones, and hashes them in another thread."""

    def __init__(self, file: FileIO, hashing: ThreadPoolExecutor, progress: Progress) -> None:
        self.offset = 0
        self.plain = 0
        self._file = file
        self._progress = progress
        self._chunks: list[Buffer] = []
        self._waiting = 0
        self._digest = hashlib.sha256()
        self._hashing = hashing
        self._hashed: deque[Future[None]] = deque()

    def write(self, data: Buffer) -> None:
        self._chunks.append(data)
        self.offset += len(data)
        self._waiting += len(data)
        if self._waiting >= _CHUNK:
            self.flush()

    def flush(self) -> None:
        data = b"".join(self._chunks)
        self._hashed.append(self._hashing.submit(self._digest.update, data))
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]
        while len(self._hashed) > _UNHASHED:
            self._hashed.popleft().result()
        self._progress.advance(self.plain)
        self._chunks.clear()
        self._waiting = self.plain = 0

    def sha256(self) -> str:
        for future in self._hashed:
            future.result()
        return self._digest.hexdigest()


def _write_entries(entries: Iterable[Entry], sink: _Sink, compress: Compress) -> tuple[SizedFile, ...]:
    """Write all local headers with their data, then the central directory and the end record."""
    members: list[SizedFile] = []
    directory: list[bytes] = []
    with Contents() as contents, ThreadPoolExecutor(max_workers=os.cpu_count()) as deflating:
        packing, ahead = (BestPacking, _FAR_AHEAD) if compress == "best" else (FastPacking, 0)
        for entry, coming in _in_order(entries, packing(contents), deflating, ahead):
            offset = sink.offset
            name = entry.path.encode()
            packed = coming.result() if isinstance(coming, Future) else coming
            size, crc = entry.size, entry.crc
            shared = (packed.method, _TIME, _DATE, crc, packed.size, size, len(name), 0)
            sink.write(_LOCAL.pack(b"PK\3\4", _VERSION, _UTF8, *shared) + name)
            for piece in packed.pieces:
                sink.write(piece)
            sink.plain += size
            if sink.offset > _MOST_BYTES:
                raise _over_4_gib()
            mode = _PROGRAM_MODE if entry.executable else _FILE_MODE
            line = _CENTRAL.pack(b"PK\1\2", _MADE_BY_UNIX, _VERSION, _UTF8, *shared, 0, 0, 0, mode, offset)
            directory.append(line + name)
            members.append(
                SizedFile(path=entry.path, owner=entry.owner, size=size, packed=packed.size, crc=crc)
            )
    start = sink.offset
    lines = b"".join(directory)
    sink.write(lines)
    sink.write(_END.pack(b"PK\5\6", 0, 0, len(members), len(members), len(lines), start, 0))
    return tuple(members)


def _in_order(
    entries: Iterable[Entry], packing: FastPacking, pool: ThreadPoolExecutor, ahead: int
) -> Iterator[tuple[Entry, Packed | Future[Packed]]]:
    """Give the entries in order; those that must be deflated are begun some steps before their turn.

    At least `ahead` plain bytes lie between a beginning and its turn, and `_AHEAD` entries.
    """
    waiting: deque[tuple[Entry, Packed | Future[Packed]]] = deque()
    begun = 0  # plain bytes, counted where a distance is asked for
    for entry in entries:
        waiting.append((entry, packing.ready(entry.content) or pool.submit(packing.packed, entry.content)))
        begun += entry.size if ahead else 0
        while len(waiting) > _AHEAD and (not ahead or begun - waiting[0][0].size >= ahead):
            begun -= waiting[0][0].size if ahead else 0
            yield waiting.popleft()
    yield from waiting
