from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from trees import TARGET, paths, tree_of
from wheelhouse import WheelDraft

from layercraft.errors import UsageError
from layercraft.layer.import_graph import needed_files
from layercraft.layer.presets import described_preset, preset, preset_names
from layercraft.layer.rules import clean

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from layercraft.layer.tree import Tree


def removed_by(tree: Tree, name: str, requires: Mapping[str, Collection[str]] | None = None) -> list[str]:
    def needed(rest: Tree, suspects: Collection[str]) -> Collection[str]:
        return needed_files(rest, suspects, target=TARGET)

    changes = clean(tree, preset(name), requires=requires, needed=needed)
    return sorted(path.removeprefix("python/") for change in changes for path in paths(change.removed))


def safely_removed(tree: Tree, requires: Mapping[str, Collection[str]] | None = None) -> list[str]:
    return removed_by(tree, "safe", requires)


def test_presets_are_none_safe_and_small_and_others_are_refused_with_the_nearest() -> None:
    assert preset_names() == ("none", "safe", "small")
    assert preset("none") == ()
    with pytest.raises(UsageError, match="unknown preset 'save'; did you mean safe"):
        preset("save")


def test_every_rule_of_a_preset_tells_why_and_at_which_risk() -> None:
    for name in preset_names():
        for rule in preset(name):
            assert str(rule.reason).startswith((f"preset {name}: ", "preset safe: "))
        for fields in described_preset(name).fields:
            assert fields["why"].strip()
            assert fields["risk"].strip()


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


def test_small_takes_all_that_safe_takes() -> None:
    small = described_preset("small")
    assert small.extends == "safe"
    assert preset("small")[: len(preset("safe"))] == preset("safe")
    assert len(preset("small")) == len(preset("safe")) + len(small.fields)


def small_suite(package: str) -> dict[str, bytes]:
    return dict.fromkeys(
        [f"{package}/__init__.py", f"{package}/tests/__init__.py", f"{package}/tests/test_all.py"], b""
    )


def test_small_takes_tests_that_nobody_imports(tmp_path: Path) -> None:
    files = small_suite("a") | {
        "a/conftest.py": b"from a.tests import test_all",
        "a/tests/data/x.csv": b"",
        "a/test/test_more.py": b"import a.tests",
        "a/testing/__init__.py": b"def helper(): pass",
    }
    tree = tree_of(tmp_path, WheelDraft(name="a", files=files))
    assert removed_by(tree, "small") == [
        "a/conftest.py",
        "a/test/test_more.py",
        "a/tests/__init__.py",
        "a/tests/data/x.csv",
        "a/tests/test_all.py",
    ]


def test_small_leaves_test_folders_without_tests_for_they_are_somebodys_interface(tmp_path: Path) -> None:
    files = dict.fromkeys(["web/__init__.py", "web/test/__init__.py", "web/test/client.py"], b"")
    assert removed_by(tree_of(tmp_path, WheelDraft(name="web", files=files)), "small") == []


def test_small_leaves_what_numpy_2_2_imports_of_its_tests_and_nothing_of_later_ones(tmp_path: Path) -> None:
    def numpy(version: str, utils: bytes) -> Tree:
        files = small_suite("numpy/_core") | {
            "numpy/__init__.py": b"",
            "numpy/_core/tests/_natype.py": b"",
            "numpy/testing/__init__.py": b"from ._private import utils",
            "numpy/testing/_private/__init__.py": b"",
            "numpy/testing/_private/utils.py": utils,
        }
        return tree_of(tmp_path / version, WheelDraft(name="numpy", version=version, files=files))

    assert removed_by(numpy("2.2.6", b"from numpy._core.tests._natype import pd_NA"), "small") == [
        "numpy/_core/tests/test_all.py"
    ]
    assert removed_by(numpy("2.4.6", b""), "small") == [
        "numpy/_core/tests/__init__.py",
        "numpy/_core/tests/_natype.py",
        "numpy/_core/tests/test_all.py",
    ]


def test_small_takes_samples_of_those_that_it_knows_only(tmp_path: Path) -> None:
    drafts = [
        WheelDraft(name="scikit-image", files={"skimage/data/cat.png": b"", "skimage/data/faces.xml": b""}),
        WheelDraft(name="scikit-learn", files={"sklearn/datasets/data/iris.csv": b""}),
        WheelDraft(name="geopandas", version="0.14", files={"geopandas/datasets/a/b.shp": b""}),
        WheelDraft(name="mine", files={"statsmodels/datasets/x.csv": b""}),
    ]
    taken = removed_by(tree_of(tmp_path, *drafts), "small")
    assert taken == ["geopandas/datasets/a/b.shp", "skimage/data/cat.png"]
    later = WheelDraft(name="geopandas", version="1.0", files={"geopandas/datasets/a/b.shp": b""})
    assert removed_by(tree_of(tmp_path / "later", later), "small") == []
