"""The solver: PubGrub over bit sets, through nab-resolver.

`solve` runs it; `provider` answers its questions. These two modules alone know nab-resolver.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nab_resolver.errors import ResolutionError as Unsolvable
from nab_resolver.errors import ResolutionTerminatedError
from nab_resolver.resolver import Resolver, ResolverObserver
from nab_resolver.types import RootRequirement

from layercraft.errors import NoSolutionError
from layercraft.resolution.provider import Node, Provider
from layercraft.resolution.ranges import Bits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nab_resolver.types import Incompatibility
    from packaging.utils import NormalizedName

    from layercraft.resolution.candidates import Candidate
    from layercraft.resolution.prefetch import Catalogue
    from layercraft.resolution.provider import Problem
    from layercraft.resolution.requirements import ActiveRequirements


class _Constraints(Mapping[Node, Bits]):
    """The versions that constraints allow, read when a package is met: most of a long file never are."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._specifiers = provider.problem.constraints

    def __getitem__(self, node: Node) -> Bits:
        if node.extra:
            raise KeyError(node)
        return self._provider.asked(node.name, self._specifiers[node.name])

    def __iter__(self) -> Iterator[Node]:
        return (Node(name, "") for name in self._specifiers)

    def __len__(self) -> int:
        return len(self._specifiers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """The chosen candidates by name, their extras, what each requires, and who asked for excluded ones.

    `forbidden` are versions (name and position) that were met and cannot be used, each with the reason.
    """

    chosen: Mapping[NormalizedName, Candidate]
    extras: Mapping[NormalizedName, tuple[str, ...]]
    requires: Mapping[NormalizedName, tuple[NormalizedName, ...]]
    excluded: Mapping[NormalizedName, tuple[NormalizedName, ...]]
    forbidden: Mapping[tuple[NormalizedName, int], str]


class Unsatisfiable(NoSolutionError):  # noqa: N818 (it carries the proof for `explain`, and is caught there)
    """No solution exists; `proof` is the derivation and `provider` what its versions mean."""

    def __init__(self, proof: Incompatibility[Node, int], provider: Provider) -> None:
        super().__init__("no set of versions satisfies the requirements")
        self.proof = proof
        self.provider = provider


class _Decisions(ResolverObserver[Node, int]):
    """Tells of each candidate as the solver decides for it, so that downloads can start."""

    def __init__(self, provider: Provider, decided: Callable[[Candidate], None]) -> None:
        self._provider = provider
        self._decided = decided

    def on_decision(self, package: Node, version: int, level: int) -> None:
        del level
        if isinstance(package, Node) and not package.extra:
            self._decided(self._provider.candidates(package.name).listed[version])


def solve(
    problem: Problem,
    catalogue: Catalogue,
    active: ActiveRequirements,
    decided: Callable[[Candidate], None] = lambda _: None,
) -> Solution:
    """Find the newest versions that satisfy all requirements.

    `decided` is told of candidates while the solver runs; a decision may be taken back later.

    Raises:
        Unsatisfiable: there is no solution.
        NoSolutionError: the search was given up.
    """
    provider = Provider(problem, catalogue, active)
    catalogue.expect(requirement for requirement, _ in problem.roots)
    roots = [
        RootRequirement(node, bits, (requirement, origin))
        for requirement, origin in problem.roots
        for node, bits in provider.nodes(requirement).items()
    ]
    resolver = Resolver(provider, observer=_Decisions(provider, decided), range_type=Bits)
    try:
        solved = resolver.solve(roots, _Constraints(provider))
    except ResolutionTerminatedError as error:
        raise NoSolutionError(
            f"the search for versions was given up: {error}", hint="pin some of the requirements with =="
        ) from error
    except Unsolvable as error:
        if error.incompatibility is None:
            raise NoSolutionError("no set of versions satisfies the requirements") from error
        raise Unsatisfiable(error.incompatibility, provider) from error
    return _solution(provider, solved.pins, solved.edges)


def _solution(provider: Provider, pins: Mapping[Node, int], edges: Sequence[tuple[Node, Node]]) -> Solution:
    requires: dict[NormalizedName, set[NormalizedName]] = {node.name: set() for node in pins}
    for parent, child in edges:
        if parent.name != child.name:
            requires[parent.name].add(child.name)
    excluded: dict[NormalizedName, set[NormalizedName]] = {}
    for node, version in pins.items():
        for name in provider.excluded.get((node, version), ()):
            excluded.setdefault(name, set()).add(node.name)
    return Solution(
        chosen={
            node.name: provider.candidates(node.name).listed[version]
            for node, version in pins.items()
            if not node.extra
        },
        extras={
            name: tuple(node.extra for node in pins if node.name == name and node.extra) for name in requires
        },
        requires={name: tuple(sorted(names)) for name, names in requires.items()},
        excluded={name: tuple(sorted(askers)) for name, askers in excluded.items()},
        forbidden=provider.forbidden,
    )
