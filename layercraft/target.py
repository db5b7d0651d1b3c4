"""What a layer is built for: a Lambda runtime on an architecture, with its tags and markers.

The facts stand in `runtimes.toml`; nothing here asks the machine that builds.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from layercraft.errors import UsageError
from layercraft.spelling import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date

UNZIPPED_LIMIT = 262_144_000
"""Bytes that a function and all its layers may hold unzipped (AWS Lambda quotas)."""
DIRECT_UPLOAD_LIMIT = 52_428_800
"""Bytes of a zip that goes to Lambda directly; a larger one goes through S3 (AWS Lambda quotas)."""

DEFAULT_RUNTIME = "3.13"
DEFAULT_ARCHITECTURE = "x86_64"

LEGACY_MANYLINUX = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
"""The names that PEP 513, 571 and 599 gave before PEP 600 numbered them, by the minor version of glibc 2."""

_RUNTIME = re.compile(r"(?:python|py|cp)?(\d)[._]?(\d{1,2})", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """One Python runtime of AWS Lambda, as functions deployed from a zip archive see it.

    Versions are tuples of numbers, to be compared. `glibc`, `glibcxx`, `cxxabi` and `gcc` are the newest
    symbol versions that a library may need. `libraries` are the sonames that every architecture has,
    `packages` the normalized names of the distributions that Lambda brings, `together` those of them
    that fit each other only in one release, `seen` the versions of some that were seen in it (name ->
    versions). `checked` is the day on which the facts were compared with their `sources` (fact -> where
    it is from).
    """

    name: str
    version: tuple[int, int]
    os: str
    glibc: tuple[int, ...]
    glibcxx: tuple[int, ...]
    cxxabi: tuple[int, ...]
    gcc: tuple[int, ...]
    python_full_version: str
    deprecated: date | None
    block_create: date | None
    block_update: date | None
    preview: bool
    image: str
    packages: tuple[str, ...]
    together: tuple[str, ...]
    seen: Mapping[str, tuple[str, ...]] = field(repr=False, compare=False)
    libraries: tuple[str, ...]
    checked: date
    sources: Mapping[str, str] = field(repr=False, compare=False)

    @property
    def file_stem(self) -> str:
        """The version as file names spell it: `3_13`."""
        return "{}_{}".format(*self.version)

    def warning(self, today: date) -> str | None:
        """Tell in one line what speaks against this runtime on the day `today`; None if nothing does."""
        if self.preview:
            return (
                f"{self.name} is a preview as of {self.checked}: AWS has not announced it, "
                f"and {self.os} is presumed"
            )
        if self.deprecated is None or today < self.deprecated:
            return None
        parts = [f"{self.name} has been deprecated since {self.deprecated}"]
        if self.block_create and today >= self.block_create:
            parts.append(f"AWS has refused new functions since {self.block_create}")
        if self.block_update and today >= self.block_update:
            parts.append(f"AWS has refused updates of functions since {self.block_update}")
        return "; ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A runtime on an architecture, `x86_64` or `arm64`: what wheels are chosen for.

    Make it with `Target.parse`. Two targets are equal when runtime and architecture are.
    """

    runtime: Runtime
    architecture: str

    @classmethod
    def parse(cls, runtime: str = DEFAULT_RUNTIME, architecture: str = DEFAULT_ARCHITECTURE) -> Target:
        """Read what a user wrote: `3.13`, `python3.13`, `py313`, `cp313`; `arm64` or `aarch64`; any case.

        Raises:
            UsageError: the runtime or the architecture is unknown; the nearest is named, the hint has all.
        """
        return cls(runtime=_find_runtime(runtime), architecture=_find_architecture(architecture))

    def __str__(self) -> str:
        return f"{self.runtime.name} {self.architecture}"

    @property
    def machine(self) -> str:
        """The architecture as wheel tags and `platform_machine` spell it: `x86_64` or `aarch64`."""
        return _architectures()[self.architecture].machine

    @property
    def stem(self) -> str:
        """The target as file names spell it: `3_13_arm64`."""
        return f"{self.runtime.file_stem}_{self.architecture}"

    @property
    def libraries(self) -> frozenset[str]:
        """The sonames that Lambda itself provides here; all others the layer must carry."""
        return frozenset((*self.runtime.libraries, *_architectures()[self.architecture].libraries))

    @property
    def tags(self) -> tuple[str, ...]:
        """The wheel tags that fit, best first (PEP 425, PEP 600): glibc only, no free-threaded ABI."""
        return tuple(self.tag_ranks)

    @property
    def tag_ranks(self) -> Mapping[str, int]:
        """Each fitting wheel tag and its place, 0 the best. Computed once for each target."""
        oldest = _architectures()[self.architecture].oldest_glibc
        return _tag_ranks(self.runtime.version, self.runtime.glibc, oldest, self.machine)

    @property
    def markers(self) -> Mapping[str, str]:
        """All 11 environment markers (PEP 508).

        Lambda's kernel is not known beforehand: `platform_release` and `platform_version` are empty.
        """
        full_version = self.runtime.python_full_version
        return {
            "implementation_name": "cpython",
            "implementation_version": full_version,
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": full_version,
            "python_version": "{}.{}".format(*self.runtime.version),
            "sys_platform": "linux",
        }


@cache
def runtimes() -> tuple[Runtime, ...]:
    """Give all known runtimes, oldest first."""
    data = _data()
    return tuple(_runtime(entry, data) for entry in data["runtime"])


def architectures() -> tuple[str, ...]:
    """Give the names of all architectures, as AWS spells them."""
    return tuple(_architectures())


def other_targets(target: Target) -> tuple[Target, ...]:
    """Give all other targets, those nearest to this one first: the same architecture, then the version."""
    others = (
        Target(runtime=runtime, architecture=architecture)
        for runtime in runtimes()
        for architecture in architectures()
        if (runtime.name, architecture) != (target.runtime.name, target.architecture)
    )
    here = _ordinal(target.runtime.version)
    return tuple(
        sorted(
            others,
            key=lambda other: (
                other.architecture != target.architecture,
                abs(_ordinal(other.runtime.version) - here),
                other.runtime.preview,
            ),
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Architecture:
    machine: str
    aliases: tuple[str, ...]
    oldest_glibc: tuple[int, ...]
    libraries: tuple[str, ...]


@cache
def _architectures() -> Mapping[str, _Architecture]:
    return {
        name: _Architecture(
            machine=entry["machine"],
            aliases=tuple(entry["aliases"]),
            oldest_glibc=_numbers(entry["oldest_glibc"]),
            libraries=tuple(entry["libraries"]),
        )
        for name, entry in _data()["architecture"].items()
    }


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("runtimes.toml").read_text(encoding="utf-8"))


def _runtime(entry: Mapping[str, Any], data: Mapping[str, Any]) -> Runtime:
    system = data["os"][entry["os"]]
    packages = [data["packages"][group] for group in entry["packages"]]
    version = entry["name"].removeprefix("python")
    major, minor = _numbers(version)
    return Runtime(
        name=entry["name"],
        version=(major, minor),
        os=system["name"],
        glibc=_numbers(system["glibc"]),
        glibcxx=_numbers(system["glibcxx"]),
        cxxabi=_numbers(system["cxxabi"]),
        gcc=_numbers(system["gcc"]),
        python_full_version=entry["python_full_version"],
        deprecated=entry.get("deprecated"),
        block_create=entry.get("block_create"),
        block_update=entry.get("block_update"),
        preview=entry.get("preview", False),
        image=f"{data['image']}:{version}",
        packages=tuple(name for group in packages for name in group["names"]),
        together=tuple(name for group in packages for name in group.get("together", ())),
        seen=_seen(entry["name"], data["seen"]),
        libraries=tuple(soname for group in system["libraries"] for soname in group["sonames"]),
        checked=data["checked"],
        sources={
            **data["sources"],
            **dict.fromkeys(("os", "glibc", "glibcxx", "cxxabi", "gcc"), system["source"]),
            "libraries": _joined(group["source"] for group in system["libraries"]),
            **dict.fromkeys(("packages", "together"), _joined(group["source"] for group in packages)),
            "seen": _joined(each["source"] for each in data["seen"] if entry["name"] in each["runtimes"]),
            **entry.get("sources", {}),
        },
    )


def _seen(runtime: str, listed: Iterable[Mapping[str, Any]]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for each in listed:
        if runtime in each["runtimes"]:
            for name, versions in each["versions"].items():
                found[name] = tuple(dict.fromkeys((*found.get(name, ()), *versions)))
    return MappingProxyType(found)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _joined(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(texts))


def _find_runtime(text: str) -> Runtime:
    found = _RUNTIME.search(text)
    wanted = (int(found[1]), int(found[2])) if found else _numbers(DEFAULT_RUNTIME)
    nearest = min(runtimes(), key=lambda each: abs(_ordinal(each.version) - _ordinal(wanted)))
    if found and found[0] == text.strip() and nearest.version == wanted:
        return nearest
    raise UsageError(
        f"unknown runtime {text!r}; did you mean {nearest.name}?",
        hint="known runtimes: " + ", ".join(each.name for each in runtimes()),
    )


def _ordinal(version: tuple[int, ...]) -> int:
    return version[0] * 100 + version[1]


def _find_architecture(text: str) -> str:
    known = {spelling: name for name, each in _architectures().items() for spelling in (name, *each.aliases)}
    spelling = text.strip().lower().replace("-", "_")
    if spelling in known:
        return known[spelling]
    raise UsageError(
        f"unknown architecture {text!r}{suggestion(spelling, known)}",
        hint="known architectures: " + ", ".join(known),
    )


@cache
def _tag_ranks(
    version: tuple[int, int], glibc: tuple[int, ...], oldest: tuple[int, ...], machine: str
) -> Mapping[str, int]:
    from packaging import tags

    platforms = list(_manylinux(glibc[1], oldest[1], machine))
    interpreter = "cp{}{}".format(*version)
    # Without `abis`, packaging asks the interpreter that runs it.
    fitting = [
        *tags.cpython_tags(version, abis=[interpreter], platforms=platforms),
        *tags.compatible_tags(version, interpreter, platforms),
    ]
    return MappingProxyType({str(tag): rank for rank, tag in enumerate(fitting)})


def _manylinux(newest: int, oldest: int, machine: str) -> Iterator[str]:
    for minor in range(newest, oldest - 1, -1):
        yield f"manylinux_2_{minor}_{machine}"
        if minor in LEGACY_MANYLINUX:
            yield f"{LEGACY_MANYLINUX[minor]}_{machine}"
