"""Sizes of a layer, by distribution, folder, file and type, against the limits of AWS Lambda."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from layercraft.errors import LayerTooLargeError
from layercraft.target import DIRECT_UPLOAD_LIMIT, UNZIPPED_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from layercraft.layer.tree import Tree

Grouping = Literal["distribution", "folder", "file", "type"]

_MEGABYTE = 1 << 20
_LEAST_SHOWN = 0.01
_NAMED_WHEN_TOO_LARGE = 5
_LIBRARY = re.compile(r"\.so(\.\d+)*$")
_SITE_PACKAGES = re.compile(r"^python/(?:lib/python3\.\d+/site-packages/)?")
_FOLDER_DEPTH = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SizedFile:
    """One file of a layer: its unzipped bytes, its bytes inside the zip, and who brought it.

    `crc` is the CRC-32 of the unzipped bytes, None where nobody read it.
    """

    path: str
    owner: str
    size: int
    packed: int
    crc: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one distribution, folder, file or type takes, in bytes: `size` unzipped, `packed` in the zip."""

    name: str
    files: int
    size: int
    packed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeReport:
    """All files of a layer with their sizes; `zipped` is the size of the whole zip file in bytes."""

    files: tuple[SizedFile, ...]
    zipped: int

    @property
    def unzipped(self) -> int:
        """Bytes of all files unzipped: what AWS Lambda's limit of 250 MB is about."""
        return sum(file.size for file in self.files)

    def top(self, grouping: Grouping, count: int | None = None) -> tuple[Share, ...]:
        """Give the largest shares, unzipped bytes first, then by name; all of them without `count`.

        Folders are two levels deep below `python/`, so `python/pandas/core` stands beside
        `python/numpy.libs`. A library is of type `.so` whatever version follows the dots.
        """
        name_of = GROUPINGS[grouping]
        sums: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        for file in self.files:
            found = sums[name_of(file)]
            found[0] += file.size
            found[1] += file.packed
            found[2] += 1
        largest = sorted((-size, -packed, name, files) for name, (size, packed, files) in sums.items())
        return tuple(
            Share(name=name, files=files, size=-size, packed=-packed)
            for size, packed, name, files in largest[:count]
        )


def check_limit(tree: Tree, limit: int = UNZIPPED_LIMIT) -> None:
    """Refuse a tree of more than `limit` unzipped bytes, before anything of it is written.

    Raises:
        LayerTooLargeError: it is larger; the message lists its biggest distributions.
    """
    if tree.size <= limit:
        return
    entries = tree.entries.values()
    files = (SizedFile(path=entry.path, owner=entry.owner, size=entry.size, packed=0) for entry in entries)
    biggest = SizeReport(files=tuple(files), zipped=0).top("distribution", _NAMED_WHEN_TOO_LARGE)
    raise LayerTooLargeError(
        f"the layer has {human_size(tree.size)} unzipped ({tree.size:,} bytes), "
        f"over the limit of {human_size(limit)} ({limit:,} bytes); the biggest: "
        + ", ".join(f"{share.name} {human_size(share.size)}" for share in biggest),
        hint="keep a distribution out with `exclude`, files with `remove`, or split the layer in two",
    )


def upload_notice(zipped: int) -> str | None:
    """Tell in a line that a zip of so many bytes cannot go to Lambda directly; None when it can."""
    if zipped <= DIRECT_UPLOAD_LIMIT:
        return None
    return f"the zip has {human_size(zipped)}, over {human_size(DIRECT_UPLOAD_LIMIT)}: it goes through S3"


def human_size(size: int) -> str:
    """Give bytes as MB of 2^20 bytes, as AWS counts: `70.2 MB`, `0.15 MB`."""
    megabytes = size / _MEGABYTE
    if 0 < megabytes < _LEAST_SHOWN:
        return f"<{_LEAST_SHOWN} MB"
    return f"{megabytes:.1f} MB" if megabytes >= 1 or not size else f"{megabytes:.2f} MB"


def _distribution(file: SizedFile) -> str:
    return file.owner or "(no distribution)"


def below_python(path: str) -> str:
    """Give a path of a layer relative to the folder that is on `sys.path`; others as they are."""
    return _SITE_PACKAGES.sub("", path, count=1)


def _folder(file: SizedFile) -> str:
    relative = below_python(file.path)
    root = file.path.removesuffix(relative)
    return (root + "/".join(relative.split("/")[:-1][:_FOLDER_DEPTH])).rstrip("/") or "(top level)"


def _type(file: SizedFile) -> str:
    name = file.path.rpartition("/")[2]
    if _LIBRARY.search(name):
        return ".so"
    stem, dot, suffix = name.rpartition(".")
    return f".{suffix}" if stem and dot and suffix else "(no type)"


GROUPINGS: dict[Grouping, Callable[[SizedFile], str]] = {
    "distribution": _distribution,
    "folder": _folder,
    "file": lambda file: file.path,
    "type": _type,
}
