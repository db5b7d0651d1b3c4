"""`layercraft publish`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from layercraft.cli.parameters import Architecture, Json, Quiet, Runtime, console_for, read_target
from layercraft.errors import UsageError

if TYPE_CHECKING:
    from layercraft.aws.layer_version import Publication

Region = Annotated[
    list[str] | None,
    typer.Option("--region", metavar="REGION", help='A region, or "all". Repeatable.'),
]
Profile = Annotated[
    str | None, typer.Option("--profile", metavar="NAME", help="A profile of your AWS configuration.")
]
Bucket = Annotated[
    str | None,
    typer.Option(
        "-b", "--bucket", metavar="BUCKET", help="For zips over 50 MB; {region} stands for each region."
    ),
]


def publish(  # noqa: PLR0913 (a command's options are its parameters)
    zips: Annotated[list[Path], typer.Argument(metavar="ZIP...", help="Layers, made by any tool.")],
    *,
    layer_name: Annotated[
        str | None, typer.Option("--layer-name", metavar="NAME", help="Another name than the zip's.")
    ] = None,
    runtime: Runtime = None,
    architecture: Architecture = None,
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
    force: Annotated[bool, typer.Option("--force", help="Publish even what is there already.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Publish layers in your AWS account: once for the same bytes, in one region or many."""
    from layercraft.aws.publish_options import PublishOptions
    from layercraft.aws.publishing import publish as publish_zip
    from layercraft.aws.session import open_clients
    from layercraft.cli.publications import publication_document, show_publication

    console = console_for(as_json=as_json, quiet=quiet)
    if layer_name and len(zips) > 1:
        raise UsageError(
            "--layer-name is for one zip, and several were named", hint="publish them one by one"
        )
    given = read_target(runtime, architecture, console) if runtime or architecture else None
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
    clients = open_clients(profile)
    documents: list[dict[str, Any]] = []
    failed = False
    for path in zips:
        publication: Publication = publish_zip(
            path,
            options,
            name=layer_name,
            regions=tuple(region or ()),
            targets=(given,) if given else None,
            clients=clients,
            reporter=console,
        )
        show_publication(console, publication)
        documents.append(publication_document(publication))
        failed = failed or bool(publication.failures)
    if as_json:
        console.document({"layers": documents})
    raise typer.Exit(1 if failed else 0)
