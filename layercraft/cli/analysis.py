"""`layercraft analyze`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from layercraft.cli.parameters import Html, Json, Top, console_for, refuse_several


def analyze(
    zips: Annotated[list[Path], typer.Argument(metavar="ZIP...", help="Layers, made by any tool.")],
    *,
    top: Top = 10,
    html: Html = None,
    as_json: Json = False,
) -> None:
    """Show what takes the space in a layer, against the limits of AWS Lambda."""
    from layercraft.cli.reports import save_treemap, show_sizes, sizes_document
    from layercraft.layer.zip_sizes import read_sizes

    console = console_for(as_json=as_json)
    refuse_several("--html", html, len(zips))
    measured = [(path, read_sizes(path)) for path in zips]
    for path, sizes in measured:
        console.out(str(path))
        show_sizes(console, sizes, top)
        if html:
            save_treemap(console, html, path.name, sizes)
    if as_json:
        console.document(
            {"layers": [{"zip": str(path), **sizes_document(sizes, top)} for path, sizes in measured]}
        )
