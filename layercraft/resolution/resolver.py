"""From requirements to a lock: `resolve` puts index, metadata, candidates and solver together."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING
from urllib.parse import unquote

from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name

from layercraft.errors import NoSolutionError, RequirementError, UnknownPackageError
from layercraft.resolution.candidates import WheelSelector
from layercraft.resolution.index import Hashes, IndexFile, IndexPage
from layercraft.resolution.lockfile import Lock, Pin
from layercraft.resolution.newer_releases import PassedOver, passed_over
from layercraft.resolution.prefetch import Catalogue
from layercraft.resolution.provider import Problem, Provider
from layercraft.resolution.refusals import refusal
from layercraft.resolution.requirements import ActiveRequirements, normalized
from layercraft.resolution.solver import Solution, Unsatisfiable, solve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from layercraft.recipe.requirements import RequirementsInput
    from layercraft.resolution.candidates import Candidate
    from layercraft.resolution.index import Index, MetadataSource
    from layercraft.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """A lock, and what people should know of how it came to be."""

    lock: Lock
    passed_over: tuple[PassedOver, ...]
    warnings: tuple[str, ...]


def resolve(  # noqa: PLR0913 (the collaborators are arguments)
    wanted: RequirementsInput,
    target: Target,
    index: Index,
    metadata: MetadataSource,
    *,
    exclude: Sequence[str] = (),
    targets: Sequence[Target] = (),
    decided: Callable[[Candidate], None] = lambda _: None,
) -> Resolution:
    """Choose the newest wheels for the target that satisfy what is wanted.

    `exclude` are globs on names of distributions to keep out, whoever requires them. A wanted URL
    must come with its sha256. `targets` are other targets that an error may name as a way out;
    `decided` is told of likely wheels while the search goes on.

    Raises:
        UnknownPackageError: the index has no package of a required name.
        NoSolutionError: nothing satisfies the requirements; the message derives why.
        RequirementError: requirements that cannot stand together, such as two URLs for one package.
        IndexUnreachableError, BadIndexAnswerError, HashMismatchError: from the index.
    """
    selector = WheelSelector(target)
    active = ActiveRequirements(target.markers)
    problem = _problem(wanted, exclude, active)
    catalogue = Catalogue(
        index,
        metadata,
        selector,
        active,
        direct=_direct_pages(wanted, selector),
        hashes=_hashes(wanted),
        constraints=problem.constraints,
        excluded=problem.excluded,
    )
    with catalogue:
        try:
            solution = solve(problem, catalogue, active, decided)
        except Unsatisfiable as failure:
            _raise_unknown(problem, failure.provider)
            raise explain_failure(failure, selector, targets) from failure
        _check_hashes(wanted, solution)
        return Resolution(
            lock=_lock(wanted, solution, target),
            passed_over=passed_over(problem, solution, catalogue, selector),
            warnings=tuple(_warnings(solution, catalogue)),
        )


def explain_failure(
    failure: Unsatisfiable, selector: WheelSelector, targets: Iterable[Target]
) -> NoSolutionError:
    """Give the failure in people's words; what words need is loaded only now."""
    from layercraft.resolution.derivation import explain

    return explain(failure, selector, targets)


def _problem(wanted: RequirementsInput, exclude: Sequence[str], active: ActiveRequirements) -> Problem:

    def excluded(name: str) -> bool:
        return any(fnmatch(name, pattern) for pattern in exclude)

    roots = [
        (each.requirement, each.source)
        for each in wanted.requirements
        if active.holds(each.requirement.marker, "") and not excluded(normalized(each.requirement))
    ]
    constraints: dict[NormalizedName, SpecifierSet] = {}
    for each in wanted.constraints:
        if active.holds(each.requirement.marker, ""):
            name = normalized(each.requirement)
            constraints[name] = constraints.get(name, SpecifierSet()) & each.requirement.specifier
    named = [*(requirement for requirement, _ in roots), *(each.requirement for each in wanted.constraints)]
    prereleases = frozenset(normalized(each) for each in named if each.specifier.prereleases)
    return Problem(
        roots=roots,
        constraints=constraints,
        prereleases=None if wanted.prereleases else prereleases,
        excluded=excluded,
    )


def _direct_pages(wanted: RequirementsInput, selector: WheelSelector) -> dict[NormalizedName, IndexPage]:
    """Give a page of one file for each `name @ URL`; its sha256 stands in the URL's fragment."""
    pages: dict[NormalizedName, IndexPage] = {}
    for each in (*wanted.requirements, *wanted.constraints):
        if not each.url:
            continue
        file = IndexFile(
            filename=unquote(each.url.rpartition("/")[2]), url=each.url, hashes=Hashes(sha256=each.hashes[0])
        )
        page = pages.setdefault(each.name, IndexPage(url=each.url, files=(file,)))
        if page.url != each.url:
            raise RequirementError(
                f"{each.source}: {each.name} is asked for from two URLs", hint="keep one of them"
            )
        if not selector.candidates(each.name, page).listed:
            raise NoSolutionError(
                f"{each.source}: {file.filename} does not fit {selector.target}: {refusal([file], selector)}"
            )
    return pages


def _hashes(wanted: RequirementsInput) -> dict[NormalizedName, frozenset[str]]:
    found: dict[NormalizedName, frozenset[str]] = {}
    for each in (*wanted.requirements, *wanted.constraints):
        if each.hashes:
            found[each.name] = found.get(each.name, frozenset()) | frozenset(each.hashes)
    return found


def _check_hashes(wanted: RequirementsInput, solution: Solution) -> None:
    """Hold pip's rule: once one requirement has a hash, all that is installed must have one."""
    hashes = _hashes(wanted)
    checking = wanted.require_hashes or any(each.hashes and not each.url for each in wanted.requirements)
    without = sorted(name for name in solution.chosen if name not in hashes)
    if checking and without:
        raise RequirementError(
            f"hashes are required, and these have none: {', '.join(without)}",
            hint="give each a --hash, or none of them",
        )


def _raise_unknown(problem: Problem, provider: Provider) -> None:
    for requirement, origin in problem.roots:
        if provider.candidates(normalized(requirement)).page is None:
            raise UnknownPackageError(
                f"{requirement.name}: the index has no package of this name ({origin})",
                hint="check the spelling; the import name often differs from the package's",
            )


def pin_of(candidate: Candidate, requires: tuple[NormalizedName, ...] = ()) -> Pin:
    """Give the pin that locks a candidate's wheel."""
    return Pin(
        name=candidate.name,
        version=str(candidate.version),
        filename=candidate.file.filename,
        url=candidate.url,
        path=None,
        sha256=candidate.file.hashes.sha256 or "",
        size=candidate.file.size,
        requires=requires,
    )


def _lock(wanted: RequirementsInput, solution: Solution, target: Target) -> Lock:
    pins = [pin_of(candidate, solution.requires[name]) for name, candidate in sorted(solution.chosen.items())]
    return Lock(
        target=target,
        pins=tuple(pins),
        requirements=tuple(str(each) for each in wanted.requirements),
        excluded=tuple(sorted(solution.excluded)),
    )


def _warnings(solution: Solution, catalogue: Catalogue) -> Iterable[str]:
    for name, asker in sorted(solution.excluded.items()):
        yield f"{name} is kept out of the layer (exclude)" + (
            f", although {asker} requires it" if asker else ""
        )
    for name, candidate in sorted(solution.chosen.items()):
        if candidate.file.yanked is not False:
            reason = candidate.file.yanked if isinstance(candidate.file.yanked, str) else "no reason given"
            yield f"{name} {candidate.version} was yanked: {reason}"
    for name, extras in sorted(solution.extras.items()):
        candidate = solution.chosen[name]
        known = {canonicalize_name(extra) for extra in catalogue.metadata(candidate).extras}
        for extra in sorted(set(extras) - known):
            yield f"{name} {candidate.version} has no extra named {extra}"
