"""Dependencies that one patch version of Python asks for and another does not (PEP 508)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from layercraft.errors import BadWheelError
from layercraft.formats.core_metadata import CoreMetadata, parse_core_metadata
from layercraft.formats.requirement_text import parse_requirement
from layercraft.verification.metadata_paths import paths_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from layercraft.target import Target
    from layercraft.verification.zip_contents import ZipContents

_LARGEST = 32 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchDifference:
    """A locked distribution that is not the same on two patch versions.

    `dependency` is the normalized name of what only one of them asks for, "" where the distribution
    itself does not accept the other; `why` tells it in a sentence.
    """

    name: str
    version: str
    dependency: str
    why: str


def patch_differences(
    metadata: Iterable[CoreMetadata], target: Target, python_version: str
) -> tuple[PatchDifference, ...]:
    """Give where Python `python_version` would have asked for other distributions than Lambda's does."""
    there = dict(target.markers)
    here = {**there, "python_full_version": python_version, "implementation_version": python_version}
    if here == there:
        return ()
    return tuple(
        difference
        for each in metadata
        for difference in (*_requirements(each, here, there), *_python(each, here, there))
    )


def read_metadata(contents: ZipContents) -> Iterator[CoreMetadata]:
    """Give the core metadata of every distribution in a layer's zip; what cannot be read is passed over."""
    for _, path in paths_of("METADATA", contents.listed):
        if contents.listed[path].size <= _LARGEST:
            try:
                yield parse_core_metadata(contents.read(path))
            except (BadWheelError, ValueError):
                continue


def _requirements(
    metadata: CoreMetadata, here: Mapping[str, str], there: Mapping[str, str]
) -> Iterator[PatchDifference]:
    for text in metadata.requires:
        if "full_version" not in text and "implementation_version" not in text:
            continue
        try:
            requirement = parse_requirement(text)
            answers = [
                bool(requirement.marker and requirement.marker.evaluate({**environment, "extra": ""}))
                for environment in (here, there)
            ]
        except (InvalidRequirement, UndefinedComparison, UndefinedEnvironmentName):
            continue
        if answers[0] != answers[1]:
            yield PatchDifference(
                name=metadata.name,
                version=metadata.version,
                dependency=canonicalize_name(requirement.name),
                why=f"{metadata.name} {metadata.version} requires {requirement.name} if "
                f"{requirement.marker}: "
                f"{_yes(answers[0])} on Python {here['python_full_version']} here, "
                f"{_yes(answers[1])} on {there['python_full_version']}",
            )


def _python(
    metadata: CoreMetadata, here: Mapping[str, str], there: Mapping[str, str]
) -> Iterator[PatchDifference]:
    try:
        wanted = SpecifierSet(metadata.requires_python or "")
    except InvalidSpecifier:
        return
    version = here["python_full_version"]
    if not wanted.contains(version, prereleases=True) and wanted.contains(
        there["python_full_version"], prereleases=True
    ):
        yield PatchDifference(
            name=metadata.name,
            version=metadata.version,
            dependency="",
            why=f"{metadata.name} {metadata.version} wants Python {wanted}, and Python {version} is here",
        )


def _yes(answer: bool) -> str:  # noqa: FBT001 (the answer itself)
    return "true" if answer else "false"
