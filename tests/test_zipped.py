from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trees import inline, noise, tree_of
from wheelhouse import WheelDraft

from layercraft.layer.archive import write_zip
from layercraft.layer.change import Change, Reason
from layercraft.layer.dist_info import rewrite_records
from layercraft.layer.rules import Rule, clean
from layercraft.layer.tree import DiskFile, Entry
from layercraft.layer.zipped import ZippedSizes, packed_size, zip_size

if TYPE_CHECKING:
    from pathlib import Path

    from layercraft.recipe.options import Compress

_DATA = st.integers(0, 3000).map(lambda size: noise(size // 2, size) + b"spam" * (size // 8))
_FILES = st.dictionaries(st.sampled_from([f"a/{name}.{kind}" for name in "äbc" for kind in "xyz"]), _DATA)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(files=_FILES, globs=st.lists(st.sampled_from(["*.x", "*.y", "b.*"]), unique=True))
def test_what_the_changes_save_is_what_the_zip_is_smaller_by(
    files: dict[str, bytes], globs: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("zipped")
    before = tree_of(folder, WheelDraft(name="a", files={"a/__init__.py": b"", **files}))
    rules = [Rule.of_glob(glob, source="test") for glob in globs]
    changes = list(clean(before, rules))
    changes.append(rewrite_records(changes[-1].tree if changes else before))
    whole = write_zip(before, folder / "before.zip")
    archive = write_zip(changes[-1].tree, folder / "after.zip")
    zipped = ZippedSizes.of(changes[-1].tree, archive.members)
    assert whole.size - archive.size == sum(change.saved_by(zipped) for change in changes)
    assert archive.size == zip_size(changes[-1].tree)


@pytest.mark.parametrize("compress", ["fast", "best"])
def test_what_is_packed_smaller_than_in_its_wheel_is_counted_beside_the_changes(
    tmp_path: Path, compress: Compress
) -> None:
    text = b"".join(b"value_%d = compute(%d)\n" % (i * i % 97, i) for i in range(4000))
    names = ("a/stored.txt", "a/text.py", "a/text.c")
    draft = WheelDraft(name="a", files=dict.fromkeys(names, text), stored=["a/stored.txt"])
    before = tree_of(tmp_path, draft)
    changes = clean(before, [Rule.of_glob("*.c", source="test")])
    changes = (*changes, rewrite_records(changes[-1].tree))
    archive = write_zip(changes[-1].tree, tmp_path / "a.zip", compress=compress)
    zipped = ZippedSizes.of(changes[-1].tree, archive.members)
    files, saved = zipped.deflated_anew(changes)
    assert files >= {"fast": 1, "best": 2}[compress]
    assert zip_size(before) - archive.size == saved + sum(change.saved_by(zipped) for change in changes)


def test_what_came_and_went_again_counts_the_same_both_times(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, WheelDraft(name="a"))
    disk = DiskFile(path=tmp_path / "gone", size=500, crc=0)
    entry = Entry(path="python/new", content=disk, executable=False, owner="")
    came = Change.between(tree, {**tree.entries, "python/new": entry}, Reason(source="cleanup.sh"))
    went = Change.between(came.tree, tree.entries, Reason(source="rule"))
    zipped = ZippedSizes.of(tree, write_zip(tree, tmp_path / "a.zip").members)
    assert came.saved_by(zipped) + went.saved_by(zipped) == 0
    assert went.saved_by(zipped) == 500 + 76 + 2 * len("python/new")


def test_bytes_that_do_not_deflate_count_as_they_are() -> None:
    assert packed_size(inline("a", noise(50)).content) == 50
    assert packed_size(inline("a", bytes(5000)).content) < 50
