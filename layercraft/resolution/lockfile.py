"""The lock: exactly which wheels make a layer, as a PEP 751 file through packaging's own module."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.pylock import (
    Package,
    PackageWheel,
    Pylock,
    PylockSelectError,
    PylockValidationError,
    is_valid_pylock_path,
)
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from layercraft.errors import BadLockError, reason_of
from layercraft.formats.addresses import without_credentials
from layercraft.resolution.index import WHEEL_NAME
from layercraft.resolution.pins import Lock, Pin

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from layercraft.target import Target

TOOL = "layercraft"

DONORS = "donors"
"""The dependency group of wheels that only files are taken of: no installer takes them unasked (PEP 751)."""

_DONOR = Marker(f"'{DONORS}' in dependency_groups")

_SHA256 = re.compile(r"[0-9a-f]{64}")


def to_toml(lock: Lock) -> str:
    """Write a lock as the text of a PEP 751 file: the same lock gives the same text."""
    import tomli_w

    target = lock.target
    pylock = Pylock(
        lock_version=Version("1.0"),
        environments=[
            Marker(
                f"python_version == '{target.markers['python_version']}'"
                f" and sys_platform == 'linux' and platform_machine == '{target.machine}'"
            )
        ],
        requires_python=SpecifierSet(f"=={target.markers['python_version']}.*"),
        created_by=TOOL,
        dependency_groups=[DONORS] if lock.donors else None,
        packages=[*map(_package, lock.pins), *(_package(pin, _DONOR) for pin in lock.donors)],
        tool={
            TOOL: {
                "runtime": target.runtime.name,
                "architecture": target.architecture,
                "requirements": list(lock.requirements),
                **({"constraints": list(lock.constraints)} if lock.constraints else {}),
                "excluded": list(lock.excluded),
            }
        },
    )
    pylock.validate()
    return tomli_w.dumps(dict(pylock.to_dict()))


def _package(pin: Pin, marker: Marker | None = None) -> Package:
    return Package(
        name=pin.name,
        version=Version(pin.version),
        marker=marker,
        dependencies=[{"name": name} for name in pin.requires] or None,
        wheels=[
            PackageWheel(
                name=pin.filename,
                url=without_credentials(pin.url) if pin.url else None,
                path=pin.path.as_posix() if pin.path else None,
                size=pin.size,
                hashes={"sha256": pin.sha256},
            )
        ],
    )


def recorded_target(path: Path) -> tuple[str, str] | None:
    """Give runtime and architecture that a lock of layercraft was made for; None for another tool's.

    Raises:
        BadLockError: the file is missing or broken.
    """
    return _recorded(_own(_table(path)))


def read_lock(path: Path, target: Target) -> Lock:
    """Read any tool's PEP 751 lock file and choose its wheels for the target.

    Raises:
        BadLockError: the file is missing, broken, not for this target, or wants what is no wheel.
    """
    table = _table(path)
    try:
        pylock = Pylock.from_dict(table)
    except (PylockValidationError, ValueError, RecursionError) as error:
        raise BadLockError(f"{path}: not a valid lock file (PEP 751): {error}") from error
    return from_pylock(pylock, table, target, path)


def _table(path: Path) -> dict[str, Any]:
    if not is_valid_pylock_path(path):
        raise BadLockError(
            f"{path}: a lock file is named pylock.toml or pylock.NAME.toml, with no dots in NAME (PEP 751)"
        )
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadLockError(f"{path}: cannot be read: {reason_of(error)}") from error
    except (ValueError, RecursionError) as error:  # also numbers and nesting that Python cannot read
        raise BadLockError(f"{path}: not valid TOML: {error}") from error


def _own(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give what layercraft wrote for itself; another tool's lock has nothing, or anything, there."""
    tools = table.get("tool")
    own = tools.get(TOOL) if isinstance(tools, dict) else None
    return own if isinstance(own, dict) else {}


def _recorded(own: Mapping[str, Any]) -> tuple[str, str] | None:
    runtime, architecture = own.get("runtime"), own.get("architecture")
    return (runtime, architecture) if isinstance(runtime, str) and isinstance(architecture, str) else None


def _texts(own: Mapping[str, Any], key: str) -> tuple[str, ...]:
    found = own.get(key)
    return tuple(map(str, found)) if isinstance(found, list) else ()


def from_pylock(pylock: Pylock, table: Mapping[str, Any], target: Target, path: Path) -> Lock:
    """Choose a lock's wheels for the target. `path` is the lock's own, for messages and relative paths.

    Raises:
        BadLockError: the lock is not for this target, or wants what is no wheel.
    """
    own = _own(table)
    tags = [Tag(*text.split("-")) for text in target.tags]
    groups = [DONORS] if own and DONORS in (pylock.dependency_groups or ()) else None
    environment: Any = dict(target.markers)  # packaging asks for a TypedDict with these keys
    try:
        selected = list(pylock.select(environment=environment, tags=tags, dependency_groups=groups))
    except PylockSelectError as error:
        recorded = _recorded(own)
        other = recorded and recorded != (target.runtime.name, target.architecture)
        why = f"it was made for {' '.join(recorded)}" if recorded and other else str(error)
        raise BadLockError(
            f"{path}: does not fit {target}: {why}",
            hint=f"make one for it with `layercraft lock … {_flags(target)}`",
        ) from error
    except (UndefinedComparison, UndefinedEnvironmentName) as error:
        raise BadLockError(f"{path}: a marker cannot be evaluated: {error}") from error
    donating = [package for package, _ in selected if groups and package.marker == _DONOR]
    pins: list[Pin] = []
    donors: list[Pin] = []
    for package, artifact in selected:
        (donors if package in donating else pins).append(_pin(package, artifact, target, path))
    return Lock(
        target=target,
        pins=tuple(sorted(pins, key=lambda pin: pin.name)),
        requirements=_texts(own, "requirements"),
        constraints=_texts(own, "constraints"),
        donors=tuple(sorted(donors, key=lambda pin: pin.name)),
        excluded=tuple(map(canonicalize_name, _texts(own, "excluded"))),
    )


def _pin(package: Package, wheel: object, target: Target, path: Path) -> Pin:
    if not isinstance(wheel, PackageWheel):
        shown = f"{package.name} {package.version}" if package.version else package.name
        raise BadLockError(
            f"{path}: {shown} has no wheel for {target}, only a source",
            hint="layercraft builds layers from wheels only",
        )
    if not WHEEL_NAME.fullmatch(wheel.filename):
        raise BadLockError(f"{path}: {wheel.filename!r} is no file name of a wheel")
    sha256 = wheel.hashes.get("sha256", "").lower()
    if not _SHA256.fullmatch(sha256):
        raise BadLockError(f"{path}: {wheel.filename} has no sha256; layercraft checks every wheel by it")
    return Pin(
        name=package.name,
        version=str(package.version) if package.version else wheel.filename.split("-")[1],
        filename=wheel.filename,
        url=wheel.url if not wheel.path else None,
        path=(path.parent / wheel.path).absolute() if wheel.path else None,
        sha256=sha256,
        size=wheel.size,
        requires=tuple(sorted(_names(package))),
    )


def _names(package: Package) -> set[NormalizedName]:
    return {canonicalize_name(str(each["name"])) for each in package.dependencies or () if "name" in each}


def _flags(target: Target) -> str:
    return f"-r {target.markers['python_version']} -a {target.architecture}"
