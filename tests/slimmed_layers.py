"""Layers made as small as the presets can, and the proof that they still import all that they did before."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from layercraft.events import SILENT
from layercraft.pipeline import build
from layercraft.recipe.options import BuildOptions
from layercraft.recipe.recipe import Recipe
from layercraft.recipe.requirements import RequirementsInput
from layercraft.verification.checks import Checks
from layercraft.verification.deep import requested_modules
from layercraft.verification.layer import read_layer

if TYPE_CHECKING:
    from pathlib import Path

    from layercraft.pipeline import Built
    from layercraft.recipe.layer_toml import Cleanup
    from layercraft.sources import Sources
    from layercraft.target import Target
    from layercraft.verification.engines import Engine
    from layercraft.verification.report import Outcome

TEST = re.compile(r"(.*\.)?(_?tests?|conftest|test_\w+)(\..*)?")
"""Names of modules that only a test runner wants."""

MEMORY = 2 << 30  # bytes for each import; what is measured here is not memory
TIMEOUT = 120.0  # seconds for each import


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What became of a layer: `lost` are modules that are no tests and are not in it any more."""

    built: Built
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


def prove(original: Path, built: Built, recipe: Recipe, engine: Engine, script: str | None = None) -> Proof:
    """Import every module of what the recipe asks for; `original` is the zip with all files.

    `script` is a small real use, which must end with 0.
    """
    asked = [each.name for each in recipe.requirements.requirements]
    before = [name for name in requested_modules(original, asked) if not TEST.fullmatch(name)]
    after = set(requested_modules(built.zip, asked))
    checks = Checks(
        deep=True, modules=tuple(asked), timeout=TIMEOUT, memory=MEMORY, script=script, script_name="use.py"
    )
    outcome = engine.verify(read_layer(built.zip), checks, SILENT)
    return Proof(built=built, lost=tuple(name for name in before if name not in after), outcome=outcome)
