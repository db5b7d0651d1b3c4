"""`layercraft analyze`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from layercraft.cli.parameters import Json, Top, console_for


def analyze(
    zips: Annotated[list[Path], typer.Argument(metavar="ZIP...", help="Layers, made by any tool.")],
    *,
    top: Top = 10,
    as_json: Json = False,
) -> None:
    """Show what takes the space in a layer, against the limits of AWS Lambda."""
    from layercraft.cli.reports import show_sizes, sizes_document
    from layercraft.layer.zip_sizes import read_sizes

    console = console_for(as_json=as_json)
    measured = [(path, read_sizes(path)) for path in zips]
    for path, sizes in measured:
        console.out(str(path))
        show_sizes(console, sizes, top)
    if as_json:
        console.document(
            {"layers": [{"zip": str(path), **sizes_document(sizes, top)} for path, sizes in measured]}
        )
