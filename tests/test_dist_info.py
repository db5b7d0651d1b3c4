from __future__ import annotations

from dataclasses import replace
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING

from trees import inline, tree_of
from wheelhouse import WheelDraft, record_bytes

from layercraft.layer.dist_info import rewrite_records
from layercraft.layer.rules import Rule, clean
from layercraft.layer.tree import Inline
from layercraft.layer.unpacked import write_files

if TYPE_CHECKING:
    from layercraft.layer.tree import Tree

INFO = "a-1.0.dist-info"


def record_in(tree: Tree, info: str = INFO) -> list[str]:
    content = tree.entries[f"python/{info}/RECORD"].content
    assert isinstance(content, Inline)
    return content.data.decode().splitlines()


def test_record_lists_what_is_in_the_layer_with_the_hashes_of_its_bytes(tmp_path: Path) -> None:
    draft = WheelDraft(
        name="a",
        files={"a/__init__.py": b"1", "a/gone.py": b"2", "a, comma.py": b"3"},
        data={"scripts/tool": b"#!python\n", "purelib/b.py": b"4"},
    )
    tree = tree_of(tmp_path, draft).without(["python/a/gone.py"])
    change = rewrite_records(tree)
    in_layer = {
        **{name: data for name, data in draft.contents().items() if INFO in name and "RECORD" not in name},
        "a, comma.py": b"3",
        "a/__init__.py": b"1",
        "b.py": b"4",
        "bin/tool": b"#!/var/lang/bin/python3.13\n",
    }
    expected = record_bytes(in_layer, f"{INFO}/RECORD").decode().splitlines()
    assert sorted(record_in(change.tree)) == sorted(expected)
    assert [entry.path for entry in change.added] == [f"python/{INFO}/RECORD"]
    assert str(change.reason) == "layercraft: RECORD rewritten"


def test_a_wheels_own_hash_is_taken_unless_it_is_missing_or_cannot_be_right(tmp_path: Path) -> None:
    told = f"a.py,sha256=AAAA,6\nb.py,sha256=BBBB,7\nc.py,md5=CCCC,6\n{INFO}/METADATA,,\n".encode()
    files = {"a.py": b"x = 1\n", "b.py": b"x = 1\n", "c.py": b"x = 1\n", "d.py": b"x = 1\n"}
    tree = tree_of(tmp_path, WheelDraft(name="a", files=files | {f"{INFO}/RECORD": told}))
    lines = dict(line.split(",", 1) for line in record_in(rewrite_records(_with_record(tree, told)).tree))
    assert lines["a.py"] == "sha256=AAAA,6"
    assert lines["b.py"] == lines["c.py"] == lines["d.py"]
    assert lines["b.py"].startswith("sha256=")


def _with_record(tree: Tree, record: bytes) -> Tree:
    return replace(tree, distributions={"a": replace(tree.distributions["a"], record=record)})


def test_changed_and_foreign_files_are_counted_right(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, WheelDraft(name="a"), WheelDraft(name="b"))
    entries = dict(tree.entries)
    entries["python/a.py"] = inline("python/a.py", b"changed", owner="a")
    entries["lib/libx.so"] = inline("lib/libx.so", b"", owner="a")
    entries["python/foreign.py"] = inline("python/foreign.py", b"")
    lines = record_in(rewrite_records(tree.with_entries(entries)).tree)
    assert [line.split(",")[0] for line in lines] == [
        f"{INFO}/METADATA",
        f"{INFO}/RECORD",
        f"{INFO}/WHEEL",
        "a.py",
    ]
    assert lines[-1].endswith(",7")


def test_no_record_without_metadata(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, WheelDraft(name="a"), WheelDraft(name="b"))
    (change,) = clean(tree, [Rule.of_glob("a-*.dist-info/", source="test")])
    final = rewrite_records(change.tree).tree
    assert [path for path in final.entries if path.endswith("RECORD")] == ["python/b-1.0.dist-info/RECORD"]


def test_importlib_metadata_finds_every_file_of_the_layer(tmp_path: Path) -> None:
    draft = WheelDraft(name="My-Tool", version="2.5", entry_points="[console_scripts]\nt = my_tool:main\n")
    write_files(rewrite_records(tree_of(tmp_path / "wheels", draft)).tree, tmp_path)
    (found,) = distributions(path=[str(tmp_path / "python")])
    assert (found.metadata["Name"], found.version) == ("My-Tool", "2.5")
    assert [point.name for point in found.entry_points] == ["t"]
    for file in found.files or ():
        path = Path(str(file.locate()))
        assert path.is_file()
        assert file.hash is None or file.size == path.stat().st_size
