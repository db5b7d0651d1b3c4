"""Symbol versions that compiled files need of the runtime's own libraries, and those that it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from layercraft.formats.elf import VersionName
from layercraft.target import runtimes
from layercraft.verification.report import STATIC, Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from layercraft.target import Runtime, Target


class _Series(NamedTuple):
    kind: str
    title: str
    newest: Callable[[Runtime], tuple[int, ...]]


_GLIBC = _Series("glibc-too-new", "glibc", lambda runtime: runtime.glibc)
_SERIES = {
    "GLIBC": _GLIBC,
    "GLIBCXX": _Series("libstdcxx-too-new", "GLIBCXX", lambda runtime: runtime.glibcxx),
    "CXXABI": _Series("libstdcxx-too-new", "CXXABI", lambda runtime: runtime.cxxabi),
    "GCC": _Series("libgcc-too-new", "GCC", lambda runtime: runtime.gcc),
}
# Versions without a number, and the release of glibc that first has them (its NEWS file).
_FLAGS = {"GLIBC_ABI_DT_RELR": (2, 36), "GLIBC_ABI_GNU2_TLS": (2, 42), "GLIBC_ABI_GNU_TLS": (2, 42)}


def check_versions(path: str, library: str, names: Iterable[str], target: Target) -> Iterator[Finding]:
    """Compare the versions that the file at `path` needs of a library with what the runtime has of it."""
    for name in names:
        known = _known(name)
        if known is None:
            continue
        series, wanted = known
        newest = series.newest(target.runtime)
        if wanted > newest:
            has = f"{series.title} {'.'.join(map(str, newest))}"
            yield Finding(
                engine=STATIC,
                kind=series.kind,
                subject=path,
                cause=f"it needs {name} of {library}, and {target.runtime.name} has {has}",
                remedy=_remedy(series, wanted),
            )


def _known(name: str) -> tuple[_Series, tuple[int, ...]] | None:
    if name in _FLAGS:
        return _GLIBC, _FLAGS[name]
    version = VersionName.parse(name)
    series = _SERIES.get(version.series) if version else None
    return (series, version.numbers) if series and version else None


def _remedy(series: _Series, wanted: tuple[int, ...]) -> str:
    for runtime in runtimes():
        if wanted <= series.newest(runtime):
            return f"take an older release, or build for {runtime.name}, the first runtime that has it"
    return "take an older release: no runtime of Lambda has it"
