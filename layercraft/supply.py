"""From a recipe to checked wheels: a resolution or a lock, then downloads."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement

from layercraft.errors import BadLockError, LayerTooLargeError, NoSolutionError
from layercraft.guards import Guards
from layercraft.layer.sizes import human_size
from layercraft.resolution.gpu_guard import hopeless_hint
from layercraft.resolution.resolver import Resolution, pin_of, resolve
from layercraft.target import UNZIPPED_LIMIT, other_targets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from layercraft.events import Reporter
    from layercraft.host.interpreters import Interpreter
    from layercraft.recipe.options import BuildOptions
    from layercraft.recipe.recipe import Recipe
    from layercraft.recipe.requirements import Requested
    from layercraft.resolution.candidates import Candidate
    from layercraft.resolution.left_out import LeftOut
    from layercraft.resolution.pins import Lock, Pin
    from layercraft.sources import Sources
    from layercraft.target import Target
    from layercraft.wheels.inspection import Wheel

MOST_NAMED = 5
"""Wheels that the error for a hopeless size names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One build: what, for which target, how, from where, and who is told.

    `compiler` is the Python that makes bytecode, where some is wanted.
    """

    recipe: Recipe
    target: Target
    options: BuildOptions
    sources: Sources
    reporter: Reporter
    compiler: Interpreter | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """A whole lock: those of its wheels that go into the layer, and those that do not.

    `donors` give the wheel for each requirement of the recipe's [files]; it may be one of the others.
    `resolution` is None where a lock was given.
    """

    lock: Lock
    resolution: Resolution | None
    pins: tuple[Pin, ...]
    left_out: tuple[LeftOut, ...]
    donors: Mapping[str, Pin]

    @property
    def needed(self) -> tuple[Pin, ...]:
        """All wheels to fetch: those of the layer first."""
        return tuple(dict.fromkeys((*self.pins, *self.donors.values())))

    def parted(self, wheels: Sequence[Wheel]) -> tuple[tuple[Wheel, ...], dict[str, Wheel]]:
        """Part the wheels of `needed`: those of the layer, and one for each requirement of [files]."""
        by_pin = dict(zip(self.needed, wheels, strict=True))
        return tuple(by_pin[pin] for pin in self.pins), {
            requirement: by_pin[pin] for requirement, pin in self.donors.items()
        }


def locked_wheels(job: Job) -> tuple[Locked, tuple[Wheel, ...]]:
    """Resolve, or read the lock given; bring what is needed, beginning while the resolution still runs."""
    from layercraft.wheels.downloads import Downloads
    from layercraft.wheels.inspection import inspect_all

    sources = job.sources
    with Downloads(sources.client, sources.cache, reporter=job.reporter) as downloads:

        def likely(pin: Pin) -> None:
            if (pin.size or 0) < UNZIPPED_LIMIT:
                downloads.start(pin)

        locked = lock_of(job, likely)
        _refuse_hopeless(job, locked.pins)
        paths = downloads.wait(locked.needed)
    files = [(path, pin.filename, pin.sha256) for path, pin in zip(paths, locked.needed, strict=True)]
    return locked, inspect_all(files, sources.cache, check=job.options.check, reporter=job.reporter)


def lock_of(job: Job, likely: Callable[[Pin], None]) -> Locked:
    """Resolve, or read the lock given, and keep what the guards leave out apart.

    `likely` is told each wheel that a running resolution chooses for the layer. A lock that does not
    answer the recipe's requirements is taken, with a warning for each of them.

    Raises:
        LayercraftError: there is no answer, the lock cannot be read, or nothing is left in it.
    """
    guards = Guards.of(job.recipe, job.options, job.target, job.sources)
    resolution = None
    if job.options.lock:
        from layercraft.resolution.lockfile import read_lock

        lock = read_lock(job.options.lock, job.target)
        for line in _stale(job, lock):
            job.reporter.warning(line)
    else:

        def decided(candidate: Candidate) -> None:
            if not guards.may_leave_out(candidate.name):
                likely(pin_of(candidate))

        resolution = resolve_job(job, decided)
        lock = resolution.lock
    left_out = guards.left_out(lock, job.reporter)
    gone = {each.pin.name for each in left_out}
    pins = tuple(pin for pin in lock.pins if pin.name not in gone)
    if not pins:
        raise NoSolutionError(
            f"nothing is left to go into the layer {job.recipe.name} for {job.target}",
            hint="all that was asked for is excluded or left out, or its markers rule out this target",
        )
    donors = {text: _donor(text, job, lock) for text in _donating(job.recipe)}
    return Locked(lock=lock, resolution=resolution, pins=pins, left_out=left_out, donors=donors)


def _stale(job: Job, lock: Lock) -> Iterator[str]:
    """Tell each requirement of the recipe that a lock given does not answer, with the way out."""
    from layercraft.resolution.requirements import ActiveRequirements

    active = ActiveRequirements(job.target.markers)
    versions = {pin.name: pin.version for pin in lock.pins}
    excluded = (*job.recipe.exclude, *job.options.exclude, *lock.excluded)
    way_out = _another_lock(job)
    for asked in job.recipe.requirements.requirements:
        holds = False
        with suppress(InvalidRequirement):  # a resolution would refuse the marker; a lock does not need it
            holds = active.holds(asked.requirement.marker, "")
        if not holds or any(fnmatchcase(asked.name, glob) for glob in excluded):
            continue
        version = versions.get(asked.name)
        if version is None:
            yield f"{asked.source}: {job.options.lock} has no {asked}; {way_out}"
        elif not asked.requirement.specifier.contains(version, prereleases=True):
            yield f"{asked.source}: {job.options.lock} has {asked.name} {version}, not {asked}; {way_out}"


def _another_lock(job: Job) -> str:
    version = job.target.runtime.name.removeprefix("python")
    return f"make another with `layercraft lock {job.recipe.name} -r {version} -a {job.target.architecture}`"


def _donating(recipe: Recipe) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.requirement for each in recipe.extra_files if each.requirement))


def _donor(requirement: str, job: Job, lock: Lock) -> Pin:
    from layercraft.resolution.donors import donor

    found = donor(requirement, (*lock.pins, *lock.donors))
    if found is None:
        raise BadLockError(
            f"{job.options.lock}: it has no wheel for {requirement}, which [files] takes a file of",
            hint=_another_lock(job),
        )
    return found


def _refuse_hopeless(job: Job, pins: Sequence[Pin]) -> None:
    """Spare people gigabytes: packed wheels over the unzipped limit cannot be trimmed into it by presets."""
    packed = sum(pin.size or 0 for pin in pins)
    recipe = job.recipe
    if packed <= UNZIPPED_LIMIT or recipe.script or recipe.cleanup.remove:
        return
    largest = sorted(pins, key=lambda pin: -(pin.size or 0))[:MOST_NAMED]
    raise LayerTooLargeError(
        f"the wheels have {human_size(packed)} before they are unzipped, "
        f"over the limit of {human_size(UNZIPPED_LIMIT)} unzipped; the biggest: "
        + ", ".join(f"{pin.name} {human_size(pin.size or 0)}" for pin in largest),
        hint=hopeless_hint(largest)
        or "keep what Lambda cannot use out with --exclude, or split the layer in two",
    )


def resolve_job(job: Job, decided: Callable[[Candidate], None] = lambda _: None) -> Resolution:
    """Resolve what a job asks for, and tell its reporter what people should know of the answer.

    Raises:
        LayercraftError: see `resolution.resolver.resolve`.
    """
    asked = job.recipe.requirements
    wanted = replace(
        asked,
        requirements=tuple(_with_digest(each, job) for each in asked.requirements),
        constraints=tuple(_with_digest(each, job) for each in asked.constraints),
    )
    index = job.sources.index(asked.index_url)
    resolution = resolve(
        wanted,
        job.target,
        index,
        job.sources.metadata,
        exclude=(*job.recipe.exclude, *job.options.exclude),
        targets=other_targets(job.target),
        decided=decided,
    )
    if donating := _donating(job.recipe):
        from layercraft.resolution.donors import choose_donors

        donors = choose_donors(donating, resolution.lock, index)
        resolution = replace(resolution, lock=replace(resolution.lock, donors=donors))
    for warning in resolution.warnings:
        job.reporter.warning(warning)
    for newer in resolution.passed_over:
        job.reporter.notice(str(newer))
    return resolution


def _with_digest(requested: Requested, job: Job) -> Requested:
    """Give a direct URL its sha256: without one in its fragment, the wheel is fetched to know it.

    Not where its marker is for other targets; a marker that cannot be evaluated is refused later.
    """
    from layercraft.resolution.requirements import ActiveRequirements
    from layercraft.wheels.downloads import download

    if not requested.url or requested.hashes:
        return requested
    with suppress(InvalidRequirement):
        if ActiveRequirements(job.target.markers).holds(requested.requirement.marker, ""):
            sha256, _ = download(requested.url, job.sources.client, job.sources.cache)
            return replace(requested, hashes=(sha256,))
    return requested
