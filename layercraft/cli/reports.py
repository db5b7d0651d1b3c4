"""What was built, locked or measured: as text for people and as values for `--json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from layercraft.console import columns
from layercraft.layer.sizes import Grouping, human_size, upload_notice
from layercraft.target import DIRECT_UPLOAD_LIMIT, UNZIPPED_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from layercraft.console import Console
    from layercraft.layer.change import Change
    from layercraft.layer.record import RecordedChange, RecordedLeftOut
    from layercraft.layer.sizes import SizeReport
    from layercraft.pipeline import Built
    from layercraft.resolution.newer_releases import PassedOver
    from layercraft.resolution.pins import Lock
    from layercraft.resolution.resolver import Resolution
    from layercraft.verification.report import Verification

GAUGE_WIDTH = 30
TITLES: dict[Grouping, str] = {
    "distribution": "Distributions",
    "folder": "Folders",
    "file": "Files",
    "type": "File types",
}


def show_built(console: Console, built: Built, top: int) -> None:
    """Show what went in, what was taken away, how large it is, and where it lies."""
    record = built.record
    if built.skipped:
        console.out(f"{built.zip} is there already, built from the same inputs")
    console.out(console.styled("Wheels", "title"))
    for line in columns([(pin.name, pin.version, pin.filename) for pin in record.pins], left=(0, 1, 2)):
        console.out(f"  {line}")
    show_left_out(console, record.left_out)
    show_changes(console, record.changes)
    show_sizes(console, built.sizes, top)
    notice = upload_notice(built.sizes.zipped)
    if notice:
        console.notice(notice)
    console.out(f"{built.zip}  {human_size(built.sizes.zipped)}  sha256 {record.zip.sha256}")
    console.notice(
        f"lock: {built.lock}; record: {built.record_path}; look inside: layercraft analyze {built.zip}"
    )


def show_changes(console: Console, changes: Iterable[RecordedChange]) -> None:
    """Show what each change took away, or brought."""
    rows = [_change_row(change) for change in changes if change.files]
    if rows:
        console.out(console.styled("Changes (files, unzipped, zipped)", "title"))
    for line in columns(rows):
        console.out(f"  {line}")


def show_left_out(console: Console, left_out: Iterable[RecordedLeftOut]) -> None:
    """Show what is locked and does not go into the layer, and why."""
    rows = [
        (each.name, each.version, "" if each.packed is None else human_size(each.packed), each.why)
        for each in left_out
    ]
    if rows:
        console.out(console.styled("Left out (zipped)", "title"))
    for line in columns(rows, left=(0, 1, 3)):
        console.out(f"  {line}")


def _change_row(change: RecordedChange) -> tuple[str, ...]:
    files = "1 file" if change.files == 1 else f"{change.files:,} files"
    zipped = "" if change.saved_zipped is None else signed_size(-change.saved_zipped)
    return str(change), files, signed_size(-change.saved), zipped


def signed_size(size: int) -> str:
    """Give a difference of bytes with its sign: `+0.15 MB`."""
    sign = "+" if size > 0 else "-" if size else ""
    return sign + human_size(abs(size))


def built_document(built: Built, top: int, verdict: Verification | None) -> dict[str, Any]:
    """Give a build as JSON values; sizes in bytes."""
    import msgspec

    from layercraft.cli.verdicts import verification_document

    return {
        "zip": str(built.zip),
        "lock": str(built.lock),
        "record": str(built.record_path),
        "skipped": built.skipped,
        "passed_over": _passed_over(built.resolution.passed_over if built.resolution else ()),
        "build": msgspec.to_builtins(built.record),
        "sizes": sizes_document(built.sizes, top),
        "verdict": verification_document(verdict) if verdict else None,
    }


def show_locked(console: Console, lock: Lock, path: Path, recipe: str | None) -> None:
    """Show the pins of a lock and where it lies; `recipe` names the recipe that it locks."""
    for line in columns([(pin.name, pin.version, pin.filename) for pin in lock.pins], left=(0, 1, 2)):
        console.out(line)
    console.out(f"{path}  {len(lock.pins)} wheels for {lock.target}")
    console.notice(f"build it: layercraft build {f'{recipe} ' if recipe else ''}--lock {path}")


def locked_document(resolution: Resolution, path: Path) -> dict[str, Any]:
    """Give a lock as JSON values; sizes in bytes."""
    lock = resolution.lock
    return {
        "lock": str(path),
        "runtime": lock.target.runtime.name,
        "architecture": lock.target.architecture,
        "pins": [
            {
                "name": pin.name,
                "version": pin.version,
                "filename": pin.filename,
                "sha256": pin.sha256,
                "size": pin.size,
            }
            for pin in lock.pins
        ],
        "excluded": list(lock.excluded),
        "passed_over": _passed_over(resolution.passed_over),
        "warnings": list(resolution.warnings),
    }


def _passed_over(packages: Iterable[PassedOver]) -> list[dict[str, str]]:
    return [
        {"name": each.name, "newest": each.newest, "taken": each.taken, "reason": each.reason}
        for each in packages
    ]


def save_treemap(  # noqa: PLR0913, PLR0917 (what the page shows, and where to)
    console: Console,
    path: Path,
    title: str,
    sizes: SizeReport,
    recorded: Sequence[RecordedChange] = (),
    changes: Sequence[Change] = (),
) -> None:
    """Write the page with the treemap, and tell where it is."""
    from layercraft.layer.treemap import treemap_page, write_treemap

    write_treemap(treemap_page(title, sizes, recorded, changes), path)
    console.notice(f"treemap: {path}")


def show_sizes(console: Console, sizes: SizeReport, top: int) -> None:
    """Show both gauges and the largest distributions, folders, files and types."""
    console.out(console.styled("Size", "title"))
    console.out(f"  unzipped {_gauge(console, sizes.unzipped, UNZIPPED_LIMIT)}")
    console.out(f"  zipped   {_gauge(console, sizes.zipped, DIRECT_UPLOAD_LIMIT)}")
    for grouping in get_args(Grouping):
        shares = sizes.top(grouping, top)
        console.out(console.styled(f"{TITLES[grouping]} (unzipped, zipped)", "title"))
        rows = [(share.name, human_size(share.size), human_size(share.packed)) for share in shares]
        for line in columns(rows):
            console.out(f"  {line}")


def sizes_document(sizes: SizeReport, top: int) -> dict[str, Any]:
    """Give sizes as JSON values, in bytes."""
    return {
        "unzipped": sizes.unzipped,
        "unzipped_limit": UNZIPPED_LIMIT,
        "zipped": sizes.zipped,
        "direct_upload_limit": DIRECT_UPLOAD_LIMIT,
        "files": len(sizes.files),
        "top": {
            grouping: [
                {"name": share.name, "files": share.files, "unzipped": share.size, "zipped": share.packed}
                for share in sizes.top(grouping, top)
            ]
            for grouping in get_args(Grouping)
        },
    }


def _gauge(console: Console, size: int, limit: int) -> str:
    filled = min(GAUGE_WIDTH, round(GAUGE_WIDTH * size / limit))
    full, empty = console.shades()
    bar = full * filled + empty * (GAUGE_WIDTH - filled)
    style = "good" if size <= limit else "error"
    return f"{console.styled(bar, style)} {human_size(size)} of {human_size(limit)} ({size / limit:.0%})"
