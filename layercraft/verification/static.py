"""The static engine: reads the files of a layer where they lie in its zip, and runs nothing."""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from layercraft.layer.importable import Importable
from layercraft.verification.absent_modules import AbsentModules
from layercraft.verification.compiled_checks import CompiledChecks
from layercraft.verification.compiled_files import read_compiled
from layercraft.verification.installed import missing_files, pure_files, read_installed
from layercraft.verification.layout import check_layout
from layercraft.verification.library_checks import LibraryChecks
from layercraft.verification.packaging_metadata import check_metadata, check_sdk
from layercraft.verification.removed_modules import RemovedModules
from layercraft.verification.removed_sources import RemovedSources
from layercraft.verification.report import Finding, Outcome, Unchecked
from layercraft.verification.source_files import SourceFiles
from layercraft.verification.zip_contents import open_zip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from layercraft.events import Reporter
    from layercraft.host.cache import Cache
    from layercraft.verification.layer import LayerUnderTest
    from layercraft.verification.zip_contents import ZipContents

_FEW = 3
_TEST = re.compile(r"/tests?/|/(?:test_|conftest)[^/]*$")


def static(layer: LayerUnderTest, cache: Cache | None, reporter: Reporter) -> Outcome:
    """Judge a layer by its files alone: nothing is unpacked to disk, nothing of it is run.

    What the cache remembers of the layer's wheels is not read again. A finding is a thing that will
    fail in Lambda for sure; what may fail is told as not checked. Findings that are alike are told
    once for each distribution.

    Raises:
        UsageError: the zip is missing, or is none that layercraft reads.
    """
    with open_zip(layer.zip) as contents, reporter.progress("reading the layer", None, "items"):
        reading = _Reading(layer, contents, cache)
        told = list(reading.check())
        return Outcome(
            findings=tuple(_merged(each for each in told if isinstance(each, Finding))),
            checked=tuple(reading.lines()),
            unchecked=tuple(each for each in told if isinstance(each, Unchecked)),
        )


class _Reading:
    """All that the checks look at, read once."""

    def __init__(self, layer: LayerUnderTest, contents: ZipContents, cache: Cache | None) -> None:
        self._layer = layer
        self._contents = contents
        self._cache = cache
        self._importable = Importable(contents.listed, contents.folders, layer.target)
        self._sources = SourceFiles(contents, self._importable, layer.target)
        self._compiled = read_compiled(contents, layer, cache)
        self._installed = read_installed(contents, self._importable)
        self._removed = self._removed_files()

    def check(self) -> Iterator[Finding | Unchecked]:
        """Run all checks."""
        layer, contents, target = self._layer, self._contents, self._layer.target
        for finding in check_layout(contents, target):
            yield finding
            if finding.kind == "wrong-layout":
                return  # nothing in it is where anybody looks, and all else would say so again
        compiled, importable = self._compiled, self._importable
        yield from CompiledChecks(compiled, importable, self._is_pure, target).check(contents.listed)
        yield from LibraryChecks(layer, compiled.files, importable, self._sources, self._is_pure).check()
        yield from self._gone()
        yield from check_metadata(layer, self._installed)
        yield from check_sdk(layer, importable)
        for path, why in self._sources.unreadable.items():
            yield Unchecked(subject=path, why=why)

    def _gone(self) -> Iterator[Finding | Unchecked]:
        """Look for imports of what is no more in the layer, by what is known of it."""
        layer, importable, sources = self._layer, self._importable, self._sources
        in_wheels = RemovedSources(layer, self._cache)
        yield from RemovedModules(self._removed, importable, sources, in_wheels.read).check()
        if not layer.record:
            recorded = frozenset().union(*(each.recorded or () for each in self._installed))
            yield from AbsentModules(recorded, importable, sources).check()
        if not (layer.record or layer.distributions or self._installed):
            why = "no record, no lock and no .dist-info tells which distributions it should have"
            yield Unchecked(subject=layer.zip.name, why=why)

    @cached_property
    def _pure(self) -> frozenset[str]:
        return pure_files(self._installed)

    def _is_pure(self, path: str) -> bool:
        return path in self._pure

    def lines(self) -> Iterator[str]:
        """Tell in numbers what was looked at."""
        glibc = ".".join(map(str, self._layer.target.runtime.glibc))
        yield f"{len(self._contents.listed):,} files: size, folders, modes"
        yield (
            f"{len(self._compiled.files):,} compiled files: machine, ABI, segments, needed libraries, "
            f"symbol versions up to glibc {glibc}"
        )
        yield f"{len(self._removed):,} removed files: whether anything imports them"
        yield f"{len(self._layer.distributions):,} distributions: metadata"

    def _removed_files(self) -> Mapping[str, str | None]:
        """Give what the layer once had: as its build tells, else as the RECORDs in it list."""
        if self._layer.record:
            return {path: self._layer.blame(path) for path in self._layer.removed}
        return missing_files(self._installed, self._contents)


def _merged(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Tell findings of one cause in one distribution once, with the number of the others."""
    groups: dict[tuple[str | None, ...], list[Finding]] = {}
    for each in findings:
        per_owner = "/" in each.subject and each.kind != "bad-mode"
        owner = "/".join(each.subject.split("/")[:2]) if per_owner else ""
        groups.setdefault((each.kind, each.cause, each.remedy, each.blame, owner), []).append(each)
    for group in groups.values():
        first, *others = sorted(group, key=_is_test)  # what a function imports is told before tests
        if others:
            names = ", ".join(_short(each.subject) for each in others[:_FEW])
            more = f" and {len(others) - _FEW} more" if len(others) > _FEW else ""
            yield replace(first, cause=f"{first.cause}; the same goes for {names}{more}")
        else:
            yield first


def _is_test(finding: Finding) -> bool:
    return _TEST.search(finding.subject) is not None


def _short(subject: str) -> str:
    folder, base = posixpath.split(subject)
    return f"{posixpath.basename(folder)}/{base}" if base == "__init__.py" else base
