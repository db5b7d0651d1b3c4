"""Every module of the requested distributions, imported with and without the changes of a build."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layercraft.errors import BadWheelError
from layercraft.formats.record_file import read_record
from layercraft.layer.tree import Tree
from layercraft.layer.unpacked import write_files
from layercraft.verification.diagnosis import diagnosed
from layercraft.verification.metadata_paths import paths_of
from layercraft.verification.quotation import one_line
from layercraft.verification.report import Finding, Outcome, Unchecked
from layercraft.verification.surroundings import Cause
from layercraft.verification.zip_contents import open_zip
from layercraft.wheels.inspection import inspect_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from layercraft.host.cache import Cache
    from layercraft.verification.layer import LayerUnderTest
    from layercraft.verification.probe_channel import Answers, Item, Job
    from layercraft.verification.surroundings import Surroundings
    from layercraft.verification.zip_contents import ZipContents

_MODULE = re.compile(r"((?:[^\W\d]\w*/)*[^\W\d]\w*)(\.py|\.so|\.abi3\.so|\.cpython-[\w-]+\.so)")
_SHOWN = 5

Ask = Callable[[tuple["Item", ...]], tuple["Job", "Answers"]]
"""Has a probe do some items; gives the job that was made of them, and the answers."""


class MissingOriginalError(Exception):
    """Why a layer cannot be made again as it was before its changes; `str` is the reason."""


def compare_modules(
    names: Sequence[str],
    after: Ask,
    before: Callable[[], Ask],
    around: Surroundings,
) -> Outcome:
    """Import all these modules of the finished layer, and what fails once more in the original one.

    `after` asks a probe that sees the finished layer. `before` is called only when something fails:
    it makes the original layer and gives what asks a probe that sees it, or raises
    MissingOriginalError. A finding is a module that imports in the original layer and not in the
    finished one, unless its package is one already; modules with one cause share a finding.

    Most modules are imported in processes forked from warm ones; only those that seem broken get a
    fresh process each.
    """
    warm = _warm(names, after)
    rest = [name for name in names if name not in warm.passed]
    if not rest:
        return Outcome(checked=(_line(len(names), len(names)),))
    try:
        original = before()
    except MissingOriginalError as reason:
        return _unjudged(names, rest, str(reason))
    known = _warm(rest, original)
    suspects = [name for name in rest if name in known.passed or not warm.explains(name)]
    causes = _cold_failures(suspects, after, around)
    doubtful = [name for name, cause in causes.items() if cause.kind and name not in known.passed]
    never_did = _cold_failures(doubtful, original, around)
    broken = [name for name, cause in causes.items() if cause.kind and name not in never_did]
    never = {*rest} - known.passed - {*broken}
    return Outcome(
        findings=_findings({name: causes[name] for name in broken}, around),
        checked=(_line(len(names) - len(rest), len(names), len(never)),),
        unchecked=tuple(
            Unchecked(subject=name, why=cause.text) for name, cause in causes.items() if not cause.kind
        ),
    )


def modules_of(contents: ZipContents, distributions: Collection[str]) -> tuple[str, ...]:
    """Give the names of all modules in the zip that the RECORDs of these distributions list, sorted.

    `__main__` modules are left out: to import them is to run a program.
    """
    found: set[str] = set()
    for name, path in paths_of("RECORD", contents.listed):
        if name in distributions:
            root = posixpath.dirname(posixpath.dirname(path))
            found |= set(_modules(_listed(contents, path), root, contents))
    return tuple(sorted(found))


def original_layer(layer: LayerUnderTest, cache: Cache | None, folder: Path) -> None:
    """Lay the layer out in an empty folder as it was before a build changed it.

    Raises:
        MissingOriginalError: there is no build record, or a wheel is not in the cache any more.
        OutputError: the folder cannot be written.
    """
    if layer.record is None:
        raise MissingOriginalError("there is no build record beside the zip")
    if cache is None:
        raise MissingOriginalError("there is no cache with its wheels")
    files = []
    for pin in layer.record.pins:
        path = cache.wheel(pin.sha256)
        if path is None:
            raise MissingOriginalError(f"{pin.filename} is not in the cache any more")
        files.append((path, pin.filename, pin.sha256))
    try:
        tree = Tree.of(inspect_all(files, cache), layer.target)
    except BadWheelError as error:
        raise MissingOriginalError(error.message) from error
    write_files(tree, folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Warm:
    """What came of many imports: those that passed, and those that raised an error."""

    passed: frozenset[str]
    raised: frozenset[str]

    def explains(self, name: str) -> bool:
        """Tell whether a module, or a package that it is in, raised an error rather than crashed or hung."""
        return any(each in self.raised for each in (name, *_packages(name)))


def _warm(names: Sequence[str], ask: Ask) -> _Warm:
    _, answers = ask(({"kind": "modules", "names": list(names)},))
    result = answers.results[0]
    return _Warm(
        passed=frozenset(result.passed if result else ()), raised=frozenset(result.raised if result else ())
    )


def _cold_failures(names: Sequence[str], ask: Ask, around: Surroundings) -> dict[str, Cause]:
    """Import modules in a fresh process each; give those that fail with their causes.

    What is in a package that fails is not tried: it may hang as its package does.
    """
    failed: dict[str, Cause] = {}
    waiting = set(names)
    while waiting:
        now = sorted(name for name in waiting if waiting.isdisjoint(_packages(name)))
        job, answers = ask(tuple({"kind": "import", "name": name} for name in now))
        for item, result in zip(job.items, answers.results, strict=True):
            cause = diagnosed(item, result, job, around) if result else _unanswered(answers)
            if cause:
                failed[item["name"]] = cause
        waiting -= set(now)
        waiting = {name for name in waiting if failed.keys().isdisjoint(_packages(name))}
    return failed


def _packages(name: str) -> list[str]:
    """Give the packages that a module is in, the innermost last."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _unanswered(answers: Answers) -> Cause:
    return Cause(kind="", text=f"the probe did not come to it: {answers.problem or 'out of time'}")


def _unjudged(names: Sequence[str], rest: Sequence[str], reason: str) -> Outcome:
    some = ", ".join(rest[:_SHOWN])
    why = f"they do not import, and whether they did before the changes is not known: {reason}"
    return Outcome(
        checked=(_line(len(names) - len(rest), len(names)),),
        unchecked=(Unchecked(subject=f"{len(rest)} modules, such as {some}", why=why),),
    )


def _findings(broken: Mapping[str, Cause], around: Surroundings) -> tuple[Finding, ...]:
    """Give a finding for each cause; the modules that it broke beside the first are named in it."""
    names: dict[Cause, list[str]] = {}
    for name, cause in broken.items():
        names.setdefault(cause, []).append(name)
    return tuple(
        Finding(
            engine=around.engine,
            kind=cause.kind,
            subject=first,
            cause=f"{one_line(cause.text)}; without the changes of the build it imports{_others(others)}",
            remedy=cause.remedy,
            blame=cause.blame,
            said=cause.said,
        )
        for cause, (first, *others) in names.items()
    )


def _others(names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f", as do {', '.join(names[:_SHOWN])}{more}"


def _line(passed: int, total: int, never: int = 0) -> str:
    also = f", {never} import neither with nor without the changes" if never else ""
    return f"{passed} of {total} modules import{also}"


def _listed(contents: ZipContents, record: str) -> Iterable[str]:
    try:
        return read_record(contents.read(record), archive=record)
    except BadWheelError:
        return ()


def _modules(paths: Iterable[str], root: str, contents: ZipContents) -> Iterator[str]:
    for path in paths:
        match = _MODULE.fullmatch(path)
        if match is None or f"{root}/{path}" not in contents.listed:
            continue
        parts = match[1].split("/")
        if match[2] == ".so" and parts[-1].startswith("lib"):
            continue  # a library that modules link
        if parts[-1] == "__init__":
            parts.pop()
        if parts and parts[-1] != "__main__":
            yield ".".join(parts)


def requested_modules(zip_path: Path, distributions: Collection[str]) -> tuple[str, ...]:
    """Give what `modules_of` gives for a zip on disk.

    Raises:
        UsageError: the file is missing or no zip.
    """
    with open_zip(zip_path) as contents:
        return modules_of(contents, distributions)
