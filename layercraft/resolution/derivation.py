"""Why there is no solution, in people's words: who asks for what, and why each candidate fell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nab_resolver.types import IncompatibilityCause as Cause
from packaging.requirements import Requirement

from layercraft.errors import NoSolutionError
from layercraft.formats.addresses import without_credentials
from layercraft.resolution.ranges import Bits, newest, positions
from layercraft.resolution.refusals import fitting_targets, newest_refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nab_resolver.types import Incompatibility, Term
    from packaging.specifiers import SpecifierSet

    from layercraft.resolution.candidates import Candidates, WheelSelector
    from layercraft.resolution.provider import Node, Provider
    from layercraft.resolution.solver import Unsatisfiable
    from layercraft.target import Target

MOST_LINES = 12


def explain(failure: Unsatisfiable, selector: WheelSelector, targets: Iterable[Target]) -> NoSolutionError:
    """Turn the solver's proof into an error that people can act on.

    `targets` are those worth naming as a way out.
    """
    told = _Derivation(failure.provider, selector)
    facts = _facts(failure.proof, failure.provider.problem.roots)
    lines = list(dict.fromkeys(line for fact in facts for line in told.lines(fact)))
    if len(lines) > MOST_LINES:
        left = len(lines) - MOST_LINES
        lines = [*lines[:MOST_LINES], f"… and {left} more such facts"]
    message = f"no set of wheels for {selector.target} satisfies the requirements"
    return NoSolutionError(
        "\n  ".join([f"{message}:", *lines]),
        hint=_way_out(told.without_wheel, selector.target, list(targets)),
    )


def _facts(
    proof: Incompatibility[Node, int], roots: Sequence[tuple[Requirement, str]]
) -> list[Incompatibility[Node, int]]:
    """Give the proof's external facts, the user's own requirements first, in their order."""
    order = (Cause.ROOT, Cause.CONSTRAINT, Cause.DEPENDENCY, Cause.NO_VERSIONS)

    def place(fact: Incompatibility[Node, int]) -> tuple[int, int]:
        return order.index(fact.cause), roots.index(fact.origin) if fact.cause is Cause.ROOT else 0

    return sorted((fact for fact in proof.walk() if fact.cause is not Cause.DERIVED), key=place)


class _Derivation:
    """Puts facts of the proof into words; collects the packages that no version fits."""

    def __init__(self, provider: Provider, selector: WheelSelector) -> None:
        self._provider = provider
        self._selector = selector
        self.without_wheel: list[tuple[Candidates, SpecifierSet]] = []

    def lines(self, fact: Incompatibility[Node, int]) -> Iterator[str]:
        match fact.cause:
            case Cause.ROOT:
                requirement, origin = fact.origin
                yield f"you ask for {without_credentials(str(requirement))} ({origin})"
                yield from self._if_none(requirement)
            case Cause.DEPENDENCY if len(fact.terms) > 1:
                yield from self._dependency(fact.terms[0], fact.terms[1].package)
            case Cause.DEPENDENCY:
                yield from self._forbidden(fact.terms[0])
            case Cause.CONSTRAINT:
                node = fact.terms[0].package
                yield f"a constraint allows only {node.name}{self._provider.problem.constraints[node.name]}"
            case _:
                yield from self._no_versions(fact.terms[0])

    def _dependency(self, parent: Term[Node, int], child: Node) -> Iterator[str]:
        found = self._provider.candidates(parent.package.name)
        bits = _mask(parent) & found.every
        texts: dict[str, int] = {}
        for position in positions(bits, len(found.listed)):
            text = self._provider.texts.get((parent.package, position, child))
            if text:
                texts[text] = texts.get(text, 0) | 1 << position
        for text, having in texts.items():
            verb = "requires" if having.bit_count() == 1 else "require"
            yield f"{parent.package} {_span(found, having)} {verb} {text}"
            yield from self._if_none(Requirement(text))

    def _forbidden(self, term: Term[Node, int]) -> Iterator[str]:
        name = term.package.name
        found = self._provider.candidates(name)
        for position in positions(_mask(term) & found.every, 3):
            reason = self._provider.forbidden.get((name, position))
            if reason:
                yield f"{name} {found.listed[position].version} cannot be used: {reason}"

    def _no_versions(self, term: Term[Node, int]) -> Iterator[str]:
        found = self._provider.candidates(term.package.name)
        yanked = _mask(term) & found.yanked
        for position in positions(yanked, 3):
            yield f"{found.name} {found.listed[position].version} was yanked{_because(found, position)}"
        early = _mask(term) & found.every & ~found.finals & ~yanked
        for position in positions(early, 1):
            yield (
                f"{found.name} {found.listed[position].version} is a pre-release, which nobody asked for"
                f" ({found.name}>={found.listed[position].version} or --pre would)"
            )

    def _if_none(self, requirement: Requirement) -> Iterator[str]:
        """Say why no version answers a requirement, where none does."""
        found = next(
            (self._provider.candidates(node.name) for node in self._provider.nodes(requirement)), None
        )
        if found is None or found.matching(requirement.specifier):
            return
        if found.page is None:
            yield f"{found.name}: the index has no package of this name"
            return
        if self._provider.catalogue.is_direct(found.name):
            yield f"{found.name} {found.listed[0].version} is what stands at the URL given"
            return
        refused = newest_refused(found, requirement.specifier, self._selector)
        by_reason: dict[str, list[str]] = {}
        for version, reason in refused:
            by_reason.setdefault(reason, []).append(str(version))
        for reason, versions in by_reason.items():
            yield f"{found.name} {', '.join(versions)}: {reason}"
        if refused:
            self.without_wheel.append((found, requirement.specifier))
        else:
            yield f"{found.name}: the index has no version {requirement.specifier}{_newest_there(found)}"


def _mask(term: Term[Node, int]) -> int:
    constraint = term.constraint
    return constraint.mask if isinstance(constraint, Bits) else 0


def _span(found: Candidates, bits: int) -> str:
    """Name a set of versions by its ends: `2.0 to 3.1`, `3.1`."""
    last = found.listed[newest(bits)].version
    first = found.listed[bits.bit_length() - 1].version
    if first == last:
        return str(last)
    return f"{first} to {last}" if bits.bit_count() > 2 else f"{first} and {last}"  # noqa: PLR2004 (a pair)


def _because(found: Candidates, position: int) -> str:
    reason = found.listed[position].file.yanked
    return f": {reason}" if isinstance(reason, str) else ""


def _newest_there(found: Candidates) -> str:
    return f"; the newest for this target is {found.listed[0].version}" if found.listed else ""


def _way_out(
    without_wheel: list[tuple[Candidates, SpecifierSet]], target: Target, targets: list[Target]
) -> str | None:
    """Name the targets that have what is missing, nearest first, or the hashes that hide it here."""
    if not without_wheel:
        return None
    found, specifier = without_wheel[0]
    if fitting_targets(found, specifier, [target]):
        return f"compare the hashes given for {found.name} with those of the index"
    fitting = fitting_targets(found, specifier, targets)
    if fitting:
        return f"{found.name}{specifier} has wheels for {', '.join(map(str, fitting[:4]))}"
    if not targets:
        return None
    return f"{found.name}{specifier} has no usable wheel for any Lambda runtime; ask for another version"
