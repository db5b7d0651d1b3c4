"""Every module of a distribution, with and without what a build took away."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from local_index import LocalIndex
from probed_layers import HERE, native_engine, zipped
from wheelhouse import WheelDraft

from layercraft.host.cache import Cache
from layercraft.pipeline import build
from layercraft.recipe.options import BuildOptions
from layercraft.recipe.recipe import read_recipe
from layercraft.sources import open_sources
from layercraft.verification.checks import Checks
from layercraft.verification.deep import modules_of
from layercraft.verification.layer import read_layer
from layercraft.verification.zip_contents import open_zip

if TYPE_CHECKING:
    from pathlib import Path

    from layercraft.verification.layer import LayerUnderTest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="layers run on Linux")

PACK = WheelDraft(
    name="deep-pack",
    files={
        "pack/__init__.py": b"from pack import core\n",
        "pack/__main__.py": b"raise SystemExit('a program')\n",
        "pack/core.py": b"",
        "pack/exits.py": b"import os\nos._exit(0)\n",
        "pack/needs_other.py": b"import nowhere_at_all\n",
        "pack/reads_stub.py": b"open(__file__ + 'i').read()\n",
        "pack/reads_stub.pyi": b"x: int\n",
        "pack/sub/__init__.py": b"import pack.tests.helper\n",
        "pack/sub/inner.py": b"",
        "pack/tests/__init__.py": b"",
        "pack/tests/helper.py": b"",
        "pack/tests/notes.pyi": b"",
        "pack/uses_core.py": b"import pack.sub\n",
        "pack/uses_tests.py": b"from pack.tests import helper\n",
    },
)
RULES = '[cleanup]\npreset = "none"\nremove = ["**/tests/", "*.pyi"]\n'
MODULES = (
    "pack",
    "pack.core",
    "pack.exits",
    "pack.needs_other",
    "pack.reads_stub",
    "pack.sub",
    "pack.sub.inner",
    "pack.uses_core",
    "pack.uses_tests",
)
CHECKS = Checks(deep=True, modules=("deep-pack",), timeout=20)


@pytest.fixture
def layer(tmp_path: Path) -> LayerUnderTest:
    """Build a layer that a rule broke; its wheel is in the cache beside it."""
    recipe = tmp_path / "layers" / "pack"
    recipe.mkdir(parents=True)
    (recipe / "requirements.txt").write_text("deep-pack\n", encoding="utf-8")
    (recipe / "layer.toml").write_text(RULES, encoding="utf-8")
    with (
        LocalIndex(wheels=[(PACK.filename, PACK.packed())]) as index,
        open_sources(cache_dir=tmp_path / "cache", index_url=index.url) as sources,
    ):
        built = build(read_recipe(recipe), HERE, BuildOptions(output=tmp_path / "out"), sources=sources)
    return read_layer(built.zip)


def test_modules_that_the_changes_broke_are_found_with_the_rule(
    layer: LayerUnderTest, tmp_path: Path
) -> None:
    engine = replace(native_engine(tmp_path), cache=Cache(tmp_path / "cache"))
    outcome = engine.verify(layer, CHECKS)
    rule = "removed by rule {} of layers/pack/layer.toml"
    assert [(each.subject, each.kind, each.blame) for each in outcome.findings] == [
        ("pack.reads_stub", "removed-file", rule.format("*.pyi")),
        ("pack.sub", "removed-module", rule.format("**/tests/")),
        ("pack.uses_tests", "removed-module", rule.format("**/tests/")),
    ]
    assert all("without the changes of the build it imports" in each.cause for each in outcome.findings)
    assert outcome.checked[-1] == (
        f"2 of {len(MODULES)} modules import, 2 import neither with nor without the changes"
    )


def test_what_fails_stays_unjudged_when_the_original_cannot_be_made(
    layer: LayerUnderTest, tmp_path: Path
) -> None:
    for engine, judged, why in (
        (native_engine(tmp_path), layer, "there is no cache with its wheels"),
        (
            replace(native_engine(tmp_path), cache=Cache(tmp_path / "empty")),
            layer,
            f"{PACK.filename} is not in the cache any more",
        ),
        (
            replace(native_engine(tmp_path), cache=Cache(tmp_path / "cache")),
            replace(layer, record=None),
            "there is no build record beside the zip",
        ),
    ):
        outcome = engine.verify(judged, CHECKS)
        assert outcome.findings == ()
        (unknown,) = [each for each in outcome.unchecked if each.subject.startswith("7 modules, such as ")]
        assert unknown.subject.startswith("7 modules, such as pack.exits, pack.needs_other")
        assert unknown.why.endswith(why)


def test_modules_are_those_that_the_record_lists_and_the_zip_has(layer: LayerUnderTest) -> None:
    with open_zip(layer.zip) as contents:
        assert modules_of(contents, {"deep-pack"}) == MODULES
        assert modules_of(contents, {"other"}) == ()


def test_libraries_data_and_programs_are_no_modules(tmp_path: Path) -> None:
    names = [
        "a/__init__.py",
        "a/__main__.py",
        "a/_fast.cpython-312-x86_64-linux-gnu.so",
        "a/_stable.abi3.so",
        "a/plain.so",
        "a/libdata.so",
        "a.libs/libx-1.so.2",
        "a/not-a-name.py",
        "a/gone.py",
        "a/data.json",
        "single.py",
        "bin/tool",
    ]
    record = "".join(f"{name},,\n" for name in names)
    files = {f"python/{name}": "" for name in names if name != "a/gone.py"}
    path = zipped(tmp_path / "layer.zip", files | {"python/A-1.0.dist-info/RECORD": record})
    with open_zip(path) as contents:
        assert modules_of(contents, {"a"}) == ("a", "a._fast", "a._stable", "a.plain", "single")
