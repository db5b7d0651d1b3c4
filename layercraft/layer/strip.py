"""Debug symbols taken out of the layer's compiled files, each one for itself, and kept in the cache.

What a file is without them depends on its bytes alone. So it is worked out once: the cache keeps the
result deflated, and later builds copy it as it lies there.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from layercraft.events import SILENT
from layercraft.formats.deflated import LEVEL, deflate
from layercraft.formats.elf_strip import stripped
from layercraft.formats.zip_directory import DEFLATED
from layercraft.formats.zip_records import Member
from layercraft.host.memory import give_back_freed
from layercraft.layer.change import Change, Reason
from layercraft.layer.contents import Contents
from layercraft.layer.tree import StrippedMember, WheelMember
from layercraft.wheels.binaries import is_called_compiled, remember_versions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future
    from pathlib import Path

    from layercraft.events import Progress, Reporter
    from layercraft.host.cache import Cache, Located
    from layercraft.layer.contents import Buffer
    from layercraft.layer.tree import Entry, Tree
    from layercraft.wheels.binaries import Identity

FORMAT = 1
"""Another number when the same file would be stripped to other bytes."""

REASON = Reason(source="layercraft", rule="debug symbols stripped")

_KIND = "stripped"
_HEAD = struct.Struct("<QI32s")  # size, CRC-32 and sha256 of the plain bytes; empty when nothing was saved
_LARGE = 2 << 20  # bytes of a file of which only one is in memory at a time
_MOST_THREADS = 8


def strip_binaries(
    tree: Tree, cache: Cache, wheels: Mapping[Path, str], *, reporter: Reporter = SILENT
) -> Change:
    """Take what only linkers and debuggers read out of every ELF file of the tree.

    A file from which nothing can be taken safely stays as it is; see `formats.elf_strip`. So does one
    that tests its own bytes: OpenSSL's FIPS provider, and those with an `.hmac` file beside them.
    `wheels` gives the sha256 of the wheels by their paths; files that lie elsewhere are read each time.

    Raises:
        BadWheelError: a member is not what its header tells.
        OutputError: the cache cannot be written, or what a script left cannot be read.
    """
    entries = [entry for entry in tree.entries.values() if may_be_stripped(entry, tree)]
    entries.sort(key=lambda entry: -entry.size)  # what is freed by the largest is enough for all others
    with (
        reporter.progress("stripping", sum(entry.size for entry in entries), "bytes") as progress,
        Contents() as contents,
        ThreadPoolExecutor(max_workers=1) as one,
        ThreadPoolExecutor(max_workers=min(_MOST_THREADS, os.cpu_count() or 1)) as many,
    ):
        stripper = _Stripper(contents, cache, wheels, progress)
        jobs = [(one if entry.size > _LARGE else many).submit(stripper.strip, entry) for entry in entries]
        try:
            results = {entry.path: entry for entry in map(_result, jobs)}
        finally:
            one.shutdown(wait=False, cancel_futures=True)
            many.shutdown(wait=False, cancel_futures=True)
    change = Change.between(tree, {**tree.entries, **results}, REASON)
    _remember(change, cache, wheels)
    return change


def _remember(change: Change, cache: Cache, wheels: Mapping[Path, str]) -> None:
    """Spare the verification reading the stripped files: the loader is asked for nothing else by them."""
    versions: defaultdict[str, dict[Identity, Identity]] = defaultdict(dict)
    for before, after in change.replaced:
        if isinstance(before.content, WheelMember) and before.content.wheel in wheels:
            sha256 = wheels[before.content.wheel]
            versions[sha256][before.crc, before.size] = after.crc, after.size
    for sha256, found in versions.items():
        remember_versions(sha256, found, cache)


def _result(job: Future[Entry]) -> Entry:
    return job.result()


def may_be_stripped(entry: Entry, tree: Tree) -> bool:
    """Tell from its path and size whether a file has to be read to know if it can be stripped."""
    folder, _, base = entry.path.rpartition("/")
    tests_itself = base == "fips.so" or any(
        f"{folder}/{name}" in tree.entries for name in (f"{base}.hmac", f".{base}.hmac")
    )
    return is_called_compiled(entry.path, entry.size) and not tests_itself


class _Stripper:
    """Strips files, from any thread, and remembers all results in the cache."""

    def __init__(
        self, contents: Contents, cache: Cache, wheels: Mapping[Path, str], progress: Progress
    ) -> None:
        self._contents = contents
        self._cache = cache
        self._wheels = wheels
        self._progress = progress

    def strip(self, entry: Entry) -> Entry:
        """Give the entry with fewer bytes, or as it is."""
        key, plain = self._key(entry)
        kept = self._cache.locate(_KIND, key)
        if kept is None:
            if entry.size > _LARGE:
                give_back_freed()
            self._work_out(key, self._contents.plain(entry.content) if plain is None else plain)
            kept = self._cache.locate(_KIND, key)
        self._progress.advance(entry.size)
        content = _content(entry, kept) if kept and kept.head else None
        return replace(entry, content=content) if content else entry

    def _key(self, entry: Entry) -> tuple[str, Buffer | None]:
        """Name what the file's bytes are, and give them where they had to be read for that."""
        digest = hashlib.sha256(f"{FORMAT} {LEVEL}\n".encode())
        content = entry.content
        if isinstance(content, WheelMember) and content.wheel in self._wheels:
            digest.update(f"{self._wheels[content.wheel]} {content.member.name}".encode())
            return digest.hexdigest(), None
        plain = self._contents.plain(content)
        digest.update(plain)
        return digest.hexdigest(), plain

    def _work_out(self, key: str, plain: Buffer) -> None:
        result = stripped(memoryview(plain))
        del plain  # which may be large, and deflating takes as much
        if result is None:
            self._cache.write(_KIND, key, b"")
            return
        head = _HEAD.pack(len(result), zlib.crc32(result), hashlib.sha256(result).digest())
        self._cache.write(_KIND, key, deflate(result), head=head)


def _content(entry: Entry, kept: Located) -> StrippedMember | None:
    if len(kept.head) != _HEAD.size:
        return None
    size, crc, sha256 = _HEAD.unpack(kept.head)
    member = Member(
        name=entry.path,
        method=DEFLATED,
        flags=0,
        crc=crc,
        packed_size=kept.size,
        size=size,
        header_offset=0,
        data_offset=kept.offset,
        mode=0,
    )
    return StrippedMember(wheel=kept.path, member=member, sha256=sha256)
