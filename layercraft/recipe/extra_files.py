"""`[files]`: files that a layer gets besides those of its wheels, and where each is from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement

from layercraft.formats.requirement_text import parse_requirement

if TYPE_CHECKING:
    from layercraft.recipe.toml_table import TomlTable

_UNSAFE = re.compile(r"(?:^|/)\.{0,2}(?:/|$)|[\\\0]|^[A-Za-z]:")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraFile:
    """One file to add at `path` inside the layer, such as `lib/libgomp.so.1`.

    It is `file`, relative to the recipe's folder, or the one member of a wheel that the glob `member`
    matches: the newest wheel of the distribution `requirement` that fits the target. Such a wheel is
    locked and fetched, and is no part of the layer otherwise.
    """

    path: str
    file: str = ""
    requirement: str = ""
    member: str = ""


def read_extra_files(table: TomlTable) -> tuple[ExtraFile, ...]:
    """Take the table `[files]` apart; what is wrong with it stays with the table."""
    read = (_extra_file(table, path) for path in table.keys())  # noqa: SIM118 (a table of TOML, no dict)
    return tuple(each for each in read if each)


def _extra_file(table: TomlTable, path: str) -> ExtraFile | None:
    if problem := _place(path):
        table.refuse(path, problem)
    source = table.string_or_table(path, _place, expected="a file of the recipe or a member of a wheel")
    if source is None or isinstance(source, str):
        return ExtraFile(path=path, file=source) if source else None
    requirement = source.string("requirement", _requirement, required=True)
    member = source.string("member", _member, required=True)
    return ExtraFile(path=path, requirement=requirement, member=member) if requirement and member else None


def _place(text: str) -> str | None:
    return f'"{text}" is no relative path without ..' if _UNSAFE.search(text) else None


def _member(text: str) -> str | None:
    return None if text.strip("/ ") else f'"{text}" matches nothing'


def _requirement(text: str) -> str | None:
    try:
        requirement = parse_requirement(text)
    except InvalidRequirement as error:
        return f'"{text}" is not a valid requirement: {str(error).splitlines()[0]}'
    if requirement.url or requirement.extras or requirement.marker:
        return f'"{text}": expected a name and versions alone'
    return None
