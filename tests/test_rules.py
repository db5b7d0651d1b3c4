from __future__ import annotations

import shutil
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import inline_tree, paths, tree_of
from wheelhouse import WheelDraft

from layercraft.errors import ConfigurationError, UsageError
from layercraft.events import SilentReporter
from layercraft.layer.globs import Globs
from layercraft.layer.rules import Rule, clean, preset, preset_names

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
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


def removed(
    tree: Tree, remove: Sequence[Rule], requires: Mapping[str, Collection[str]] | None = None
) -> list[str]:
    changes = clean(tree, remove, requires=requires)
    return sorted(path.removeprefix("python/") for change in changes for path in paths(change.removed))


def safely_removed(tree: Tree, requires: Mapping[str, Collection[str]] | None = None) -> list[str]:
    return removed(tree, preset("safe"), requires)


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


def test_a_whole_dist_info_folder_goes_with_a_warning(tmp_path: Path) -> None:
    listener = Listener()
    tree = tree_of(tmp_path, WheelDraft(name="b"), WheelDraft(name="a"), WheelDraft(name="c"))
    (change,) = clean(tree, rules("*.dist-info/"), keep=rules("c-*/METADATA"), reporter=listener)
    assert [path for path in change.tree.entries if ".dist-info/" in path] == [
        "python/c-1.0.dist-info/METADATA"
    ]
    (warning,) = listener.warnings
    assert warning.startswith("layers/x/layer.toml: *.dist-info/ takes the metadata of a, b: ")


def test_presets_are_none_and_safe_and_others_are_refused_with_the_nearest() -> None:
    assert preset_names() == ("none", "safe")
    assert preset("none") == ()
    with pytest.raises(UsageError, match="unknown preset 'save'; did you mean 'safe'"):
        preset("save")


def test_every_rule_of_a_preset_tells_why_and_at_which_risk() -> None:
    for name in preset_names():
        for rule in preset(name):
            assert str(rule.reason).startswith(f"preset {name}: ")
            assert rule.why
            assert rule.risk


def test_safe_takes_sources_of_compiled_distributions(tmp_path: Path) -> None:
    files = dict.fromkeys(
        [
            "c/m.so",
            "c/m.c",
            "c/m.h",
            "c/m.pyx",
            "c/m.pxd",
            "c/m.pyx.tp",
            "c/m.f90",
            "c/libm.a",
            "c/m.py",
            "c/m.cfg",
        ],
        b"x",
    )
    tree = tree_of(tmp_path, WheelDraft(name="c", files=files))
    assert safely_removed(tree) == [
        "c/libm.a", "c/m.c", "c/m.f90", "c/m.h", "c/m.pxd", "c/m.pyx", "c/m.pyx.tp",
    ]  # fmt: skip


@pytest.mark.parametrize("library", ["m.cpython-313-aarch64-linux-gnu.so", "m.abi3.so", "libm.so.5.0.0"])
def test_a_library_by_any_name_makes_a_distribution_compiled(tmp_path: Path, library: str) -> None:
    tree = tree_of(tmp_path, WheelDraft(name="c", files={f"c/{library}": b"x", "c/m.c": b"x"}))
    assert safely_removed(tree) == ["c/m.c"]


def test_safe_leaves_the_sources_of_those_that_read_them_at_run_time(tmp_path: Path) -> None:
    pure = WheelDraft(name="pybind11", files={"pybind11/include/pybind11.h": b"x"})
    compiler = WheelDraft(name="numba", files={"numba/x.so": b"x", "numba/helper.h": b"x"})
    versioned = WheelDraft(name="cupy-cuda12x", files={"cupy/x.so": b"x", "cupy/carray.h": b"x"})
    assert safely_removed(tree_of(tmp_path, pure, compiler, versioned)) == []


def test_safe_takes_caches_and_leaves_modules_that_have_no_source(tmp_path: Path) -> None:
    files = {"a/m.py": b"", "a/__pycache__/m.cpython-313.pyc": b"", "a/sourceless.pyc": b"", "a/old.pyo": b""}
    tree = tree_of(tmp_path, WheelDraft(name="a", files=files))
    assert safely_removed(tree) == ["a/__pycache__/m.cpython-313.pyc", "a/old.pyo"]


def test_safe_takes_python_scripts_and_leaves_programs(tmp_path: Path) -> None:
    data = {"scripts/script": b"#!python\n", "scripts/program": b"\x7fELF"}
    tree = tree_of(tmp_path, WheelDraft(name="a", data=data))
    assert safely_removed(tree) == ["bin/script"]


def test_safe_leaves_stubs_that_lazy_loader_reads_at_import(tmp_path: Path) -> None:
    drafts = [
        WheelDraft(name="Scikit-Image", files={"skimage/__init__.pyi": b""}),
        WheelDraft(name="numpy", files={"numpy/__init__.pyi": b""}),
        WheelDraft(name="jedi", files={"jedi/third_party/typeshed/os.pyi": b""}),
    ]
    tree = tree_of(tmp_path, *drafts, WheelDraft(name="lazy_loader"))
    requires = {"scikit-image": ("lazy-loader", "numpy"), "numpy": ()}
    assert safely_removed(tree, requires) == ["numpy/__init__.pyi"]
    assert safely_removed(tree) == []
    assert safely_removed(tree_of(tmp_path, *drafts)) == ["numpy/__init__.pyi", "skimage/__init__.pyi"]


def test_safe_leaves_of_dist_info_what_is_read_at_run_time_and_licences(tmp_path: Path) -> None:
    kept = [
        "LICENSE", "LICENCE.txt", "licenses/deep/COPYING", "COPYING.LESSER", "NOTICE", "AUTHORS.md",
        "top_level.txt", "namespace_packages.txt", "entry_points.txt",
    ]  # fmt: skip
    gone = ["sboms/auditwheel.cdx.json", "zip-safe", "pbr.json"]
    files = {f"a-1.0.dist-info/{name}": b"x" for name in kept + gone}
    tree = tree_of(tmp_path, WheelDraft(name="a", files=files | {"a/licenses.dist-info.txt": b""}))
    assert safely_removed(tree) == sorted(f"a-1.0.dist-info/{name}" for name in gone)


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
