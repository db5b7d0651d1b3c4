"""What a build would make, told without its wheels: from their directories alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from layercraft.errors import LayerTooLargeError
from layercraft.events import SILENT
from layercraft.pipeline import given
from layercraft.recipe.options import BuildOptions
from layercraft.supply import Job, lock_of
from layercraft.target import UNZIPPED_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from layercraft.events import Reporter
    from layercraft.layer.change import Change
    from layercraft.layer.record import RecordedChange
    from layercraft.layer.sizes import SizeReport
    from layercraft.layer.tree import Tree
    from layercraft.recipe.recipe import Recipe
    from layercraft.sources import Sources
    from layercraft.supply import Locked
    from layercraft.target import Target
    from layercraft.transformations import Bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a build would make.

    `sizes.unzipped` is exact when `bounds` is empty; zipped sizes are close, because hashes in RECORD
    that nobody has computed are stood in for. `bounds` are steps that need the files themselves; a build
    has no fewer unzipped bytes than are left when all of them save the most that they can.
    `packed` are the bytes of all wheels, `fetched` those that were read of them for this.
    """

    name: str
    locked: Locked
    changes: tuple[Change, ...]
    bounds: tuple[Bound, ...]
    sizes: SizeReport
    packed: int
    fetched: int

    def recorded(self) -> tuple[RecordedChange, ...]:
        """Give the changes as a build record would hold them."""
        from layercraft.layer.record import RecordedChange
        from layercraft.layer.zipped import ZippedSizes

        zipped = ZippedSizes.of(self.changes[-1].tree, self.sizes.files)
        return tuple(RecordedChange.of(change, zipped) for change in self.changes)


def plan(
    recipe: Recipe,
    target: Target,
    options: BuildOptions | None = None,
    *,
    sources: Sources | None = None,
    reporter: Reporter = SILENT,
) -> Forecast:
    """Tell what `build` would make of a recipe; nothing is written, and no wheel is downloaded.

    The wheels' directories are read by range requests, or in the cache. A host that gives no parts of
    files is asked for whole wheels, which is told. A layer over its limit is a warning here.

    Raises:
        LayercraftError: its subclasses say what failed, see `layercraft.errors`.
    """
    from layercraft.layer.tree import Tree
    from layercraft.transformations import foreseen, tell_conflicts
    from layercraft.wheels.remote import RemoteWheels

    with given(sources) as opened:
        job = Job(
            recipe=recipe,
            target=target,
            options=options or BuildOptions(),
            sources=opened,
            reporter=reporter,
        )
        with RemoteWheels(opened.client, opened.cache, reporter=reporter) as remote:
            locked = lock_of(job, remote.start)
            fetched = remote.wait(locked.needed)
    wheels, donors = locked.parted(fetched)
    changes, bounds = foreseen(job, Tree.of(wheels, target), locked.lock, donors)
    tree = changes[-1].tree
    tell_conflicts(tree, job)
    _tell_too_large(tree, bounds, job)
    return Forecast(
        name=recipe.name,
        locked=locked,
        changes=changes,
        bounds=bounds,
        sizes=_sizes(tree),
        packed=sum(remote.lengths[wheel.sha256] for wheel in fetched),
        fetched=remote.fetched,
    )


def _sizes(tree: Tree) -> SizeReport:
    from layercraft.layer.sizes import SizedFile, SizeReport
    from layercraft.layer.zipped import packed_size, zip_size

    files = (
        SizedFile(
            path=entry.path,
            owner=entry.owner,
            size=entry.size,
            packed=packed_size(entry.content),
            crc=entry.crc,
        )
        for entry in tree.entries.values()
    )
    return SizeReport(files=tuple(files), zipped=zip_size(tree))


def _tell_too_large(tree: Tree, bounds: Iterable[Bound], job: Job) -> None:
    """Warn of a tree over the limit, for sure only where nothing that a build may still save can help."""
    from layercraft.layer.sizes import check_limit, human_size

    limit = job.recipe.limits.unzipped or UNZIPPED_LIMIT
    saved = min(tree.size, sum(bound.at_most for bound in bounds))
    try:
        check_limit(tree, limit)
    except LayerTooLargeError as error:
        if tree.size - saved > limit:
            job.reporter.warning(f"a build would be refused: {error.message}")
            return
        job.reporter.warning(
            f"a build may be refused: {error.message}; "
            f"steps known by building only may save up to {human_size(saved)} of it"
        )
