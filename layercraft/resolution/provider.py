"""What the solver asks about packages, answered from the catalogue.

A package is a `Node`: a name, or a name with one extra, which depends on the same version of the
bare name. A version is a position in the package's candidates.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from nab_resolver.resolver import BaseProvider
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier
from packaging.utils import NormalizedName, canonicalize_name

from layercraft.errors import BadWheelError
from layercraft.resolution.admission import Admission
from layercraft.resolution.ranges import Bits, newest, positions
from layercraft.resolution.requirements import normalized

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nab_resolver.types import RangeProtocol
    from packaging.specifiers import SpecifierSet

    from layercraft.resolution.candidates import Candidates
    from layercraft.resolution.prefetch import Catalogue
    from layercraft.resolution.requirements import ActiveRequirements

CONFLICT_STEP = 5
"""Conflicts that move a package one step forward in the order of decisions."""
MANY_TRIES = 4
"""Versions of one package tried before the next ones' metadata are fetched ahead, in batches."""
BATCH = 16


class Node(NamedTuple):
    """A package, or a package with one extra ("" for none)."""

    name: NormalizedName
    extra: str

    def __str__(self) -> str:
        return f"{self.name}[{self.extra}]" if self.extra else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is to be solved.

    `roots` are the user's active requirements, each with the words that name its origin;
    `prereleases` the packages for which the user named a pre-release (None: all of them);
    `excluded` tells whether a distribution is kept out.
    """

    roots: Sequence[tuple[Requirement, str]]
    constraints: Mapping[NormalizedName, SpecifierSet]
    prereleases: frozenset[NormalizedName] | None
    excluded: Callable[[str], bool]


@dataclass(slots=True)
class Provider(BaseProvider[Node, int]):
    """Answers the solver's questions from the catalogue."""

    problem: Problem
    catalogue: Catalogue
    active: ActiveRequirements
    texts: dict[tuple[Node, int, Node], str] = field(default_factory=dict)
    forbidden: dict[tuple[NormalizedName, int], str] = field(default_factory=dict)
    excluded: dict[tuple[Node, int], set[NormalizedName]] = field(default_factory=dict)
    _admission: Admission = field(init=False)
    _order: dict[Node, int] = field(default_factory=dict)
    _dependencies: dict[tuple[Node, int], dict[Node, RangeProtocol[int]]] = field(default_factory=dict)
    _tries: dict[NormalizedName, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._admission = Admission(self.problem.prereleases)

    def candidates(self, name: NormalizedName) -> Candidates:
        """Give the versions that positions of this name stand for."""
        return self.catalogue.candidates(name)

    def nodes(self, requirement: Requirement) -> dict[Node, Bits]:
        """Give the nodes and versions that a requirement asks for."""
        name = normalized(requirement)
        bits = self.asked(name, requirement.specifier)
        nodes = [Node(name, ""), *(Node(name, canonicalize_name(extra)) for extra in requirement.extras)]
        for node in nodes:
            self._order.setdefault(node, len(self._order))
        return dict.fromkeys(nodes, bits)

    def asked(self, name: NormalizedName, specifier: SpecifierSet) -> Bits:
        """Give the versions that a requirement or constraint contains, and remember that it was met."""
        return Bits(self._admission.note(self.candidates(name), specifier))

    def allowed(self, node: Node, version_range: RangeProtocol[int]) -> int:
        """Give the versions in a range that may be taken."""
        assert isinstance(version_range, Bits)  # noqa: S101 (the range type that `solve` hands in)
        found = self.candidates(node.name)
        return self._admission.admitted(found, version_range.mask, by_base=bool(node.extra))

    def choose_version(self, package: Node, version_range: RangeProtocol[int]) -> int | None:
        """Take the newest version allowed."""
        bits = self.allowed(package, version_range)
        if not bits:
            return None
        if not package.extra:
            self._look_ahead(package.name, bits)
        return newest(bits)

    def has_satisfying_version(self, package: Node, version_range: RangeProtocol[int]) -> bool:
        """Tell whether `choose_version` would find one."""
        return bool(self.allowed(package, version_range))

    def prioritize(
        self,
        package: Node,
        version_range: RangeProtocol[int],
        conflict_counts: Mapping[Node, int],
        culprit_counts: Mapping[Node, int] | None = None,
    ) -> tuple[int, bool, int]:
        """Put most conflicts first, then what has one version left, then the order of first mention."""
        del culprit_counts
        single = self.allowed(package, version_range).bit_count() == 1
        return (-(conflict_counts.get(package, 0) // CONFLICT_STEP), not single, self._order.get(package, 0))

    def widen_decision(self, package: Node, version: int) -> RangeProtocol[int] | None:
        """Keep each decision to its own version."""
        del package, version
        return None

    def get_dependencies(self, package: Node, version: int) -> Mapping[Node, RangeProtocol[int]]:
        """Give what a version requires; a version that cannot be used excludes itself."""
        key = (package, version)
        known = self._dependencies.get(key)
        if known is None:
            try:
                known = self._read_dependencies(package, version)
            except (BadWheelError, InvalidRequirement, InvalidSpecifier, _UnusableError) as error:
                self.forbidden[package.name, version] = str(error)
                known = {package: Bits.empty()}
            self._dependencies[key] = known
        return known

    def _read_dependencies(self, package: Node, version: int) -> dict[Node, RangeProtocol[int]]:
        candidate = self.candidates(package.name).listed[version]
        metadata = self.catalogue.metadata(candidate)
        if not self.catalogue.fits_python(metadata.requires_python):
            raise _UnusableError(f"requires Python {metadata.requires_python}")
        found: dict[Node, RangeProtocol[int]] = {}
        if package.extra:
            found[Node(package.name, "")] = Bits.singleton(version)
        requirements = list(self.active.active(metadata.requires, package.extra))
        self.catalogue.expect(requirements)
        for requirement in requirements:
            self._add(found, package, version, requirement)
        return found

    def _add(
        self, found: dict[Node, RangeProtocol[int]], package: Node, version: int, requirement: Requirement
    ) -> None:
        name = normalized(requirement)
        if self.problem.excluded(name):
            self.excluded.setdefault((package, version), set()).add(name)
            return
        if requirement.url and not self.catalogue.is_direct(name):
            raise _UnusableError(f"requires {name} from a URL, which the index's packages may not do")
        for node, bits in self.nodes(requirement).items():
            if node == package:
                continue
            if node.name == package.name:
                bits &= Bits.singleton(version)  # noqa: PLW2901 (an extra of its own is of the same version)
            known = found.get(node)
            found[node] = bits if known is None else known & bits
            self.texts.setdefault((package, version, node), str(requirement).partition(";")[0].strip())

    def _look_ahead(self, name: NormalizedName, bits: int) -> None:
        tries = self._tries[name] = self._tries.get(name, 0) + 1
        if tries < MANY_TRIES or (tries - MANY_TRIES) % (BATCH // 2):
            return
        listed = self.candidates(name).listed
        self.catalogue.expect_metadata(listed[position] for position in positions(bits, BATCH))


class _UnusableError(Exception):
    """A version whose metadata rule it out."""
