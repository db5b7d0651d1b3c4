"""`layercraft rules`."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from layercraft.cli.parameters import Json, console_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from layercraft.console import Console
    from layercraft.layer.presets import Preset

WIDTH = 100
"""Columns of a line."""

TITLES = {
    "globs": "takes",
    "but": "but not",
    "only_owner": "only of",
    "unless_owner": "not of",
    "unless_requires": "not of those that require",
    "only_with": "only folders with",
    "only_compiled": "only of those with compiled modules",
    "only_scripts": "only Python scripts",
    "unless_imported": "not what other modules import",
    "why": "why",
    "risk": "risk",
}
"""The fields of a rule in the order in which they are shown."""


def rules(
    preset: Annotated[
        str | None, typer.Argument(metavar="[PRESET]", help="Only the rules that this preset applies.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Show the cleanup rules of the presets: what each takes, why nobody needs it, and who might."""
    console = console_for(as_json=as_json)
    shown = list(_presets(preset))
    for each in shown:
        _show(console, each)
    if as_json:
        console.document({"presets": [_document(each) for each in shown]})


def _presets(name: str | None) -> Iterator[Preset]:
    """Give all presets, or the named one with those that it extends."""
    from layercraft.layer.presets import described_preset, preset_names

    if name is None:
        yield from map(described_preset, preset_names())
    while name is not None:
        found = described_preset(name)
        yield found
        name = found.extends


def _show(console: Console, preset: Preset) -> None:
    console.out(f"{console.styled(preset.name, 'title')}: {preset.description}")
    for rule in preset.fields:
        console.out(f"  {console.styled(rule['name'], 'title')}")
        for line in _lines(rule):
            console.out(f"    {line}")


def _lines(rule: Mapping[str, Any]) -> Iterator[str]:
    for key, title in TITLES.items():
        value = rule.get(key)
        if value is True:
            yield title
        elif value:
            text = value.strip() if isinstance(value, str) else "  ".join(value)
            yield from wrap(f"{title}: {text}", WIDTH, subsequent_indent="  ", break_on_hyphens=False)


def _document(preset: Preset) -> dict[str, Any]:
    return {
        "name": preset.name,
        "description": preset.description,
        "extends": preset.extends,
        "rules": [
            {key: value.strip() if isinstance(value, str) else value for key, value in rule.items()}
            for rule in preset.fields
        ],
    }
