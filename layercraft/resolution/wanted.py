"""What the user wrote down, as it holds on one target: markers, exclusions, direct URLs and hashes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement

from layercraft.errors import NoSolutionError, RequirementError
from layercraft.resolution.index import Hashes, IndexFile, IndexPage
from layercraft.resolution.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from packaging.utils import NormalizedName

    from layercraft.recipe.requirements import Requested, RequirementsInput
    from layercraft.resolution.candidates import WheelSelector
    from layercraft.resolution.requirements import ActiveRequirements


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The requirements and constraints that hold on a target.

    `left_out` are required distributions that are excluded, each with the source of its requirement.
    """

    requirements: tuple[Requested, ...]
    constraints: tuple[Requested, ...]
    left_out: Mapping[NormalizedName, str]
    require_hashes: bool

    @classmethod
    def on_target(
        cls, asked: RequirementsInput, active: ActiveRequirements, excluded: Callable[[str], bool]
    ) -> Wanted:
        """Leave out what markers or exclusions rule out.

        Raises:
            RequirementError: a marker that cannot be evaluated, or nothing is left.
        """
        holding = tuple(_holding(asked.requirements, active))
        requirements = tuple(each for each in holding if not excluded(each.name))
        if not requirements:
            raise RequirementError(
                "nothing to resolve: no requirement holds on this target and is not excluded",
                hint="see the markers of the requirements, and what is excluded",
            )
        return cls(
            requirements=requirements,
            constraints=tuple(_holding(asked.constraints, active)),
            left_out={each.name: each.source for each in holding if excluded(each.name)},
            require_hashes=asked.require_hashes,
        )

    def direct_pages(self, selector: WheelSelector) -> dict[NormalizedName, IndexPage]:
        """Give a page of one file for each `name @ URL`; its sha256 stands among its hashes.

        Raises:
            RequirementError: two URLs for one package.
            NoSolutionError: a wheel that does not fit the target.
        """
        pages: dict[NormalizedName, IndexPage] = {}
        for each in (*self.requirements, *self.constraints):
            if not each.url:
                continue
            file = IndexFile(filename=each.filename or "", url=each.url, hashes=Hashes(sha256=each.hashes[0]))
            page = pages.setdefault(each.name, IndexPage(url=each.url, files=(file,)))
            if page.url != each.url:
                raise RequirementError(
                    f"{each.source}: {each.name} is asked for from two URLs", hint="keep one of them"
                )
            if not selector.candidates(each.name, page).listed:
                raise NoSolutionError(
                    f"{each.source}: {file.filename} does not fit {selector.target}:"
                    f" {refusal([file], selector)}"
                )
        return pages

    def hashes(self) -> dict[NormalizedName, frozenset[str]]:
        """Give the sha256 digests that each package may have; as in pip, all of its lines must allow one.

        Raises:
            RequirementError: the lines of a package have no hash in common.
        """
        found: dict[NormalizedName, frozenset[str]] = {}
        for each in (*self.requirements, *self.constraints):
            if not each.hashes:
                continue
            allowed = frozenset(each.hashes)
            common = found[each.name] = found.get(each.name, allowed) & allowed
            if not common:
                raise RequirementError(
                    f"{each.source}: {each.name} has other hashes here than where it was named before",
                    hint="name it once, with all the hashes that are right",
                )
        return found

    def check_hashes(self, chosen: Iterable[NormalizedName]) -> None:
        """Hold pip's rule: once one requirement has a hash, all that is installed must have one.

        Raises:
            RequirementError: packages that have none.
        """
        checking = self.require_hashes or any(each.hashes and not each.url for each in self.requirements)
        without = sorted(set(chosen) - set(self.hashes()))
        if checking and without:
            raise RequirementError(
                f"hashes are required, and these have none: {', '.join(without)}",
                hint="give each a --hash, or none of them",
            )


def _holding(asked: Iterable[Requested], active: ActiveRequirements) -> Iterator[Requested]:
    for each in asked:
        try:
            if active.holds(each.requirement.marker, ""):
                yield each
        except InvalidRequirement as error:
            raise RequirementError(f"{each.source}: {each.name}: {error}") from error
