"""Where recipes are found: the user's folder first, then those that come with layercraft."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from layercraft.errors import ConfigurationError, UsageError, reason_of
from layercraft.recipe.recipe import LAYER_FILE, REQUIREMENTS_FILE, SCRIPT_FILE, Recipe, read_recipe
from layercraft.spelling import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def shipped_layers() -> Path:
    """Give the folder of the recipes that come with layercraft.

    In an installed wheel it stands inside the package, in a checkout beside it.
    """
    package = Path(__file__).parents[1]
    inside = package / "layers"
    return inside if inside.is_dir() else package.parent / "layers"


def recipe_folders(search_path: Sequence[Path]) -> dict[str, Path]:
    """Give the recipes' names, sorted, each with its folder; the first folder of the search path wins.

    A folder counts as a recipe when it holds any of a recipe's files; a missing one holds none.

    Raises:
        ConfigurationError: a folder of the search path cannot be read.
    """
    found: dict[str, Path] = {}
    for place in search_path:
        for folder in _folders(place):
            found.setdefault(folder.name, folder)
    return dict(sorted(found.items()))


def find_recipe(
    name: str, search_path: Sequence[Path], *, environment: Mapping[str, str] = MappingProxyType({})
) -> Recipe:
    """Read the recipe of this name from the first folder of the search path that has it.

    Raises:
        UsageError: there is none; the message names the nearest one.
        ConfigurationError: its files are wrong (file, line or key).
        RequirementError: one of its requirements cannot work (file, line).
    """
    folders = recipe_folders(search_path)
    if name not in folders:
        raise UsageError(
            f"unknown recipe {name!r}{suggestion(name, folders)}",
            hint=f"`layercraft list` shows all recipes; `--require {name}` needs none",
        )
    return read_recipe(folders[name], environment=environment)


def list_recipes(
    search_path: Sequence[Path], *, environment: Mapping[str, str] = MappingProxyType({})
) -> tuple[Recipe, ...]:
    """Read all recipes of the search path, sorted by name.

    Raises:
        ConfigurationError: a recipe's files are wrong (file, line or key).
        RequirementError: a requirement cannot work (file, line).
    """
    folders = recipe_folders(search_path).values()
    return tuple(read_recipe(folder, environment=environment) for folder in folders)


def _folders(place: Path) -> list[Path]:
    """Give the folders in `place` that hold a file of a recipe."""
    if not place.is_dir():
        return []
    try:
        return [
            folder
            for folder in place.iterdir()
            if any((folder / file).is_file() for file in (REQUIREMENTS_FILE, LAYER_FILE, SCRIPT_FILE))
        ]
    except OSError as error:
        raise ConfigurationError(f"cannot read {place}: {reason_of(error)}") from error
