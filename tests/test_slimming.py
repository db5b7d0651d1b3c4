"""The preset small on real wheels: what it leaves imports all that the wheels did, tests aside."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import pytest
from probed_layers import pythons
from slimmed_layers import SAFE, SMALL, built_with, prove, recipe_of

from layercraft.sources import open_sources
from layercraft.target import Target

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="no Lambda has this machine"),
]


@pytest.mark.parametrize("name", ["pyarrow", "shapely"])
def test_small_layers_import_all_that_their_wheels_did(tmp_path: Path, name: str) -> None:
    minor = next((minor for minor in (13, 12) if minor in pythons()), None)
    if minor is None:
        pytest.skip("no Python 3.12 or 3.13 here")
    target = Target.parse(f"3.{minor}", platform.machine())
    with open_sources(cache_dir=tmp_path / "cache") as sources:
        safe = built_with(SAFE, recipe_of(name), target, sources, tmp_path / "safe")
        small = built_with(SMALL, recipe_of(name), target, sources, tmp_path / "small")
        proof = prove(small, recipe_of(name), sources)
    assert proof.problems == []
    assert small.sizes.unzipped < safe.sizes.unzipped
    assert small.sizes.zipped < safe.sizes.zipped


def test_numpy_2_2_keeps_of_its_tests_what_numpy_testing_imports(tmp_path: Path) -> None:
    target = Target.parse("3.12", "x86_64")
    with open_sources(cache_dir=tmp_path / "cache") as sources:
        built = built_with(SMALL, recipe_of("numpy==2.2.6"), target, sources, tmp_path / "small")
    names = {each.path.rpartition("/")[2] for each in built.sizes.files if "/tests/" in each.path}
    assert names == {"__init__.py", "_natype.py"}
