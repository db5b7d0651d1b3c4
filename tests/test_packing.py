from __future__ import annotations

import tracemalloc
import zipfile
from typing import TYPE_CHECKING

import pytest
from trees import noise, tree_of
from wheelhouse import WheelDraft

from layercraft.layer.archive import write_zip

if TYPE_CHECKING:
    from pathlib import Path

    from layercraft.layer.archive import Archive
    from layercraft.layer.tree import Tree
    from layercraft.recipe.options import Compress

FILES = {
    "a/text.py": b"".join(b"value_%d = compute(%d)\n" % (i * i % 97, i) for i in range(4000)),
    "a/noise.bin": noise(50_000),
    "a/stored.txt": b"stored " * 3000,
    "a/tiny.txt": b"x",
    "a/empty.txt": b"",
}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return tree_of(tmp_path, WheelDraft(name="a", files=FILES, stored=["a/stored.txt", "a/tiny.txt"]))


def written(tree: Tree, folder: Path, compress: Compress) -> Archive:
    return write_zip(tree, folder / f"{compress}.zip", compress=compress)


def test_best_is_never_larger_than_fast_file_by_file(tree: Tree, tmp_path: Path) -> None:
    fast, best = (written(tree, tmp_path, compress) for compress in ("fast", "best"))

    assert [file.path for file in best.members] == [file.path for file in fast.members]
    assert all(one.packed <= other.packed for one, other in zip(best.members, fast.members, strict=True))
    assert best.size < fast.size
    with zipfile.ZipFile(best.path) as archive:
        assert archive.testzip() is None
        assert {
            name.removeprefix("python/"): archive.read(name) for name in archive.namelist()
        }.items() >= FILES.items()


def test_best_gives_the_same_bytes_each_time(tree: Tree, tmp_path: Path) -> None:
    assert written(tree, tmp_path, "best").sha256 == written(tree, tmp_path, "best").sha256


def test_large_files_are_not_all_in_memory_at_once(tmp_path: Path) -> None:
    files = {f"a/{i:02}.bin": noise(1 << 20, i) + bytes(3 << 20) for i in range(24)}
    tree = tree_of(tmp_path, WheelDraft(name="a", files=files))
    tracemalloc.start()
    written(tree, tmp_path, "best")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 72 << 20  # 96 MB plain; 32 MB are begun ahead of their turn
