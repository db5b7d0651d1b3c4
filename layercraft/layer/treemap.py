"""One self-contained page with a treemap of a layer: what takes the space, and what was taken away."""

from __future__ import annotations

import html
import json
from importlib import resources
from typing import TYPE_CHECKING

from layercraft.layer.output import replacing
from layercraft.layer.zipped import ZippedSizes, zip_cost
from layercraft.target import DIRECT_UPLOAD_LIMIT, UNZIPPED_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from layercraft.layer.change import Change
    from layercraft.layer.record import RecordedChange
    from layercraft.layer.sizes import SizeReport

# What would end the element that holds the data, or begin another one: HTML, "script data state".
_IN_SCRIPT = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&"}


def treemap_page(
    title: str,
    sizes: SizeReport,
    recorded: Sequence[RecordedChange] = (),
    changes: Sequence[Change] = (),
) -> str:
    """Give the page, in HTML that needs neither a network nor any other file.

    `recorded` are the changes to list. `changes` are the same ones with their entries, where they are
    known: what they removed can be shown in the map. A file's zipped bytes include its headers, so that
    all together are the zip but for its end record.
    """
    owners = {owner: position for position, owner in enumerate(dict.fromkeys(_owners(sizes)))}
    document = {
        "files": [
            [file.path, file.size, zip_cost(file.path, file.packed), owners[file.owner]]
            for file in sizes.files
        ],
        "owners": list(owners),
        "removed": list(_removed(sizes, changes)),
        "changes": [[str(each), each.files, each.saved, each.saved_zipped] for each in recorded],
        "zipped": sizes.zipped,
        "limit": UNZIPPED_LIMIT,
        "direct": DIRECT_UPLOAD_LIMIT,
    }
    data = json.dumps(document, separators=(",", ":")).translate(_IN_SCRIPT)
    template = resources.files(__package__).joinpath("treemap.html").read_text("utf-8")
    head, tail = template.split("{{data}}")
    return head.replace("{{title}}", html.escape(title)) + data + tail


def write_treemap(page: str, path: Path) -> None:
    """Write the page, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")


def _owners(sizes: SizeReport) -> Iterable[str]:
    """Give the owners, the largest first, so that neighbours in the map get colours far apart."""
    largest = {share.name: position for position, share in enumerate(sizes.top("distribution"))}
    return sorted((file.owner for file in sizes.files), key=lambda owner: largest.get(owner, len(largest)))


def _removed(sizes: SizeReport, changes: Sequence[Change]) -> Iterable[tuple[str, int, int, int]]:
    if not changes:
        return
    zipped = ZippedSizes.of(changes[-1].tree, sizes.files)
    for position, change in enumerate(changes):
        for entry in change.removed:
            yield entry.path, entry.size, zipped(entry), position
