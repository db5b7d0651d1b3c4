"""`layercraft diff`."""

from __future__ import annotations

import re
from dataclasses import dataclass
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
    from collections.abc import Iterable, Mapping

    from layercraft.console import Console
    from layercraft.layer.change import Reason
    from layercraft.layer.comparison import Comparison, Difference
    from layercraft.layer.sizes import Grouping, SizeReport
    from layercraft.sources import Sources

_PLANNED = re.compile(r"(?P<name>[^@]+)(?:@(?P<runtime>[\w.]+)(?:-(?P<architecture>\w+))?)?")
_GROUPINGS: tuple[Grouping, ...] = ("distribution", "folder", "file")
_SAME = "the same bytes at the same paths"
_NOT_KNOWN = "no difference is planned; whether there is one, only builds can tell: steps were not applied"
_MARKS = {"added": "+", "removed": "-", "changed": "~"}


def diff(  # noqa: PLR0913 (a command's options are its parameters)
    before: Annotated[str, typer.Argument(metavar="A", help="A zip, or a recipe as NAME@3.12-arm64.")],
    after: Annotated[str, typer.Argument(metavar="B", help="What it is compared with.")],
    *,
    top: Top = 10,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 1 when the two differ, or may differ.")
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
        old, new = (_sized(operand, opened, console) for operand in (before, after))
    comparison = Comparison.of(old.sizes, new.sizes)
    open_steps = {operand: sized.not_applied for operand, sized in ((before, old), (after, new))}
    known = not any(open_steps.values())
    console.out(f"{before} -> {after}")
    if comparison.same:
        console.out(_SAME if known else _NOT_KNOWN)
    _show(console, comparison, top)
    if as_json:
        same = {"same": comparison.same if known else None, "not_applied": _steps_document(open_steps)}
        console.document({"before": before, "after": after, **same, **_document(comparison, top)})
    raise typer.Exit(1 if exit_code and not (known and comparison.same) else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sized:
    """An operand's sizes, and the steps that only a build of it can apply."""

    sizes: SizeReport
    not_applied: tuple[Reason, ...] = ()


def _sized(operand: str, opened: Sources, console: Console) -> _Sized:
    """Read a zip's sizes; what is no file is planned as a recipe."""
    from layercraft.forecast import plan
    from layercraft.layer.zip_sizes import read_sizes

    match = _PLANNED.fullmatch(operand)
    if Path(operand).is_file() or operand.endswith(".zip") or not match:
        return _Sized(sizes=read_sizes(Path(operand)))
    recipe = recipe_named(match["name"])
    target = read_target(match["runtime"], match["architecture"], console)
    forecast = plan(recipe, target, sources=opened, reporter=console)
    not_applied = tuple(bound.reason for bound in forecast.bounds)
    for reason in not_applied:
        console.notice(f"{operand}: {reason} is not applied: only a build can tell what it does")
    return _Sized(sizes=forecast.sizes, not_applied=not_applied)


def _show(console: Console, comparison: Comparison, top: int) -> None:
    from layercraft.cli.reports import TITLES
    from layercraft.console import columns

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
        "unzipped": [old.unzipped, new.unzipped],
        "zipped": [old.zipped, new.zipped],
        "files": [len(old.files), len(new.files)],
        "differences": {
            grouping: [_difference_document(each) for each in comparison.differences(grouping)[:top]]
            for grouping in _GROUPINGS
        },
    }


def _steps_document(steps: Mapping[str, Iterable[Reason]]) -> list[dict[str, str]]:
    return [
        {"operand": operand, "source": reason.source, "rule": reason.rule}
        for operand, reasons in steps.items()
        for reason in reasons
    ]


def _difference_document(difference: Difference) -> dict[str, Any]:
    versions = {"versions": list(difference.versions)} if any(difference.versions) else {}
    return {
        "name": difference.name,
        "kind": difference.kind,
        **versions,
        "unzipped": list(difference.unzipped),
        "zipped": list(difference.zipped),
    }
