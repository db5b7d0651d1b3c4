from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trees import TARGET, inline, tree_of, wheel_of
from wheelhouse import WheelDraft

from layercraft.errors import BadWheelError, ConflictError
from layercraft.layer.change import Change, Reason
from layercraft.layer.placement import is_safe
from layercraft.layer.tree import Inline, Tree, WheelMember

if TYPE_CHECKING:
    from pathlib import Path


def test_every_scheme_of_a_wheel_has_its_place(tmp_path: Path) -> None:
    draft = WheelDraft(
        name="all-schemes",
        files={"pkg/__init__.py": b"", "single.py": b""},
        data={
            "purelib/pure/a.py": b"",
            "platlib/plat/b.so": b"",
            "data/share/man/c.1": b"",
            "scripts/tool": b"\x7fELF",
            "headers/h.h": b"",
        },
    )
    assert list(tree_of(tmp_path, draft).entries) == [
        "python/all_schemes-1.0.dist-info/METADATA",
        "python/all_schemes-1.0.dist-info/WHEEL",
        "python/bin/tool",
        "python/pkg/__init__.py",
        "python/plat/b.so",
        "python/pure/a.py",
        "python/share/man/c.1",
        "python/single.py",
    ]


def test_python_scripts_are_pointed_at_the_interpreter_of_the_runtime(tmp_path: Path) -> None:
    data = {
        "scripts/tool": b"#!python\r\nimport x\n",
        "scripts/gui": b"#!pythonw -E\nimport y\n",
        "scripts/native": b"\x7fELF#!python",
        "scripts/shell": b"#!/bin/sh\n",
    }
    entries = tree_of(tmp_path, WheelDraft(name="scripted", data=data)).entries
    assert entries["python/bin/tool"].content == Inline(data=b"#!/var/lang/bin/python3.13\nimport x\n")
    assert entries["python/bin/gui"].content == Inline(data=b"#!/var/lang/bin/python3.13\nimport y\n")
    assert isinstance(entries["python/bin/native"].content, WheelMember)
    assert isinstance(entries["python/bin/shell"].content, WheelMember)
    assert all(entries[f"python/bin/{name}"].executable for name in ("tool", "gui", "native", "shell"))


def test_entry_points_get_no_scripts(tmp_path: Path) -> None:
    draft = WheelDraft(name="a", entry_points="[console_scripts]\na = a:main\n")
    tree = tree_of(tmp_path, draft)
    assert "python/a-1.0.dist-info/entry_points.txt" in tree.entries
    assert not any(path.startswith("python/bin/") for path in tree.entries)


def test_record_and_its_signatures_are_left_out_and_the_record_is_remembered(tmp_path: Path) -> None:
    info = "a-1.0.dist-info"
    draft = WheelDraft(name="a", files={f"{info}/RECORD.jws": b"{}", f"{info}/RECORD.p7s": b""})
    tree = tree_of(tmp_path, draft)
    assert list(tree.entries) == [f"python/{info}/METADATA", f"python/{info}/WHEEL"]
    assert tree.distributions["a"].dist_info == f"python/{info}"
    assert tree.distributions["a"].record == draft.contents()[f"{info}/RECORD"]


@pytest.mark.parametrize(
    ("mode", "executable"),
    [(0o100644, False), (0o100755, True), (0o100700, True), (0o100664, False), (0, False), (0o100611, False)],
)
def test_a_file_is_executable_when_its_owner_may_execute_it(
    tmp_path: Path,
    mode: int,
    executable: bool,  # noqa: FBT001 (pytest passes parameters by name)
) -> None:
    tree = tree_of(tmp_path, WheelDraft(name="a", files={"a/prog": b"x"}, modes={"a/prog": mode}))
    assert tree.entries["python/a/prog"].executable is executable


HOSTILE = [
    "../evil.py",
    "a/../../evil.py",
    "/etc/passwd",
    "a//b.py",
    "./a.py",
    "a/./b.py",
    "a\\b.py",
    "..\\evil.py",
    "C:/evil.py",
    "c:evil.py",
    "bad-1.0.data/data/../../evil.py",
    "bad-1.0.data/purelib//evil.py",
    "bad-1.0.data/purelib/C:/evil.py",
    "bad-1.0.data/scripts/..",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_paths_that_lead_out_of_the_layer_are_refused_by_wheel_and_member(tmp_path: Path, name: str) -> None:
    wheel = wheel_of(tmp_path, WheelDraft(name="bad", files={name: b"x"}))
    with pytest.raises(BadWheelError) as caught:
        Tree.of([wheel], TARGET)
    assert caught.value.message.startswith("bad-1.0-py3-none-any.whl: ")
    assert repr(name) in caught.value.message


@given(st.lists(st.sampled_from(["..", ".", "", "a", "b.py", "C:", "\\", "\0", "ü"]), min_size=1, max_size=5))
def test_a_path_is_safe_exactly_when_all_its_parts_are_names(parts: list[str]) -> None:
    names = {"a", "b.py", "ü"}
    assert is_safe("/".join(parts)) is (parts[0] in names and names.union({"C:"}).issuperset(parts))


@pytest.mark.parametrize("name", ["bad-1.0.data/stdlib/a.py", "bad-1.0.data/a.py"])
def test_an_unknown_scheme_is_refused(tmp_path: Path, name: str) -> None:
    wheel = wheel_of(tmp_path, WheelDraft(name="bad", files={name: b"x"}))
    with pytest.raises(BadWheelError, match="no known scheme"):
        Tree.of([wheel], TARGET)


def test_a_top_level_file_named_like_a_data_folder_is_a_file(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, WheelDraft(name="a", files={"words.data": b"x"}))
    assert "python/words.data" in tree.entries


def test_of_two_different_files_the_first_distribution_by_name_wins_and_both_are_told(tmp_path: Path) -> None:
    drafts = [
        WheelDraft(name="Zeta", files={"tests/__init__.py": b"zeta"}),
        WheelDraft(name="alpha", files={"tests/__init__.py": b"alpha"}),
        WheelDraft(name="Beta.B", files={"tests/__init__.py": b"beta"}),
    ]
    tree = tree_of(tmp_path, *drafts)
    assert tree.entries["python/tests/__init__.py"].owner == "alpha"
    assert [(conflict.winner, conflict.loser) for conflict in tree.conflicts] == [
        ("alpha", "beta-b"),
        ("alpha", "zeta"),
    ]
    assert str(tree.conflicts[0]).startswith("python/tests/__init__.py: alpha and beta-b bring")


def test_the_same_bytes_at_one_path_are_no_conflict(tmp_path: Path) -> None:
    tree = tree_of(
        tmp_path,
        WheelDraft(name="a", files={"ns/__init__.py": b"same"}),
        WheelDraft(name="b", files={"ns/__init__.py": b"same"}, stored=["ns/__init__.py"]),
    )
    assert tree.conflicts == ()
    assert tree.entries["python/ns/__init__.py"].owner == "a"


def test_one_wheel_with_two_files_for_one_path_is_refused(tmp_path: Path) -> None:
    wheel = wheel_of(tmp_path, WheelDraft(name="a", files={"m.py": b"1"}, data={"purelib/m.py": b"2"}))
    with pytest.raises(BadWheelError, match="two different members for python/m"):
        Tree.of([wheel], TARGET)


def test_a_file_where_another_has_a_folder_is_refused_with_both_names(tmp_path: Path) -> None:
    with pytest.raises(ConflictError, match="python/spam/eggs is a file of a and a folder of b"):
        tree_of(
            tmp_path,
            WheelDraft(name="a", files={"spam/eggs": b""}),
            WheelDraft(name="b", files={"spam/eggs/deep/x.py": b""}),
        )


@given(st.permutations(["a", "b", "c", "d"]))
def test_the_order_of_wheels_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, order: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("wheels")
    drafts = {
        name: WheelDraft(name=name, files={f"{name}.py": b"", "README": name.encode(), "same": b""})
        for name in "abcd"
    }
    wheels = {name: wheel_of(folder, draft) for name, draft in drafts.items()}
    tree = Tree.of([wheels[name] for name in order], TARGET)
    assert tree == Tree.of(wheels.values(), TARGET)
    assert list(tree.entries) == sorted(tree.entries)


def test_a_tree_counts_unzipped_bytes_and_gives_new_trees(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, WheelDraft(name="a", files={"a.py": b"12345", "b.py": b"67"}))
    smaller = tree.without(["python/b.py"])
    assert tree.size - smaller.size == 2
    assert "python/b.py" in tree.entries
    assert smaller.distributions is tree.distributions


def test_a_change_between_two_trees_tells_what_went_what_came_and_what_differs() -> None:
    before = Tree(entries={name: inline(name, name.encode()) for name in ("gone", "kept", "mode", "shrunk")})
    after = {
        "kept": inline("kept", b"kept"),
        "shrunk": inline("shrunk", b"s"),
        "mode": inline("mode", b"mode", executable=True),
        "came": inline("came", b"12"),
    }
    change = Change.between(before, after, Reason(source="test"))
    assert [entry.path for entry in change.removed] == ["gone"]
    assert [entry.path for entry in change.added] == ["came"]
    assert [(old.path, new.size) for old, new in change.replaced] == [("mode", 4), ("shrunk", 1)]
    assert (change.files, change.saved) == (4, 4 + 5 - 2)
    assert list(change.tree.entries) == ["came", "kept", "mode", "shrunk"]
