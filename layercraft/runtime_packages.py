"""What a Lambda runtime brings itself, awslambdaric and boto3 above all, laid out like a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layercraft.events import SILENT
from layercraft.layer.output import writing
from layercraft.layer.tree import Tree
from layercraft.layer.unpacked import write_files
from layercraft.pipeline import lock
from layercraft.recipe.recipe import Recipe
from layercraft.recipe.requirements import RequirementsInput
from layercraft.wheels.downloads import fetch
from layercraft.wheels.inspection import inspect_all

if TYPE_CHECKING:
    from pathlib import Path

    from layercraft.events import Reporter
    from layercraft.sources import Sources
    from layercraft.target import Target


def lay_out_runtime_packages(
    target: Target, sources: Sources, folder: Path, *, reporter: Reporter = SILENT
) -> Path:
    """Bring the distributions of the target's runtime into a new folder; give what sys.path needs.

    They are the newest that the target takes: AWS has versions of its own, which differ by region.

    Raises:
        LayercraftError: see `pipeline.lock` and `wheels.downloads.fetch`.
    """
    wanted = RequirementsInput.of(target.runtime.packages, source="the runtime")
    recipe = Recipe(name=target.runtime.name, requirements=wanted)
    pins = lock(recipe, target, sources=sources).lock.pins
    paths = fetch(pins, sources.client, sources.cache, reporter=reporter)
    files = [(path, pin.filename, pin.sha256) for path, pin in zip(paths, pins, strict=True)]
    with writing(folder):
        folder.mkdir()
        write_files(Tree.of(inspect_all(files, sources.cache), target), folder)
    return folder / "python"
