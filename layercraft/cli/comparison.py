"""`layercraft diff`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from layercraft.cli.choice import recipe_named
from layercraft.cli.parameters import (
    CacheDir,
    IndexApiOption,
    IndexUrl,
    Json,
    Offline,
    Quiet,
    Top,
    console_for,
    read_target,
    sources,
)

if TYPE_CHECKING:
    from layercraft.console import Console
    from layercraft.layer.comparison import Comparison, Difference
    from layercraft.layer.sizes import Grouping, SizeReport
    from layercraft.sources import Sources

_PLANNED = re.compile(r"(?P<name>[^@]+)(?:@(?P<runtime>[\w.]+)(?:-(?P<architecture>\w+))?)?")
_GROUPINGS: tuple[Grouping, ...] = ("distribution", "folder", "file")
_MARKS = {"added": "+", "removed": "-", "changed": "~"}


def diff(  # noqa: PLR0913 (a command's options are its parameters)
    before: Annotated[str, typer.Argument(metavar="A", help="A zip, or a recipe as NAME@3.12-arm64.")],
    after: Annotated[str, typer.Argument(metavar="B", help="What it is compared with.")],
    *,
    top: Top = 10,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 1 when the two differ, as git diff does.")
    ] = False,
    index_url: IndexUrl = None,
    index_api: IndexApiOption = "json",
    cache_dir: CacheDir = None,
    offline: Offline = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare two layers: zips of any tool, or recipes, planned for a runtime and not downloaded."""
    from layercraft.layer.comparison import Comparison

    console = console_for(as_json=as_json, quiet=quiet)
    with sources(index_url, index_api, cache_dir, offline=offline) as opened:
        old, new = (_sizes(operand, opened, console) for operand in (before, after))
    comparison = Comparison.of(old, new)
    _show(console, comparison, f"{before} -> {after}", top)
    if as_json:
        console.document({"before": before, "after": after, **_document(comparison, top)})
    raise typer.Exit(1 if exit_code and not comparison.same else 0)


def _sizes(operand: str, opened: Sources, console: Console) -> SizeReport:
    """Read a zip's sizes; what is no file is planned as a recipe."""
    from layercraft.forecast import plan
    from layercraft.layer.zip_sizes import read_sizes

    match = _PLANNED.fullmatch(operand)
    if Path(operand).is_file() or operand.endswith(".zip") or not match:
        return read_sizes(Path(operand))
    recipe = recipe_named(match["name"])
    target = read_target(match["runtime"], match["architecture"], console)
    forecast = plan(recipe, target, sources=opened, reporter=console)
    for bound in forecast.bounds:
        console.notice(f"{operand}: {bound.reason} is not applied: only a build can tell what it takes")
    return forecast.sizes


def _show(console: Console, comparison: Comparison, heading: str, top: int) -> None:
    from layercraft.cli.reports import TITLES
    from layercraft.console import columns

    console.out(heading)
    if comparison.same:
        console.out("the same bytes at the same paths")
    console.out(console.styled("Size (before, after, difference)", "title"))
    for line in columns(_totals(comparison)):
        console.out(f"  {line}")
    for grouping in _GROUPINGS:
        found = comparison.differences(grouping)
        if found:
            console.out(console.styled(f"{TITLES[grouping]} (unzipped, zipped)", "title"))
        for line in columns([_row(each) for each in found[:top]], left=(0, 1, 2)):
            console.out(f"  {line}")
        if len(found) > top:
            console.out(f"  and {len(found) - top:,} more")


def _totals(comparison: Comparison) -> list[tuple[str, ...]]:
    from layercraft.cli.reports import signed_size
    from layercraft.layer.sizes import human_size

    old, new = comparison.before, comparison.after
    pairs = {"unzipped": (old.unzipped, new.unzipped), "zipped": (old.zipped, new.zipped)}
    sizes = [
        (label, human_size(before), human_size(after), signed_size(after - before))
        for label, (before, after) in pairs.items()
    ]
    files = len(old.files), len(new.files)
    return [*sizes, ("files", f"{files[0]:,}", f"{files[1]:,}", f"{files[1] - files[0]:+,}")]


def _row(difference: Difference) -> tuple[str, ...]:
    from layercraft.cli.reports import signed_size

    before, after = difference.versions
    versions = " -> ".join(filter(None, (before, after))) if before != after else after
    return _MARKS[difference.kind], difference.name, versions, *map(signed_size, difference.grown)


def _document(comparison: Comparison, top: int) -> dict[str, Any]:
    """Give a comparison as JSON values; each pair is before and after, sizes in bytes."""
    old, new = comparison.before, comparison.after
    return {
        "same": comparison.same,
        "unzipped": [old.unzipped, new.unzipped],
        "zipped": [old.zipped, new.zipped],
        "files": [len(old.files), len(new.files)],
        "differences": {
            grouping: [_difference_document(each) for each in comparison.differences(grouping)[:top]]
            for grouping in _GROUPINGS
        },
    }


def _difference_document(difference: Difference) -> dict[str, Any]:
    versions = {"versions": list(difference.versions)} if any(difference.versions) else {}
    return {
        "name": difference.name,
        "kind": difference.kind,
        **versions,
        "unzipped": list(difference.unzipped),
        "zipped": list(difference.zipped),
    }
