from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import inline_tree, paths, tree_of
from wheelhouse import WheelDraft

from layercraft.errors import ConfigurationError
from layercraft.events import SilentReporter
from layercraft.layer.globs import Globs
from layercraft.layer.rules import Rule, clean

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from layercraft.layer.tree import Tree


class Listener(SilentReporter):
    """Remembers the warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, text: str) -> None:
        """Remember it."""
        self.warnings.append(text)


def rules(*globs: str) -> list[Rule]:
    return [Rule.of_glob(glob, source="layers/x/layer.toml") for glob in globs]


def removed(tree: Tree, remove: Sequence[Rule]) -> list[str]:
    changes = clean(tree, remove)
    return sorted(path.removeprefix("python/") for change in changes for path in paths(change.removed))


def test_each_rule_is_a_change_with_the_files_that_it_was_the_first_to_take() -> None:
    tree = inline_tree({"python/a/tests/t.py": b"123", "python/a/b.pyi": b"45", "python/a/c.py": b"6"})
    tests, stubs, modules = clean(tree, rules("**/tests/", "*.pyi", "*.py"))
    assert (paths(tests.removed), tests.saved) == (["python/a/tests/t.py"], 3)
    assert (paths(stubs.removed), stubs.files) == (["python/a/b.pyi"], 1)
    assert paths(modules.removed) == ["python/a/c.py"]
    assert str(tests.reason) == "layers/x/layer.toml: **/tests/"
    assert [len(change.tree.entries) for change in (tests, stubs, modules)] == [2, 1, 0]


def test_keep_wins_over_every_rule() -> None:
    tree = inline_tree({"python/numpy/_core/tests/a.py": b"", "python/numpy/tests/b.py": b""})
    changes = clean(tree, rules("**/tests/", "*.py"), keep=rules("numpy/_core/tests/"))
    assert list(changes[-1].tree.entries) == ["python/numpy/_core/tests/a.py"]


def test_globs_are_relative_to_python_and_touch_nothing_else() -> None:
    tree = inline_tree({"lib/libx.so": b"", "python/lib/liby.so": b""})
    assert removed(tree, rules("/lib/", "*.so")) == ["lib/liby.so"]


def test_a_rule_that_matches_nothing_is_told_and_one_that_came_too_late_is_not() -> None:
    listener = Listener()
    tree = inline_tree({"python/a/tests/t.py": b""})
    clean(tree, rules("tests/", "a/tests/", "*.pyx"), keep=rules("nowhere/", "python/a/"), reporter=listener)
    assert listener.warnings == [
        "layers/x/layer.toml: nowhere/ matches no file",
        "layers/x/layer.toml: python/a/ matches no file; globs are relative to python/",
        "layers/x/layer.toml: *.pyx matches no file",
    ]


@pytest.mark.parametrize("glob", ["", "   ", "# comment", "/", "a[b", "a\\", "!keep/me"])
def test_a_glob_that_cannot_match_is_refused_with_its_file(glob: str) -> None:
    with pytest.raises(ConfigurationError, match=r"layers/x/layer\.toml: "):
        rules(glob)


def test_a_negated_glob_is_sent_to_keep() -> None:
    with pytest.raises(ConfigurationError) as caught:
        rules("!keep/me")
    assert caught.value.hint == "write 'keep/me' under `keep`"


def test_metadata_stays_while_another_file_of_its_folder_does(tmp_path: Path) -> None:
    listener = Listener()
    tree = tree_of(tmp_path, WheelDraft(name="a", entry_points="[x]\na = a:b\n"))
    (change,) = clean(tree, rules("*.dist-info/[MW]*"), reporter=listener)
    assert paths(change.removed) == ["python/a-1.0.dist-info/WHEEL"]
    assert listener.warnings == []


def test_a_rule_that_matches_only_metadata_that_must_stay_is_told(tmp_path: Path) -> None:
    listener = Listener()
    (change,) = clean(
        tree_of(tmp_path, WheelDraft(name="a")), rules("*.dist-info/METADATA"), reporter=listener
    )
    assert change.removed == ()
    (warning,) = listener.warnings
    assert warning.endswith(
        "*.dist-info/METADATA matches no file that may go: METADATA goes only with its whole folder"
    )


def test_a_whole_dist_info_folder_goes_with_a_warning(tmp_path: Path) -> None:
    listener = Listener()
    tree = tree_of(tmp_path, WheelDraft(name="b"), WheelDraft(name="a"), WheelDraft(name="c"))
    (change,) = clean(tree, rules("*.dist-info/"), keep=rules("c-*/METADATA"), reporter=listener)
    assert [path for path in change.tree.entries if ".dist-info/" in path] == [
        "python/c-1.0.dist-info/METADATA"
    ]
    (warning,) = listener.warnings
    assert warning.startswith("layers/x/layer.toml: *.dist-info/ takes the metadata of a, b: ")


def knowing(glob: str, **fields: object) -> Rule:
    """Give a rule with fields that only presets have."""
    return replace(rules(glob)[0], **fields)  # type: ignore[arg-type]


def test_a_rule_may_be_bound_to_distributions_and_their_versions(tmp_path: Path) -> None:
    drafts = [
        WheelDraft(name="old", version="1.9", files={"old/data/x.csv": b""}),
        WheelDraft(name="new", version="2.0", files={"new/data/x.csv": b""}),
        WheelDraft(name="py-some", version="3.0rc1", files={"some/data/x.csv": b""}),
        WheelDraft(name="other", files={"other/data/x.csv": b""}),
    ]
    rule = knowing("data/", only_owner=("old<2", "new <2", "py-*>=2"))
    assert removed(tree_of(tmp_path, *drafts), [rule]) == ["old/data/x.csv", "some/data/x.csv"]


def test_a_rule_may_want_a_certain_file_in_a_folder() -> None:
    names = ["a/test/deep/test_x.py", "a/test/data.txt", "web/test/client.py", "test_loose.py"]
    tree = inline_tree({f"python/{name}": b"" for name in names})
    suites = knowing("test/", only_with=("test_*",))
    assert removed(tree, [suites]) == ["a/test/data.txt", "a/test/deep/test_x.py"]
    assert removed(tree, [knowing("/*.py", only_with=("test_*",))]) == ["test_loose.py"]


def test_what_others_import_is_asked_when_all_other_rules_have_taken_theirs() -> None:
    tree = inline_tree(dict.fromkeys(["python/a.py", "python/b.py", "python/c.py", "python/d.py"], b""))
    asked: list[tuple[list[str], list[str]]] = []

    def needed(rest: Tree, suspects: Collection[str]) -> list[str]:
        asked.append((list(rest.entries), sorted(suspects)))
        return ["python/b.py"]

    doubtful = knowing("[abd].py", unless_imported=True)
    changes = clean(tree, [doubtful, *rules("a.py")], keep=rules("d.py"), needed=needed)
    assert asked == [(["python/b.py", "python/c.py", "python/d.py"], ["python/b.py"])]
    assert [paths(change.removed) for change in changes] == [[], ["python/a.py"]]
    (change,) = clean(tree, [doubtful], needed=lambda *_: ())
    assert paths(change.removed) == ["python/a.py", "python/b.py", "python/d.py"]


def test_where_nobody_knows_what_is_imported_all_of_it_stays() -> None:
    tree = inline_tree({"python/tests/test_a.py": b""})
    assert removed(tree, [knowing("tests/", unless_imported=True)]) == []


@pytest.mark.skipif(shutil.which("git") is None, reason="git is the oracle")
@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.lists(
            st.sampled_from(["a", "b", "tests", "x.py", "y.c", "a b", "*", "[a]"]), min_size=1, max_size=4
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from(
        [
            "*.py",
            "tests/",
            "**/tests/",
            "/a",
            "a/",
            "a/b",
            "*/",
            "**/*/",
            "a/*/x.py",
            "a/**",
            "**/b/**",
            "?",
            "[ab]",
            "a\\ b",
            "\\*",
        ]
    ),
)
def test_globs_match_what_git_ignores(
    tmp_path_factory: pytest.TempPathFactory, names: list[list[str]], glob: str
) -> None:
    listed = sorted({"/".join(parts) for parts in names})
    folder = tmp_path_factory.mktemp("git")
    subprocess.run(["git", "init", "-q", folder], check=True)
    (folder / ".git/info/exclude").write_text(f"{glob}\n")
    git = subprocess.run(
        ["git", "-c", "core.quotePath=false", "check-ignore", "--no-index", "--stdin", "-z"],
        cwd=folder,
        input="\0".join(listed),
        capture_output=True,
        text=True,
        check=False,
    )
    ignored = [name for name in git.stdout.split("\0") if name]
    globs = Globs.parse([glob], source="test")
    assert [name for name in listed if globs.match(name)] == ignored


def test_twenty_rules_on_six_thousand_files_take_no_time() -> None:
    tree = inline_tree(
        {f"python/package{n % 60}/folder{n % 13}/tests/module{n}.py": b"" for n in range(6000)}
    )
    many = rules(*(f"**/folder{n}/tests/" for n in range(10)), *(f"*.{suffix}" for suffix in "abcdefghij"))
    spent = []
    for _ in range(3):
        start = time.process_time()
        clean(tree, many)
        spent.append(time.process_time() - start)
    assert min(spent) < 0.15
