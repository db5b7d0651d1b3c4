"""What a Lambda runtime brings itself, awslambdaric and boto3 above all, laid out like a layer."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from layercraft.errors import HashMismatchError, IndexUnreachableError
from layercraft.events import SILENT
from layercraft.host.scratch import temporary_folder
from layercraft.layer.output import writing
from layercraft.layer.tree import Tree
from layercraft.layer.unpacked import write_files
from layercraft.pipeline import lock
from layercraft.recipe.recipe import Recipe
from layercraft.recipe.requirements import RequirementsInput
from layercraft.resolution.pins import Pin
from layercraft.wheels.downloads import fetch
from layercraft.wheels.inspection import inspect_all

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence
    from pathlib import Path

    from layercraft.events import Reporter
    from layercraft.layer.record import RecordedLeftOut
    from layercraft.sources import Sources
    from layercraft.target import Target
    from layercraft.verification.engines import Engine
    from layercraft.verification.layer import LayerUnderTest


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
    return _laid_out(pins, target, sources, folder, reporter)


def lay_out_left_out(
    left_out: Iterable[RecordedLeftOut],
    target: Target,
    sources: Sources,
    folder: Path,
    *,
    reporter: Reporter = SILENT,
) -> Path:
    """Bring what a build left to the target's runtime into a new folder, in the versions that it locked.

    Gives what sys.path needs.

    Raises:
        LayercraftError: see `wheels.downloads.fetch`.
    """
    pins = [
        Pin(
            name=canonicalize_name(each.name),
            version=each.version,
            filename=each.filename,
            url=each.url or None,
            path=None,
            sha256=each.sha256,
            size=each.packed,
        )
        for each in left_out
    ]
    return _laid_out(pins, target, sources, folder, reporter)


@contextmanager
def like_runtime(
    engine: Engine | None, layer: LayerUnderTest, sources: Sources, reporter: Reporter = SILENT
) -> Generator[Engine | None]:
    """Give a local engine what the layer leaves to its runtime, while the block lasts; others have it.

    What cannot be brought is told as a warning.

    Raises:
        OutputError: no temporary folder can be written.
    """
    from layercraft.verification.local_engine import LocalEngine

    left_out = [each for each in layer.record.left_out if each.guard == "runtime"] if layer.record else []
    if not left_out or not isinstance(engine, LocalEngine):
        yield engine
        return
    with temporary_folder() as folder:
        try:
            runtime = lay_out_left_out(left_out, layer.target, sources, folder / "runtime", reporter=reporter)
        except (IndexUnreachableError, HashMismatchError) as error:
            reporter.warning(f"what {layer.target.runtime.name} brings is not at hand: {error.message}")
            runtime = None
        yield replace(engine, runtime=runtime)


def _laid_out(
    pins: Sequence[Pin], target: Target, sources: Sources, folder: Path, reporter: Reporter
) -> Path:
    paths = fetch(pins, sources.client, sources.cache, reporter=reporter)
    files = [(path, pin.filename, pin.sha256) for path, pin in zip(paths, pins, strict=True)]
    with writing(folder):
        folder.mkdir()
        write_files(Tree.of(inspect_all(files, sources.cache), target), folder)
    return folder / "python"
