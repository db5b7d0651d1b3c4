"""What a Lambda runtime brings itself: left out of a layer where the runtime's own will do.

boto3 and what it requires fit each other only in narrow ranges, so a layer that brings a part of them
runs with the rest of another release. They go into a layer all together or not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement
from packaging.version import Version

from layercraft.resolution.left_out import Guarded, LeftOut, asked_by_name, listed, parsed, requirers
from layercraft.resolution.requirements import ActiveRequirements, normalized

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from packaging.requirements import Requirement

    from layercraft.formats.core_metadata import CoreMetadata
    from layercraft.resolution.pins import Lock, Pin
    from layercraft.target import Runtime

_LAST = 1_000_000  # a minor version that no release will reach


def guard_runtime_packages(lock: Lock, choice: str, metadata: Callable[[Pin], CoreMetadata]) -> Guarded:
    """Tell which locked distributions are left to the target's runtime: all that it brings, or none.

    `choice` is one of RUNTIME_PACKAGES. With "auto" they are left out when all of this holds: the lock
    tells what was asked for, and none of them by name; every requirement on them, and every constraint,
    takes each version that was seen in the runtime and what may follow it within its major version.
    `metadata` gives the core metadata of a pin, and is asked only of those that require one of them.

    Raises: what `metadata` raises.
    """
    runtime = lock.target.runtime
    known = runtime.packages if choice == "exclude" else tuple(runtime.seen)
    brought = [pin for pin in lock.pins if pin.name in known]
    if choice == "include" or not brought:
        return Guarded()
    names = [pin.name for pin in brought]
    if choice == "auto":
        if not asked_by_name(lock).isdisjoint(names):
            return Guarded()
        objection = _objection(lock, names, metadata)
        if objection:
            stay = "stays" if len(names) == 1 else "stay"
            return Guarded(told=(f"{listed(names)} {stay} in the layer: {objection}",))
    why = f"{runtime.name} brings it"
    return Guarded(left_out=tuple(LeftOut(pin=pin, guard="runtime", why=why) for pin in brought))


def _objection(lock: Lock, names: Collection[str], metadata: Callable[[Pin], CoreMetadata]) -> str:
    """Tell what speaks against the runtime's own versions; "" when nothing does."""
    if not lock.requirements:
        return "the lock does not tell what was asked for by name"
    for requirement in parsed(lock.constraints):
        if normalized(requirement) in names and (version := _refused(requirement, lock.target.runtime)):
            return f"a constraint allows only {_shown(requirement)}, and {_may_have(lock, version)}"
    active = ActiveRequirements(lock.target.markers)
    for pin in requirers(lock.pins, names):
        try:
            for requirement in _requirements(metadata(pin), active):
                if normalized(requirement) in names and (
                    version := _refused(requirement, lock.target.runtime)
                ):
                    asks = f"{pin.name} {pin.version} requires {_shown(requirement)}"
                    return f"{asks}, and {_may_have(lock, version)}"
        except InvalidRequirement as error:
            return f"{pin.name} {pin.version}: {error}"
    return ""


def _requirements(metadata: CoreMetadata, active: ActiveRequirements) -> Iterator[Requirement]:
    """Give the requirements with those of all extras, for a lock does not tell which were asked for."""
    for extra in ("", *metadata.extras):
        yield from active.active(metadata.requires, extra)


def _refused(requirement: Requirement, runtime: Runtime) -> str:
    """Give a version that the runtime has, or may get, and that the requirement does not take; "" if none."""
    seen = runtime.seen[normalized(requirement)]
    if requirement.url:
        return seen[-1]
    coming = dict.fromkeys(f"{Version(version).major}.{_LAST}" for version in seen)
    for version in (*seen, *coming):
        if not requirement.specifier.contains(version, prereleases=True):
            return version.replace(f".{_LAST}", ".x")
    return ""


def _may_have(lock: Lock, version: str) -> str:
    return f"{lock.target.runtime.name} may have {version}"


def _shown(requirement: Requirement) -> str:
    return f"{requirement.name}{requirement.specifier}" if not requirement.url else str(requirement)
