"""From requirements to a lock: `resolve` puts index, metadata, candidates and solver together."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name

from layercraft.errors import NoSolutionError, UnknownPackageError
from layercraft.resolution.candidates import WheelSelector
from layercraft.resolution.newer_releases import PassedOver, passed_over
from layercraft.resolution.pins import Lock, Pin
from layercraft.resolution.prefetch import Catalogue
from layercraft.resolution.requirements import ActiveRequirements, normalized
from layercraft.resolution.wanted import Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from layercraft.recipe.requirements import RequirementsInput
    from layercraft.resolution.candidates import Candidate
    from layercraft.resolution.index import Index, MetadataSource
    from layercraft.resolution.provider import Problem, Provider
    from layercraft.resolution.solver import Solution, Unsatisfiable
    from layercraft.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """A lock, and what people should know of how it came to be."""

    lock: Lock
    passed_over: tuple[PassedOver, ...]
    warnings: tuple[str, ...]


def resolve(  # noqa: PLR0913 (the collaborators are arguments)
    asked: RequirementsInput,
    target: Target,
    index: Index,
    metadata: MetadataSource,
    *,
    exclude: Sequence[str] = (),
    targets: Sequence[Target] = (),
    decided: Callable[[Candidate], None] = lambda _: None,
) -> Resolution:
    """Choose the newest wheels for the target that satisfy what is asked for.

    `exclude` are globs on names of distributions to keep out, whoever requires them. A direct URL
    must come with its sha256. `targets` are other targets that an error may name as a way out;
    `decided` is told of likely wheels while the search goes on.

    Raises:
        UnknownPackageError: the index has no package of a required name.
        NoSolutionError: nothing satisfies the requirements; the message derives why.
        RequirementError: requirements that cannot stand together, such as two URLs for one package.
        IndexUnreachableError, BadIndexAnswerError, HashMismatchError: from the index.
    """

    def excluded(name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in exclude)

    selector = WheelSelector(target)
    active = ActiveRequirements(target.markers)
    wanted = Wanted.on_target(asked, active, excluded)
    constraints = _constraints(wanted)
    catalogue = Catalogue(
        index,
        metadata,
        selector,
        active,
        direct=wanted.direct_pages(selector),
        hashes=wanted.hashes(),
        constraints=constraints,
        excluded=excluded,
    )
    with catalogue:
        catalogue.expect(each.requirement for each in wanted.requirements)
        # Imported while the index answers what is expected of it.
        from layercraft.resolution.provider import Problem
        from layercraft.resolution.solver import Unsatisfiable, solve

        problem = Problem(
            roots=[(each.requirement, each.source) for each in wanted.requirements],
            constraints=constraints,
            prereleases=None if asked.prereleases else _opened(wanted),
            excluded=excluded,
        )
        try:
            solution = solve(problem, catalogue, active, decided)
        except Unsatisfiable as failure:
            _raise_unknown(problem, failure.provider)
            raise _explained(failure, selector, targets) from failure
        wanted.check_hashes(solution.chosen)
        return Resolution(
            lock=_lock(asked, target, wanted, solution),
            passed_over=passed_over(problem, solution, catalogue, selector),
            warnings=tuple(_warnings(wanted, solution, catalogue)),
        )


def _explained(failure: Unsatisfiable, selector: WheelSelector, targets: Iterable[Target]) -> NoSolutionError:
    """Give the failure in people's words; what words need is loaded only now."""
    from layercraft.resolution.derivation import explain

    return explain(failure, selector, targets)


def _constraints(wanted: Wanted) -> dict[NormalizedName, SpecifierSet]:
    found: dict[NormalizedName, SpecifierSet] = {}
    for each in wanted.constraints:
        found[each.name] = found.get(each.name, SpecifierSet()) & each.requirement.specifier
    return found


def _opened(wanted: Wanted) -> frozenset[NormalizedName]:
    """Give the packages for which the user names a pre-release, which admits them (PEP 440)."""
    named = (*wanted.requirements, *wanted.constraints)
    return frozenset(each.name for each in named if each.requirement.specifier.prereleases)


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


def _lock(asked: RequirementsInput, target: Target, wanted: Wanted, solution: Solution) -> Lock:
    return Lock(
        target=target,
        pins=tuple(_pins(solution)),
        requirements=tuple(str(each) for each in asked.requirements),
        constraints=tuple(str(each) for each in wanted.constraints if each.name in solution.chosen),
        excluded=tuple(sorted({*wanted.left_out, *solution.excluded})),
    )


def _pins(solution: Solution) -> Iterator[Pin]:
    for name, candidate in sorted(solution.chosen.items()):
        yield pin_of(candidate, solution.requires[name])


def _warnings(wanted: Wanted, solution: Solution, catalogue: Catalogue) -> Iterator[str]:
    for name, source in wanted.left_out.items():
        yield f"{name} is kept out of the layer (exclude), although {source} asks for it"
    for name, askers in sorted(solution.excluded.items()):
        if name not in wanted.left_out:
            verb = "requires" if len(askers) == 1 else "require"
            yield f"{name} is kept out of the layer (exclude), although {' and '.join(askers)} {verb} it"
    for name, candidate in sorted(solution.chosen.items()):
        if candidate.file.yanked is not False:
            reason = candidate.file.yanked if isinstance(candidate.file.yanked, str) else "no reason given"
            yield f"{name} {candidate.version} was yanked: {reason}"
    for name, extras in sorted(solution.extras.items()):
        candidate = solution.chosen[name]
        known = {canonicalize_name(extra) for extra in catalogue.metadata(candidate).extras}
        for extra in sorted(set(extras) - known):
            yield f"{name} {candidate.version} has no extra named {extra}"
