"""Why a release does not exist for a target, in words, and which targets it would exist for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from layercraft.resolution.candidates import NAME_PARTS, WheelSelector, has_sha256, version_of
from layercraft.target import LEGACY_MANYLINUX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from packaging.specifiers import SpecifierSet
    from packaging.utils import NormalizedName
    from packaging.version import Version

    from layercraft.resolution.candidates import Candidates
    from layercraft.resolution.index import IndexFile, IndexPage
    from layercraft.target import Target

_GLIBC = re.compile(r"manylinux_(\d+)_(\d+)_")
_LEGACY_GLIBC = {name: (2, minor) for minor, name in LEGACY_MANYLINUX.items()}
_LEADING = re.compile(r"(?:(\d+)!)?v?(\d+)(?:\.(\d+))?")


def releases(
    name: NormalizedName, page: IndexPage, at_least: Version | None = None
) -> dict[Version, list[IndexFile]]:
    """Group a page's wheels and sdists by version; files that name no version are left out.

    With `at_least`, older versions may be left out, so that their texts need no parsing.
    """
    texts: dict[str, list[IndexFile]] = {}
    older: set[str] = set()
    for file in page.files:
        text = _version_text(file.filename, name)
        if text in texts:
            texts[text].append(file)
        elif text and text not in older:
            if at_least is not None and _is_plainly_older(text, at_least):
                older.add(text)
            else:
                texts[text] = [file]
    found: dict[Version, list[IndexFile]] = {}
    for text, files in texts.items():
        try:
            found.setdefault(version_of(text), []).extend(files)
        except ValueError:  # a number may be too long for Python, too
            continue
    return found


def _version_text(filename: str, name: NormalizedName) -> str | None:
    if filename.endswith(".whl"):
        parts = filename.split("-")
        return parts[1] if len(parts) in (NAME_PARTS, NAME_PARTS + 1) else None
    stem = filename.removesuffix(".tar.gz").removesuffix(".zip")
    if stem == filename:
        return None
    before, _, version = stem.rpartition("-")
    return version if canonicalize_name(before) == name else None


def _is_plainly_older(text: str, than: Version) -> bool:
    match = _LEADING.match(text)
    if not match:
        return False
    leading = (int(match[1] or 0), int(match[2]), int(match[3] or 0))
    return leading < (than.epoch, than.major, than.minor)


def refusal(files: Sequence[IndexFile], selector: WheelSelector) -> str:
    """Say why none of a release's files can be used on the selector's target."""
    target = selector.target
    wheels = [file for file in files if file.filename.endswith(".whl")]
    if not wheels:
        return "only a source distribution, no wheel"
    fitting = [file for file in wheels if selector.fits_python(file.requires_python)]
    if not fitting:
        return f"requires Python {wheels[-1].requires_python}"
    tagged = [file for file in fitting if selector.rank(_tags_text(file)) is not None]
    if not tagged:
        return _refusal_of_tags(list(_tags(fitting)), target)
    if not any(has_sha256(file) for file in tagged):
        return "the index gives no sha256 for it"
    return "no wheel that the hashes given allow"


def _refusal_of_tags(tags: list[tuple[str, str, str]], target: Target) -> str:
    here = [tag for tag in tags if _is_linux(tag[2], target.machine)]
    if not here:
        return f"no Linux wheel for {target.architecture}"
    abis = {tuple(tag.split("-")[:2]) for tag in target.tags}
    same_abi = [tag for tag in here if tag[:2] in abis]
    if not same_abi:
        return f"no wheel for {target.runtime.name} on {target.architecture}"
    needed = [glibc for tag in same_abi if (glibc := _glibc(tag[2]))]
    if needed:
        return f"no wheel for glibc {_dotted(target.runtime.glibc)} (the lowest needs {_dotted(min(needed))})"
    musl = any(tag[2].startswith("musllinux") for tag in same_abi)
    return "only musl wheels, no glibc one" if musl else "no manylinux wheel"


def _tags(wheels: Iterable[IndexFile]) -> Iterator[tuple[str, str, str]]:
    for wheel in wheels:
        pythons, abis, platforms = _tags_text(wheel).split("-")
        for python in pythons.split("."):
            for abi in abis.split("."):
                for platform in platforms.split("."):
                    yield python, abi, platform


def _tags_text(wheel: IndexFile) -> str:
    return "-".join(wheel.filename[: -len(".whl")].split("-")[-3:])


def _is_linux(platform: str, machine: str) -> bool:
    return platform == "any" or ("linux" in platform and platform.endswith(machine))


def _glibc(platform: str) -> tuple[int, int] | None:
    match = _GLIBC.match(platform)
    return (int(match[1]), int(match[2])) if match else _LEGACY_GLIBC.get(platform.partition("_")[0])


def _dotted(glibc: tuple[int, ...]) -> str:
    return f"{glibc[0]}.{glibc[1]}"


def newest_refused(
    found: Candidates, specifier: SpecifierSet, selector: WheelSelector, most: int = 3
) -> list[tuple[Version, str]]:
    """Give the newest releases that a specifier allows and the target does not, each with the reason."""
    if found.page is None:
        return []
    listed = releases(found.name, found.page)
    allowed = [version for version in specifier.filter(listed) if version not in found]
    return [(version, refusal(listed[version], selector)) for version in sorted(allowed, reverse=True)[:most]]


def fitting_targets(found: Candidates, specifier: SpecifierSet, targets: Iterable[Target]) -> list[Target]:
    """Give the targets for which a version that the specifier allows has a wheel."""
    return [
        target
        for target in targets
        if (there := WheelSelector(target).candidates(found.name, found.page)).matching(specifier)
        & ~there.yanked
    ]
