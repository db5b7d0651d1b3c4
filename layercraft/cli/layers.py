"""`layercraft build` and `layercraft lock`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from layercraft.cli.choice import globs, recipes_of, refuse_beside_lock
from layercraft.cli.parameters import (
    OUTPUT,
    Architecture,
    Bucket,
    Bytecode,
    CacheDir,
    Constraint,
    Exclude,
    Html,
    IndexApiOption,
    IndexUrl,
    Json,
    KeepGpu,
    LayerName,
    LockFile,
    Names,
    Offline,
    Output,
    Preset,
    Profile,
    Quiet,
    Region,
    Require,
    Requirements,
    Role,
    Runtime,
    RuntimePackages,
    Snippet,
    Strip,
    Top,
    console_for,
    python_roots,
    read_target,
    refuse_over,
    refuse_several,
    refuse_unknown,
    sources,
)

if TYPE_CHECKING:
    from layercraft.console import Console
    from layercraft.pipeline import Built
    from layercraft.recipe.options import Compress
    from layercraft.recipe.recipe import Recipe
    from layercraft.sources import Sources
    from layercraft.verification.engines import Choice
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
    lock: LockFile = None,
    runtime_packages: RuntimePackages = None,
    keep_gpu: KeepGpu = False,
    bytecode: Bytecode = None,
    python: Annotated[
        Path | None, typer.Option("--python", metavar="PATH", help="The interpreter that makes the bytecode.")
    ] = None,
    output: Output = OUTPUT,
    preset: Preset = None,
    strip: Strip = None,
    compress: Annotated[
        str,
        typer.Option("--compress", metavar="HOW", help="fast, or best: the smallest zip, in half a minute."),
    ] = "fast",
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
    publish: Annotated[
        bool, typer.Option("-p", "--publish", help="Publish what is built, unless something is found in it.")
    ] = False,
    bucket: Bucket = None,
    region: Region = None,
    profile: Profile = None,
    snippet: Snippet = None,
    test: Annotated[
        bool, typer.Option("--test", help="With -p: run the imports in a temporary function (--role).")
    ] = False,
    role: Role = None,
    top: Top = 10,
    html: Html = None,
    index_url: IndexUrl = None,
    index_api: IndexApiOption = "json",
    cache_dir: CacheDir = None,
    offline: Offline = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Build layers: one zip for each NAME, or one from --require and --requirements."""
    from layercraft.cli.publisher import build_publisher, build_tester
    from layercraft.cli.reports import built_document, save_treemap, show_built
    from layercraft.cli.verdicts import show_static_verdict
    from layercraft.host.memory import map_large_buffers
    from layercraft.layer.presets import preset as known_preset
    from layercraft.pipeline import build as build_layer
    from layercraft.pipeline import output_paths
    from layercraft.recipe.options import BYTECODE, RUNTIME_PACKAGES, BuildOptions
    from layercraft.verification.report import joint_code

    map_large_buffers()
    console = console_for(as_json=as_json, quiet=quiet)
    refuse_beside_lock(
        lock,
        {"--require": require, "--requirements": requirements, "-c": constraint, "--exclude": exclude},
    )
    target = read_target(runtime, architecture, console, lock)
    if preset:
        known_preset(preset)
    refuse_unknown("--runtime-packages", runtime_packages, RUNTIME_PACKAGES)
    refuse_unknown("--bytecode", bytecode, BYTECODE)
    pyenv_root, uv_root = python_roots()
    recipes = recipes_of(names, require, requirements, constraint, name, lock)
    refuse_several("--unpacked", unpacked, len(recipes))
    refuse_several("--html", html, len(recipes))
    options = BuildOptions(
        output=output,
        lock=lock,
        exclude=globs(exclude),
        runtime_packages=runtime_packages,
        keep_gpu=keep_gpu,
        bytecode=bytecode,
        python=python,
        pyenv_root=pyenv_root,
        uv_root=uv_root,
        preset=preset,
        strip=strip,
        compress=_compress(compress),
        strict=strict,
        check=check,
        skip_existing=skip_existing,
        unpacked=unpacked,
        search_path=os.environ.get("PATH", os.defpath),
    )
    refuse_over("--html", html, output_paths(recipes[0], target, options))
    publisher = build_publisher(
        console, wanted=publish, bucket=bucket, regions=region, profile=profile, snippet=snippet
    )
    tester = build_tester(publisher, wanted=test, role=role, profile=profile)
    documents = []
    codes = []
    with sources(index_url, index_api, cache_dir, offline=offline) as opened:
        for recipe in recipes:
            built = build_layer(recipe, target, options, sources=opened, reporter=console)
            show_built(console, built, top)
            if html:
                title = f"{recipe.name} for {target}"
                save_treemap(console, html, title, built.sizes, built.record.changes, built.changes)
            verdict = built.verdict
            if verify:
                verdict = _proved(built, recipe, opened, console)
            elif verdict:
                show_static_verdict(console, verdict)
            codes.append(_exit_code(verdict, verify=verify))
            published = publisher.after_build(built.zip, codes) if publisher else {}
            if tester and (choice := tester(published)):
                verdict = _proved(built, recipe, opened, console, choice)
                codes.append(_exit_code(verdict, verify=True))
            if as_json:
                documents.append(built_document(built, top, verdict) | published)
    if as_json:
        console.document({"layers": documents})
    raise typer.Exit(joint_code(codes))


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
    recipes = recipes_of(names, require, requirements, constraint, name, None)
    options = BuildOptions(exclude=globs(exclude))
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


def _proved(
    built: Built, recipe: Recipe, opened: Sources, console: Console, choice: Choice | None = None
) -> Verification:
    from layercraft.cli.proofs import proved
    from layercraft.cli.verdicts import show_verification

    verdict = proved(built, recipe, opened, console, choice)
    show_verification(console, verdict, None)
    return verdict


def _exit_code(verdict: Verification | None, *, verify: bool) -> int:
    """Give 1 on a finding; 3 when imports were to be run and nothing here could run them."""
    from layercraft.verification.report import PASSED

    return verdict.exit_code if verdict and (verify or not verdict.passed) else PASSED


def _compress(how: str) -> Compress:
    from layercraft.recipe.options import Compress

    refuse_unknown("--compress", how, get_args(Compress))
    return cast("Compress", how)
