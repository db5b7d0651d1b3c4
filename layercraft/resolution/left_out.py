"""Locked distributions that a layer does without, and what is known of a lock to decide that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement

from layercraft.formats.requirement_text import parse_requirement
from layercraft.resolution.requirements import normalized

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from typing import Literal

    from packaging.requirements import Requirement
    from packaging.utils import NormalizedName

    from layercraft.resolution.pins import Lock, Pin

    Guard = Literal["runtime", "gpu"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A locked wheel that does not go into the layer: which guard kept it out, and why."""

    pin: Pin
    guard: Guard
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """What a guard says of a lock: what stays out, and what people should know of it, a line for each."""

    left_out: tuple[LeftOut, ...] = ()
    told: tuple[str, ...] = ()


def parsed(texts: Iterable[str]) -> list[Requirement]:
    """Give the requirements that a lock records; what cannot be parsed is passed over."""
    found = []
    for text in texts:
        try:
            found.append(parse_requirement(text))
        except InvalidRequirement:
            continue
    return found


def asked_by_name(lock: Lock) -> frozenset[NormalizedName]:
    """Give the distributions that the user named; none for the lock of a tool that does not tell."""
    return frozenset(map(normalized, parsed(lock.requirements)))


def requirers(pins: Iterable[Pin], names: Collection[str]) -> tuple[Pin, ...]:
    """Give the pins that require one of these names and are none of them."""
    return tuple(pin for pin in pins if pin.name not in names and not set(names).isdisjoint(pin.requires))


def listed(names: Iterable[str]) -> str:
    """Join names for a sentence: `a, b and c`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
