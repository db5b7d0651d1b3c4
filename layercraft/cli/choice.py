"""What a command shall work on: recipes by name, or one layer made of requirements or of a lock."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from layercraft.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from layercraft.recipe.recipe import Recipe


LAYERS = Path("layers")
"""The folder of the user's own recipes."""


def globs(exclude: list[str] | None) -> tuple[str, ...]:
    """Read the globs of --exclude.

    Raises:
        UsageError: one is no glob over distribution names.
    """
    from layercraft.recipe.names import distribution_glob

    try:
        return tuple(distribution_glob(glob) for glob in exclude or ())
    except UsageError as error:
        raise UsageError(f"--exclude {error.message}") from error


def refuse_beside_lock(lock: Path | None, others: Mapping[str, object]) -> None:
    """Refuse what would change a lock that is to be built exactly."""
    given = [option for option, value in others.items() if value]
    if lock and given:
        raise UsageError(
            f"--lock says exactly what goes in, so it cannot stand beside {' and '.join(given)}",
            hint="make another lock with `layercraft lock`",
        )


def recipe_search_path() -> list[Path]:
    """Give the folders of recipes, those that are looked into first first."""
    from layercraft.recipe.catalog import shipped_layers

    return [LAYERS, shipped_layers()]


def recipe_named(name: str) -> Recipe:
    """Read a recipe of this folder, else one that comes with layercraft.

    Raises:
        UsageError: there is none of this name.
        ConfigurationError: it cannot be read.
    """
    from layercraft.recipe.catalog import find_recipe

    return find_recipe(name, recipe_search_path(), environment=os.environ)


def recipes_of(  # noqa: PLR0913, PLR0917 (what the commands were given)
    names: list[str] | None,
    require: list[str] | None,
    requirements: Path | None,
    constraint: Path | None,
    name: str | None,
    lock: Path | None,
) -> list[Recipe]:
    """Read what is to be built: recipes by name, or one layer made of requirements or of a lock."""
    if names and (require or requirements):
        raise UsageError(
            f"recipes ({', '.join(names)}) and --require or --requirements cannot be mixed",
            hint="build them in two commands",
        )
    if names:
        if name:
            raise UsageError("--name goes with --require or --requirements; a recipe has its own name")
        if lock and len(names) > 1:
            raise UsageError("--lock is for one layer, and several were named")
        return _named(names, constraint)
    if not (require or requirements or lock):
        raise UsageError(
            "nothing to build: name a recipe, or give --require or --requirements",
            hint="`layercraft list` shows the recipes",
        )
    return [_without_recipe(require or [], requirements, constraint, name, lock)]


def _named(names: list[str], constraint: Path | None) -> list[Recipe]:
    found = [recipe_named(each) for each in dict.fromkeys(names)]
    _refuse_namesakes(recipe.name for recipe in found)
    return [_constrained(recipe, constraint) for recipe in found]


def _refuse_namesakes(names: Iterable[str]) -> None:
    """Refuse recipes whose layers would be written over each other."""
    from layercraft.recipe.names import layer_name

    first: dict[str, str] = {}
    for name in names:
        other = first.setdefault(layer_name(name), name)
        if other != name:
            raise UsageError(
                f"the recipes {other} and {name} make layers of one name, {layer_name(name)}",
                hint="rename one of them, or build them in two commands with an --output for each",
            )


def _without_recipe(
    require: list[str],
    requirements: Path | None,
    constraint: Path | None,
    name: str | None,
    lock: Path | None,
) -> Recipe:
    from layercraft.recipe.names import layer_name
    from layercraft.recipe.recipe import Recipe
    from layercraft.recipe.requirements import RequirementsInput
    from layercraft.recipe.requirements_file import read_requirements

    wanted = RequirementsInput.of(require)
    if requirements:
        listed = read_requirements(requirements, environment=os.environ)
        wanted = replace(listed, requirements=(*wanted.requirements, *listed.requirements))
    if name is None:
        name = wanted.requirements[0].name if wanted.requirements else _name_of(lock)
    elif layer_name(name) != name:
        raise UsageError(
            f"--name {name}: AWS allows letters, digits, - and _ in a layer's name",
            hint=f"take {layer_name(name)}",
        )
    return _constrained(Recipe(name=layer_name(name), requirements=wanted, files=wanted.files), constraint)


def _name_of(lock: Path | None) -> str:
    """Give a layer's name for a lock alone: NAME of `pylock.NAME_3_13_arm64.toml`, else "layer"."""
    match = re.fullmatch(r"pylock\.([^.]+?)(_3_\d+_(x86_64|arm64))?\.toml", lock.name if lock else "")
    return match[1] if match else "layer"


def _constrained(recipe: Recipe, constraint: Path | None) -> Recipe:
    if constraint is None:
        return recipe
    from layercraft.recipe.requirements_file import read_constraints

    read = read_constraints(constraint, environment=os.environ)
    wanted = recipe.requirements
    constraints = (*wanted.constraints, *read.constraints)
    return replace(
        recipe,
        requirements=replace(wanted, constraints=constraints),
        files=(*recipe.files, *read.files),
    )
