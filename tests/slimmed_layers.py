"""Layers made as small as the presets can, and the proof that they still import all that they did before."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from probed_layers import pyenv_root

from layercraft.events import SILENT
from layercraft.layer.tree import Tree
from layercraft.pipeline import build
from layercraft.recipe.layer_toml import Cleanup
from layercraft.recipe.options import BuildOptions
from layercraft.recipe.recipe import Recipe
from layercraft.recipe.requirements import RequirementsInput
from layercraft.runtime_packages import like_runtime
from layercraft.target import Target
from layercraft.verification.checks import Checks, default_imports
from layercraft.verification.deep import requested_modules
from layercraft.verification.engines import Absent
from layercraft.verification.layer import read_layer
from layercraft.verification.native import find_native
from layercraft.wheels.inspection import inspect_all

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from packaging.utils import NormalizedName

    from layercraft.host.cache import Cache
    from layercraft.layer.record import BuildRecord
    from layercraft.pipeline import Built
    from layercraft.sources import Sources
    from layercraft.verification.layer import LayerUnderTest
    from layercraft.verification.report import Outcome

SAFE = Cleanup(preset="safe")
SMALL = Cleanup(preset="small", strip=True)
TEST = re.compile(r"(.*\.)?(_?tests?|conftest|test_\w+)(\..*)?")
"""Names of modules that only a test runner wants."""

MEMORY = 2 << 30  # bytes for each import; what is measured here is not memory
TIMEOUT = 120.0  # seconds for each import
_MODULE = re.compile(r"python/((?:[^\W\d]\w*/)*[^\W\d]\w*)\.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What became of a layer that had `before` unzipped bytes.

    `lost` are modules that are no tests and are not in it any more.
    """

    built: Built
    before: int
    lost: tuple[str, ...]
    outcome: Outcome

    @property
    def problems(self) -> list[str]:
        """Say what is missed, a line for each."""
        return [
            *(f"{name} is gone" for name in self.lost),
            *(f"{each.subject}: {each.cause}" for each in self.outcome.findings),
            *(f"{each.subject}: {each.why}" for each in self.outcome.unchecked if "import" in each.why),
        ]

    @property
    def modules(self) -> str:
        """Say how many modules import."""
        return self.outcome.checked[-1]


def recipe_of(requirement: str) -> Recipe:
    """Make a recipe of one requirement."""
    asked = RequirementsInput.of([requirement])
    return Recipe(name=asked.requirements[0].name, requirements=asked)


def built_with(cleanup: Cleanup, recipe: Recipe, target: Target, sources: Sources, folder: Path) -> Built:
    """Build a recipe's layer with this cleanup instead of its own."""
    bare = replace(recipe, cleanup=cleanup, script=None)
    return build(bare, target, BuildOptions(output=folder), sources=sources)


def original(record: BuildRecord, cache: Cache) -> Tree:
    """Give all files of the wheels that a layer was made of."""
    target = Target.parse(record.target.runtime, record.target.architecture)
    files = [(cache.wheel_path(pin.sha256), pin.filename, pin.sha256) for pin in record.pins]
    return Tree.of(inspect_all(files, cache), target)


def prove(built: Built, recipe: Recipe, sources: Sources, script: str | None = None) -> Proof:
    """Import every module of what the recipe asks for, natively, and look for sources that are gone.

    `script` is a small real use, which must end with 0. This machine must have a Python for the layer.
    """
    asked = [each.name for each in recipe.requirements.requirements]
    tree = original(built.record, sources.cache)
    matches = (_MODULE.fullmatch(path) for path, entry in tree.entries.items() if entry.owner in asked)
    before = {match[1].replace("/", ".").removesuffix(".__init__") for match in matches if match}
    after = {*requested_modules(built.zip, asked), *(name for name in before if name.endswith("__main__"))}
    return Proof(
        built=built,
        before=tree.size,
        lost=tuple(sorted(name for name in before - after if not TEST.fullmatch(name))),
        outcome=_outcome(read_layer(built.zip), asked, sources, script),
    )


def _outcome(
    layer: LayerUnderTest, asked: Sequence[NormalizedName], sources: Sources, script: str | None
) -> Outcome:
    search_path = os.environ.get("PATH", os.defpath)
    found = find_native(layer.target, cache=sources.cache, search_path=search_path, pyenv_root=pyenv_root())
    checks = Checks(
        imports=default_imports(layer, asked),
        script=script,
        script_name="use.py",
        deep=True,
        modules=tuple(asked),
        timeout=TIMEOUT,
        memory=MEMORY,
    )
    assert not isinstance(found, Absent), found.why
    with like_runtime(found, layer, sources) as engine:
        assert engine is not None
        return engine.verify(layer, checks, SILENT)
