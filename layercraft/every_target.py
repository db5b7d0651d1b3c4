"""Whether a layer is the same for every runtime and architecture, so that one zip can be marked for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layercraft.errors import LayercraftError, UsageError
from layercraft.events import SILENT
from layercraft.formats.elf_records import MAGIC
from layercraft.pipeline import lock
from layercraft.recipe.recipe import Recipe
from layercraft.recipe.requirements import RequirementsInput
from layercraft.target import Target, architectures, runtimes
from layercraft.verification.zip_contents import open_zip

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date
    from pathlib import Path

    from layercraft.layer.record import BuildRecord
    from layercraft.sources import Sources
    from layercraft.verification.layer import LayerUnderTest

MOST = 15
"""Runtimes that one layer version can be marked for (PublishLayerVersion, CompatibleRuntimes)."""


def every_target(today: date) -> tuple[Target, ...]:
    """Give all runtimes that AWS maintains on that day, on all architectures; no previews."""
    kept = [
        each
        for each in runtimes()
        if not each.preview and (each.deprecated is None or today < each.deprecated)
    ]
    return tuple(
        Target(runtime=runtime, architecture=architecture)
        for runtime in kept[-MOST:]
        for architecture in architectures()
    )


def require_same_files(layer: LayerUnderTest, targets: Iterable[Target], sources: Sources) -> None:
    """See that the layer's own versions resolve to the very same wheels for every target.

    What decides it is the index, asked for each target with the versions of the build record, and the
    zip, which must hold nothing that only one Python can load.

    Raises:
        UsageError: there is no build record, or some target gets other files; names target and file.
        BadWheelError: a file of the zip cannot be read.
    """
    record = layer.record
    if record is None:
        raise UsageError(
            f"{layer.zip}: no build record lies beside it, so nothing tells what it was made of",
            hint="build it with layercraft, or publish it without --all-runtimes",
        )
    _require_any_python(layer.zip)
    wanted = [f"{pin.name}=={pin.version}" for pin in record.pins]
    recipe = Recipe(name=record.name, requirements=RequirementsInput.of(wanted, source="the build record"))
    here = {pin.filename for pin in record.pins}
    for target in targets:
        there = _wheels(recipe, record, target, sources)
        if here != there:
            differing = ", ".join(sorted(here ^ there))
            raise UsageError(
                f"{layer.zip} is not the same for every runtime: {target} has other wheels ({differing})",
                hint="publish it without --all-runtimes, and build one layer for each target",
            )


def _wheels(recipe: Recipe, record: BuildRecord, target: Target, sources: Sources) -> set[str]:
    """Give the file names that a target gets, but for what the layer leaves to the runtime."""
    try:
        resolution = lock(recipe, target, sources=sources, reporter=SILENT)
    except LayercraftError as error:
        reason = error.message.strip().splitlines()[-1].strip()
        raise UsageError(
            f"the layer is not the same for every runtime: for {target}, {reason}",
            hint="publish it without --all-runtimes, and build one layer for each target",
        ) from error
    left_out = {each.name for each in record.left_out}
    return {pin.filename for pin in resolution.lock.pins if pin.name not in left_out}


def _require_any_python(path: Path) -> None:
    """Refuse a zip with files that only one Python finds or loads, or only one machine runs."""
    with open_zip(path) as contents:
        for name in contents.listed:
            bytecode = name.endswith(".pyc") and "/__pycache__/" not in name
            if bytecode or name.startswith("python/lib/python3."):
                only = "one version of Python"
            elif contents.head(name, len(MAGIC)) == MAGIC:
                only = "one architecture"
            else:
                continue
            raise UsageError(
                f"{path} is not the same for every runtime: {name} is for {only}",
                hint="publish it without --all-runtimes",
            )
