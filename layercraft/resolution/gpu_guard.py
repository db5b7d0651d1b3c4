"""What needs a GPU, which Lambda has not: libraries that stay out of layers, and what to take instead."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from layercraft.resolution.left_out import Guarded, LeftOut, asked_by_name, listed, requirers

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from layercraft.resolution.pins import Lock, Pin


@dataclass(frozen=True, slots=True, kw_only=True)
class _Useless:
    names: tuple[str, ...]
    but: tuple[str, ...]
    why: str


def guard_gpu(lock: Lock) -> Guarded:
    """Tell which locked distributions are of use to GPUs alone, and were not asked for by name.

    The lines name who required them and, where there is one, what does the same without a GPU.
    """
    asked = asked_by_name(lock)
    found = {pin: why for pin in lock.pins if pin.name not in asked and (why := useless_on_lambda(pin.name))}
    if not found:
        return Guarded()
    names = {pin.name for pin in found}
    wanting = [pin.name for pin in requirers(lock.pins, names)]
    line = f"{listed(sorted(names))} {'is' if len(names) == 1 else 'are'} left out: Lambda has no GPU"
    if wanting:
        line += f", although {listed(wanting)} {'requires' if len(wanting) == 1 else 'require'} {_it(names)}"
    return Guarded(
        left_out=tuple(LeftOut(pin=pin, guard="gpu", why=why) for pin, why in found.items()),
        told=(line, *without_gpu(wanting)),
    )


def useless_on_lambda(name: str) -> str | None:
    """Tell what a distribution is, when only a GPU could make use of it; None for all others."""
    for each in _useless():
        if _any(name, each.names) and not _any(name, each.but):
            return each.why
    return None


def without_gpu(names: Iterable[str]) -> tuple[str, ...]:
    """Give a line for each of these distributions of which there is another one for CPUs."""
    found = ((name, next((take for globs, take in _instead() if _any(name, globs)), None)) for name in names)
    return tuple(f"{name} without GPU code: take {take}" for name, take in found if take)


def hopeless_hint(pins: Iterable[Pin]) -> str | None:
    """Give the way out for wheels that are too large because of their GPU code; None when none of them is."""
    return "; ".join(without_gpu(pin.name for pin in pins)) or None


def _any(name: str, globs: Collection[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def _it(names: Collection[str]) -> str:
    return "it" if len(names) == 1 else "them"


@cache
def _data() -> dict[str, list[dict[str, object]]]:
    return tomllib.loads(resources.files(__package__).joinpath("gpus.toml").read_text("utf-8"))


@cache
def _useless() -> tuple[_Useless, ...]:
    return tuple(
        _Useless(names=_texts(each["names"]), but=_texts(each.get("but", ())), why=str(each["why"]))
        for each in _data()["useless"]
    )


@cache
def _instead() -> tuple[tuple[tuple[str, ...], str], ...]:
    return tuple((_texts(each["names"]), str(each["take"])) for each in _data()["instead"])


def _texts(values: object) -> tuple[str, ...]:
    return tuple(map(str, values)) if isinstance(values, (list, tuple)) else ()
