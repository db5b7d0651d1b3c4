"""`layercraft analyze`."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from layercraft.cli.parameters import Html, Json, Profile, Top, console_for, refuse_over, refuse_several

if TYPE_CHECKING:
    from layercraft.console import Console
    from layercraft.layer.sizes import SizeReport


def analyze(
    zips: Annotated[
        list[str], typer.Argument(metavar="ZIP|ARN...", help="Layers, made by any tool, here or in AWS.")
    ],
    *,
    top: Top = 10,
    html: Html = None,
    profile: Profile = None,
    as_json: Json = False,
) -> None:
    """Show what takes the space in a layer, against the limits of AWS Lambda."""
    from layercraft.cli.reports import save_treemap, show_sizes, sizes_document

    console = console_for(as_json=as_json)
    refuse_several("--html", html, len(zips))
    refuse_over("--html", html, map(Path, zips))
    measured = [(each, _sizes(each, profile, console)) for each in zips]
    for name, sizes in measured:
        console.out(name)
        show_sizes(console, sizes, top)
        if html:
            save_treemap(console, html, Path(name).name, sizes)
    if as_json:
        console.document(
            {"layers": [{"zip": name, **sizes_document(sizes, top)} for name, sizes in measured]}
        )


def _sizes(text: str, profile: str | None, console: Console) -> SizeReport:
    from layercraft.layer.zip_sizes import read_sizes

    if not text.startswith("arn:"):
        return read_sizes(Path(text))
    from layercraft.aws.download import fetch_version
    from layercraft.aws.session import open_clients
    from layercraft.host.client import Client
    from layercraft.host.scratch import temporary_folder
    from layercraft.host.trust import trusted

    with temporary_folder() as folder, Client(trusted=partial(trusted, os.environ)) as client:
        fetched = fetch_version(text, folder, open_clients(profile), client, reporter=console)
        return read_sizes(fetched.zip)
