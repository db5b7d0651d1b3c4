from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from layer_zips import EXTENSION, TARGET, LayerDraft, distribution
from packaging.utils import canonicalize_name

from layercraft.verification.checks import default_imports, outermost_modules
from layercraft.verification.layer import read_layer
from layercraft.verification.report import Finding, Verification

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def imports(folder: Path, files: Mapping[str, bytes], *requested: str) -> tuple[str, ...]:
    layer = read_layer(LayerDraft(files=files).write(folder), TARGET)
    return default_imports(layer, [canonicalize_name(name) for name in requested])


@pytest.mark.parametrize(
    ("name", "paths", "expected"),
    [
        ("pandas", ["pandas/__init__.py", "pandas/core/__init__.py"], ("pandas",)),
        ("scikit-learn", ["sklearn/__init__.py", "scikit_learn.libs/libgomp.so.1"], ("sklearn",)),
        ("pyyaml", ["_yaml/__init__.py", "yaml/__init__.py", f"yaml/_yaml{EXTENSION}"], ("yaml",)),
        ("attrs", ["attr/__init__.py", "attrs/__init__.py"], ("attrs",)),
        ("six", ["six.py"], ("six",)),
        ("typing_extensions", ["typing_extensions.py"], ("typing_extensions",)),
        ("greenlet-like", [f"_greenlet{EXTENSION}"], ("_greenlet",)),
        (
            "google-cloud-storage",
            ["google/cloud/_storage_v2/__init__.py", "google/cloud/storage/__init__.py"],
            ("google.cloud.storage",),
        ),
        ("protobuf", ["google/protobuf/__init__.py", "google/_upb/_message.abi3.so"], ("google.protobuf",)),
        ("with-tests", ["tests/__init__.py", "thing/__init__.py"], ("thing",)),
        ("only-data", ["share/data.txt", "lib/libthing.so"], ()),
        ("only-stubs", ["thing-stubs/__init__.pyi"], ()),
        ("ruff", ["../../bin/ruff"], ()),
    ],
)
def test_the_first_package_that_is_no_namespace_is_imported(
    tmp_path: Path, name: str, paths: list[str], expected: tuple[str, ...]
) -> None:
    files = distribution(name, "1.0", dict.fromkeys(paths, b""))

    assert imports(tmp_path, files, name) == expected


def test_only_what_was_requested_is_imported_in_its_order(tmp_path: Path) -> None:
    files = {
        **distribution("a", "1", {"a/__init__.py": b""}),
        **distribution("b", "1", {"b.py": b""}),
        **distribution("c", "1", {"c.py": b""}),
    }

    assert imports(tmp_path, files, "c", "A", "c") == ("c", "a")


def test_a_package_that_the_layer_lost_is_imported_all_the_same(tmp_path: Path) -> None:
    files = distribution("demo", "1", {"demo/__init__.py": b""})
    del files["python/demo/__init__.py"]

    assert imports(tmp_path, files, "demo") == ("demo",)


def test_without_a_record_the_folder_of_the_name_counts(tmp_path: Path) -> None:
    versioned = "python/lib/python3.12/site-packages/other.py"
    files = {"python/big_demo/__init__.py": b"", versioned: b""}

    assert imports(tmp_path, files, "Big-Demo", "other", "unknown") == ("big_demo", "other")


def test_of_a_layer_without_distributions_what_lies_at_its_top_is_imported(tmp_path: Path) -> None:
    packages = ["alone.py", "pack/__init__.py", "pack/inner.py", "data/more.py", "_own.py"]
    strays = ["setup.py", "tests/__init__.py", "lib/python3.12/site-packages/other.py"]
    files = {f"python/{path}": b"" for path in (*packages, *strays)}

    assert imports(tmp_path, files) == ("alone", "other", "pack")
    assert imports(tmp_path, {"python/space/more.py": b"", "python/readme.txt": b""}) == ("space.more",)
    assert imports(tmp_path, {"python/readme.txt": b""}) == ()


def test_modules_inside_of_packages_are_not_outermost() -> None:
    paths = ["a/__init__.py", "a/b.py", "a/c/__init__.py", "n/m/d.py", "n/e/__init__.pyc", "not-a-name.py"]

    assert outermost_modules(paths) == {"a", "n.m.d", "n.e"}


@pytest.mark.parametrize(
    ("findings", "ran_imports", "code"),
    [((), True, 0), ((), False, 3), (("x",), True, 1), (("x",), False, 1)],
)
def test_a_pass_counts_only_when_imports_ran(
    findings: tuple[str, ...], *, ran_imports: bool, code: int
) -> None:
    verification = Verification(
        engine="static",
        zip="demo.zip",
        runtime="python3.12",
        architecture="x86_64",
        findings=tuple(
            Finding(engine="static", kind="too-large", subject=each, cause="so it is") for each in findings
        ),
        ran_imports=ran_imports,
    )

    assert verification.exit_code == code
    assert verification.passed is not bool(findings)
