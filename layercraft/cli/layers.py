"""`layercraft build` and `layercraft lock`."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from layercraft.cli.parameters import (
    OUTPUT,
    Architecture,
    CacheDir,
    Constraint,
    Exclude,
    IndexApiOption,
    IndexUrl,
    Json,
    LayerName,
    Names,
    Offline,
    Output,
    Quiet,
    Require,
    Requirements,
    Runtime,
    Top,
    console_for,
    read_target,
    sources,
)
from layercraft.errors import UsageError
from layercraft.verification.report import FAILED, PASSED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from layercraft.recipe.recipe import Recipe
    from layercraft.verification.report import Verification


def build(  # noqa: PLR0913 (a command's options are its parameters)
    names: Names = None,
    *,
    require: Require = None,
    requirements: Requirements = None,
    constraint: Constraint = None,
    name: LayerName = None,
    runtime: Runtime = None,
    architecture: Architecture = None,
    exclude: Exclude = None,
    lock: Annotated[
        Path | None, typer.Option("--lock", metavar="FILE", help="Build exactly this PEP 751 lock file.")
    ] = None,
    output: Output = OUTPUT,
    preset: Annotated[
        str | None,
        typer.Option("--preset", metavar="NAME", help="Cleanup preset: safe, small, or none for all files."),
    ] = None,
    skip_existing: Annotated[
        bool, typer.Option("-s", "--skip-existing", help="Keep a zip that was built from the same inputs.")
    ] = False,
    unpacked: Annotated[
        Path | None, typer.Option("--unpacked", metavar="DIR", help="Also lay the files out in this folder.")
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check/--no-check", help="Check the wheels' bytes, and judge the layer's files."),
    ] = True,
    verify: Annotated[
        bool, typer.Option("--verify", help="Run the imports too, in the strongest engine here.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Two different files at one path are an error.")
    ] = False,
    top: Top = 10,
    index_url: IndexUrl = None,
    index_api: IndexApiOption = "json",
    cache_dir: CacheDir = None,
    offline: Offline = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Build layers: one zip for each NAME, or one from --require and --requirements."""
    from layercraft.cli.reports import built_document, show_built
    from layercraft.cli.verdicts import show_static_verdict, show_verification
    from layercraft.cli.verification import proved
    from layercraft.layer.presets import preset as known_preset
    from layercraft.pipeline import build as build_layer
    from layercraft.recipe.options import BuildOptions

    console = console_for(as_json=as_json, quiet=quiet)
    _refuse_beside_lock(
        lock,
        {"--require": require, "--requirements": requirements, "-c": constraint, "--exclude": exclude},
    )
    target = read_target(runtime, architecture, console, lock)
    if preset:
        known_preset(preset)
    recipes = _recipes(names, require, requirements, constraint, name, lock)
    if unpacked and len(recipes) > 1:
        raise UsageError(
            "--unpacked takes one layer, and several are to be built", hint="build them one by one"
        )
    options = BuildOptions(
        output=output,
        lock=lock,
        exclude=_globs(exclude),
        preset=preset,
        strict=strict,
        check=check,
        skip_existing=skip_existing,
        unpacked=unpacked,
        search_path=os.environ.get("PATH", os.defpath),
    )
    documents = []
    codes = []
    with sources(index_url, index_api, cache_dir, offline=offline) as opened:
        for recipe in recipes:
            built = build_layer(recipe, target, options, sources=opened, reporter=console)
            show_built(console, built, top)
            verdict = built.verdict
            if verify:
                verdict = proved(built, recipe, opened, console)
                show_verification(console, verdict, None)
            elif verdict:
                show_static_verdict(console, verdict)
            codes.append(_exit_code(verdict, verify=verify))
            if as_json:
                documents.append(built_document(built, top, verdict))
    if as_json:
        console.document({"layers": documents})
    raise typer.Exit(FAILED if FAILED in codes else max(codes))


def lock(  # noqa: PLR0913 (a command's options are its parameters)
    names: Names = None,
    *,
    require: Require = None,
    requirements: Requirements = None,
    constraint: Constraint = None,
    name: LayerName = None,
    runtime: Runtime = None,
    architecture: Architecture = None,
    exclude: Exclude = None,
    output: Output = Path(),
    index_url: IndexUrl = None,
    index_api: IndexApiOption = "json",
    cache_dir: CacheDir = None,
    offline: Offline = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Choose the wheels and write them down as pylock.NAME_3_13_arm64.toml (PEP 751)."""
    from layercraft.cli.reports import locked_document, show_locked
    from layercraft.pipeline import lock as lock_layer
    from layercraft.pipeline import write_lock
    from layercraft.recipe.names import layer_name
    from layercraft.recipe.options import BuildOptions
    from layercraft.resolution.pins import lock_name

    console = console_for(as_json=as_json, quiet=quiet)
    target = read_target(runtime, architecture, console)
    recipes = _recipes(names, require, requirements, constraint, name, None)
    options = BuildOptions(exclude=_globs(exclude))
    documents = []
    with sources(index_url, index_api, cache_dir, offline=offline) as opened:
        for recipe in recipes:
            resolution = lock_layer(recipe, target, options, sources=opened, reporter=console)
            path = output / lock_name(layer_name(recipe.name), target)
            write_lock(resolution.lock, path)
            show_locked(console, resolution.lock, path, recipe.name if recipe.folder else None)
            documents.append(locked_document(resolution, path))
    if as_json:
        console.document({"locks": documents})


def _exit_code(verdict: Verification | None, *, verify: bool) -> int:
    """Give 1 on a finding; 3 when imports were to be run and nothing here could run them."""
    if verify and verdict:
        return verdict.exit_code
    return PASSED if verdict is None or verdict.passed else FAILED


def _globs(exclude: list[str] | None) -> tuple[str, ...]:
    from layercraft.recipe.names import distribution_glob

    try:
        return tuple(distribution_glob(glob) for glob in exclude or ())
    except UsageError as error:
        raise UsageError(f"--exclude {error.message}") from error


def _refuse_beside_lock(lock: Path | None, others: Mapping[str, object]) -> None:
    """Refuse what would change a lock that is to be built exactly."""
    given = [option for option, value in others.items() if value]
    if lock and given:
        raise UsageError(
            f"--lock says exactly what goes in, so it cannot stand beside {' and '.join(given)}",
            hint="make another lock with `layercraft lock`",
        )


def _recipes(  # noqa: PLR0913, PLR0917 (what both commands were given)
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
    from layercraft.recipe.catalog import find_recipe, shipped_layers

    search_path = [Path("layers"), shipped_layers()]
    found = [find_recipe(each, search_path, environment=os.environ) for each in dict.fromkeys(names)]
    return [_constrained(recipe, constraint) for recipe in found]


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
