"""`layercraft convert`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from layercraft.cli.choice import recipe_named
from layercraft.cli.parameters import (
    Architecture,
    CacheDir,
    IndexApiOption,
    IndexUrl,
    Json,
    Offline,
    Quiet,
    Runtime,
    console_for,
    read_target,
    sources,
)
from layercraft.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from layercraft.console import Console
    from layercraft.conversion import Conversion
    from layercraft.recipe.recipe import Recipe
    from layercraft.recipe.script_globs import ScriptGlob
    from layercraft.target import Target

SHOWN = 10
"""Differences of one kind that are shown."""


def convert(  # noqa: PLR0913 (a command's options are its parameters)
    name: Annotated[str, typer.Argument(metavar="NAME", help="A recipe with a cleanup.sh.")],
    *,
    runtime: Runtime = None,
    architecture: Architecture = None,
    write: Annotated[
        bool, typer.Option("--write", help="Write layer.toml into the recipe, where it has none yet.")
    ] = False,
    index_url: IndexUrl = None,
    index_api: IndexApiOption = "json",
    cache_dir: CacheDir = None,
    offline: Offline = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say a cleanup.sh made of find and rm in globs, and prove that both leave the same files."""
    from layercraft.conversion import converted
    from layercraft.recipe.options import BuildOptions

    console = console_for(as_json=as_json, quiet=quiet)
    target = read_target(runtime, architecture, console)
    recipe = recipe_named(name)
    goal = _goal(recipe) if write else None
    options = BuildOptions(search_path=os.environ.get("PATH", os.defpath))
    with sources(index_url, index_api, cache_dir, offline=offline) as opened:
        found = converted(recipe, target, options, sources=opened, reporter=console)
    text = "\n".join(_toml(recipe, found, target)) + "\n"
    console.out(text.rstrip("\n"))
    _tell(console, recipe, found, target)
    written = str(_write(console, text, goal)) if goal and found.same else None
    if as_json:
        console.document(_document(recipe, found, target, text, written))
    raise typer.Exit(0 if found.same else 1)


def _goal(recipe: Recipe) -> Path:
    path = (recipe.folder or Path()) / "layer.toml"
    if path.exists():
        raise UsageError(
            f"{path} is there already, and is not overwritten",
            hint="leave out --write, and put what is printed under its [cleanup]",
        )
    return path


def _toml(recipe: Recipe, found: Conversion, target: Target) -> Iterator[str]:
    yield "[cleanup]"
    yield f'preset = "{recipe.preset}"'
    for key, keeps in (("remove", False), ("keep", True)):
        globs = [each for each in found.globs if each.keeps == keeps]
        if globs:
            yield f"{key} = ["
            yield from _items(globs, found.idle, target)
            yield "]"


def _items(globs: Sequence[ScriptGlob], idle: Sequence[ScriptGlob], target: Target) -> Iterator[str]:
    """Give the lines of an array; what matches nothing stands there as a comment."""
    for each in globs:
        quoted = '"' + each.glob.replace("\\", "\\\\").replace('"', '\\"') + '"'
        if each in idle:
            yield f"    # {quoted},  # line {each.line}; it matches no file for {target}"
        else:
            yield f"    {quoted},  # line {each.line}"


def _tell(console: Console, recipe: Recipe, found: Conversion, target: Target) -> None:
    for line in found.unconverted:
        first, *more = line.text.splitlines() or [""]
        shown = first + (" …" if more else "")
        console.warning(f"{recipe.script}, line {line.line}: {shown}: not converted: {line.why}")
    for what, paths in (
        ("only the script leaves", found.missing),
        ("only the globs leave", found.surplus),
        ("the script changes", found.changed),
    ):
        for path in paths[:SHOWN]:
            console.warning(f"{what} {path}")
        if len(paths) > SHOWN:
            console.warning(f"{what} {len(paths) - SHOWN:,} files more")
    if found.same:
        console.notice(f"for {target} both leave the same {found.kept:,} files")
    else:
        count = len(found.missing) + len(found.surplus) + len(found.changed)
        files = "1 file" if count == 1 else f"{count:,} files"
        console.warning(f"they differ in {files} for {target}: the globs do not replace the script")


def _write(console: Console, text: str, path: Path) -> Path:
    from layercraft.layer.output import replacing
    from layercraft.recipe.layer_toml import parse_layer_toml

    try:
        parse_layer_toml(text, source=str(path))
    except ConfigurationError as error:
        raise UsageError(f"the script cannot be said in layer.toml: {error.message}") from error
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
    console.notice(f"{path} is written; remove cleanup.sh beside it, which still runs first")
    return path


def _document(
    recipe: Recipe, found: Conversion, target: Target, text: str, written: str | None
) -> dict[str, Any]:
    return {
        "recipe": recipe.name,
        "runtime": target.runtime.name,
        "architecture": target.architecture,
        "layer_toml": text,
        "written": written,
        "globs": [
            {"line": each.line, "glob": each.glob, "keeps": each.keeps, "matches": each not in found.idle}
            for each in found.globs
        ],
        "unconverted": [
            {"line": each.line, "text": each.text, "why": each.why} for each in found.unconverted
        ],
        "same": found.same,
        "files": found.kept,
        "only_script_leaves": list(found.missing),
        "only_globs_leave": list(found.surplus),
        "script_changes": list(found.changed),
    }
