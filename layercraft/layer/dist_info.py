"""RECORD of every distribution, written anew when all other changes are made (PEP 376, PEP 627)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from layercraft.formats.record_file import Recorded, read_record, write_record
from layercraft.layer.change import Change, Reason
from layercraft.layer.contents import Contents
from layercraft.layer.tree import Entry, Inline, StrippedMember, WheelMember

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from layercraft.layer.tree import Content, Distribution, Tree

_ROOT = "python/"


def computed(content: Content, contents: Contents) -> Recorded:
    """Give the line of RECORD that belongs to a content, which is read for it."""
    if isinstance(content, StrippedMember):
        return Recorded.of_digest(content.sha256, content.size)
    digest = hashlib.sha256()
    for piece in contents.pieces(content):
        digest.update(piece)
    return Recorded.of_digest(digest.digest(), content.size)


def rewrite_records(tree: Tree, *, unknown: Callable[[Content, Contents], Recorded] = computed) -> Change:
    """Give each distribution a RECORD of those of its files that are in the layer, sorted by path.

    Hashes of files that are as their wheel had them are those of the wheel's own RECORD; the lines of
    others are what `unknown` gives. A distribution whose METADATA is gone gets no RECORD: a
    `.dist-info` folder that holds nothing else would make importlib.metadata find a distribution
    without a version.

    Raises:
        BadWheelError: a wheel's RECORD cannot be read.
    """
    owned: dict[str, list[Entry]] = {name: [] for name in tree.distributions}
    for entry in tree.entries.values():
        if entry.owner in owned and entry.path.startswith(_ROOT):
            owned[entry.owner].append(entry)
    with Contents() as contents:
        records = [
            _record(distribution, owned[name], lambda content: unknown(content, contents))
            for name, distribution in tree.distributions.items()
            if f"{distribution.dist_info}/METADATA" in tree.entries
        ]
    return Change.between(
        tree,
        {**tree.entries, **{entry.path: entry for entry in records}},
        Reason(source="layercraft", rule="RECORD rewritten"),
    )


def _record(
    distribution: Distribution, entries: Iterable[Entry], unknown: Callable[[Content], Recorded]
) -> Entry:
    told = read_record(distribution.record, archive=f"{distribution.name} {distribution.version}")
    path = f"{distribution.dist_info}/RECORD"
    files = dict(_recorded(entries, told, unknown))
    files[path.removeprefix(_ROOT)] = Recorded()
    data = write_record(dict(sorted(files.items())))
    return Entry(path=path, content=Inline(data=data), executable=False, owner=distribution.name)


def _recorded(
    entries: Iterable[Entry], told: Mapping[str, Recorded], unknown: Callable[[Content], Recorded]
) -> Iterator[tuple[str, Recorded]]:
    for entry in entries:
        content = entry.content
        recorded = None
        if isinstance(content, WheelMember) and not isinstance(content, StrippedMember):
            recorded = told.get(content.member.name)
        if recorded is None or recorded.size != entry.size or not recorded.hash.startswith("sha256="):
            recorded = unknown(content)
        yield entry.path.removeprefix(_ROOT), recorded
