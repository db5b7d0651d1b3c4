"""Wheels that a layer takes single files of: chosen alone, without what they require."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from layercraft.errors import NoSolutionError, UnknownPackageError
from layercraft.resolution.admission import is_pin
from layercraft.resolution.candidates import WheelSelector
from layercraft.resolution.ranges import newest
from layercraft.resolution.requirements import normalized
from layercraft.resolution.resolver import pin_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from layercraft.resolution.index import Index
    from layercraft.resolution.pins import Lock, Pin


def choose_donors(requirements: Iterable[str], lock: Lock, index: Index) -> tuple[Pin, ...]:
    """Choose the newest wheel for each requirement that no pin of the lock answers, sorted by name.

    Raises:
        UnknownPackageError: the index has no such package.
        NoSolutionError: no release that fits has a wheel for the target, or the layer has another one.
        IndexUnreachableError, BadIndexAnswerError: from the index.
    """
    selector = WheelSelector(lock.target)
    chosen: dict[str, Pin] = {}
    for text in dict.fromkeys(requirements):
        known = donor(text, (*lock.pins, *chosen.values()))
        if known is None:
            pin = _chosen(Requirement(text), selector, index)
            chosen[pin.name] = pin
    return tuple(pin for _, pin in sorted(chosen.items()))


def donor(requirement: str, pins: Iterable[Pin]) -> Pin | None:
    """Give the pin that answers a requirement; None when there is none of this name.

    Raises:
        NoSolutionError: the pin of this name is of a version that the requirement does not take.
    """
    parsed = Requirement(requirement)
    for pin in pins:
        if pin.name == normalized(parsed):
            if not parsed.specifier.contains(pin.version, prereleases=True):
                raise NoSolutionError(
                    f"files are wanted of {requirement}, and {pin.name} {pin.version} is locked",
                    hint="ask for the same versions in requirements.txt and in [files]",
                )
            return pin
    return None


def _chosen(requirement: Requirement, selector: WheelSelector, index: Index) -> Pin:
    name = normalized(requirement)
    try:
        page = index.page(name)
    except UnknownPackageError as error:
        raise UnknownPackageError(f"{error.message} ([files])", hint=error.hint) from error
    found = selector.candidates(name, page)
    bits = found.matching(requirement.specifier)
    pinned = bits if is_pin(requirement.specifier) else 0
    bits = found.preferred(bits, prereleases=bool(requirement.specifier.prereleases), pinned=pinned)
    if not bits:
        raise NoSolutionError(f"{requirement} ([files]): no release has a wheel for {selector.target}")
    return pin_of(found.listed[newest(bits)])
