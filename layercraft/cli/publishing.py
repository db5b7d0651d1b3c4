"""`layercraft publish`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from layercraft.cli.parameters import (
    Architecture,
    Bucket,
    CacheDir,
    IndexApiOption,
    IndexUrl,
    Json,
    Offline,
    Profile,
    Quiet,
    Region,
    Runtime,
    Snippet,
    console_for,
    sources,
)
from layercraft.cli.publisher import prepare
from layercraft.cli.verification import target_of
from layercraft.console import error_document
from layercraft.errors import InterruptionError, LayercraftError, UsageError
from layercraft.verification.report import FAILED, PASSED, joint_code

if TYPE_CHECKING:
    from layercraft.console import Console
    from layercraft.sources import Sources
    from layercraft.target import Target


def publish(  # noqa: PLR0913 (a command's options are its parameters)
    zips: Annotated[list[Path], typer.Argument(metavar="ZIP...", help="Layers, made by any tool.")],
    *,
    layer_name: Annotated[
        str | None, typer.Option("--layer-name", metavar="NAME", help="Another name than the zip's.")
    ] = None,
    runtime: Runtime = None,
    architecture: Architecture = None,
    all_runtimes: Annotated[
        bool,
        typer.Option("--all-runtimes", help="Mark a pure-Python layer for every runtime and architecture."),
    ] = False,
    region: Region = None,
    profile: Profile = None,
    bucket: Bucket = None,
    prefix: Annotated[
        str, typer.Option("--prefix", metavar="PREFIX", help="What the temporary object's key begins with.")
    ] = "temp/",
    keep_object: Annotated[
        bool, typer.Option("--keep-object", help="Leave the object in the bucket.")
    ] = False,
    public: Annotated[bool, typer.Option("--public", help="Everyone may use the layer.")] = False,
    account: Annotated[
        list[str] | None, typer.Option("--account", metavar="ID", help="This account may. Repeatable.")
    ] = None,
    organization: Annotated[
        list[str] | None,
        typer.Option("--organization", metavar="ID", help="This organization, o-…, may. Repeatable."),
    ] = None,
    retain: Annotated[
        int | None,
        typer.Option("--retain", min=1, metavar="N", help="Delete all but the N newest versions."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Publish only a layer in which nothing is found.")
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Publish even what is there already.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")] = False,
    snippet: Snippet = None,
    index_url: IndexUrl = None,
    index_api: IndexApiOption = "json",
    cache_dir: CacheDir = None,
    offline: Offline = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Publish layers in your AWS account: once for the same bytes, in one region or many."""
    from layercraft.aws.publish_options import PublishOptions

    console = console_for(as_json=as_json, quiet=quiet)
    if layer_name and len(zips) > 1:
        raise UsageError("--layer-name is for one zip, and several were named", hint="publish each alone")
    if all_runtimes and (runtime or architecture):
        raise UsageError("--all-runtimes cannot stand beside --runtime or --arch")
    options = PublishOptions(
        bucket=bucket,
        prefix=prefix,
        keep_object=keep_object,
        public=public,
        accounts=tuple(account or ()),
        organizations=tuple(organization or ()),
        retain=retain,
        force=force,
        dry_run=dry_run,
    )
    publisher = prepare(options, profile, region, snippet, console)
    documents: list[dict[str, Any]] = []
    codes: list[int] = []
    with sources(index_url, index_api, cache_dir, offline=offline) as opened:
        for path in zips:
            try:
                given = target_of(str(path), runtime, architecture, console)
                document = _refused(path, given, opened, console) if check else None
                if document is None:
                    targets = _marked_for_all(path, opened) if all_runtimes else (given,) if given else None
                    document = publisher.document(publisher(path, name=layer_name, targets=targets))
                codes.append(FAILED if document["failures"] or "verdict" in document else PASSED)
            except LayercraftError as error:
                if len(zips) == 1 or isinstance(error, InterruptionError):
                    raise
                if not as_json:
                    console.error(error)
                document = {"zip": str(path), "error": error_document(error)}
                codes.append(error.exit_code)
            documents.append(document)
    if as_json:
        console.document({"layers": documents})
    raise typer.Exit(joint_code(codes))


def _refused(path: Path, target: Target | None, opened: Sources, console: Console) -> dict[str, Any] | None:
    """Judge a zip by its files; where something is found, show that and give it as JSON values."""
    from layercraft.cli.verdicts import show_static_verdict, verification_document
    from layercraft.verification.layer import read_layer
    from layercraft.verification.verdict import judge

    verdict = judge(read_layer(path, target), opened.cache, console)
    if verdict.passed:
        return None
    show_static_verdict(console, verdict)
    console.warning(f"{path} is not published: something was found in it (--no-check publishes it)")
    return {"zip": str(path), "verdict": verification_document(verdict), "versions": [], "failures": []}


def _marked_for_all(path: Path, opened: Sources) -> tuple[Target, ...]:
    """Give all targets, where the layer is the same for each of them."""
    from datetime import UTC, datetime

    from layercraft.every_target import every_target, require_same_files
    from layercraft.verification.layer import read_layer

    targets = every_target(datetime.now(UTC).date())
    require_same_files(read_layer(path), targets, opened)
    return targets
