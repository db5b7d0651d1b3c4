"""A lock as values: exactly which wheels make a layer. `lockfile` reads and writes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
    those of the user's that name a pin. `excluded` are distributions that were asked for and kept out.
    """

    target: Target
    pins: tuple[Pin, ...]
    requirements: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    excluded: tuple[NormalizedName, ...] = ()


def lock_name(stem: str, target: Target) -> str:
    """Give the file name of a layer's lock: `pylock.NAME_3_13_arm64.toml` (PEP 751: no dots in NAME)."""
    return f"pylock.{stem.replace('.', '-')}_{target.stem}.toml"
