"""Two layers side by side: what came, what went, and what changed its size."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from packaging.utils import canonicalize_name

from layercraft.layer.sizes import GROUPINGS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from layercraft.layer.sizes import Grouping, Share, SizedFile, SizeReport

Kind = Literal["added", "removed", "changed"]

# What varies in the name of one file from version to version and from target to target: the tag of a
# compiled module (PEP 3149), the version of a `.dist-info` folder, the hash that auditwheel gives.
_VARYING = re.compile(
    r"(?<=\.cpython-)3\d+t?-\w+-linux-gnu(?=\.so$)"
    r"|(?<=-)\d[^/-]*(?=\.dist-info/)"
    r"|(?<=-)[0-9a-f]{8}(?=\.so\b[^/]*$)"
)
_DIST_INFO = re.compile(r"(?:^|/)([^/]+)-([^/-]+)\.dist-info/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What one distribution, folder or file takes before and after: each pair in bytes.

    `versions` is ("", "") for anything but a distribution, and where a side does not tell.
    """

    name: str
    kind: Kind
    unzipped: tuple[int, int]
    zipped: tuple[int, int]
    versions: tuple[str, str] = ("", "")

    @property
    def grown(self) -> tuple[int, int]:
        """Bytes more than before, unzipped and zipped; negative when there are fewer."""
        return self.unzipped[1] - self.unzipped[0], self.zipped[1] - self.zipped[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two layers. `same`: they hold the same bytes at the same paths.

    Files whose names differ only in a version, a tag or a hash are taken for one, with `*` there.
    `versions` holds those of the distributions on both sides.
    """

    before: SizeReport
    after: SizeReport
    versions: tuple[Mapping[str, str], Mapping[str, str]]
    same: bool

    @classmethod
    def of(cls, before: SizeReport, after: SizeReport) -> Comparison:
        """Pair the files of two layers by their paths."""
        old, new = ({file.path: _bytes(file) for file in side.files} for side in (before, after))
        return cls(
            before=_paired(before, new),
            after=_paired(after, old),
            versions=(_versions(before.files), _versions(after.files)),
            same=old == new,
        )

    def differences(self, grouping: Grouping) -> tuple[Difference, ...]:
        """Give all that differs, the largest difference in unzipped bytes first, then by name.

        A file differs when its bytes do (by size and CRC-32); a folder or distribution when a file does.
        """
        sides = (self.before, self.after)
        old, new = ({share.name: share for share in side.top(grouping)} for side in sides)
        old_bytes, new_bytes = (_contents(side.files, grouping) for side in sides)
        found = (
            self._difference(name, old.get(name), new.get(name), named=grouping == "distribution")
            for name in old.keys() | new.keys()
            if old_bytes.get(name) != new_bytes.get(name)
        )
        return tuple(sorted(found, key=lambda each: (*(-abs(grown) for grown in each.grown), each.name)))

    def _difference(self, name: str, old: Share | None, new: Share | None, *, named: bool) -> Difference:
        before, after = self.versions if named else ({}, {})
        return Difference(
            name=name,
            kind="changed" if old and new else "added" if new else "removed",
            unzipped=(old.size if old else 0, new.size if new else 0),
            zipped=(old.packed if old else 0, new.packed if new else 0),
            versions=(before.get(name, ""), after.get(name, "")),
        )


def _bytes(file: SizedFile) -> tuple[int, int | None]:
    return file.size, file.crc


def _paired(side: SizeReport, others: Collection[str]) -> SizeReport:
    """Write `*` for what varies in the names that the other side lacks, where they stay distinct."""
    general = {
        file.path: _VARYING.sub("*", file.path) if file.path not in others else file.path
        for file in side.files
    }
    times = Counter(general.values())
    files = (
        replace(file, path=general[file.path]) if times[general[file.path]] == 1 else file
        for file in side.files
    )
    return replace(side, files=tuple(files))


def _contents(
    files: Iterable[SizedFile], grouping: Grouping
) -> Mapping[str, set[tuple[str, int, int | None]]]:
    """Give the paths, sizes and CRCs of each group's files."""
    name_of = GROUPINGS[grouping]
    contents: dict[str, set[tuple[str, int, int | None]]] = {}
    for file in files:
        contents.setdefault(name_of(file), set()).add((file.path, *_bytes(file)))
    return contents


def _versions(files: Iterable[SizedFile]) -> Mapping[str, str]:
    """Give the versions of distributions, as the names of their `.dist-info` folders tell them."""
    found = (_DIST_INFO.search(file.path) for file in files)
    return {canonicalize_name(match[1]): match[2] for match in found if match}
