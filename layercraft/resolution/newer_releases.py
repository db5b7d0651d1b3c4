"""Why the newest release was not taken: what every other tool leaves its users to guess."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from layercraft.resolution.refusals import refusal, releases
from layercraft.resolution.requirements import normalized

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.utils import NormalizedName
    from packaging.version import Version

    from layercraft.resolution.candidates import WheelSelector
    from layercraft.resolution.prefetch import Catalogue
    from layercraft.resolution.provider import Problem
    from layercraft.resolution.solver import Solution


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """A package whose newest release was not taken, and why."""

    name: NormalizedName
    newest: str
    taken: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name} {self.newest}: {self.reason}; took {self.taken}"


def passed_over(
    problem: Problem, solution: Solution, catalogue: Catalogue, selector: WheelSelector
) -> tuple[PassedOver, ...]:
    """Give the chosen packages that have a newer final release on the index, each with the reason."""
    found: list[PassedOver] = []
    for name, candidate in sorted(solution.chosen.items()):
        candidates = catalogue.candidates(name)
        if candidates.page is None or catalogue.is_direct(name):
            continue
        listed = releases(name, candidates.page, at_least=candidate.version)
        newer = [
            version
            for version, files in listed.items()
            if version > candidate.version
            and not version.is_prerelease
            and any(file.yanked is False for file in files)
        ]
        if not newer:
            continue
        newest = max(newer)
        position = candidates.position(newest)
        if position is None:
            reason = refusal(listed[newest], selector)
        elif (name, position) in solution.forbidden:
            reason = solution.forbidden[name, position]
        elif candidates.yanked >> position & 1:
            reason = "its wheel was yanked"
        else:
            reason = _asker(problem, solution, catalogue, name, newest)
        found.append(PassedOver(name=name, newest=str(newest), taken=str(candidate.version), reason=reason))
    return tuple(found)


def _asker(
    problem: Problem, solution: Solution, catalogue: Catalogue, name: NormalizedName, newest: Version
) -> str:
    """Say whose requirement rules a newer release out."""

    def excludes(requirement: Requirement) -> bool:
        return normalized(requirement) == name and not requirement.specifier.contains(
            newest, prereleases=True
        )

    for requirement, origin in problem.roots:
        if excludes(requirement):
            return f"{origin} asks for {requirement}"
    if name in problem.constraints and newest not in problem.constraints[name]:
        return f"a constraint allows only {name}{problem.constraints[name]}"
    for parent, names in sorted(solution.requires.items()):
        if name in names:
            extras = solution.extras.get(parent, ())
            for requirement in catalogue.requirements(solution.chosen[parent], extras):
                if excludes(requirement):
                    version = solution.chosen[parent].version
                    return f"{parent} {version} requires {requirement.name}{requirement.specifier}"
    return "its own requirements do not fit the others"
