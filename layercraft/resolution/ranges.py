"""Sets of versions as bits of an int: bit N stands for the Nth newest version of a package.

This is the range type that the solver computes with. A complement is an int below zero, so the set
of all versions needs no count of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Relation:
    """How one set's members sit against another's."""

    is_subset: bool
    is_disjoint: bool


class Bits:
    """An immutable set of positions; see `nab_resolver.types.RangeProtocol`."""

    __slots__ = ("mask",)

    def __init__(self, mask: int) -> None:
        self.mask = mask

    @classmethod
    def empty(cls) -> Self:
        """Give the set without members."""
        return cls(0)

    @classmethod
    def full(cls) -> Self:
        """Give the set of all positions."""
        return cls(-1)

    @classmethod
    def singleton(cls, version: int) -> Self:
        """Give the set of one position."""
        return cls(1 << version)

    @property
    def is_empty(self) -> bool:
        """Whether the set has no members."""
        return self.mask == 0

    def __contains__(self, version: int, /) -> bool:
        return bool(self.mask >> version & 1)

    def __and__(self, other: object) -> Self:
        return type(self)(self.mask & _mask(other))

    def __or__(self, other: object) -> Self:
        return type(self)(self.mask | _mask(other))

    def __invert__(self) -> Self:
        return type(self)(~self.mask)

    def __sub__(self, other: object) -> Self:
        return type(self)(self.mask & ~_mask(other))

    def is_subset(self, other: Self) -> bool:
        """Tell whether every member is also in `other`."""
        return self.mask & ~other.mask == 0

    def is_superset(self, other: Self) -> bool:
        """Tell whether every member of `other` is also in this set."""
        return other.mask & ~self.mask == 0

    def is_disjoint(self, other: Self) -> bool:
        """Tell whether the sets share no member."""
        return self.mask & other.mask == 0

    def relation(self, other: Self) -> Relation:
        """Give both relations at once."""
        return Relation(self.mask & ~other.mask == 0, self.mask & other.mask == 0)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bits) and self.mask == other.mask

    def __hash__(self) -> int:
        return hash(self.mask)

    def __repr__(self) -> str:
        return f"Bits({self.mask:#b})"


def newest(bits: int) -> int:
    """Give the position of the newest version in a set that is not empty."""
    return (bits & -bits).bit_length() - 1


def positions(bits: int, most: int) -> list[int]:
    """Give up to `most` positions of a finite set, newest first."""
    found: list[int] = []
    while bits and len(found) < most:
        found.append(newest(bits))
        bits &= bits - 1
    return found


def _mask(other: object) -> int:
    if not isinstance(other, Bits):
        raise TypeError(f"not a set of positions: {other!r}")
    return other.mask
