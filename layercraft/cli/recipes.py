"""`layercraft list` and `layercraft new`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from layercraft.cli.parameters import Json, console_for

LAYERS = Path("layers")


def list_(*, as_json: Json = False) -> None:
    """Show the recipes: those in ./layers first, then those that come with layercraft."""
    from layercraft.console import columns
    from layercraft.recipe.catalog import list_recipes, shipped_layers

    console = console_for(as_json=as_json)
    shipped = shipped_layers()
    found = list_recipes([LAYERS, shipped], environment=os.environ)
    rows = [
        (
            recipe.name,
            [str(each) for each in recipe.requirements.requirements],
            "shipped" if recipe.folder and recipe.folder.parent == shipped else "./layers",
            recipe.description or "",
        )
        for recipe in found
    ]
    texts = [(name, ", ".join(wanted), place, description) for name, wanted, place, description in rows]
    for line in columns(texts, left=(0, 1, 2, 3)):
        console.out(line)
    if as_json:
        keys = ("name", "requirements", "from", "description")
        console.document({"recipes": [dict(zip(keys, row, strict=True)) for row in rows]})


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
