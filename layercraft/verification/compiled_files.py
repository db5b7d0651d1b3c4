"""The compiled files of a layer, remembered from its wheels or read from its zip."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from layercraft.errors import BadWheelError
from layercraft.formats.elf import ElfFile, read_elf
from layercraft.wheels.binaries import LARGEST, may_be_compiled, remembered
from layercraft.wheels.integrity import IN_PIECES, THREADS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from layercraft.host.cache import Cache
    from layercraft.verification.layer import LayerUnderTest
    from layercraft.verification.zip_contents import ZipContents


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledFiles:
    """The ELF files of a layer by their paths, sorted.

    `others` are called like compiled files and are none; `damaged` cannot be inflated, each with the
    reason; `too_large` were not read. `read` counts those that no wheel was remembered to have.
    """

    files: Mapping[str, ElfFile]
    others: frozenset[str]
    damaged: Mapping[str, str]
    too_large: tuple[str, ...]
    read: int


def read_compiled(contents: ZipContents, layer: LayerUnderTest, cache: Cache | None) -> CompiledFiles:
    """Give the layer's compiled files: those of its wheels from the cache, all others from the zip."""
    known = remembered(filter(None, layer.pins_sha256), cache) if cache else {}
    paths = sorted(path for path, line in contents.listed.items() if may_be_compiled(line))
    unknown = [path for path in paths if _key(contents, path) not in known]
    read = dict(zip(unknown, _read_all(contents, unknown), strict=True))
    answers = {path: read[path] if path in read else known[_key(contents, path)] for path in paths}
    return CompiledFiles(
        files={path: answer for path, answer in answers.items() if isinstance(answer, ElfFile)},
        others=frozenset(path for path, answer in answers.items() if answer is None),
        damaged={path: answer for path, answer in answers.items() if isinstance(answer, str)},
        too_large=tuple(path for path, line in contents.listed.items() if line.size > LARGEST),
        read=len(unknown),
    )


def _key(contents: ZipContents, path: str) -> tuple[int, int]:
    line = contents.listed[path]
    return line.crc, line.size


def _read_all(contents: ZipContents, paths: Sequence[str]) -> list[ElfFile | str | None]:
    """Read files in threads, large ones one at a time; a text tells why one cannot be inflated."""
    one_at_a_time = Lock()

    def read(path: str) -> ElfFile | str | None:
        try:
            if contents.listed[path].size <= IN_PIECES:
                return read_elf(contents.read(path))
            with one_at_a_time:
                return read_elf(contents.read(path))
        except BadWheelError as error:
            return error.message

    if not paths:
        return []
    with ThreadPoolExecutor(max_workers=min(THREADS, os.cpu_count() or 1)) as pool:
        return list(pool.map(read, paths))
