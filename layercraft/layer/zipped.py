"""What files take inside a zip, whether they were written into it or taken away before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from layercraft.formats.deflated import deflate
from layercraft.layer.archive import END_SIZE, ENTRY_HEADERS
from layercraft.layer.tree import DiskFile, Inline

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from layercraft.layer.change import Change
    from layercraft.layer.sizes import SizedFile
    from layercraft.layer.tree import Content, Entry, Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class ZippedSizes:
    """Gives the bytes that an entry takes in a zip, its headers included.

    Exact for what is in the zip, for what was made here, and for what its wheel had deflated. What is
    not in the zip and was packed by nobody, a stored member or a file of the disk, counts unpacked.
    """

    tree: Tree
    packed: Mapping[str, int]

    @classmethod
    def of(cls, tree: Tree, members: Iterable[SizedFile]) -> ZippedSizes:
        """Read the sizes off the zip that was written from a tree."""
        return cls(tree=tree, packed={member.path: member.packed for member in members})

    def __call__(self, entry: Entry) -> int:
        """Give the bytes of one entry."""
        written = self.tree.entries.get(entry.path) == entry
        packed = self.packed[entry.path] if written else packed_size(entry.content)
        return zip_cost(entry.path, packed)

    def deflated_anew(self, changes: Iterable[Change]) -> tuple[int, int]:
        """Count the files that no change made and that are packed smaller than in their wheels.

        The second number are the bytes that this saves: with those of the changes, all that lies between
        the files of the wheels and the zip.
        """
        made = {
            entry.path
            for change in changes
            for entry in (*change.added, *(after for _, after in change.replaced))
        }
        gains = [
            packed_size(entry.content) - self.packed[path]
            for path, entry in self.tree.entries.items()
            if path not in made
        ]
        return sum(gain > 0 for gain in gains), sum(gains)


def packed_size(content: Content) -> int:
    """Give the bytes that a content takes in a zip, without headers, before any zip is written."""
    match content:
        case Inline():
            return min(len(deflate(content.data)), content.size)
        case DiskFile():
            return content.size
    return content.member.packed_size


def zip_size(tree: Tree) -> int:
    """Give the bytes of the zip that the tree would make, from what its contents tell of themselves."""
    entries = tree.entries.values()
    return END_SIZE + sum(zip_cost(entry.path, packed_size(entry.content)) for entry in entries)


def zip_cost(path: str, packed: int) -> int:
    """Give the bytes that a file of `packed` bytes takes in a zip together with its two headers."""
    return packed + ENTRY_HEADERS + 2 * len(path.encode())
