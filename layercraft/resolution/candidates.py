"""The versions of a package that have a wheel for the target.

A version without one does not exist for the resolver: tag filtering belongs inside the resolution.
Versions are listed newest first; a set of versions is an int whose bit N stands for position N.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version

from layercraft.resolution.index import WHEEL_NAME

if TYPE_CHECKING:
    from layercraft.resolution.index import IndexFile, IndexPage
    from layercraft.target import Target

_SHA256 = re.compile(r"[0-9a-f]{64}")

NAME_PARTS = 5
"""Dash-separated parts of a wheel's file name without a build tag (PEP 427)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One version of a package, with its best wheel for the target. `url` is absolute."""

    name: NormalizedName
    version: Version
    file: IndexFile
    url: str


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """All versions of a package that the target can use, newest first.

    `finals` and `yanked` are bit sets over the positions: versions that are no pre-releases, and
    versions whose wheel was yanked (PEP 592). `page` is None when the index has no such package.
    """

    name: NormalizedName
    listed: tuple[Candidate, ...]
    page: IndexPage | None
    finals: int = field(init=False)
    yanked: int = field(init=False)
    _bits: dict[str, int] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        finals = yanked = 0
        for position, candidate in enumerate(self.listed):
            finals |= (not candidate.version.is_prerelease) << position
            yanked |= (candidate.file.yanked is not False) << position
        object.__setattr__(self, "finals", finals)
        object.__setattr__(self, "yanked", yanked)

    @property
    def every(self) -> int:
        """The bit set of all positions."""
        return (1 << len(self.listed)) - 1

    @cached_property
    def _positions(self) -> dict[Version, int]:
        return {candidate.version: position for position, candidate in enumerate(self.listed)}

    def position(self, version: Version) -> int | None:
        """Give the place of a version, 0 the newest, or None where it has no wheel for the target."""
        return self._positions.get(version)

    def __contains__(self, version: Version) -> bool:
        return version in self._positions

    def matching(self, specifier: SpecifierSet) -> int:
        """Give the versions that a specifier contains, pre-releases and yanked ones included."""
        text = str(specifier)
        if not text:
            return self.every
        bits = self._bits.get(text)
        if bits is None:
            bits = 0
            for version in specifier.filter(self._positions, prereleases=True):
                bits |= 1 << self._positions[version]
            self._bits[text] = bits
        return bits

    def preferred(self, bits: int, *, prereleases: bool, pinned: int) -> int:
        """Narrow a set of versions to those that may be taken.

        A yanked version counts only where a requirement pins it (PEP 592); a pre-release only
        where the user named one or nothing final is left (PEP 440).
        """
        bits &= self.every & ~(self.yanked & ~pinned)
        finals = bits & self.finals
        return finals if finals and not prereleases else bits


class WheelSelector:
    """Tells which files fit a target, and how well. Remembers each tag and Requires-Python text."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._ranks = target.tag_ranks
        self._python = Version(target.markers["python_full_version"])
        self._rank_of_tags: dict[str, int | None] = {}
        self._platforms = dict.fromkeys((tag.rpartition("-")[2] for tag in self._ranks), True)
        self._fits_python: dict[str, bool] = {}

    def rank(self, tags: str) -> int | None:
        """Give the position of the best of a file name's compressed tags, or None if none fits."""
        try:
            return self._rank_of_tags[tags]
        except KeyError:
            pythons, abis, platforms = (part.split(".") for part in tags.split("-"))
            if "" in {*pythons, *abis, *platforms}:
                return self._rank_of_tags.setdefault(tags, None)
            found = [
                self._ranks[tag]
                for python in pythons
                for abi in abis
                for platform in platforms
                if (tag := f"{python}-{abi}-{platform}") in self._ranks
            ]
            return self._rank_of_tags.setdefault(tags, min(found, default=None))

    def fits_python(self, requires_python: str | None) -> bool:
        """Tell whether the target's Python is within a Requires-Python; a broken one excludes nothing."""
        if not requires_python:
            return True
        fits = self._fits_python.get(requires_python)
        if fits is None:
            try:
                fits = SpecifierSet(requires_python).contains(self._python, prereleases=True)
            except ValueError:  # a number may be too long for Python, too
                fits = True
            self._fits_python[requires_python] = fits
        return fits

    def candidates(
        self, name: NormalizedName, page: IndexPage | None, hashes: frozenset[str] = frozenset()
    ) -> Candidates:
        """List the versions of a page that have a wheel for the target.

        With `hashes`, only files whose sha256 is among them count (pip's hash-checking mode).
        """
        best: dict[str, tuple[int, tuple[int, str], IndexFile]] = {}
        for file in page.files if page else ():
            fit = self._fit(file, name, hashes)
            if fit is None:
                continue
            version, rank, build = fit
            known = best.get(version)
            if known is None or _order(rank, build, file) < _order(known[0], known[1], known[2]):
                best[version] = (rank, build, file)
        return Candidates(name=name, page=page, listed=_newest_first(name, page, best))

    def _fits_platform(self, filename: str) -> bool:
        """Tell quickly whether a wheel's last tag may fit: most files of a large page are for others."""
        platforms = filename[filename.rfind("-") + 1 : -4]
        fits = self._platforms.get(platforms)
        if fits is None:
            fits = any(self._platforms.get(platform) for platform in platforms.split("."))
            self._platforms[platforms] = fits
        return fits

    def _fit(
        self, file: IndexFile, name: NormalizedName, hashes: frozenset[str]
    ) -> tuple[str, int, tuple[int, str]] | None:
        """Give version text, rank and build tag of a wheel that the target can use."""
        if not self._fits_platform(file.filename) or not file.filename.endswith(".whl"):
            return None
        parts = file.filename[:-4].split("-")
        if len(parts) not in (NAME_PARTS, NAME_PARTS + 1):
            return None
        rank = self.rank("-".join(parts[-3:]))
        if rank is None or not has_sha256(file) or not self.fits_python(file.requires_python):
            return None
        if (hashes and file.hashes.sha256 not in hashes) or canonicalize_name(parts[0]) != name:
            return None
        if not WHEEL_NAME.fullmatch(file.filename):
            return None
        return parts[1], rank, build_order(parts[2] if len(parts) > NAME_PARTS else "")


def build_order(build: str) -> tuple[int, str]:
    """Give the sort key of a build tag: its leading number, then the rest (PEP 427)."""
    match = re.match(r"(\d+)(.*)", build)
    return (int(match[1]), match[2]) if match else (-1, "")


def _order(rank: int, build: tuple[int, str], file: IndexFile) -> tuple[bool, int, int, tuple[int, ...]]:
    """Order wheels of one version: not yanked, best tag, highest build tag."""
    return (file.yanked is not False, rank, -build[0], (*(-ord(char) for char in build[1]), 1))


def _newest_first(
    name: NormalizedName, page: IndexPage | None, best: dict[str, tuple[int, tuple[int, str], IndexFile]]
) -> tuple[Candidate, ...]:
    listed: dict[Version, tuple[int, tuple[int, str], IndexFile]] = {}
    for text, wheel in best.items():
        try:
            version = version_of(text)
        except ValueError:  # a number may be too long for Python, too
            continue
        known = listed.setdefault(version, wheel)  # `1.0` and `1.0.0` are one version
        if known is not wheel and _order(*wheel) < _order(*known):
            listed[version] = wheel
    found = (
        _candidate(name, version, listed[version][2], page.url if page else "")
        for version in sorted(listed, reverse=True)
    )
    return tuple(candidate for candidate in found if candidate)


def _candidate(name: NormalizedName, version: Version, file: IndexFile, page_url: str) -> Candidate | None:
    try:
        url = urljoin(page_url, file.url)
        urlsplit(url)
    except ValueError:  # an address with a broken host leads nowhere
        return None
    return Candidate(name=name, version=version, file=file, url=url)


def version_of(text: str) -> Version:
    """Read the version in a wheel's file name; `_` may stand for `+`, which PEP 427 escapes.

    Raises:
        ValueError: the text is no version, or Python cannot read its numbers.
    """
    try:
        return Version(text)
    except InvalidVersion:
        if "_" not in text:
            raise
        return Version(text.replace("_", "+", 1))


def has_sha256(file: IndexFile) -> bool:
    """Tell whether the index gives a file's sha256, as 64 hexadecimal digits in lower case."""
    return bool(file.hashes.sha256 and _SHA256.fullmatch(file.hashes.sha256))
