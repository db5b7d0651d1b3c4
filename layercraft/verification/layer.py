"""A finished layer and what is known of its making: what every engine is given."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from layercraft.errors import BadWheelError, UsageError
from layercraft.formats.elf_records import AARCH64, MAGIC, X86_64
from layercraft.target import Target
from layercraft.verification.metadata_paths import distribution_of, paths_of
from layercraft.verification.zip_contents import open_zip
from layercraft.wheels.binaries import SHARED_OBJECT

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping
    from pathlib import Path

    from layercraft.layer.record import BuildRecord, RecordedChange
    from layercraft.resolution.pins import Lock
    from layercraft.verification.zip_contents import ZipContents

# importlib.machinery.EXTENSION_SUFFIXES of CPython on Linux with glibc, and pip's own site-packages.
_SUFFIX = re.compile(r"\.cpython-(\d)(\d+)-(\w+)-linux-gnu\.so$")
_VERSION_FOLDER = re.compile(r"python/lib/python(\d)\.(\d+)/site-packages/")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MACHINES = {X86_64: "x86_64", AARCH64: "aarch64"}  # as extension modules name them


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerUnderTest:
    """A layer's zip, the target that it is for, and as much of its history as is known.

    `removed` gives for each path that a build took away (`python/…`) the reason: "rule **/tests/ of
    layers/x/layer.toml". `distributions` are the pairs of normalized name and version that the layer
    should have, `asked_for` the names that users asked for, `pins_sha256` the wheels it was made of, ""
    for one whose sha256 is not told.
    """

    zip: Path
    target: Target
    record: BuildRecord | None = None
    removed: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    distributions: tuple[tuple[str, str], ...] = ()
    asked_for: tuple[str, ...] = ()
    pins_sha256: tuple[str, ...] = ()

    @property
    def requested(self) -> tuple[str, ...]:
        """The names of the distributions that users asked for; of all, where nothing tells that."""
        names = tuple(name for name, _ in self.distributions)
        return tuple(name for name in names if name in self.asked_for) or names

    def blame(self, path: str) -> str | None:
        """Tell what took the file at `path`, for `Finding.blame`; None when no build did."""
        reason = self.removed.get(path)
        return f"removed by {reason}" if reason else None

    def blame_metadata(self, name: str) -> str | None:
        """Tell what took the METADATA of a distribution, by its normalized name; None when no build did."""
        return self.blame(dict(paths_of("METADATA", self.removed)).get(name, ""))


def read_layer(zip: Path, target: Target | None = None) -> LayerUnderTest:  # noqa: A002 (the field's name)
    """Read a layer's zip and the build record or lock beside it.

    The target is the one given, else that of the record, of the lock, or of the compiled modules in
    the zip. A record of a zip with another size counts as absent: the zip was changed since.

    Raises:
        UsageError: the file is missing or no zip, or nothing tells the target.
        BadLockError: the lock beside the zip is broken.
    """
    with open_zip(zip) as contents:
        record = _record(zip, contents)
        target = target or _target(zip, record, contents)
        if record:
            return recorded_layer(zip, target, record, contents.listed)
        lock = _lock(zip, target)
        return LayerUnderTest(
            zip=zip,
            target=target,
            distributions=_pinned(lock) if lock else tuple(sorted(_found(contents.listed))),
            asked_for=lock.requested if lock else (),
            pins_sha256=tuple(pin.sha256 for pin in lock.pins) if lock else (),
        )


def recorded_layer(
    zip: Path,  # noqa: A002 (the field's name)
    target: Target,
    record: BuildRecord,
    files: Container[str],
) -> LayerUnderTest:
    """Give the layer that a build record tells of; `files` are the paths that its zip holds."""
    removed = {
        file: _reason(change) for change in record.changes for file in change.removed if file not in files
    }
    return LayerUnderTest(
        zip=zip,
        target=target,
        record=record,
        removed=MappingProxyType(removed),
        distributions=tuple((pin.name, pin.version) for pin in record.pins),
        asked_for=record.requested,
        pins_sha256=tuple(pin.sha256 if _SHA256.fullmatch(pin.sha256) else "" for pin in record.pins),
    )


def _reason(change: RecordedChange) -> str:
    return f"rule {change.rule} of {change.source}" if change.rule else change.source


def _record(path: Path, contents: ZipContents) -> BuildRecord | None:
    from layercraft.layer.record import read_build_record

    try:
        record = read_build_record(path.with_suffix(".json"))
    except UsageError:
        return None
    told = (record.zip.size, record.zip.unzipped, record.zip.files)
    return record if told == (path.stat().st_size, contents.size, len(contents.listed)) else None


def _lock_path(path: Path) -> Path | None:
    """Give the lock that a build writes beside its zip, if it is there."""
    lock = path.with_name(f"pylock.{path.stem}.toml")
    return lock if lock.is_file() and "." not in path.stem else None


def _lock(path: Path, target: Target) -> Lock | None:
    from layercraft.resolution.lockfile import read_lock, recorded_target

    lock = _lock_path(path)
    if not lock or recorded_target(lock) not in (None, (target.runtime.name, target.architecture)):
        return None
    return read_lock(lock, target)


def _pinned(lock: Lock) -> tuple[tuple[str, str], ...]:
    """Give the pins that a layer has for sure: what a guard may have left out does not count."""
    from layercraft.resolution.gpu_guard import useless_on_lambda

    return tuple(
        (pin.name, pin.version)
        for pin in lock.pins
        if pin.name not in lock.target.runtime.packages and not useless_on_lambda(pin.name)
    )


def _found(names: Iterable[str]) -> set[tuple[str, str]]:
    return set(filter(None, map(distribution_of, names)))


def _target(path: Path, record: BuildRecord | None, contents: ZipContents) -> Target:
    if record:
        return Target.parse(record.target.runtime, record.target.architecture)
    lock = _lock_path(path)
    if lock:
        from layercraft.resolution.lockfile import recorded_target

        told = recorded_target(lock)
        if told:
            return Target.parse(*told)
    return _guessed(path, contents)


def _guessed(path: Path, contents: ZipContents) -> Target:
    """Give the target that most compiled modules are for; their versions and machines are in their names."""
    versions: Counter[str] = Counter()
    machines: Counter[str] = Counter()
    for name in contents.listed:
        if suffix := _SUFFIX.search(name):
            versions[f"{suffix[1]}.{suffix[2]}"] += 1
            machines[suffix[3]] += 1
        elif folder := _VERSION_FOLDER.match(name):
            versions[f"{folder[1]}.{folder[2]}"] += 1
    if not machines:
        machines.update(_elf_machines(contents))
    if not (versions and machines):
        raise UsageError(
            f"{path}: no build record or lock lies beside it, and its files do not tell "
            + ("which Python" if machines else "which machine" if versions else "which Python and machine")
            + " it is for",
            hint="name the target with --runtime and --arch",
        )
    return Target.parse(versions.most_common(1)[0][0], machines.most_common(1)[0][0])


def _elf_machines(contents: ZipContents) -> Iterable[str]:
    for name in contents.listed:
        if SHARED_OBJECT.search(name):
            try:
                head = contents.head(name, 20)
            except BadWheelError:
                continue
            machine = int.from_bytes(head[18:20], "little")
            if head.startswith(MAGIC) and machine in _MACHINES:
                yield _MACHINES[machine]
