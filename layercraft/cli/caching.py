"""`layercraft cache info`, `prune` and `clear`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from layercraft.cli.parameters import CacheDir, Json, console_for

if TYPE_CHECKING:
    from layercraft.host.cache import Cache, CacheInfo

app = typer.Typer(help="Look at the cache, or make it smaller.")


@app.command("info")
def info(*, cache_dir: CacheDir = None, as_json: Json = False) -> None:
    """Show where the cache is and what it holds."""
    _tell(_cache(cache_dir).info(), "holds", as_json=as_json)


@app.command("prune")
def prune(
    *,
    older_than: Annotated[
        int, typer.Option("--older-than", min=0, metavar="DAYS", help="Days without use.")
    ] = 30,
    cache_dir: CacheDir = None,
    as_json: Json = False,
) -> None:
    """Remove what was not used for some days."""
    _tell(_cache(cache_dir).prune(older_than_days=older_than), "gave up", as_json=as_json)


@app.command("clear")
def clear(*, cache_dir: CacheDir = None, as_json: Json = False) -> None:
    """Remove everything from the cache."""
    _tell(_cache(cache_dir).clear(), "gave up", as_json=as_json)


def _cache(cache_dir: CacheDir) -> Cache:
    from layercraft.host.cache import Cache
    from layercraft.sources import default_cache_dir

    return Cache(cache_dir or default_cache_dir())


def _tell(info: CacheInfo, verb: str, *, as_json: bool) -> None:
    from layercraft.console import columns
    from layercraft.layer.sizes import human_size

    console = console_for(as_json=as_json)
    console.out(f"{info.root} {verb} {info.count:,} entries, {human_size(info.size)}")
    for line in columns([(kind.kind, f"{kind.count:,}", human_size(kind.size)) for kind in info.kinds]):
        console.out(f"  {line}")
    if as_json:
        kinds = {kind.kind: {"entries": kind.count, "bytes": kind.size} for kind in info.kinds}
        console.document({"cache": str(info.root), "entries": info.count, "bytes": info.size, "kinds": kinds})
