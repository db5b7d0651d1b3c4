"""`layercraft list` and `layercraft new`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from layercraft.cli.choice import LAYERS
from layercraft.cli.parameters import Json, console_for
from layercraft.errors import LayercraftError


def list_(*, as_json: Json = False) -> None:
    """Show the recipes: those in ./layers first, then those that come with layercraft.

    One that is broken is told in a warning, keeps no other from being shown, and ends the command with 2.
    """
    from layercraft.console import columns, error_document
    from layercraft.recipe.catalog import recipe_folders, shipped_layers
    from layercraft.recipe.recipe import read_recipe

    console = console_for(as_json=as_json)
    shipped = shipped_layers()
    rows, documents, code = [], [], 0
    for name, folder in recipe_folders([LAYERS, shipped]).items():
        place = "shipped" if folder.parent == shipped else "./layers"
        try:
            recipe = read_recipe(folder, environment=os.environ)
        except LayercraftError as error:
            console.warning(f"{name} cannot be built: {error.message}")
            documents.append({"name": name, "from": place, "error": error_document(error)})
            code = error.exit_code
            continue
        wanted = [str(each) for each in recipe.requirements.requirements]
        about = {"requirements": wanted, "from": place, "description": recipe.description or ""}
        documents.append({"name": name, **about})
        rows.append((name, ", ".join(wanted), place, recipe.description or ""))
    for line in columns(rows, left=(0, 1, 2, 3)):
        console.out(line)
    if as_json:
        console.document({"recipes": documents})
    raise typer.Exit(code)


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The recipe's name.")],
    *,
    require: Annotated[
        list[str], typer.Option("--require", metavar="REQUIREMENT", help="What goes in. Repeatable.")
    ],
    as_json: Json = False,
) -> None:
    """Write a recipe into ./layers, to be edited and built."""
    from layercraft.recipe.scaffold import new_recipe

    console = console_for(as_json=as_json)
    folder = new_recipe(name, require, LAYERS)
    console.out(f"{folder} is there: edit its layer.toml, then `layercraft build {name}`")
    if as_json:
        console.document({"recipe": str(folder)})
