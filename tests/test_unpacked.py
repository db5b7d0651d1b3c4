from __future__ import annotations

import os
import stat
import unicodedata
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trees import TARGET, inline, inline_tree, noise, tree_of, wheel_of
from wheelhouse import WheelDraft

from layercraft.errors import BadWheelError, OutputError
from layercraft.layer.tree import Tree
from layercraft.layer.unpacked import MARKER, case_twins, folds_case, lay_out, write_files

if TYPE_CHECKING:
    from pathlib import Path


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_the_folder_holds_every_file_with_its_bytes(tmp_path: Path) -> None:
    files = {"a/m.py": b"spam" * 1000, "a/stored.bin": noise(5000), "a/empty": b"", "ü/🐍.py": b"x"}
    draft = WheelDraft(name="a", files=files, data={"scripts/s": b"#!python\n"}, stored=["a/stored.bin"])
    tree = tree_of(tmp_path, draft)
    lay_out(tree, tmp_path / "new" / "out")
    laid_out = files_in(tmp_path / "new" / "out")
    assert laid_out.pop(MARKER).endswith(b"\npython\n")
    assert laid_out.keys() == tree.entries.keys()
    assert {name: laid_out[f"python/{name}"] for name in files} == files
    assert laid_out["python/bin/s"] == b"#!/var/lang/bin/python3.13\n"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    tree = Tree(entries={path: inline(path, b"", executable="x" in path) for path in ("d/e/plain", "d/x")})
    before = os.umask(0o077)
    try:
        lay_out(tree, tmp_path / "out")
    finally:
        os.umask(before)
    modes = {
        path: stat.S_IMODE((tmp_path / "out" / path).stat().st_mode)
        for path in ("", "d", "d/e", "d/e/plain", "d/x")
    }
    assert modes == {"": 0o755, "d": 0o755, "d/e": 0o755, "d/e/plain": 0o644, "d/x": 0o755}


def test_members_too_large_for_one_piece_are_inflated_in_pieces_and_checked(tmp_path: Path) -> None:
    data = noise(1 << 20) * 18
    stored = noise(17 << 20, seed=1)
    draft = WheelDraft(name="a", files={"deflated": data, "stored": stored}, stored=["stored"])
    wheel = wheel_of(tmp_path, draft)
    write_files(Tree.of([wheel], TARGET), tmp_path)
    assert (tmp_path / "python/deflated").read_bytes() == data
    assert (tmp_path / "python/stored").read_bytes() == stored
    packed = bytearray(wheel.path.read_bytes())
    packed[wheel.members[1].data_offset + 1000] ^= 1
    wheel.path.write_bytes(packed)
    with pytest.raises(BadWheelError, match="stored: its bytes do not have the CRC"):
        lay_out(Tree.of([wheel], TARGET), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_earlier_layer_and_an_empty_folder_are_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    lay_out(inline_tree({"python/old.py": b"old", "lib/x": b""}), out)
    lay_out(inline_tree({"python/new.py": b"new"}), out)
    assert files_in(out).keys() == {MARKER, "python/new.py"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("built_before", [False, True])
def test_a_folder_with_others_files_is_left_alone(
    tmp_path: Path,
    built_before: bool,  # noqa: FBT001 (pytest passes parameters by name)
) -> None:
    out = tmp_path / "out"
    if built_before:
        lay_out(inline_tree({"python/a.py": b""}), out)
    (out / "precious").mkdir(parents=True)
    before = files_in(out)
    with pytest.raises(OutputError, match="holds 'precious', which is not layercraft's"):
        lay_out(inline_tree({"python/b.py": b""}), out)
    assert files_in(out) == before


def test_the_root_is_a_folder_with_others_files(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="which is not layercraft's"):
        lay_out(inline_tree({"python/b.py": b""}), tmp_path.parents[-1])


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="file is not a folder"):
        lay_out(inline_tree({"python/a.py": b""}), tmp_path / "file")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        lay_out(inline_tree({"python/a.py": b""}), tmp_path / "file" / "out")


def test_a_layer_that_fails_halfway_leaves_the_old_one(tmp_path: Path) -> None:
    out = tmp_path / "out"
    lay_out(inline_tree({"python/a.py": b"old"}), out)
    broken = wheel_of(tmp_path / "wheels", WheelDraft(name="a"))
    broken.path.write_bytes(broken.path.read_bytes()[:40])
    with pytest.raises(BadWheelError):
        lay_out(Tree.of([broken], TARGET), out)
    assert (out / "python/a.py").read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir()} == {"out", "wheels"}


def test_a_path_that_leads_out_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="leads out of"):
        write_files(Tree(entries={"x": inline("../evil", b"")}), tmp_path)


@pytest.mark.parametrize(
    "names", [("a/README", "a/readme"), ("Pkg/a.py", "pkg/b.py"), ("stra\u00dfe", "STRASSE")]
)
def test_names_that_differ_by_case_are_refused_only_where_case_is_folded(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    tree = inline_tree({f"python/{name}": name.encode() for name in names})
    with pytest.raises(OutputError, match="differ only by case"):
        lay_out(tree, tmp_path / "folded", folds_case=lambda _: True)
    assert not (tmp_path / "folded").exists()
    if not folds_case(tmp_path):
        lay_out(tree, tmp_path / "out")
        assert files_in(tmp_path / "out")[f"python/{names[0]}"] == names[0].encode()


def test_the_probe_says_what_the_file_system_does(tmp_path: Path) -> None:
    (tmp_path / "lower").touch()
    assert folds_case(tmp_path) is (tmp_path / "LOWER").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["lower"]


@given(st.sets(st.text(min_size=1)))
def test_twins_are_two_of_the_names_that_fold_to_one(names: set[str]) -> None:
    twins = case_twins(names)
    folded = {unicodedata.normalize("NFD", name).casefold() for name in names}
    assert (twins is None) is (len(folded) == len(names))
    if twins:
        assert set(twins) <= names
        assert len(set(twins)) == 2
