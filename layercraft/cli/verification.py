"""`layercraft verify`."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from layercraft.cli.choice import recipe_named, recipe_search_path
from layercraft.cli.cloud import LAMBDA, Cloud
from layercraft.cli.parameters import (
    OUTPUT,
    Architecture,
    Bucket,
    CacheDir,
    IndexApiOption,
    IndexUrl,
    Json,
    Offline,
    Output,
    Profile,
    Quiet,
    Role,
    Runtime,
    console_for,
    read_target,
    refuse_unknown,
    sources,
)
from layercraft.cli.proofs import Wishes, checks_of, invocation_of, proof_of, search_here
from layercraft.errors import UsageError
from layercraft.host.scratch import temporary_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from layercraft.console import Console
    from layercraft.recipe.recipe import Recipe
    from layercraft.sources import Sources
    from layercraft.target import Target

MB = 1 << 20


def verify(  # noqa: PLR0913 (a command's options are its parameters)
    layers: Annotated[
        list[str], typer.Argument(metavar="ZIP|NAME|ARN...", help="Layers, or recipes to build.")
    ],
    *,
    engine: Annotated[
        str,
        typer.Option("--engine", metavar="NAME", help="auto, static, native, emulated, container or lambda."),
    ] = "auto",
    runtime: Runtime = None,
    architecture: Architecture = None,
    imports: Annotated[
        list[str] | None,
        typer.Option("--import", metavar="MODULE", help="Import this, not the recipe's. Repeatable."),
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Import every module, with and without the changes.")
    ] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, metavar="SECONDS", help="For each import.")
    ] = 120,
    memory: Annotated[int, typer.Option("--memory", min=64, metavar="MB", help="For each import.")] = 512,
    handler: Annotated[
        str | None,
        typer.Option("--handler", metavar="FILE:FUNCTION", help="Call this through Lambda's runtime client."),
    ] = None,
    event: Annotated[str, typer.Option("--event", metavar="JSON", help="What the handler gets.")] = "{}",
    python: Annotated[
        Path | None, typer.Option("--python", metavar="PATH", help="The interpreter for the native engine.")
    ] = None,
    qemu: Annotated[
        Path | None, typer.Option("--qemu", metavar="PATH", help="The emulator for the emulated engine.")
    ] = None,
    root: Annotated[
        list[Path] | None, typer.Option("--root", metavar="DIR", help="A root file system to emulate.")
    ] = None,
    engine_command: Annotated[
        str | None, typer.Option("--engine-command", metavar="NAME", help="docker, podman, finch or nerdctl.")
    ] = None,
    image: Annotated[
        str | None, typer.Option("--image", metavar="IMAGE", help="Another image than AWS's.")
    ] = None,
    pull: Annotated[
        bool, typer.Option("--pull/--no-pull", help="Bring the image where it is missing.")
    ] = True,
    role: Role = None,
    region: Annotated[
        str | None, typer.Option("--region", metavar="REGION", help="The AWS region of the lambda engine.")
    ] = None,
    profile: Profile = None,
    bucket: Bucket = None,
    output: Output = OUTPUT,
    index_url: IndexUrl = None,
    index_api: IndexApiOption = "json",
    cache_dir: CacheDir = None,
    offline: Offline = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Prove that layers work: read every file, then run the imports in the strongest engine here."""
    from layercraft.cli.verdicts import exit_code, show_verification, verification_document
    from layercraft.verification.handler import Handler
    from layercraft.verification.layer import read_layer
    from layercraft.verification.report import STATIC, joint_code
    from layercraft.verification.verdict import ENGINES, choose_engine

    console = console_for(as_json=as_json, quiet=quiet)
    refuse_unknown("--engine", engine, (*ENGINES, LAMBDA))
    if handler and engine in {LAMBDA, STATIC}:
        raise UsageError(f"--handler is not called by --engine {engine}", hint="take container or native")
    search = replace(
        search_here(),
        engine=engine,
        python=python,
        qemu=qemu,
        roots=tuple(root or ()),
        command=engine_command,
        image=image,
        pull=pull,
    )
    wishes = Wishes(
        imports=_modules(imports or ()),
        deep=deep,
        timeout=_seconds(timeout),
        memory=memory * MB,
        handler=Handler.parse(handler, event, timeout=timeout, memory=memory * MB) if handler else None,
    )
    documents: list[dict[str, Any]] = []
    codes: list[int] = []
    cloud = Cloud(role=role, region=region, profile=profile, bucket=bucket)
    with (
        sources(index_url, index_api, cache_dir, offline=offline) as opened,
        temporary_folder() as folder,
    ):
        for each in layers:
            given = target_of(each, runtime, architecture, console)
            fetched = cloud.fetched(each, folder, opened, console) if each.startswith("arn:") else None
            path, recipe = (fetched.zip, None) if fetched else _zip_of(each, given, output, opened, console)
            layer = read_layer(path, given or (fetched.target if fetched else None))
            if engine == LAMBDA:
                choice = cloud.choice(fetched)
            else:
                choice = choose_engine(layer.target, search, opened.cache, console)
            verification = proof_of(layer, checks_of(layer, recipe, wishes), choice, opened, console)
            invocation = (
                invocation_of(layer, wishes.handler, choice.engine, opened, console)
                if wishes.handler
                else None
            )
            show_verification(console, verification, invocation)
            documents.append(verification_document(verification, invocation))
            codes.append(exit_code(verification, invocation))
    if as_json:
        console.document({"layers": documents})
    raise typer.Exit(joint_code(codes))


def _modules(names: Sequence[str]) -> tuple[str, ...]:
    for name in names:
        if not all(part.isidentifier() for part in name.split(".")):
            raise UsageError(f"--import {name!r} is no module's name", hint="such as --import package.module")
    return tuple(names)


def _seconds(timeout: float) -> float:
    if not math.isfinite(timeout):
        raise UsageError(f"--timeout {timeout} is no number of seconds")
    return timeout


def target_of(text: str, runtime: str | None, architecture: str | None, console: Console) -> Target | None:
    """Give the target that the options name; of one that is named by half, the zip tells the rest."""
    from layercraft.verification.layer import read_layer

    if not (runtime or architecture):
        return None
    if _is_zip(text) and not (runtime and architecture):
        try:
            told = read_layer(Path(text)).target
        except UsageError:
            if not runtime:
                raise
        else:
            runtime, architecture = runtime or told.runtime.name, architecture or told.architecture
    return read_target(runtime, architecture, console)


def _is_zip(text: str) -> bool:
    return text.lower().endswith(".zip")


def _zip_of(
    text: str, target: Target | None, output: Path, opened: Sources, console: Console
) -> tuple[Path, Recipe | None]:
    """Give the zip that is meant, built anew where a recipe is named, and its recipe where one is known."""
    from layercraft.layer.record import read_build_record
    from layercraft.pipeline import build
    from layercraft.recipe.catalog import recipe_folders
    from layercraft.recipe.options import BuildOptions

    if not _is_zip(text):
        recipe = recipe_named(text)
        options = BuildOptions(output=output, skip_existing=True)
        built = build(
            recipe, target or read_target(None, None, console), options, sources=opened, reporter=console
        )
        return built.zip, recipe
    path = Path(text)
    try:
        name = read_build_record(path.with_suffix(".json")).name
    except UsageError:
        return path, None
    known = name in recipe_folders(recipe_search_path())
    return path, recipe_named(name) if known else None
