"""What a lock holds and a layer does without: decided before anything of it is fetched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.version import Version

from layercraft.errors import BadWheelError
from layercraft.formats.core_metadata import parse_core_metadata
from layercraft.resolution.candidates import Candidate
from layercraft.resolution.gpu_guard import guard_gpu, useless_on_lambda
from layercraft.resolution.index import Hashes, IndexFile
from layercraft.resolution.metadata import metadata_member
from layercraft.resolution.runtime_guard import guard_runtime_packages
from layercraft.wheels.wheel_file import opened

if TYPE_CHECKING:
    from pathlib import Path

    from layercraft.events import Reporter
    from layercraft.formats.core_metadata import CoreMetadata
    from layercraft.recipe.options import BuildOptions
    from layercraft.recipe.recipe import Recipe
    from layercraft.resolution.left_out import LeftOut
    from layercraft.resolution.pins import Lock, Pin
    from layercraft.sources import Sources
    from layercraft.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """Both guards as one build asks for them. `runtime_packages` is one of RUNTIME_PACKAGES."""

    runtime_packages: str
    keep_gpu: bool
    asked: frozenset[str]
    target: Target
    sources: Sources

    @classmethod
    def of(cls, recipe: Recipe, options: BuildOptions, target: Target, sources: Sources) -> Guards:
        """Merge what recipe and options say."""
        return cls(
            runtime_packages=options.runtime_packages or recipe.runtime_packages,
            keep_gpu=options.keep_gpu or recipe.keep_gpu,
            asked=frozenset(each.name for each in recipe.requirements.requirements),
            target=target,
            sources=sources,
        )

    def may_leave_out(self, name: str) -> bool:
        """Tell whether a distribution may be left out, so that fetching it early may be in vain."""
        if name in self.target.runtime.packages and self.runtime_packages != "include":
            return self.runtime_packages == "exclude" or self.asked.isdisjoint(self.target.runtime.seen)
        return not self.keep_gpu and name not in self.asked and useless_on_lambda(name) is not None

    def left_out(self, lock: Lock, reporter: Reporter) -> tuple[LeftOut, ...]:
        """Decide what stays out of the layer, and tell it; nothing is fetched but metadata.

        Raises:
            LayercraftError: metadata that a decision needs cannot be read.
        """
        runtime = guard_runtime_packages(lock, self.runtime_packages, self._metadata)
        gpu = None if self.keep_gpu else guard_gpu(lock)
        guarded = [each for each in (runtime, gpu) if each]
        for line in (line for each in guarded for line in each.told):
            reporter.notice(line)
        return tuple(left for each in guarded for left in each.left_out)

    def _metadata(self, pin: Pin) -> CoreMetadata:
        """Read a locked wheel's metadata: from the cache, from the wheel where it is here, else by ranges."""
        data = self.sources.cache.read("metadata", pin.sha256)
        wheel = pin.path or self.sources.cache.wheel(pin.sha256)
        if data is None and wheel:
            data = _inside(wheel, pin.filename)
        if data is None:
            return self.sources.metadata.metadata(_candidate(pin))
        try:
            return parse_core_metadata(data)
        except ValueError as error:
            raise BadWheelError(f"{pin.filename}: METADATA cannot be read: {error}") from error


def _inside(path: Path, filename: str) -> bytes:
    with opened(path, archive=filename) as read_at:
        return metadata_member(read_at, path.stat().st_size, filename)


def _candidate(pin: Pin) -> Candidate:
    file = IndexFile(
        filename=pin.filename, url=pin.url or "", hashes=Hashes(sha256=pin.sha256), size=pin.size
    )
    return Candidate(name=pin.name, version=Version(pin.version), file=file, url=pin.url or "")
