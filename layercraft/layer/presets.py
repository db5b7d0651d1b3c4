"""The named sets of cleanup rules: data, each rule with its reason and its risk (presets.toml)."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from layercraft.errors import UsageError
from layercraft.layer.change import Reason
from layercraft.layer.globs import Globs
from layercraft.layer.rules import Rule
from layercraft.spelling import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A named set of rules; those of the preset that it extends come first in `rules`.

    `fields` holds its own rules as presets.toml has them.
    """

    name: str
    description: str
    extends: str | None
    rules: tuple[Rule, ...]
    fields: tuple[Mapping[str, Any], ...]


def preset_names() -> tuple[str, ...]:
    """Give the names of all presets."""
    return tuple(_presets())


def preset(name: str) -> tuple[Rule, ...]:
    """Give a preset's rules, in the order in which they apply.

    Raises:
        UsageError: no preset has this name; the message tells the nearest one.
    """
    return described_preset(name).rules


@cache
def described_preset(name: str) -> Preset:
    """Give a preset with all that its file says of it.

    Raises:
        UsageError: no preset has this name; the message tells the nearest one.
    """
    presets = _presets()
    if name not in presets:
        raise UsageError(
            f"unknown preset {name!r}{suggestion(name, presets)}",
            hint=f"presets are: {', '.join(presets)}",
        )
    found = presets[name]
    extends = found.get("extends")
    inherited = preset(extends) if extends else ()
    return Preset(
        name=name,
        description=found["description"],
        extends=extends,
        rules=(*inherited, *(_rule(name, fields) for fields in found["rules"])),
        fields=tuple(found["rules"]),
    )


@cache
def _presets() -> Mapping[str, Any]:
    return tomllib.loads(resources.files(__package__).joinpath("presets.toml").read_text("utf-8"))


def _rule(preset: str, fields: Mapping[str, Any]) -> Rule:
    source = f"preset {preset}"
    return Rule(
        reason=Reason(source=source, rule=fields["name"]),
        globs=Globs.parse(fields["globs"], source=source),
        but=Globs.parse(fields.get("but", ()), source=source),
        only_owner=tuple(fields.get("only_owner", ())),
        unless_owner=tuple(fields.get("unless_owner", ())),
        unless_requires=tuple(fields.get("unless_requires", ())),
        only_compiled=fields.get("only_compiled", False),
        only_scripts=fields.get("only_scripts", False),
        only_with=tuple(fields.get("only_with", ())),
        unless_imported=fields.get("unless_imported", False),
        may_miss=True,
    )
