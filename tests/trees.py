"""Trees of wheels that are made on the spot, for the tests of what happens to trees."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from wheelhouse import WheelDraft, sha256

from layercraft.host.cache import Cache
from layercraft.layer.tree import Entry, Inline, Tree
from layercraft.target import Target
from layercraft.wheels.inspection import Wheel, inspect

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

TARGET = Target.parse("3.13", "arm64")


def wheel_of(folder: Path, draft: WheelDraft) -> Wheel:
    """Write a draft below `folder` and read it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = draft.write(folder)
    cache = Cache(folder / "cache")
    return inspect(path, draft.filename, sha256(path.read_bytes()), cache, check=False)


def tree_of(folder: Path, *drafts: WheelDraft) -> Tree:
    """Give the tree of these wheels for python3.13 arm64."""
    return Tree.of([wheel_of(folder, draft) for draft in drafts], TARGET)


def inline_tree(files: Mapping[str, bytes], *, owner: str = "") -> Tree:
    """Give a tree of bytes that lie in no wheel."""
    return Tree(entries={path: inline(path, data, owner=owner) for path, data in sorted(files.items())})


def inline(path: str, data: bytes, *, owner: str = "", executable: bool = False) -> Entry:
    """Give one entry of bytes that lie in no wheel."""
    return Entry(path=path, content=Inline(data=data), executable=executable, owner=owner)


def paths(entries: Iterable[Entry]) -> list[str]:
    """Give the entries' paths."""
    return [entry.path for entry in entries]


def noise(size: int, seed: int = 0) -> bytes:
    """Give bytes that cannot be deflated, the same ones for the same seed."""
    return hashlib.shake_128(seed.to_bytes(4, "big")).digest(size)
