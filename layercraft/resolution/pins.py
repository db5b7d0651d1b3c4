"""A lock as values: exactly which wheels make a layer. `lockfile` reads and writes it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from packaging.utils import NormalizedName

    from layercraft.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One locked wheel. `size` is in bytes; `path` stands for `url` where the lock names a local file."""

    name: NormalizedName
    version: str
    filename: str
    url: str | None
    path: Path | None
    sha256: str
    size: int | None
    requires: tuple[NormalizedName, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """The wheels of one layer on one target, sorted by name, and the requirements they answer.

    `requirements` are the user's own, as texts; empty for a lock of another tool. `constraints` are
    those of the user's that name a pin. `donors` are wheels that are no part of the layer: only files of
    them are, and a pin may be in their place. `excluded` are distributions that were asked for and kept out.
    """

    target: Target
    pins: tuple[Pin, ...]
    requirements: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    donors: tuple[Pin, ...] = ()
    excluded: tuple[NormalizedName, ...] = ()

    @property
    def requested(self) -> tuple[NormalizedName, ...]:
        """The names among the pins that users asked for.

        Where no requirements tell that, they are the pins that no other pin requires.
        """
        pinned = {pin.name for pin in self.pins}
        asked = pinned & set(_names(self.requirements))
        required = {name for pin in self.pins for name in pin.requires if name != pin.name}
        return tuple(sorted(asked or pinned - required or pinned))


def _names(requirements: Iterable[str]) -> Iterator[NormalizedName]:
    """Give the names in requirements; a lock file may hold any text for one."""
    from packaging.requirements import InvalidRequirement
    from packaging.utils import canonicalize_name

    from layercraft.formats.requirement_text import parse_requirement

    for text in requirements:
        with suppress(InvalidRequirement):
            yield canonicalize_name(parse_requirement(text).name)


def lock_name(stem: str, target: Target) -> str:
    """Give the file name of a layer's lock: `pylock.NAME_3_13_arm64.toml` (PEP 751: no dots in NAME)."""
    return f"pylock.{stem.replace('.', '-')}_{target.stem}.toml"
