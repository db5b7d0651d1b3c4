"""From a recipe to a layer: the stages, one after the other."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from layercraft.errors import UsageError
from layercraft.events import SILENT, RememberingReporter
from layercraft.inputs import inputs_digest, tool_version
from layercraft.recipe.names import layer_name
from layercraft.recipe.options import BuildOptions
from layercraft.resolution.pins import lock_name
from layercraft.sources import Sources, open_sources
from layercraft.supply import Job, locked_wheels, resolve_job
from layercraft.target import UNZIPPED_LIMIT

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from layercraft.events import Reporter
    from layercraft.layer.change import Change
    from layercraft.layer.record import BuildRecord
    from layercraft.layer.sizes import SizeReport
    from layercraft.recipe.recipe import Recipe
    from layercraft.resolution.pins import Lock
    from layercraft.resolution.resolver import Resolution
    from layercraft.target import Target
    from layercraft.verification.report import Verification


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a build made: three files, what went in, how large it is, and what its files tell.

    `resolution` is None where a lock was given or nothing had to be done (`skipped`). `verdict` is
    that of the static engine, None without `BuildOptions.check`: the zip is there whatever it says.
    `changes` are those of the record with their entries, empty when `skipped`.
    """

    zip: Path
    lock: Path
    record_path: Path
    record: BuildRecord
    sizes: SizeReport
    resolution: Resolution | None
    skipped: bool
    verdict: Verification | None = None
    changes: tuple[Change, ...] = ()


def lock(
    recipe: Recipe,
    target: Target,
    options: BuildOptions | None = None,
    *,
    sources: Sources | None = None,
    reporter: Reporter = SILENT,
) -> Resolution:
    """Choose the wheels of a recipe for a target; nothing is written.

    Raises:
        LayercraftError: see `resolution.resolver.resolve`.
    """
    with given(sources) as opened:
        job = Job(
            recipe=recipe,
            target=target,
            options=options or BuildOptions(),
            sources=opened,
            reporter=reporter,
        )
        return resolve_job(job)


def write_lock(lock: Lock, path: Path) -> None:
    """Write a lock as a PEP 751 file, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    from layercraft.layer.output import replacing
    from layercraft.resolution.lockfile import to_toml

    with replacing(path) as temporary:
        temporary.write_text(to_toml(lock), encoding="utf-8", newline="\n")


def build(
    recipe: Recipe,
    target: Target,
    options: BuildOptions | None = None,
    *,
    sources: Sources | None = None,
    reporter: Reporter = SILENT,
) -> Built:
    """Build a recipe's layer for a target: the zip, its lock and its build record.

    Without `sources`, PyPI and the user's cache are used. Nothing is written into the output folder
    before the layer is known to be within its limits; each file appears whole or not at all.

    Raises:
        LayercraftError: its subclasses say what failed, see `layercraft.errors`.
    """
    options = options or BuildOptions()
    with given(sources) as opened:
        inputs = inputs_digest(recipe, target, options, opened.index_url)
        job = Job(recipe=recipe, target=target, options=options, sources=opened, reporter=reporter)
        # A folder that is asked for must be laid out, whatever zip is there.
        done = _existing(job, inputs) if options.skip_existing and not options.unpacked else None
        built = done or _build(job, inputs)
        return replace(built, verdict=_judged(built, job)) if options.check else built


def output_paths(recipe: Recipe, target: Target, options: BuildOptions) -> tuple[Path, Path, Path]:
    """Give where a build writes its zip, lock and build record."""
    stem = layer_name(recipe.name)
    base = f"{stem}_{target.stem}"
    return (
        options.output / f"{base}.zip",
        options.output / lock_name(stem, target),
        options.output / f"{base}.json",
    )


@contextmanager
def given(sources: Sources | None) -> Generator[Sources]:
    """Give the sources that a caller brought, else PyPI and the user's cache for as long as needed."""
    if sources is not None:
        yield sources
    else:
        with open_sources() as opened:
            yield opened


def _existing(job: Job, inputs: str) -> Built | None:
    """Give the build that is there already, if its inputs are the same and its zip is untouched."""
    from layercraft.layer.record import read_build_record
    from layercraft.layer.zip_sizes import read_sizes

    zip_path, lock_path, record_path = output_paths(job.recipe, job.target, job.options)
    try:
        record = read_build_record(record_path)
        with zip_path.open("rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == record.zip.sha256
    except (UsageError, OSError):
        return None
    if not same or record.inputs != inputs or not lock_path.is_file():
        return None
    return Built(
        zip=zip_path,
        lock=lock_path,
        record_path=record_path,
        record=record,
        sizes=read_sizes(zip_path),
        resolution=None,
        skipped=True,
    )


def _judged(built: Built, job: Job) -> Verification:
    """Let the static engine judge the zip; what was read of the wheels when they were checked is known."""
    from layercraft.verification.layer import recorded_layer
    from layercraft.verification.verdict import judge

    files = frozenset(file.path for file in built.sizes.files)
    layer = recorded_layer(built.zip, job.target, built.record, files)
    return judge(layer, job.sources.cache, job.reporter)


def _build(job: Job, inputs: str) -> Built:
    from layercraft.host.scratch import temporary_folder
    from layercraft.layer.archive import write_zip
    from layercraft.layer.record import BuildRecord, write_build_record
    from layercraft.layer.sizes import check_limit
    from layercraft.layer.tree import Tree
    from layercraft.layer.unpacked import lay_out
    from layercraft.transformations import compiler_for, tell_conflicts, transformed

    told = RememberingReporter(job.reporter)
    told.notice(f"building {job.recipe.name} for {job.target}")
    job = replace(job, reporter=told, compiler=compiler_for(job))
    zip_path, lock_path, record_path = output_paths(job.recipe, job.target, job.options)
    with temporary_folder() as staging:
        locked, fetched = locked_wheels(job)
        wheels, donors = locked.parted(fetched)
        changes = transformed(job, Tree.of(wheels, job.target), locked.lock, donors, staging)
        tree = changes[-1].tree
        tell_conflicts(tree, job)
        check_limit(tree, job.recipe.limits.unzipped or UNZIPPED_LIMIT)
        if job.options.unpacked:
            lay_out(tree, job.options.unpacked, reporter=told)
        archive = write_zip(tree, zip_path, compress=job.options.compress, reporter=told)
        write_lock(locked.lock, lock_path)
    record = BuildRecord.of(
        name=job.recipe.name,
        target=job.target,
        tool=tool_version(),
        inputs=inputs,
        pins=locked.pins,
        requested=locked.lock.requested,
        left_out=locked.left_out,
        donors=locked.donors.values(),
        license=job.recipe.license or "",
        changes=changes,
        archive=archive,
        warnings=told.warnings,
    )
    write_build_record(record, record_path)
    return Built(
        zip=zip_path,
        lock=lock_path,
        record_path=record_path,
        record=record,
        sizes=archive.sizes,
        resolution=locked.resolution,
        skipped=False,
        changes=changes,
    )
