"""What one step did to the tree, and why: all that reports are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from layercraft.layer.tree import Entry, Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Who asked for a change: `source` is a preset, a file or a step, `rule` a line of it."""

    source: str
    rule: str = ""

    def __str__(self) -> str:
        return f"{self.source}: {self.rule}" if self.rule else self.source


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One step: the tree after it, what went, what came, what has other bytes or another mode now.

    `replaced` holds pairs of the entry before and the entry after.
    """

    tree: Tree
    reason: Reason
    removed: tuple[Entry, ...] = ()
    added: tuple[Entry, ...] = ()
    replaced: tuple[tuple[Entry, Entry], ...] = ()

    @classmethod
    def between(cls, before: Tree, after: Mapping[str, Entry], reason: Reason) -> Self:
        """Compare the tree with the files that shall stand in its place; equal entries are untouched."""
        old = before.entries
        return cls(
            tree=before.with_entries(after),
            reason=reason,
            removed=tuple(entry for path, entry in old.items() if path not in after),
            added=tuple(after[path] for path in sorted(after.keys() - old.keys())),
            replaced=tuple(
                (entry, after[path]) for path, entry in old.items() if after.get(path, entry) != entry
            ),
        )

    @property
    def files(self) -> int:
        """How many files were touched."""
        return len(self.removed) + len(self.added) + len(self.replaced)

    @property
    def saved(self) -> int:
        """Unzipped bytes that the layer is smaller by; negative when it grew."""
        return self.saved_by(lambda entry: entry.size)

    def saved_by(self, size: Callable[[Entry], int]) -> int:
        """Give the bytes that the layer is smaller by, where `size` tells what a file takes."""
        gone = sum(map(size, self.removed))
        shrunk = sum(size(before) - size(after) for before, after in self.replaced)
        return gone + shrunk - sum(map(size, self.added))
