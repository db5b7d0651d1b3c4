"""AWS Lambda layers for Python packages, on any machine: no Docker, no matching Python.

    from layercraft import Target, build, find_recipe, shipped_layers

    built = build(find_recipe("sklearn", [shipped_layers()]), Target.parse("3.13", "arm64"))
    print(built.zip, built.sizes.unzipped)

Names are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from layercraft.aws.layer_version import LayerVersion, Publication
    from layercraft.aws.publish_options import PublishOptions
    from layercraft.aws.publishing import publish
    from layercraft.errors import LayercraftError
    from layercraft.events import SILENT, Progress, Reporter
    from layercraft.forecast import Forecast, plan
    from layercraft.layer.zip_sizes import read_sizes
    from layercraft.pipeline import Built, build, lock, write_lock
    from layercraft.recipe.catalog import find_recipe, list_recipes, shipped_layers
    from layercraft.recipe.options import BuildOptions
    from layercraft.recipe.recipe import Recipe, read_recipe
    from layercraft.recipe.requirements import RequirementsInput
    from layercraft.resolution.lockfile import read_lock
    from layercraft.resolution.pins import Lock, Pin
    from layercraft.resolution.resolver import Resolution
    from layercraft.sources import Sources, open_sources
    from layercraft.target import Target, runtimes
    from layercraft.verification.checks import Checks
    from layercraft.verification.layer import read_layer
    from layercraft.verification.report import Verification
    from layercraft.verification.verdict import Search, choose_engine, verify

_HOMES = {
    "SILENT": "events",
    "BuildOptions": "recipe.options",
    "Built": "pipeline",
    "Checks": "verification.checks",
    "Forecast": "forecast",
    "LayerVersion": "aws.layer_version",
    "LayercraftError": "errors",
    "Lock": "resolution.pins",
    "Pin": "resolution.pins",
    "Progress": "events",
    "Publication": "aws.layer_version",
    "PublishOptions": "aws.publish_options",
    "Recipe": "recipe.recipe",
    "Reporter": "events",
    "RequirementsInput": "recipe.requirements",
    "Resolution": "resolution.resolver",
    "Search": "verification.verdict",
    "Sources": "sources",
    "Target": "target",
    "Verification": "verification.report",
    "build": "pipeline",
    "choose_engine": "verification.verdict",
    "find_recipe": "recipe.catalog",
    "list_recipes": "recipe.catalog",
    "lock": "pipeline",
    "open_sources": "sources",
    "plan": "forecast",
    "publish": "aws.publishing",
    "read_layer": "verification.layer",
    "read_lock": "resolution.lockfile",
    "read_recipe": "recipe.recipe",
    "read_sizes": "layer.zip_sizes",
    "runtimes": "target",
    "shipped_layers": "recipe.catalog",
    "verify": "verification.verdict",
    "write_lock": "pipeline",
}

__all__ = [
    "SILENT",
    "BuildOptions",
    "Built",
    "Checks",
    "Forecast",
    "LayerVersion",
    "LayercraftError",
    "Lock",
    "Pin",
    "Progress",
    "Publication",
    "PublishOptions",
    "Recipe",
    "Reporter",
    "RequirementsInput",
    "Resolution",
    "Search",
    "Sources",
    "Target",
    "Verification",
    "build",
    "choose_engine",
    "find_recipe",
    "list_recipes",
    "lock",
    "open_sources",
    "plan",
    "publish",
    "read_layer",
    "read_lock",
    "read_recipe",
    "read_sizes",
    "runtimes",
    "shipped_layers",
    "verify",
    "write_lock",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
